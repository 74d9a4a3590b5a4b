// Second derivatives, and derivatives of normalization and losses, as compositions of primitives.
#include <string>

#include "../shapes.hpp"
#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;
namespace nn = xgrad::nn;

namespace {

constexpr xg::Index width = 64, rows = 128;

// Three layers of 64 units with tanh, and a loss.
struct TanhNet {
  std::shared_ptr<xg::Graph> graph = std::make_shared<xg::Graph>();
  xg::Value x, out, loss;
  std::vector<xg::Value> weights;

  TanhNet() {
    x = graph->input("x", {rows, width});
    out = nn::Sequential{nn::Dense(width, nn::tanh), nn::Dense(width, nn::tanh), nn::Dense(width, nn::tanh)}(x);
    loss = mean(square(out));
    for (xg::Parameter p : graph->parameters()) {
      const Extents shape(p.shape().begin(), p.shape().end());
      xg::Tensor values(p.type());
      if (shape.size() > 1)
        fill(values.mutable_values<float>().data(), Kind::weight, shape, weight_seed(weights.size()));
      p.set(values);
      weights.push_back(graph->parameter(p));
    }
  }
};

Prepared first_order(int threads) {
  TanhNet net;
  return run_plan(net.graph, xg::gradients(net.loss, net.weights), threads);
}

// The loss plus the mean squared derivative of the outputs with respect to the input.
Prepared input_penalty(int threads) {
  TanhNet net;
  const xg::Value slope = xg::gradients(sum(net.out), net.x);
  const xg::Value loss = net.loss + mean(sum(square(slope), {1}));
  return run_plan(net.graph, xg::gradients(loss, net.weights), threads);
}

// The squared norm of the gradient with respect to all weights.
Prepared parameter_norm(int threads) {
  TanhNet net;
  xg::Value norm;
  for (const xg::Value& slope : xg::gradients(net.loss, net.weights)) {
    const xg::Value part = sum(square(slope));
    norm = norm.valid() ? norm + part : part;
  }
  return run_plan(net.graph, xg::gradients(norm, net.weights), threads);
}

// Forward and moving statistics; then backward from a given cotangent to the input and both weights.
Prepared batch_norm(const Extents& size, bool backward, int threads) {
  auto graph = std::make_shared<xg::Graph>(xg::GraphOptions{.training = true});
  const xg::Value x = graph->input("x", xg::Shape(size));
  const nn::BatchNorm layer;
  std::vector<xg::Value> outputs{layer(x)};
  if (backward) {
    const xg::Value cotangent = graph->input("cotangent", x.shape());
    const std::vector<xg::Value> slopes =
        xg::vjp({outputs[0]}, {x, graph->parameter(layer.gamma()), graph->parameter(layer.beta())}, {cotangent});
    outputs.insert(outputs.end(), slopes.begin(), slopes.end());
  }
  const std::vector<xg::Update> moving = graph->updates();
  return run_plan(std::move(graph), outputs, threads, moving);
}

// Softmax cross-entropy with class indices: the loss, and its gradient with respect to the logits.
Prepared softmax_crossentropy(Matrix size, int threads) {
  auto graph = std::make_shared<xg::Graph>();
  const xg::Value logits = graph->input("logits", {size.rows, size.columns});
  const xg::Value labels = graph->input("labels", {size.rows}, xg::i64);
  const xg::Value loss = xg::sparse_categorical_crossentropy_from_logits(logits, labels);
  return run_plan(graph, {loss, xg::gradients(loss, logits)}, threads);
}

}  // namespace

std::vector<Job> derivative_jobs() {
  std::vector<Job> out{
      {"tanh-net/first-order", first_order},
      {"tanh-net/input-penalty", input_penalty},
      {"tanh-net/parameter-norm", parameter_norm},
  };
  for (const Extents& size : batch_norms) {
    out.push_back({"batch-norm/" + text(size), [size](int threads) { return batch_norm(size, true, threads); }});
    out.push_back(
        {"batch-norm/" + text(size) + "/forward", [size](int threads) { return batch_norm(size, false, threads); }});
  }
  for (const Matrix& size : softmaxes) {
    out.push_back(
        {"softmax-crossentropy/" + size.name(), [size](int threads) { return softmax_crossentropy(size, threads); }});
  }
  return out;
}

}  // namespace bench
