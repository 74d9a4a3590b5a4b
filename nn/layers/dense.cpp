#include <xgrad/nn/layers/dense.hpp>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>

namespace xgrad::nn {

Dense::Dense(Index units, Activation activation, DenseOptions options)
    : Layer("dense", options.name),
      units_(units),
      activation_(activation),
      options_(std::move(options)),
      kernel_("kernel", options_.kernel_initializer.value_or(glorot_uniform)),
      bias_("bias", options_.bias_initializer.value_or(zeros)) {
  if (units < 1) throw UserError(fmt::format("{}: a layer of {} units has no meaning", name(), units));
}

Value Dense::operator()(Value x) const {
  Graph& graph = x.graph();
  const auto scope = open(x);
  if (x.shape().rank() < 1) {
    throw ShapeError(
        fmt::format("{}: the input needs an axis of features\n  input: {}", graph.current_scope(), x.describe()));
  }
  const Index inputs = x.shape().back();
  if (kernel_.exists() && kernel().shape()[0] != inputs) {
    throw ShapeError(fmt::format(
        "{}: the input has {} features on axis -1, but the kernel was made for {}\n  input: {}\n  "
        "kernel: \"{}\" {}",
        graph.current_scope(), inputs, kernel().shape()[0], x.describe(), kernel().name(), kernel().type().str()));
  }
  const Shape shape{inputs, units_};
  const bool torch = options_.preset == Preset::torch;
  const Initializer like_torch = torch_linear(static_cast<double>(inputs));
  const Value kernel = torch && !options_.kernel_initializer ? kernel_(graph, shape, x.dtype(), like_torch)
                                                             : kernel_(graph, shape, x.dtype());
  Value y = matmul(x, kernel);
  if (options_.use_bias) {
    y = y + (torch && !options_.bias_initializer ? bias_(graph, {units_}, x.dtype(), like_torch)
                                                 : bias_(graph, {units_}, x.dtype()));
  }
  return activation_(y);
}

}  // namespace xgrad::nn
