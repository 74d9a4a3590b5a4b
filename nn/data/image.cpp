#include <xgrad/nn/data/image.hpp>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdlib>
#include <exception>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <png.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>
#include <xgrad/nn/data/internal/png.hpp>

namespace xgrad::inline v0::nn {

namespace {

namespace fs = std::filesystem;

void require_floating(const std::string& where, const Tensor& images) {
  if (!is_floating(images.dtype()))
    throw DTypeError(fmt::format("{}: images must be f32 or f64, got {}", where, images.type().str()));
}

// The libpng format for a number of channels; 0 if there is none.
png_uint_32 format_of(Index channels) {
  switch (channels) {
    case 1: return PNG_FORMAT_GRAY;
    case 3: return PNG_FORMAT_RGB;
    case 4: return PNG_FORMAT_RGBA;
    default: return std::numeric_limits<png_uint_32>::max();
  }
}

constexpr Index longest_side = 1 << 20;

// State shared with libpng's callbacks. libpng reports errors by longjmp, which skips destructors; so functions below
// that call libpng have only trivially destructible variables.
class Decoder {
 public:
  explicit Decoder(InputFile& file) : file_(file) {
    png_ = png_create_read_struct_2(
        PNG_LIBPNG_VER_STRING, this, on_error, [](png_structp, png_const_charp) {}, this, on_malloc,
        [](png_structp, png_voidp memory) { std::free(memory); });
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ != nullptr) return;
    png_destroy_read_struct(&png_, &info_, nullptr);
    throw std::bad_alloc();
  }
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  void read_header() { require(try_header()); }
  // Reads all rows, each of row_bytes() bytes.
  void read_rows(std::vector<png_bytep>& rows) { require(try_rows(rows.data())); }

  std::uint64_t width() const { return png_get_image_width(png_, info_); }
  std::uint64_t height() const { return png_get_image_height(png_, info_); }
  // The size of a decoded row. Valid after read_header, as are the getters below.
  std::size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  Index channels() const { return png_get_channels(png_, info_); }
  int bits() const { return png_get_bit_depth(png_, info_); }
  // Bits per pixel in the file.
  std::uint64_t pixel_bits() const { return pixel_bits_; }

 private:
  static Decoder& of(png_structp png) { return *static_cast<Decoder*>(png_get_error_ptr(png)); }
  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    std::snprintf(of(png).message_, sizeof(message_), "%s", text);
    png_longjmp(png, 1);
  }
  static png_voidp on_malloc(png_structp png, png_alloc_size_t bytes) {
    void* memory = std::malloc(bytes);
    if (memory == nullptr) static_cast<Decoder*>(png_get_mem_ptr(png))->out_of_memory_ = true;
    return memory;
  }
  static void on_read(png_structp png, png_bytep to, png_size_t count) {
    Decoder& self = of(png);
    bool whole = false;
    try {
      whole = self.file_.read(to, count) == count;
    } catch (...) {
      self.error_ = std::current_exception();
    }
    if (!whole) png_error(png, "the file is truncated");
  }

  bool try_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, nullptr, on_read);
    png_set_user_limits(png_, 1 << 20, 1 << 20);
    png_set_chunk_malloc_max(png_, 1 << 20);
    // Text and profile chunks do not affect pixels, and could unpack to large sizes.
    static const png_byte ignored[] = "iCCP\0tEXt\0zTXt\0iTXt\0eXIf\0sPLT\0hIST";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, ignored, static_cast<int>(sizeof(ignored) / 5));
    png_read_info(png_, info_);
    pixel_bits_ = std::uint64_t{png_get_channels(png_, info_)} * png_get_bit_depth(png_, info_);
    png_set_expand(png_);  // expands palettes, channels of less than 8 bits, and the transparent color
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }
  bool try_rows(png_bytepp rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);
    return true;
  }
  void require(bool done) {
    if (error_) std::rethrow_exception(error_);
    if (!done && out_of_memory_) throw std::bad_alloc();
    if (!done) file_.fail(fmt::format("damaged PNG image: {}", message_));
  }

  InputFile& file_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::uint64_t pixel_bits_ = 0;
  int passes_ = 1;
  bool out_of_memory_ = false;
  char message_[200] = {};
  std::exception_ptr error_{};
};

// Converts one pixel between 1 to 4 channels.
void convert_pixel(const float* from, Index channels, float* to, Index wanted) {
  const bool gray = channels <= 2;
  if (wanted <= 2) {
    to[0] = gray ? from[0] : 0.299F * from[0] + 0.587F * from[1] + 0.114F * from[2];
  } else {
    for (Index c = 0; c < 3; ++c) to[c] = from[gray ? 0 : c];
  }
  if (wanted % 2 == 0) to[wanted - 1] = channels % 2 == 0 ? from[channels - 1] : 1;
}

// Reads the pixels, after the header.
Tensor read_pixels(Decoder& decoder, Index channels_wanted) {
  const std::uint64_t height = decoder.height(), width = decoder.width();
  const std::size_t row_bytes = decoder.row_bytes();
  std::vector<png_byte> bytes(height * row_bytes);
  std::vector<png_bytep> rows(height);
  for (std::size_t row = 0; row < height; ++row) rows[row] = bytes.data() + row * row_bytes;
  decoder.read_rows(rows);

  const Index channels = decoder.channels(), wanted = channels_wanted == 0 ? channels : channels_wanted;
  Shape shape{static_cast<Index>(height), static_cast<Index>(width)};
  if (wanted > 1) shape.push_back(wanted);
  Tensor out(shape);
  float* to = out.mutable_values<float>().data();
  const bool wide = decoder.bits() == 16;
  const png_byte* from = bytes.data();
  float pixel[4] = {};
  for (std::uint64_t i = 0; i < height * width; ++i, to += wanted) {
    for (Index c = 0; c < channels; ++c, from += wide ? 2 : 1)
      pixel[c] = wide ? static_cast<float>(from[0] << 8 | from[1]) / 65535 : static_cast<float>(from[0]) / 255;
    convert_pixel(pixel, channels, to, wanted);
  }
  return out;
}

Tensor read(const std::filesystem::path& path, const PngOptions& options) {
  if (options.channels < 0 || options.channels > 4) {
    throw UserError(fmt::format("load_png: {}: channels must be 0 to 4, got {}", path.string(), options.channels));
  }
  InputFile file("load_png", path);
  if (!file.beginning().starts_with("\x89PNG\r\n\x1A\n"))
    file.fail(not_of_format("a PNG image", file.beginning(), "it does not begin with the PNG signature"));
  Decoder decoder(file);
  decoder.read_header();
  const std::uint64_t height = decoder.height(), width = decoder.width();
  if (height * width > options.max_pixels) {
    file.fail(fmt::format("{} x {} pixels exceed PngOptions::max_pixels = {}", width, height, options.max_pixels));
  }
  // Deflate compresses by a factor of at most 1032.
  if (height * width * decoder.pixel_bits() / 8 / 1032 > file.size())
    file.fail(fmt::format("a file of {2} bytes cannot hold {0} x {1} pixels", width, height, file.size()));

  return with_file_memory([&] { return "load_png: " + path.string(); },
                          [&] { return read_pixels(decoder, options.channels); },
                          [&] { return fmt::format("{} x {} pixels", width, height); });
}

}  // namespace

std::string encode_png(const std::string& where, const Tensor& image) {
  const Shape& s = image.shape();
  const Index channels = s.rank() == 3 ? s[2] : 1;
  const png_uint_32 format = format_of(channels);
  const bool is_image = !image.empty() && (s.rank() == 2 || s.rank() == 3) && s[0] > 0 && s[1] > 0 &&
                        s[0] <= longest_side && s[1] <= longest_side &&
                        format != std::numeric_limits<png_uint_32>::max();
  if (!is_image) {
    throw ShapeError(fmt::format("{}: an image must be [h, w], or [h, w, channels] with 1, 3 or 4 channels, got {}",
                                 where, image.type().str()));
  }
  require_floating(where, image);
  std::vector<png_byte> bytes(static_cast<std::size_t>(image.elements()));
  for (Index i = 0; i < image.elements(); ++i) {
    const double number = image.at(i);
    if (std::isnan(number)) {
      throw ValueError(fmt::format("{}: row {}, column {} is NaN", where, i / (s[1] * channels), i / channels % s[1]));
    }
    bytes[static_cast<std::size_t>(i)] = static_cast<png_byte>(std::lround(255 * std::clamp(number, 0.0, 1.0)));
  }
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(s[1]);
  png.height = static_cast<png_uint_32>(s[0]);
  png.format = format;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string file(size, '\0');
  if (png_image_write_to_memory(&png, file.data(), &size, 0, bytes.data(), 0, nullptr) == 0)
    throw EnvironmentError(fmt::format("{}: libpng cannot encode the image: {}", where, png.message));
  file.resize(size);
  return file;
}

void save_png(const fs::path& path, const Tensor& image) {
  const auto where = [&] { return fmt::format("save_png: {}", path.string()); };
  with_file_memory(
      where, [&] { replace_file("save_png", path, encode_png(where(), image)); },
      [&] { return "an image of " + image.shape().str(); });
}

Tensor contact_sheet(const Tensor& images, const SheetOptions& options) {
  const Shape& s = images.shape();
  if (images.empty() || (s.rank() != 3 && s.rank() != 4) || s.elements() == 0) {
    throw ShapeError(
        fmt::format("contact_sheet: images must be [n, h, w] or [n, h, w, channels] with n of at least 1, got {}",
                    images.type().str()));
  }
  require_floating("contact_sheet", images);
  if (options.columns < 1 || options.gap < 0 || options.scale < 1 || !std::isfinite(options.background)) {
    throw UserError(fmt::format(
        "contact_sheet: needs columns >= 1, gap >= 0, scale >= 1 and a finite background, got {}, {}, {} and {}",
        options.columns, options.gap, options.scale, options.background));
  }
  const Index columns = std::min(options.columns, s[0]), rows = (s[0] + columns - 1) / columns;
  const auto along = [&](Index count, Index extent) {
    Index step = 0, out = 0;
    if (__builtin_mul_overflow(extent, options.scale, &step) || __builtin_add_overflow(step, options.gap, &step) ||
        __builtin_mul_overflow(step, count, &out) || __builtin_add_overflow(out, options.gap, &out) ||
        out > longest_side) {
      throw UserError(fmt::format("contact_sheet: {} images in a row at scale {} exceed {} pixels", count,
                                  options.scale, longest_side));
    }
    return out;
  };
  const Index height = along(rows, s[1]), width = along(columns, s[2]), channels = s.rank() == 4 ? s[3] : 1;
  Shape shape{height, width};
  if (s.rank() == 4) shape.push_back(channels);
  Tensor out = Tensor::full(shape, options.background, images.dtype());
  const auto draw = [&](const auto* from, auto* to) {
    for (Index i = 0; i < s[0]; ++i, from += s[1] * s[2] * channels) {
      const Index top = options.gap + i / columns * (s[1] * options.scale + options.gap);
      const Index left = options.gap + i % columns * (s[2] * options.scale + options.gap);
      for (Index y = 0; y < s[1] * options.scale; ++y) {
        for (Index x = 0; x < s[2] * options.scale; ++x) {
          std::copy_n(from + (y / options.scale * s[2] + x / options.scale) * channels, channels,
                      to + ((top + y) * width + left + x) * channels);
        }
      }
    }
  };
  with_floating(images.dtype(), [&](auto zero) {
    draw(images.values<decltype(zero)>().data(), out.mutable_values<decltype(zero)>().data());
  });
  return out;
}

Tensor load_png(const std::filesystem::path& path, const PngOptions& options) {
  return with_file_memory([&] { return "load_png: " + path.string(); }, [&] { return read(path, options); },
                          [] { return std::string("reading its header"); });
}

}  // namespace xgrad::inline v0::nn
