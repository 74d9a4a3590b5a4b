// PNG files, which libpng itself reads again, and contact sheets.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <png.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/nn/data/image.hpp>

#include "scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;

namespace {

struct Read {
  Index height, width;
  png_uint_32 format;
  std::vector<int> bytes;
};

Read read_png(const fs::path& path) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_file(&png, path.c_str()) != 0);
  std::vector<png_byte> bytes(PNG_IMAGE_SIZE(png));
  REQUIRE(png_image_finish_read(&png, nullptr, bytes.data(), 0, nullptr) != 0);
  return {png.height, png.width, png.format, std::vector<int>(bytes.begin(), bytes.end())};
}

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> out;
  for (Index i = 0; i < t.elements(); ++i) out.push_back(t.at(i));
  return out;
}

}  // namespace

TEST_CASE("png: grey, colour and opacity") {
  const ScratchFolder folder;
  const fs::path path = folder / "a.png";
  for (const DType dtype : {f32, f64}) {
    save_png(path, Tensor::from<double>({2, 3}, {0, 1, 0.5, -3, 7, 0.2}).cast(dtype));
    const Read grey = read_png(path);
    CHECK((grey.height == 2 && grey.width == 3 && grey.format == PNG_FORMAT_GRAY));
    CHECK(grey.bytes == std::vector<int>{0, 255, 128, 0, 255, 51});
  }
  save_png(path, Tensor::from<double>({1, 2, 1}, {0, 1}));
  CHECK(read_png(path).format == PNG_FORMAT_GRAY);
  save_png(path, Tensor::from<double>({1, 2, 3}, {1, 0, 0, 0, 0.2, 1}));
  const Read colour = read_png(path);
  CHECK((colour.height == 1 && colour.width == 2 && colour.format == PNG_FORMAT_RGB));
  CHECK(colour.bytes == std::vector<int>{255, 0, 0, 0, 51, 255});
  save_png(path, Tensor::from<double>({1, 1, 4}, {1, 0, 0, 0.2}));
  CHECK(read_png(path).format == PNG_FORMAT_RGBA);
  CHECK(read_png(path).bytes == std::vector<int>{255, 0, 0, 51});
}

TEST_CASE("png: what is no image is refused, and the file stays as it was") {
  const ScratchFolder folder;
  const fs::path path = folder / "a.png";
  save_png(path, Tensor({2, 2}));
  const auto size = fs::file_size(path);
  for (const Shape& shape : {Shape{}, Shape{4}, Shape{2, 2, 2}, Shape{1, 2, 2, 3}, Shape{0, 2}, Shape{2, 0, 3}}) {
    CHECK(contains(message_of<ShapeError>([&] { save_png(path, Tensor(shape)); }), "save_png: " + path.string()));
  }
  CHECK_THROWS_AS(save_png(path, Tensor()), ShapeError);
  CHECK_THROWS_AS(save_png(path, Tensor({2, 2}, i64)), DTypeError);
  Tensor nan({2, 2});
  nan.mutable_values<float>()[2] = std::nanf("");
  CHECK(contains(message_of<ValueError>([&] { save_png(path, nan); }), "row 1, column 0 is NaN"));
  CHECK(fs::file_size(path) == size);
  CHECK(contains(message_of<EnvironmentError>([&] {
                   save_png(folder / "no" / "a.png", Tensor({2, 2}));
                 }),
                 "cannot write"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("contact sheet: images in rows, gaps around them") {
  const Tensor images = Tensor::from<double>({3, 1, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor sheet = contact_sheet(images, {.columns = 2, .gap = 1, .background = 9});
  CHECK(sheet.shape() == Shape{5, 7});
  CHECK(numbers(sheet) == std::vector<double>{9, 9, 9, 9, 9, 9, 9,  //
                                              9, 1, 2, 9, 3, 4, 9,  //
                                              9, 9, 9, 9, 9, 9, 9,  //
                                              9, 5, 6, 9, 9, 9, 9,  //
                                              9, 9, 9, 9, 9, 9, 9});
  CHECK(numbers(contact_sheet(images, {.columns = 1, .gap = 0})) == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(numbers(contact_sheet(images.rows(0, 1), {.columns = 5, .gap = 0, .scale = 2})) ==
        std::vector<double>{1, 1, 2, 2, 1, 1, 2, 2});
  const Tensor colours = Tensor::from<float>({2, 1, 1, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor two = contact_sheet(colours, {.gap = 0});
  CHECK(two.shape() == Shape{1, 2, 3});
  CHECK(two.dtype() == f32);
  CHECK(numbers(two) == std::vector<double>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("contact sheet: what makes no sheet is refused") {
  const Tensor images({3, 4, 4});
  CHECK_THROWS_AS(contact_sheet(Tensor({4, 4})), ShapeError);
  CHECK_THROWS_AS(contact_sheet(Tensor({0, 4, 4})), ShapeError);
  CHECK_THROWS_AS(contact_sheet(Tensor()), ShapeError);
  CHECK_THROWS_AS(contact_sheet(Tensor({3, 4, 4}, i64)), DTypeError);
  CHECK_THROWS_AS(contact_sheet(images, {.columns = 0}), UserError);
  CHECK_THROWS_AS(contact_sheet(images, {.gap = -1}), UserError);
  CHECK_THROWS_AS(contact_sheet(images, {.scale = 0}), UserError);
  CHECK_THROWS_AS(contact_sheet(images, {.scale = Index{1} << 62}), UserError);
  CHECK_THROWS_AS(contact_sheet(images, {.gap = std::numeric_limits<Index>::max()}), UserError);
  CHECK_THROWS_AS(contact_sheet(images, {.background = std::nan("")}), UserError);
}
