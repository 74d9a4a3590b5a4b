#include <xgrad/nn/optimizers/learning_rate.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0::nn {

Value LearningRate::operator()(Value step) const {
  if (!is_schedule()) return step.graph().constant(number_, f64);
  const Value rate = function_(step);
  if (rate.type() != TensorType{f64, {}}) {
    throw ShapeError(
        fmt::format("schedule \"{}\": the learning rate must be a scalar f64\n  got: {}", name_, rate.describe()));
  }
  return rate;
}

double LearningRate::at(Index step) const {
  Graph graph({.dtype = f64});
  return evaluate((*this)(graph.constant(static_cast<double>(step), f64))).item();
}

}  // namespace xgrad::inline v0::nn
