#include <xgrad/nn/data/pgm.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>

namespace xgrad::inline v0::nn {

namespace {

constexpr Index largest_side = Index{1} << 24;

// Reads the next number of the header, and the one character behind it. `most` is the largest allowed value.
Index number(InputFile& file, const char* what, Index most) {
  char c = 0;
  const auto next = [&] {
    if (file.read(&c, 1) != 1) file.fail(fmt::format("the file ends before the {}", what));
  };
  next();
  for (; std::isspace(static_cast<unsigned char>(c)) != 0 || c == '#'; next()) {
    while (c == '#') {
      do next();
      while (c != '\n');
    }
  }
  Index out = 0;
  for (; c >= '0' && c <= '9' && out <= most; next()) out = 10 * out + (c - '0');
  if (out < 1 || out > most || std::isspace(static_cast<unsigned char>(c)) == 0)
    file.fail(fmt::format("the {} must be a number from 1 to {}", what, most));
  return out;
}

Tensor read(const std::filesystem::path& path) {
  InputFile file("load_pgm", path);
  if (!file.beginning().starts_with("P5")) file.fail(not_of_format("a PGM file", file.beginning(), "it is not P5"));
  file.skip(2);
  const Index width = number(file, "width", largest_side), height = number(file, "height", largest_side);
  const Index brightest = number(file, "maximum gray value", 65535);
  const std::size_t size = brightest < 256 ? 1 : 2;
  const std::size_t bytes = static_cast<std::size_t>(width * height) * size;
  const std::vector<unsigned char> pixels =
      read_up_to(bytes, [&](void* to, std::size_t count) { return file.read(to, count); });
  if (pixels.size() != bytes)
    file.fail(fmt::format("the file ends early: {} of {} bytes of pixels", pixels.size(), bytes));
  Tensor out({height, width});
  const auto to = out.mutable_values<float>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const int pixel = size == 1 ? pixels[i] : 256 * pixels[2 * i] + pixels[2 * i + 1];
    if (pixel > brightest)
      file.fail(fmt::format("pixel {} is {}, above the maximum gray value {}", i, pixel, brightest));
    to[i] = static_cast<float>(pixel) / static_cast<float>(brightest);
  }
  return out;
}

}  // namespace

Tensor load_pgm(const std::filesystem::path& path) {
  return with_file_memory([&] { return "load_pgm: " + path.string(); }, [&] { return read(path); },
                          [] { return std::string("its pixels"); });
}

void save_pgm(const std::filesystem::path& path, const Tensor& image) {
  if (image.shape().rank() != 2 || image.dtype() != f32 || image.elements() == 0)
    throw ShapeError(fmt::format("save_pgm: expected an image f32[h, w], got {}", image.type().str()));
  std::string text = fmt::format("P5\n{} {}\n255\n", image.shape()[1], image.shape()[0]);
  for (const float x : image.values<float>())
    text += static_cast<char>(static_cast<unsigned char>(std::lround(std::clamp(x, 0.0F, 1.0F) * 255)));
  replace_file("save_pgm", path, text);
}

}  // namespace xgrad::inline v0::nn
