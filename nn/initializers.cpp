#include <xgrad/nn/initializers.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>

namespace xgrad::inline v0::nn {
namespace {

// The standard deviation of a standard normal variable truncated to [-2, 2]: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
constexpr double truncated_stddev = 0.87962566103423978;

// Draws a standard normal value (Box and Muller, 1958).
double draw_normal(HostRandom& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.uniform());
}

double draw_truncated(HostRandom& random) {
  double x = draw_normal(random);
  while (std::abs(x) > 2) x = draw_normal(random);
  return x;
}

Initializer::Draw uniform_within(double limit) {
  return [limit](HostRandom& r) { return r.between(-limit, limit); };
}

// Draws from the truncated normal distribution that has the given standard deviation after truncation.
Initializer::Draw truncated_to(double stddev) {
  return [wide = stddev / truncated_stddev](HostRandom& r) { return wide * draw_truncated(r); };
}

Initializer::Draw normal_of(double stddev) {
  return [stddev](HostRandom& r) { return stddev * draw_normal(r); };
}

double inner(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Orthonormalizes `count` rows of `length` >= count elements by Gram-Schmidt: the QR decomposition of the transposed
// matrix, with a positive diagonal of R. Two passes keep it accurate (Giraud, Langou, Rozloznik: "The loss of
// orthogonality in the Gram-Schmidt orthogonalization process", 2005).
void make_orthonormal(std::span<double> rows, std::size_t count, std::size_t length) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto row = rows.subspan(i * length, length);
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t j = 0; j < i; ++j) {
        const auto before = rows.subspan(j * length, length);
        const double projection = inner(row, before);
        for (std::size_t k = 0; k < length; ++k) row[k] -= projection * before[k];
      }
    }
    const double norm = std::sqrt(inner(row, row));
    for (double& x : row) x /= norm;
  }
}

void require_rank(const char* name, const Shape& shape, int least, int most) {
  if (shape.rank() >= least && shape.rank() <= most) return;
  throw ShapeError(fmt::format("{}: the weight must have {}, got shape {}", name,
                               least == most ? "2 axes" : "at least 2 axes", shape.str()));
}

}  // namespace

Fans fans_of(const Shape& shape) {
  if (shape.rank() == 0) return {};
  if (shape.rank() == 1)
    return {std::max(1.0, static_cast<double>(shape[0])), std::max(1.0, static_cast<double>(shape[0]))};
  double field = 1;
  for (int axis = 0; axis + 2 < shape.rank(); ++axis) field *= static_cast<double>(shape[axis]);
  return {std::max(1.0, field * static_cast<double>(shape[shape.rank() - 2])),
          std::max(1.0, field * static_cast<double>(shape.back()))};
}

Initializer::Fill Initializer::filled_by(std::function<Draw(const Fans&)> draw_for) {
  return [draw_for = std::move(draw_for)](const Shape& shape, HostRandom& random, std::span<double> values) {
    const Draw draw = draw_for(fans_of(shape));
    for (double& x : values) x = draw(random);
  };
}

Initializer Initializer::with_seed(std::uint64_t seed) const {
  Initializer out = *this;
  out.seed_ = seed;
  return out;
}

Tensor Initializer::operator()(const Shape& shape, DType dtype, std::uint64_t seed) const {
  if (!is_floating(dtype)) {
    throw DTypeError(fmt::format("{}: dtype must be f32 or f64, got {}", name_, name_of(dtype)));
  }
  HostRandom random(seed_.value_or(seed));
  Tensor out(shape, f64);
  fill_(shape, random, out.mutable_values<double>());
  return dtype == f64 ? out : out.cast(dtype);
}

Initializer constant(double value) {
  return {fmt::format("constant({})", value), [value](const Fans&) { return [value](HostRandom&) { return value; }; }};
}

Initializer uniform(double low, double high) {
  if (!(low <= high)) throw UserError(fmt::format("uniform: low must not be above high, got {} and {}", low, high));
  return {fmt::format("uniform({}, {})", low, high),
          [low, high](const Fans&) { return [low, high](HostRandom& r) { return r.between(low, high); }; }};
}

Initializer normal(double mean, double stddev) {
  require_at_least("normal", "stddev", stddev, 0);
  return {fmt::format("normal({}, {})", mean, stddev), [mean, stddev](const Fans&) {
            return [mean, stddev](HostRandom& r) { return mean + stddev * draw_normal(r); };
          }};
}

Initializer truncated_normal(double mean, double stddev) {
  require_at_least("truncated_normal", "stddev", stddev, 0);
  return {fmt::format("truncated_normal({}, {})", mean, stddev), [mean, stddev](const Fans&) {
            return [mean, stddev](HostRandom& r) { return mean + stddev * draw_truncated(r); };
          }};
}

Initializer variance_scaling(double scale, Fan fan, Distribution distribution, std::string name) {
  if (!(scale > 0)) throw UserError(fmt::format("{}: scale must be above 0, got {}", name, scale));
  return {std::move(name), [=](const Fans& fans) {
            const double n = fan == Fan::in ? fans.in : fan == Fan::out ? fans.out : (fans.in + fans.out) / 2;
            const double variance = scale / n;
            switch (distribution) {
              case Distribution::uniform: break;
              case Distribution::normal: return normal_of(std::sqrt(variance));
              case Distribution::truncated_normal: return truncated_to(std::sqrt(variance));
            }
            return uniform_within(std::sqrt(3 * variance));  // uniform on [-l, l] has variance l^2 / 3
          }};
}

Initializer orthogonal(double gain) {
  return {fmt::format("orthogonal({})", gain), [gain](const Shape& shape, HostRandom& random, std::span<double> out) {
            require_rank("orthogonal", shape, 2, Shape::max_rank);
            if (out.empty()) return;
            const auto columns = static_cast<std::size_t>(shape.back());
            const std::size_t rows = out.size() / columns;
            const std::size_t count = std::min(rows, columns), length = std::max(rows, columns);
            std::vector<double> vectors(count * length);
            for (double& x : vectors) x = draw_normal(random);
            make_orthonormal(vectors, count, length);
            for (std::size_t r = 0; r < rows; ++r) {
              for (std::size_t c = 0; c < columns; ++c) {
                out[r * columns + c] = gain * (rows <= columns ? vectors[r * length + c] : vectors[c * length + r]);
              }
            }
          }};
}

Initializer identity(double gain) {
  return {fmt::format("identity({})", gain), [gain](const Shape& shape, HostRandom&, std::span<double> out) {
            require_rank("identity", shape, 2, 2);
            const auto columns = static_cast<std::size_t>(shape[1]);
            for (std::size_t i = 0; i < out.size(); ++i) out[i] = i / columns == i % columns ? gain : 0;
          }};
}

Initializer torch_linear(double inputs) {
  return {"torch_linear", [inputs](const Fans&) { return uniform_within(1 / std::sqrt(std::max(1.0, inputs))); }};
}

}  // namespace xgrad::inline v0::nn
