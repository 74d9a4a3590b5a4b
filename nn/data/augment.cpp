// Augment: converts rows to images, applies the transforms, and converts back.
#include <xgrad/nn/data/augment.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr Index images_per_task = 8;

bool is_identity(const PointMap& m) {
  return m.xx == 1 && m.xy == 0 && m.x0 == 0 && m.yx == 0 && m.yy == 1 && m.y0 == 0;
}

// The composition inner(outer(p)). `inner` belongs to the transform that is applied first.
PointMap compose(const PointMap& inner, const PointMap& outer) {
  const PointMap &a = inner, &b = outer;
  return {.xx = a.xx * b.xx + a.xy * b.yx,
          .xy = a.xx * b.xy + a.xy * b.yy,
          .x0 = a.xx * b.x0 + a.xy * b.y0 + a.x0,
          .yx = a.yx * b.xx + a.yy * b.yx,
          .yy = a.yx * b.xy + a.yy * b.yy,
          .y0 = a.yx * b.x0 + a.yy * b.y0 + a.y0};
}

// Maps index i, possibly out of range, to one of n pixels by the fill mode; -1 stands for the fill value.
Index inside(Index i, Index n, Fill fill) {
  if (i >= 0 && i < n) return i;
  switch (fill) {
    case Fill::constant: return -1;
    case Fill::nearest: return i < 0 ? 0 : n - 1;
    case Fill::wrap: return (i % n + n) % n;
    case Fill::reflect: {
      const Index at = (i % (2 * n) + 2 * n) % (2 * n);
      return at < n ? at : 2 * n - 1 - at;
    }
  }
  return -1;
}

double interpolated(double a, double b, double part) { return a + part * (b - a); }

// Clamps a coordinate so that it fits an Index; NaN becomes a coordinate outside any image.
double bounded(double position) { return position > -1e9 ? std::min(position, 1e9) : -1e9; }

// Samples `image` at the mapped coordinates into `out`.
void resample(const Image& image, const PointMap& map, std::span<double> out) {
  const double middle_x = static_cast<double>(image.width - 1) / 2,
               middle_y = static_cast<double>(image.height - 1) / 2;
  const auto last_x = static_cast<double>(image.width - 1), last_y = static_cast<double>(image.height - 1);
  const Index across = image.channels, down = image.width * image.channels;
  double* to = out.data();
  for (Index row = 0; row < image.height; ++row) {
    const double v = static_cast<double>(row) - middle_y;
    for (Index column = 0; column < image.width; ++column, to += image.channels) {
      const double u = static_cast<double>(column) - middle_x;
      const double x = map.xx * u + map.xy * v + map.x0 + middle_x;
      const double y = map.yx * u + map.yy * v + map.y0 + middle_y;
      if (x >= 0 && y >= 0 && x < last_x && y < last_y) {  // all four pixels lie within the image
        const auto left = static_cast<Index>(x), top = static_cast<Index>(y);
        const double right = x - static_cast<double>(left), below = y - static_cast<double>(top);
        const double* from = image.pixels.data() + top * down + left * across;
        for (Index c = 0; c < image.channels; ++c, ++from) {
          to[c] = interpolated(interpolated(from[0], from[across], right),
                               interpolated(from[down], from[down + across], right), below);
        }
      } else {
        for (Index c = 0; c < image.channels; ++c) to[c] = image.sample(y, x, c);
      }
    }
  }
}

// The image shape of rows of shape `row`: [h, w] or [h, w, channels].
Shape image_shape(const Shape& row, const AugmentOptions& options) {
  return options.image.rank() == 0 ? row : options.image;
}

struct Worker {
  const std::vector<Transform>& transforms;
  Image image;
  std::vector<double> pixels, spare;

  Worker(const std::vector<Transform>& t, const Shape& shape, const AugmentOptions& options)
      : transforms(t),
        image{.height = shape[0],
              .width = shape[1],
              .channels = shape.rank() == 3 ? shape[2] : 1,
              .pixels = {},
              .fill = options.fill,
              .fill_value = options.fill_value},
        pixels(static_cast<std::size_t>(shape.elements())),
        spare(pixels.size()) {}

  void move(PointMap& map) {
    if (is_identity(map)) return;
    image.pixels = pixels;
    resample(image, map, spare);
    std::swap(pixels, spare);
    map = {};
  }

  // `seed` belongs to the row. Each transform has its own random stream, so that it draws the same values whatever the
  // other transforms draw.
  void run(std::uint64_t seed) {
    PointMap map;
    for (std::size_t i = 0; i < transforms.size(); ++i) {
      HostRandom random(seed, i);
      if (transforms[i].move) {
        map = compose(map, transforms[i].move(image, random));
        continue;
      }
      move(map);
      image.pixels = pixels;
      transforms[i].change(image, random);
    }
    move(map);
  }

  template <class T>
  void run_on(T* data, std::uint64_t seed) {
    std::copy_n(data, pixels.size(), pixels.begin());
    run(seed);
    std::transform(pixels.begin(), pixels.end(), data, [](double pixel) { return static_cast<T>(pixel); });
  }
};

}  // namespace

double Image::sample(double y, double x, Index channel) const {
  x = bounded(x), y = bounded(y);
  const double left = std::floor(x), top = std::floor(y);
  const auto row = static_cast<Index>(top), column = static_cast<Index>(left);
  const auto between = [&](double a, double b, double c, double d) {
    return interpolated(interpolated(a, b, x - left), interpolated(c, d, x - left), y - top);
  };
  if (row >= 0 && column >= 0 && row + 1 < height && column + 1 < width) {
    return between(at(row, column, channel), at(row, column + 1, channel), at(row + 1, column, channel),
                   at(row + 1, column + 1, channel));
  }
  if (fill == Fill::constant && (row < -1 || column < -1 || row >= height || column >= width)) return fill_value;
  const auto pixel = [&](Index r, Index c) {
    r = inside(r, height, fill), c = inside(c, width, fill);
    return r < 0 || c < 0 ? fill_value : at(r, c, channel);
  };
  return between(pixel(row, column), pixel(row, column + 1), pixel(row + 1, column), pixel(row + 1, column + 1));
}

Augment::Augment(std::initializer_list<Transform> transforms, AugmentOptions options)
    : Augment(std::vector<Transform>(transforms), options) {}

Augment::Augment(std::vector<Transform> transforms, AugmentOptions options)
    : transforms_(std::move(transforms)), options_(options) {
  for (const Transform& t : transforms_) {
    if (static_cast<bool>(t.move) == static_cast<bool>(t.change)) {
      throw UserError(fmt::format("augment: transform \"{}\" must set exactly one of `move` and `change`", t.name));
    }
  }
  const int rank = options_.image.rank();
  if (rank != 0 && rank != 2 && rank != 3) {
    throw UserError(fmt::format("augment: image must be [h, w] or [h, w, channels], got {}", options_.image.str()));
  }
  if (!std::isfinite(options_.fill_value)) {
    throw UserError(fmt::format("augment: fill_value must be finite, got {}", options_.fill_value));
  }
}

void Augment::check(const std::string& where, const Shape& row, DType dtype) const {
  if (empty()) return;
  if (!is_floating(dtype))
    throw DTypeError(fmt::format("{}: images must be f32 or f64, got {}", where, name_of(dtype)));
  const Shape image = image_shape(row, options_);
  if (image.rank() != 2 && image.rank() != 3) {
    throw ShapeError(fmt::format(
        "{}: images must be [h, w] or [h, w, channels], got rows of shape {}\n  hint: give the shape of flattened "
        "images, as in .augment = {{{{...}}, {{.image = {{28, 28}}}}}}",
        where, row.str()));
  }
  if (image.elements() != row.elements()) {
    throw ShapeError(fmt::format("{}: image shape {} and row shape {} differ in their number of elements", where,
                                 image.str(), row.str()));
  }
}

void Augment::apply(void* data, DType dtype, const Shape& row, std::span<const Index> rows, std::uint64_t seed,
                    std::uint64_t epoch, const Parallel& parallel) const {
  if (empty() || row.elements() == 0) return;
  const Shape shape = image_shape(row, options_);
  const std::uint64_t seed_of_epoch = HostRandom(seed, epoch).bits();
  const auto count = static_cast<Index>(rows.size());
  parallel.for_each((count + images_per_task - 1) / images_per_task, [&](Index task) {
    Worker worker(transforms_, shape, options_);
    for (Index i = task * images_per_task; i < std::min(count, (task + 1) * images_per_task); ++i) {
      const auto number = static_cast<std::uint64_t>(rows[static_cast<std::size_t>(i)]);
      const std::uint64_t seed_of_row = HostRandom(seed_of_epoch, number).bits();
      with_floating(dtype, [&](auto zero) {
        worker.run_on(static_cast<decltype(zero)*>(data) + i * shape.elements(), seed_of_row);
      });
    }
  });
}

Tensor Augment::operator()(const Tensor& images, std::uint64_t seed, std::uint64_t epoch, int threads) const {
  if (images.empty() || images.shape().rank() == 0) throw ShapeError("augment: images must have a row axis, [n, ...]");
  Shape row;
  for (int axis = 1; axis < images.shape().rank(); ++axis) row.push_back(images.shape()[axis]);
  check("augment", row, images.dtype());
  Tensor out = images.clone();
  std::vector<Index> rows(static_cast<std::size_t>(images.shape()[0]));
  std::iota(rows.begin(), rows.end(), Index{0});
  apply(out.mutable_raw(), out.dtype(), row, rows, seed, epoch, Parallel(threads > 0 ? threads : default_threads()));
  return out;
}

}  // namespace xgrad::inline v0::nn
