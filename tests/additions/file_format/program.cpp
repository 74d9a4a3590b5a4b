// Adds a file format: a header and a source file, which use the library's functions for files.
#include <string>

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>

#include <xgrad/nn/data/pgm.hpp>

#include "../../support/scratch.hpp"

using namespace xgrad;
using nn::load_pgm;
using nn::save_pgm;
using namespace scratch;

TEST_CASE("an added file format: an image is the same after writing and reading it") {
  const ScratchFolder folder;
  Tensor image({3, 5});
  float next = 0;
  for (float& x : image.mutable_values<float>()) x = next++ / 255;
  save_pgm(folder / "a.pgm", image);
  CHECK(bitwise_equal(load_pgm(folder / "a.pgm"), image));
  CHECK(fs::file_size(folder / "a.pgm") == 11 + 15);
  save_pgm(folder / "a.pgm", Tensor::from({{-1.0F, 2.0F}}));  // replaces the file
  CHECK(load_pgm(folder / "a.pgm").to_vector<float>() == std::vector<float>{0, 1});
  write_file(folder / "b.pgm", std::string("P5 # a comment\n1 2\n# another\n1000\n\x01\xF4\x03\xE8", 38));
  CHECK(load_pgm(folder / "b.pgm").to_vector<float>() == std::vector<float>{0.5F, 1});
}

TEST_CASE("an added file format: damaged files and wrong images throw, and leave the file unchanged") {
  const ScratchFolder folder;
  const auto refused = [&](const std::string& text) -> std::string {
    write_file(folder / "bad.pgm", text);
    try {
      (void)load_pgm(folder / "bad.pgm");
    } catch (const FormatError& error) {
      return error.message();
    }
    return {};
  };
  CHECK(contains(refused("\x89PNG\r\n\x1a\n 123"), "bad.pgm: not a PGM file: it is a PNG"));
  CHECK(contains(refused("P5\n3"), "the file ends before the width"));
  CHECK(contains(refused("P5\n3 0\n255\n"), "the height must be a number from 1 to"));
  CHECK(contains(refused("P5\n3 99999999999\n255\n"), "the height must be a number from 1 to"));
  CHECK(contains(refused("P5\n16777216 16777216\n255\nabc"), "the file ends early: 3 of 281474976710656 bytes"));
  CHECK(contains(refused("P5\n1 1\n9\nx"), "pixel 0 is 120, above the maximum gray value 9"));
  CHECK_THROWS_AS((void)load_pgm(folder / "none.pgm"), EnvironmentError);
  save_pgm(folder / "good.pgm", Tensor::ones({2, 2}));
  CHECK_THROWS_AS(save_pgm(folder / "good.pgm", Tensor::ones({2, 2, 3})), ShapeError);
  CHECK_THROWS_AS(save_pgm(folder / "good.pgm", Tensor()), ShapeError);
  CHECK(bitwise_equal(load_pgm(folder / "good.pgm"), Tensor::ones({2, 2})));
}
