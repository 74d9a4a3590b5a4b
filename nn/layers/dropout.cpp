#include <xgrad/nn/layers/dropout.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
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

}  // namespace xgrad::inline v0::nn
