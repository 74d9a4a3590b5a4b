#include <xgrad/autodiff/check/internal/sample_numbers.hpp>

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
std::uint64_t SampleSource::bits() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

double SampleSource::uniform(double low, double high) {
  return low + (high - low) * (static_cast<double>(bits() >> 11) * 0x1p-53);
}

Index SampleSource::below(Index count) { return static_cast<Index>(bits() % static_cast<std::uint64_t>(count)); }

double SampleSource::weight() {
  const double size = uniform(0.5, 1.5);
  return bits() % 2 == 0 ? size : -size;
}

double SampleSource::real(const Domain& domain) {
  for (int tries = 0; tries < 10000; ++tries) {
    const auto x = static_cast<double>(static_cast<float>(uniform(domain.low, domain.high)));
    bool far = true;
    for (const double point : domain.avoid) far = far && std::abs(x - point) >= domain.distance;
    if (far) return x;
  }
  throw GraphError(fmt::format("sample: no value in [{}, {}] is at least {} away from the points to avoid", domain.low,
                               domain.high, domain.distance));
}

Tensor SampleSource::tensor(const Shape& shape, const Domain& domain) {
  const Index n = shape.elements();
  switch (domain.kind) {
    case Domain::Kind::integer: {
      const auto low = static_cast<Index>(domain.low);
      const auto high = static_cast<Index>(domain.high);
      if (high < low) throw GraphError(fmt::format("sample: the range [{}, {}] contains no integer", low, high));
      Tensor out(shape, i64);
      for (auto& x : out.mutable_values<std::int64_t>()) x = low + below(high - low + 1);
      return out;
    }
    case Domain::Kind::mask: {
      Tensor out(shape, boolean);
      for (auto& x : out.mutable_values<bool>()) x = bits() % 2 == 0;
      return out;
    }
    case Domain::Kind::distinct: {
      Tensor out(shape, f64);
      const auto x = out.mutable_values<double>();
      for (Index i = 0; i < n; ++i) {
        const double place = 0.06 * (static_cast<double>(i) - static_cast<double>(n) / 2);
        x[static_cast<std::size_t>(i)] = static_cast<double>(static_cast<float>(place + uniform(0, 0.009)));
      }
      for (Index i = n - 1; i > 0; --i)
        std::swap(x[static_cast<std::size_t>(i)], x[static_cast<std::size_t>(below(i + 1))]);
      return out;
    }
    case Domain::Kind::real: break;
  }
  Tensor out(shape, f64);
  for (auto& x : out.mutable_values<double>()) x = real(domain);
  return out;
}

Tensor SampleSource::weights(const Shape& shape) {
  Tensor out(shape, f64);
  for (auto& x : out.mutable_values<double>()) x = weight();
  return out;
}

// FNV-1a hash (Fowler, Noll and Vo).
std::uint64_t seed_from(std::uint64_t seed, std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ULL ^ seed;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

}  // namespace xgrad::inline v0
