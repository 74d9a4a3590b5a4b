// The transforms that augment.hpp declares.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/nn/data/augment.hpp>

namespace xgrad::inline v0::nn {
namespace {

Range checked(const char* name, Range range, double least = -1e6, double most = 1e6) {
  const bool ordered = range.low <= range.high;  // false for NaN
  if (ordered && range.low >= least && range.high <= most) return range;
  throw UserError(fmt::format("{}: the range must be ascending and within [{}, {}], got [{}, {}]", name, least, most,
                              range.low, range.high));
}

// [1 - most, 1 + most]. Throws unless 0 <= most < 1.
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

// Reflects index i, possibly out of range, into [0, n).
Index reflected(Index i, Index n) {
  const Index at = (i % (2 * n) + 2 * n) % (2 * n);
  return at < n ? at : 2 * n - 1 - at;
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
      std::copy_n(&image.at(y, reflected(x, image.width)), c, padded.data() + (x + reach) * c);
    weigh(weights, row_at(image.pixels, y), [&](Index d) { return padded.data() + (reach + d) * c; });
  }
  std::vector<double> old(image.pixels.begin(), image.pixels.end());
  for (Index y = 0; y < image.height; ++y) {
    weigh(weights, row_at(image.pixels, y),
          [&](Index d) { return row_at(old, reflected(y + d, image.height)).data(); });
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
