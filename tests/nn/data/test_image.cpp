// PNG files, checked with libpng, and contact sheets.
#include <cmath>
#include <cstdio>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <png.h>
#include <zlib.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/image.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;

namespace {

struct Read {
  Index height, width;
  png_uint_32 format;
  std::vector<int> bytes;
};

Read read_by_libpng(const fs::path& path) {
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

TEST_CASE("png: writes gray, color and alpha") {
  const ScratchFolder folder;
  const fs::path path = folder / "a.png";
  for (const DType dtype : {f32, f64}) {
    save_png(path, Tensor::from<double>({2, 3}, {0, 1, 0.5, -3, 7, 0.2}).cast(dtype));
    const Read gray = read_by_libpng(path);
    CHECK((gray.height == 2 && gray.width == 3 && gray.format == PNG_FORMAT_GRAY));
    CHECK(gray.bytes == std::vector<int>{0, 255, 128, 0, 255, 51});
  }
  save_png(path, Tensor::from<double>({1, 2, 1}, {0, 1}));
  CHECK(read_by_libpng(path).format == PNG_FORMAT_GRAY);
  save_png(path, Tensor::from<double>({1, 2, 3}, {1, 0, 0, 0, 0.2, 1}));
  const Read color = read_by_libpng(path);
  CHECK((color.height == 1 && color.width == 2 && color.format == PNG_FORMAT_RGB));
  CHECK(color.bytes == std::vector<int>{255, 0, 0, 0, 51, 255});
  save_png(path, Tensor::from<double>({1, 1, 4}, {1, 0, 0, 0.2}));
  CHECK(read_by_libpng(path).format == PNG_FORMAT_RGBA);
  CHECK(read_by_libpng(path).bytes == std::vector<int>{255, 0, 0, 51});
}

TEST_CASE("png: invalid images throw and leave the old file") {
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

TEST_CASE("contact sheet: arranges images in rows with gaps") {
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
  const Tensor colors = Tensor::from<float>({2, 1, 1, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor two = contact_sheet(colors, {.gap = 0});
  CHECK(two.shape() == Shape{1, 2, 3});
  CHECK(two.dtype() == f32);
  CHECK(numbers(two) == std::vector<double>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("contact sheet: invalid images and options throw") {
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

namespace {

// A PNG file written by libpng: rows of `channels` values of `bits` bits, packed as in the format.
struct Written {
  int width, height, color_type, bits;
  std::vector<std::vector<png_byte>> rows;
  std::vector<png_color> palette{};
  std::vector<png_byte> opacity{};  // of the palette
  int interlace = PNG_INTERLACE_NONE;
  std::optional<png_color_16> transparent{};  // of images without a palette
};

fs::path write_by_libpng(const fs::path& path, const Written& image) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, file);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), image.bits,
               image.color_type, image.interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!image.palette.empty()) png_set_PLTE(png, info, image.palette.data(), static_cast<int>(image.palette.size()));
  if (!image.opacity.empty())
    png_set_tRNS(png, info, image.opacity.data(), static_cast<int>(image.opacity.size()), nullptr);
  if (image.transparent) png_set_tRNS(png, info, nullptr, 0, &*image.transparent);
  png_write_info(png, info);
  std::vector<std::vector<png_byte>> rows = image.rows;
  std::vector<png_bytep> pointers;
  for (auto& row : rows) pointers.push_back(row.data());
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  std::fclose(file);
  return path;
}

void check_png(const Tensor& image, const Shape& shape, const std::vector<double>& expected) {
  CHECK(image.dtype() == f32);
  REQUIRE(image.shape() == shape);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(image.at(static_cast<Index>(i)) == doctest::Approx(expected[i]).epsilon(1e-6));
}

}  // namespace

TEST_CASE("png: reads what it writes") {
  const ScratchFolder folder;
  for (const Shape& shape : {Shape{2, 3}, Shape{2, 3, 3}, Shape{2, 3, 4}}) {
    Tensor image(shape);
    for (Index i = 0; i < image.elements(); ++i)
      image.mutable_values<float>()[static_cast<std::size_t>(i)] = static_cast<float>(7 * i % 256) / 255;
    save_png(folder / "a.png", image);
    CHECK(bitwise_equal(load_png(folder / "a.png"), image));
  }
}

TEST_CASE("png: reads every color type and bit depth") {
  const ScratchFolder folder;
  const auto read = [&](const Written& image, Index channels = 0) {
    return load_png(write_by_libpng(folder / "a.png", image), {.channels = channels});
  };
  check_png(read({2, 1, PNG_COLOR_TYPE_GRAY, 8, {{0, 51}}}), {1, 2}, {0, 0.2});
  check_png(read({9, 1, PNG_COLOR_TYPE_GRAY, 1, {{0x81, 0x80}}}), {1, 9}, {1, 0, 0, 0, 0, 0, 0, 1, 1});
  check_png(read({2, 1, PNG_COLOR_TYPE_GRAY, 2, {{0x60}}}), {1, 2}, {1.0 / 3, 2.0 / 3});
  check_png(read({2, 1, PNG_COLOR_TYPE_GRAY, 4, {{0x5F}}}), {1, 2}, {1.0 / 3, 1});
  // 16-bit values are not rounded to 8 bits.
  check_png(read({2, 1, PNG_COLOR_TYPE_GRAY, 16, {{0x00, 0x01, 0x33, 0x33}}}), {1, 2}, {1.0 / 65535, 0.2});
  check_png(read({1, 1, PNG_COLOR_TYPE_GRAY_ALPHA, 8, {{51, 102}}}), {1, 1, 2}, {0.2, 0.4});
  check_png(read({1, 1, PNG_COLOR_TYPE_GRAY_ALPHA, 16, {{0xFF, 0xFF, 0x66, 0x66}}}), {1, 1, 2}, {1, 0.4});
  check_png(read({1, 2, PNG_COLOR_TYPE_RGB, 8, {{0, 51, 102}, {153, 204, 255}}}), {2, 1, 3},
            {0, 0.2, 0.4, 0.6, 0.8, 1});
  check_png(read({1, 1, PNG_COLOR_TYPE_RGB, 16, {{0, 0, 0x33, 0x33, 0xFF, 0xFF}}}), {1, 1, 3}, {0, 0.2, 1});
  check_png(read({1, 1, PNG_COLOR_TYPE_RGBA, 8, {{0, 51, 102, 153}}}), {1, 1, 4}, {0, 0.2, 0.4, 0.6});
  Written palette{3, 1, PNG_COLOR_TYPE_PALETTE, 2, {{0x18}}, {{255, 0, 0}, {0, 255, 0}, {0, 0, 51}}};
  check_png(read(palette), {1, 3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 0.2});
  palette.opacity = {0, 51};
  check_png(read(palette), {1, 3, 4}, {1, 0, 0, 0, 0, 1, 0, 0.2, 0, 0, 0.2, 1});

  check_png(read({1, 1, PNG_COLOR_TYPE_RGBA, 16, {{0, 0, 0x33, 0x33, 0xFF, 0xFF, 0x66, 0x66}}}), {1, 1, 4},
            {0, 0.2, 1, 0.4});
  const std::vector<png_color> two{{255, 0, 0}, {0, 0, 51}};
  const std::vector<double> both{1, 0, 0, 0, 0, 0.2};
  check_png(read({2, 1, PNG_COLOR_TYPE_PALETTE, 1, {{0x40}}, two}), {1, 2, 3}, both);
  check_png(read({2, 1, PNG_COLOR_TYPE_PALETTE, 4, {{0x01}}, two}), {1, 2, 3}, both);
  check_png(read({2, 1, PNG_COLOR_TYPE_PALETTE, 8, {{0, 1}}, two}), {1, 2, 3}, both);
  // One color is transparent.
  Written keyed{2, 1, PNG_COLOR_TYPE_GRAY, 8, {{51, 102}}};
  keyed.transparent = png_color_16{0, 0, 0, 0, 102};
  check_png(read(keyed), {1, 2, 2}, {0.2, 1, 0.4, 0});
  keyed = {2, 1, PNG_COLOR_TYPE_GRAY, 16, {{0x33, 0x33, 0x66, 0x66}}};
  keyed.transparent = png_color_16{0, 0, 0, 0, 0x6666};
  check_png(read(keyed), {1, 2, 2}, {0.2, 1, 0.4, 0});
  keyed = {2, 1, PNG_COLOR_TYPE_RGB, 8, {{0, 51, 102, 153, 204, 255}}};
  keyed.transparent = png_color_16{0, 0, 51, 102, 0};
  check_png(read(keyed), {1, 2, 4}, {0, 0.2, 0.4, 0, 0.6, 0.8, 1, 1});

  // Interlaced images.
  Written plain{19, 13, PNG_COLOR_TYPE_RGB, 8, {}};
  for (int y = 0; y < 13; ++y) {
    plain.rows.emplace_back();
    for (int x = 0; x < 3 * 19; ++x) plain.rows.back().push_back(static_cast<png_byte>(7 * x + 31 * y));
  }
  const Tensor straight = read(plain);
  plain.interlace = PNG_INTERLACE_ADAM7;
  CHECK(bitwise_equal(read(plain), straight));

  // Conversion to the requested channels.
  const Written rgba{1, 1, PNG_COLOR_TYPE_RGBA, 8, {{255, 0, 51, 102}}}, gray{1, 1, PNG_COLOR_TYPE_GRAY, 8, {{51}}};
  check_png(read(rgba, 1), {1, 1}, {0.299 + 0.114 * 0.2});
  check_png(read(rgba, 2), {1, 1, 2}, {0.299 + 0.114 * 0.2, 0.4});
  check_png(read(rgba, 3), {1, 1, 3}, {1, 0, 0.2});
  check_png(read(gray, 3), {1, 1, 3}, {0.2, 0.2, 0.2});
  check_png(read(gray, 4), {1, 1, 4}, {0.2, 0.2, 0.2, 1});
  CHECK_THROWS_AS(read(gray, 5), UserError);
}

TEST_CASE("png: other formats, damaged and too large files throw") {
  const ScratchFolder folder;
  const fs::path path = folder / "a.png";
  const auto why = [&](const std::string& content) {
    return message_of<FormatError>([&] { (void)load_png(write_file(path, content)); });
  };
  CHECK(contains(why(""), "the file is empty"));
  CHECK(contains(why("hello"), "not a PNG image"));
  CHECK(contains(why("\xFF\xD8\xFF\xE0"), "it is a JPEG image"));
  save_png(path, Tensor::full({20, 30}, 0.5));
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string good = text.str();
  for (std::size_t length = 0; length < good.size(); ++length) CHECK_FALSE(why(good.substr(0, length)).empty());
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string content = good;
    content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << bit % 8));
    write_file(path, content);
    try {
      (void)load_png(path);
    } catch (const FormatError&) {
      ++refused;
    }
  }
  CHECK(refused > static_cast<int>(4 * good.size()));
  // A header that claims 2^20 x 2^20 pixels allocates nothing.
  std::string huge = good.substr(0, 33);
  huge.replace(16, 8, "\x00\x10\x00\x00\x00\x10\x00\x00", 8);
  const auto check = ::crc32(0, reinterpret_cast<const Bytef*>(huge.data() + 12), 17);
  for (int i = 0; i < 4; ++i) huge[29 + static_cast<std::size_t>(i)] = static_cast<char>(check >> (24 - 8 * i));
  CHECK(contains(why(huge + good.substr(33)), "1048576 x 1048576 pixels exceed"));
  write_file(path, huge + good.substr(33));
  CHECK(contains(message_of<FormatError>([&] { (void)load_png(path, {.max_pixels = std::uint64_t{1} << 60}); }),
                 "bytes cannot hold"));
  CHECK_THROWS_AS(load_png(folder / "none"), EnvironmentError);
}
