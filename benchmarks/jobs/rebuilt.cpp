// Training steps whose graph is built anew for each step, as an eager library does: a step of gradient descent on
// 784-64-64-64-10 with batches of 128, and the gradients of a net of 13-32-1 with batches of 8.
#include <array>

#include "../shapes.hpp"
#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;

namespace {

xg::Parameter shared_parameter(const std::string& name, const Extents& shape, std::size_t position) {
  xg::Tensor values{xg::Shape(shape)};
  if (shape.size() > 1) fill(values.mutable_values<float>().data(), Kind::weight, shape, weight_seed(position));
  return {name, values};
}

// Weights and biases of dense layers.
std::vector<xg::Parameter> parameters_of(const Extents& widths) {
  std::vector<xg::Parameter> out;
  for (std::size_t i = 1; i < widths.size(); ++i) {
    out.push_back(shared_parameter("w" + std::to_string(i), {widths[i - 1], widths[i]}, out.size()));
    out.push_back(shared_parameter("b" + std::to_string(i), {widths[i]}, out.size()));
  }
  return out;
}

struct Step {
  xg::Value x, labels, loss;
  std::vector<xg::Update> updates;

  Step(xg::Graph& g, const std::vector<xg::Parameter>& parameters) {
    x = g.input("x", {mnist_batch, pixels});
    labels = g.input("labels", {mnist_batch}, xg::i64);
    xg::Value h = x;
    std::vector<xg::Value> weights;
    for (const xg::Parameter& p : parameters) weights.push_back(g.parameter(p));
    for (std::size_t i = 0; i < weights.size(); i += 2) {
      h = matmul(h, weights[i]) + weights[i + 1];
      if (i + 2 < weights.size()) h = relu(h);
    }
    loss = sparse_categorical_crossentropy_from_logits(h, labels);
    const std::vector<xg::Value> slopes = xg::gradients(loss, weights);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      updates.push_back({parameters[i], weights[i] - 1e-3 * slopes[i]});
    }
  }
};

// Data of a job, and the digests of its last run.
struct State {
  std::vector<xg::Parameter> parameters = parameters_of({pixels, 64, 64, 64, classes});
  xg::Tensor x{xg::Shape{mnist_batch, pixels}}, labels{xg::Shape{mnist_batch}, xg::i64};
  std::vector<xg::Tensor> last{};

  State() {
    fill(x.mutable_values<float>().data(), x.elements());
    fill_indices(labels.mutable_values<std::int64_t>().data(), mnist_batch, {Kind::labels, {}, classes}, 1);
  }
};

// `once` leaves its results in State::last.
template <class S, class F>
Prepared prepared(const std::shared_ptr<S>& state, const F& once) {
  return {timed(once), [state, once] {
            for (int i = 0; i < 3; ++i) once();
            std::vector<Digest> out;
            for (const xg::Tensor& t : state->last) out.push_back(digest_of(t));
            return out;
          }};
}

Prepared graph_and_plan(int threads) {
  const auto s = std::make_shared<State>();
  return prepared(s, [s, threads] {
    xg::Graph g;
    const Step step(g, s->parameters);
    s->last = xg::Plan({step.loss}, step.updates).run({{step.x, s->x}, {step.labels, s->labels}}, {.threads = threads});
  });
}

// The graph exists; the plan is made for the shapes of the step.
Prepared plan_only(int threads) {
  const auto s = std::make_shared<State>();
  const auto g = std::make_shared<xg::Graph>();
  return prepared(s, [s, g, step = Step(*g, s->parameters), threads] {
    const xg::Plan plan({step.loss}, step.updates,
                        {.shapes = {{step.x, s->x.shape()}, {step.labels, s->labels.shape()}}});
    s->last = plan.run({{step.x, s->x}, {step.labels, s->labels}}, {.threads = threads});
  });
}

Prepared run_only(int threads) {
  const State s;
  auto g = std::make_shared<xg::Graph>();
  const Step step(*g, s.parameters);
  return run_plan(std::move(g), {step.loss}, threads, step.updates, {{}, {Kind::labels, {}, classes}});
}

// Without a plan. The interpreter returns the new weights, which are written afterwards.
Prepared interpreter(int threads) {
  const auto s = std::make_shared<State>();
  return prepared(s, [s, threads] {
    xg::Graph g;
    const Step step(g, s->parameters);
    std::vector<xg::Value> wanted{step.loss};
    for (const xg::Update& update : step.updates) wanted.push_back(update.value);
    const auto results = xg::evaluate(wanted, {{step.x, s->x}, {step.labels, s->labels}}, {.threads = threads});
    for (std::size_t i = 0; i < s->parameters.size(); ++i) s->parameters[i].set(results[i + 1]);
    s->last = {results[0]};
  });
}

Prepared tiny_gradients(int threads) {
  struct Tiny {
    std::vector<xg::Parameter> parameters = parameters_of({13, 32, 1});
    xg::Tensor x{xg::Shape{8, 13}};
    std::vector<xg::Tensor> last{};
  };
  const auto s = std::make_shared<Tiny>();
  fill(s->x.mutable_values<float>().data(), s->x.elements());
  return prepared(s, [s, threads] {
    xg::Graph g;
    const xg::Value x = g.input("x", s->x.shape());
    std::vector<xg::Value> w;
    for (const xg::Parameter& p : s->parameters) w.push_back(g.parameter(p));
    const xg::Value loss = mean(square(matmul(tanh(matmul(x, w[0]) + w[1]), w[2]) + w[3]));
    s->last = xg::evaluate(xg::gradients(loss, w), {{x, s->x}}, {.threads = threads});
  });
}

}  // namespace

std::vector<Job> rebuilt_jobs() {
  return {
      {"rebuilt/graph+plan+run", graph_and_plan},
      {"rebuilt/plan+run", plan_only},
      {"rebuilt/run", run_only},
      {"rebuilt/graph+interpreter", interpreter},
      {"rebuilt/tiny-gradients", tiny_gradients},
  };
}

}  // namespace bench
