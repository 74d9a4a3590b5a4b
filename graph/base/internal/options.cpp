#include <xgrad/graph/base/internal/options.hpp>

#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/index.hpp>

namespace xgrad::inline v0 {
namespace {

template <class T>
void require(bool holds, std::string_view where, std::string_view option, T value, std::string_view accepted) {
  if (!holds) throw UserError(fmt::format("{}: {} must be {}, got {}", where, option, accepted, value));
}

}  // namespace

void require_not_negative(std::string_view where, std::string_view option, double value) {
  require(value >= 0 && std::isfinite(value), where, option, value, "finite and at least 0");
}

void require_positive(std::string_view where, std::string_view option, double value) {
  require(value > 0 && std::isfinite(value), where, option, value, "finite and above 0");
}

void require_fraction(std::string_view where, std::string_view option, double value) {
  require(value >= 0 && value < 1, where, option, value, "in [0, 1)");
}

void require_within(std::string_view where, std::string_view option, double value, double low, double high) {
  require(value >= low && value <= high, where, option, value, fmt::format("in [{}, {}]", low, high));
}

template <class T>
void require_at_least(std::string_view where, std::string_view option, T value, std::type_identity_t<T> least) {
  require(value >= least, where, option, value, fmt::format("at least {}", least));
}
template void require_at_least(std::string_view, std::string_view, int, int);
template void require_at_least(std::string_view, std::string_view, Index, Index);
template void require_at_least(std::string_view, std::string_view, double, double);

}  // namespace xgrad::inline v0
