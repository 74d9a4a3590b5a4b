#include <xgrad/nn/data/image.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
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

}  // namespace xgrad::inline v0::nn
