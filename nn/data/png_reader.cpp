#include <png.h>

#include <csetjmp>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/image.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>

namespace xgrad::inline v0::nn {
namespace {

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
  // After read_header: the size of a decoded row.
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

Tensor load_png(const std::filesystem::path& path, const PngOptions& options) {
  return with_file_memory([&] { return "load_png: " + path.string(); }, [&] { return read(path, options); },
                          [] { return std::string("reading its header"); });
}

}  // namespace xgrad::inline v0::nn
