#include <xgrad/nn/layers/prelu.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

PReLU::PReLU(const PReLUOptions& options, SourceLocation at)
    : Layer("prelu", options.name, options.trainable, at),
      shared_axes_(options.shared_axes),
      slope_(weight("slope", options.slope_initializer.value_or(constant(defaults(options.preset).prelu_slope)),
                    {.regularizer = options.slope_regularizer, .constraint = options.slope_constraint})) {}

Value PReLU::operator()(Operand x) const {
  const auto scope = open(x);
  const std::string& where = x.graph().current_scope();
  const int rank = x.shape().rank();
  if (rank < 1) throw ShapeError(fmt::format("{}: the input must have a batch axis\n  input: {}", where, x.describe()));
  std::vector<Index> extents(x.shape().begin() + 1, x.shape().end());
  for (const auto shared : shared_axes_) {
    const int axis = axis_index(shared, rank, where.c_str());
    if (axis > 0) extents[static_cast<std::size_t>(axis - 1)] = 1;
  }
  return prelu(x, slope_(x.graph(), Shape(extents), x.dtype()));
}

}  // namespace xgrad::inline v0::nn
