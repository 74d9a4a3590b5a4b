#include <xgrad/nn/optimizers/internal/options.hpp>

#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::nn {
namespace {

void require(bool holds, const char* where, const char* option, double value, const char* accepted) {
  if (holds && std::isfinite(value)) return;
  throw UserError(fmt::format("{}: {} must be {}, got {}", where, option, accepted, value));
}

}  // namespace

void require_not_negative(const char* where, const char* option, double value) {
  require(value >= 0, where, option, value, "finite and at least 0");
}

void require_positive(const char* where, const char* option, double value) {
  require(value > 0, where, option, value, "finite and above 0");
}

void require_fraction(const char* where, const char* option, double value) {
  require(value >= 0 && value < 1, where, option, value, "in [0, 1)");
}

}  // namespace xgrad::inline v0::nn
