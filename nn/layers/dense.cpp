#include <xgrad/nn/layers/dense.hpp>

#include <xgrad/graph/base/internal/options.hpp>

namespace xgrad::inline v0::nn {

Dense::Dense(Index units, Activation activation, const DenseOptions& options, SourceLocation at)
    : KernelLayer("dense", activation, options, at), units_(units) {
  const SourceLocationScope line(at, nullptr);
  require_at_least(name(), "units", units, 1);
}

Value Dense::operator()(Operand x) const {
  const auto scope = open(x);
  check_input(x, 0, has_kernel() ? KernelLayer::kernel().shape()[0] : 0);
  const Shape shape{x.shape().back(), units_};
  return finish(matmul(x, kernel(x, shape)), shape);
}

}  // namespace xgrad::inline v0::nn
