#include <xgrad/nn/layers/noise.hpp>

#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

Dropout::Dropout(double rate, const std::string& name, SourceLocation at)
    : Layer("dropout", name, true, at), rate_(rate) {
  const SourceLocationScope line(at, nullptr);
  if (!(rate >= 0 && rate <= 1)) {
    throw UserError(fmt::format("{}: rate must be in [0, 1], got {}\n  hint: rate is the fraction that is dropped",
                                this->name(), rate));
  }
}

Value Dropout::operator()(Operand x) const {
  const auto scope = open(x);
  if (!x.graph().training() || rate_ == 0) return x;
  return rate_ == 1 ? zeros_like(x) : x * dropout_mask(x, rate_);
}

AlphaDropout::AlphaDropout(double rate, const std::string& name, SourceLocation at)
    : Layer("alpha_dropout", name, true, at), rate_(rate) {
  const SourceLocationScope line(at, nullptr);
  if (!(rate >= 0 && rate < 1)) {
    throw UserError(fmt::format("{}: rate must be in [0, 1), got {}\n  hint: rate is the fraction that is dropped",
                                this->name(), rate));
  }
}

Value AlphaDropout::operator()(Operand x) const {
  const auto scope = open(x);
  if (!x.graph().training() || rate_ == 0) return x;
  // The value of selu at -infinity, -scale * alpha.
  constexpr double dropped = -1.0507009873554805 * 1.6732632423543772;
  const double keep = 1 - rate_;
  const double scale = 1 / std::sqrt(keep * (1 + rate_ * dropped * dropped));
  const Value kept = bernoulli_like(x, keep);
  return scale * (kept * x + (1 - kept) * dropped) - scale * dropped * rate_;
}

GaussianNoise::GaussianNoise(double stddev, const std::string& name, SourceLocation at)
    : Layer("gaussian_noise", name, true, at), stddev_(stddev) {
  const SourceLocationScope line(at, nullptr);
  require_not_negative(this->name(), "stddev", stddev);
}

Value GaussianNoise::operator()(Operand x) const {
  const auto scope = open(x);
  return x.graph().training() && stddev_ > 0 ? x + normal_like(x, 0, stddev_) : x;
}

}  // namespace xgrad::inline v0::nn
