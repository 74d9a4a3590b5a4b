#include <xgrad/nn/layers/flatten.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>

namespace xgrad::inline v0::nn {

Value Reshape::operator()(Operand x) const {
  const auto scope = open(x);
  Index known = 1, open_extents = 0;
  for (const Index extent : extents_) extent == -1 ? ++open_extents : known *= extent;
  const Index rows = x.shape().rank() == 0 ? 0 : x.shape()[0];
  const Index row = rows == 0 ? 0 : x.shape().elements() / rows;
  if (rows == 0 || open_extents > 1 || known <= 0 || (open_extents == 1 ? row % known : row - known) != 0) {
    throw ShapeError(fmt::format("{}: rows cannot be reshaped to [{}]\n  input: {}", x.graph().current_scope(),
                                 list_text(extents_), x.describe()));
  }
  return unflatten(flatten(x), 1, extents_);
}

}  // namespace xgrad::inline v0::nn
