// Augment: converts rows to images, applies the transforms, and converts back.
#include <xgrad/nn/data/augment.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>

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

  // Applies the transforms to one row, with the seed of the row. Each transform has its own random stream, so that its
  // values do not depend on the other transforms.
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

Range checked(const char* name, Range range, double least = -1e6, double most = 1e6) {
  const bool ordered = range.low <= range.high;  // false for NaN
  if (ordered && range.low >= least && range.high <= most) return range;
  throw UserError(fmt::format("{}: the range must be ascending and within [{}, {}], got [{}, {}]", name, least, most,
                              range.low, range.high));
}

// The range [1 - most, 1 + most]. Throws unless 0 <= most < 1.
Range about_one(const char* name, double most) {
  require_fraction(name, "most", most);
  return {1 - most, 1 + most};
}

double drawn(Range range, HostRandom& random) { return random.between(range.low, range.high); }

constexpr double max_deviation = 1000;  // in pixels

Transform flip(const char* name, double probability, PointMap map) {
  require_within(name, "probability", probability, 0, 1);
  return {.name = name,
          .move = [=](const Image&, HostRandom& random) { return random.uniform() < probability ? map : PointMap{}; }};
}

// Sine and cosine of degrees, exact at multiples of 90.
std::pair<double, double> sine_and_cosine(double degrees) {
  const double turns = std::round(degrees / 90);
  const double rest = (degrees - 90 * turns) * (std::numbers::pi / 180);
  const double s = std::sin(rest), c = std::cos(rest);
  switch (static_cast<long long>(turns) & 3) {
    case 0: return {s, c};
    case 1: return {c, -s};
    case 2: return {-s, -c};
    default: return {-c, s};
  }
}

// One half of a normalized Gaussian kernel: weights at distances 0, 1, 2 ... pixels.
std::vector<double> gaussian(double deviation) {
  std::vector<double> weights(static_cast<std::size_t>(std::ceil(4 * deviation)) + 1);
  double total = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double distance = static_cast<double>(i) / deviation;
    weights[i] = std::exp(-distance * distance / 2);
    total += i == 0 ? weights[i] : 2 * weights[i];
  }
  for (double& w : weights) w /= total;
  return weights;
}

// out[i] = weights[0] from(0)[i] + sum over d > 0 of weights[d] (from(-d)[i] + from(d)[i]).
template <class F>
void weigh(const std::vector<double>& weights, std::span<double> out, F from) {
  for (std::size_t d = 0; d < weights.size(); ++d) {
    const double w = weights[d];
    const double *before = from(-static_cast<Index>(d)), *after = from(static_cast<Index>(d));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = d == 0 ? w * before[i] : out[i] + w * (before[i] + after[i]);
  }
}

void blur_image(const Image& image, double deviation) {
  if (deviation < 1e-3) return;  // neighboring pixels would have weight 0
  const std::vector<double> weights = gaussian(deviation);
  const auto reach = static_cast<Index>(weights.size()) - 1;
  const Index c = image.channels, row = image.width * c;
  const auto row_at = [&](std::span<double> pixels, Index y) {
    return pixels.subspan(static_cast<std::size_t>(y * row), static_cast<std::size_t>(row));
  };
  std::vector<double> padded(static_cast<std::size_t>((image.width + 2 * reach) * c));
  for (Index y = 0; y < image.height; ++y) {
    for (Index x = -reach; x < image.width + reach; ++x)
      std::copy_n(&image.at(y, inside(x, image.width, Fill::reflect)), c, padded.data() + (x + reach) * c);
    weigh(weights, row_at(image.pixels, y), [&](Index d) { return padded.data() + (reach + d) * c; });
  }
  std::vector<double> old(image.pixels.begin(), image.pixels.end());
  for (Index y = 0; y < image.height; ++y) {
    weigh(weights, row_at(image.pixels, y),
          [&](Index d) { return row_at(old, inside(y + d, image.height, Fill::reflect)).data(); });
  }
}

// Standard deviation of blurred independent values of standard deviation 1.
double deviation_after(double smoothness) {
  double squares = 0;
  const std::vector<double> weights = gaussian(smoothness);
  for (std::size_t i = 0; i < weights.size(); ++i) squares += (i == 0 ? 1 : 2) * weights[i] * weights[i];
  return squares;  // sqrt(squares) for each of the two directions
}

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
  const Shape row(std::span(images.shape().begin() + 1, images.shape().end()));
  check("augment", row, images.dtype());
  Tensor out = images.clone();
  std::vector<Index> rows(static_cast<std::size_t>(images.shape()[0]));
  std::iota(rows.begin(), rows.end(), Index{0});
  apply(out.mutable_raw(), out.dtype(), row, rows, seed, epoch, Parallel(threads > 0 ? threads : default_threads()));
  return out;
}

Transform shift(Range both) { return shift(both, both); }

Transform shift(Range right, Range down) {
  checked("shift", right), checked("shift", down);
  return {.name = "shift", .move = [=](const Image& image, HostRandom& random) {
            PointMap map;
            map.x0 = -drawn(right, random) * static_cast<double>(image.width);
            map.y0 = -drawn(down, random) * static_cast<double>(image.height);
            return map;
          }};
}

Transform rotate(Range degrees) {
  checked("rotate", degrees);
  return {.name = "rotate", .move = [=](const Image&, HostRandom& random) {
            const auto [s, c] = sine_and_cosine(drawn(degrees, random));
            return PointMap{.xx = c, .xy = -s, .yx = s, .yy = c};
          }};
}

Transform skew(Range degrees) {
  checked("skew", degrees, -89, 89);
  return {.name = "skew", .move = [=](const Image&, HostRandom& random) {
            return PointMap{.xy = std::tan(drawn(degrees, random) * (std::numbers::pi / 180))};
          }};
}

Transform zoom(double most) { return zoom(about_one("zoom", most)); }

Transform zoom(Range factor) {
  checked("zoom", factor, 1e-3, 1e3);
  return {.name = "zoom", .move = [=](const Image&, HostRandom& random) {
            const double smaller = 1 / drawn(factor, random);
            return PointMap{.xx = smaller, .yy = smaller};
          }};
}

Transform flip_left_right(double probability) { return flip("flip_left_right", probability, {.xx = -1}); }
Transform flip_up_down(double probability) { return flip("flip_up_down", probability, {.yy = -1}); }

Transform blur(double most) { return blur(Range{0, most}); }

Transform blur(Range deviation) {
  checked("blur", deviation, 0, max_deviation);
  return {.name = "blur",
          .change = [=](Image& image, HostRandom& random) { blur_image(image, drawn(deviation, random)); }};
}

Transform noise(double deviation) {
  require_within("noise", "deviation", deviation, 0, 1e6);
  return {.name = "noise", .change = [=](Image& image, HostRandom& random) {
            for (double& pixel : image.pixels) pixel += deviation * random.near_normal();
          }};
}

Transform brightness(double most) { return brightness(about_one("brightness", most)); }

Transform brightness(Range factor) {
  checked("brightness", factor, 0, 1e6);
  return {.name = "brightness", .change = [=](Image& image, HostRandom& random) {
            const double times = drawn(factor, random);
            for (double& pixel : image.pixels) pixel *= times;
          }};
}

Transform cutout(double side, double value) {
  require_within("cutout", "side, a fraction of the shorter side,", side, 0, 2);
  require_within("cutout", "value", value, -1e6, 1e6);
  return {.name = "cutout", .change = [=](Image& image, HostRandom& random) {
            const auto shorter = static_cast<double>(std::min(image.height, image.width));
            const auto pixels = static_cast<Index>(std::lround(side * shorter));
            // The center of an even-sized square lies left of and above the drawn pixel.
            const Index top = static_cast<Index>(random.below(static_cast<std::uint64_t>(image.height))) - pixels / 2;
            const Index left = static_cast<Index>(random.below(static_cast<std::uint64_t>(image.width))) - pixels / 2;
            for (Index y = std::max<Index>(0, top); y < std::min(image.height, top + pixels); ++y) {
              for (Index x = std::max<Index>(0, left); x < std::min(image.width, left + pixels); ++x) {
                for (Index c = 0; c < image.channels; ++c) image.at(y, x, c) = value;
              }
            }
          }};
}

Transform elastic(double pixels, double smoothness) {
  require_within("elastic", "pixels", pixels, 0, max_deviation);
  require_within("elastic", "smoothness", smoothness, 0.1, max_deviation);
  const double scale = pixels / deviation_after(smoothness);
  return {.name = "elastic", .change = [=](Image& image, HostRandom& random) {
            if (scale == 0) return;
            // Two values per pixel: the displacements to the right and down.
            std::vector<double> field(static_cast<std::size_t>(image.height * image.width * 2));
            for (double& number : field) number = random.between(-1, 1) * (std::numbers::sqrt3 * scale);
            const Image shifts{.height = image.height, .width = image.width, .channels = 2, .pixels = field};
            blur_image(shifts, smoothness);
            std::vector<double> old(image.pixels.begin(), image.pixels.end());
            Image from = image;
            from.pixels = old;
            for (Index y = 0; y < image.height; ++y) {
              for (Index x = 0; x < image.width; ++x) {
                for (Index c = 0; c < image.channels; ++c) {
                  image.at(y, x, c) = from.sample(static_cast<double>(y) + shifts.at(y, x, 1),
                                                  static_cast<double>(x) + shifts.at(y, x, 0), c);
                }
              }
            }
          }};
}

Transform clip(double low, double high) {
  checked("clip", {low, high});
  return {.name = "clip", .change = [=](Image& image, HostRandom&) {
            for (double& pixel : image.pixels) pixel = std::clamp(pixel, low, high);
          }};
}

Transform sometimes(double probability, const Transform& transform) {
  require_within("sometimes", "probability", probability, 0, 1);
  Transform out{.name = transform.name};
  if (transform.move) {
    out.move = [=](const Image& image, HostRandom& random) {
      return random.uniform() < probability ? transform.move(image, random) : PointMap{};
    };
  }
  if (transform.change) {
    out.change = [=](Image& image, HostRandom& random) {
      if (random.uniform() < probability) transform.change(image, random);
    };
  }
  return out;
}

}  // namespace xgrad::inline v0::nn
