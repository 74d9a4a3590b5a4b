// Empty and moved-from handles throw an error that says what is empty and why, and do not crash.
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/xgrad.hpp>

#include "support/scratch.hpp"

using namespace xgrad;

namespace {

// Calls each function. Its error message must contain `words`.
template <class... Functions>
void check_each(const std::string& words, Functions... functions) {
  int number = 0;
  const auto check = [&](auto f) {
    CAPTURE(number);
    std::string message = "(nothing was thrown)";
    try {
      f();
    } catch (const Error& error) {
      message = error.message();
    }
    CHECK_MESSAGE(message.find(words) != std::string::npos, message);
    ++number;
  };
  (check(functions), ...);
}

nn::Model small_model() {
  nn::Model model{nn::Dense(1), {2}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  return model;
}

}  // namespace

TEST_CASE("handles: an empty Value throws") {
  const Value v;
  CHECK(v.describe() == "(empty value)");
  check_each(
      "empty", [&] { (void)v.graph(); }, [&] { (void)v.shape(); }, [&] { (void)v.dtype(); }, [&] { (void)v.node(); },
      [&] { (void)v.named("x"); }, [&] { (void)(v + v); }, [&] { (void)sum(v); }, [&] { (void)(v * 2); },
      [&] {
        (void)concat({v, v});
      },
      [&] { (void)evaluate(v); }, [&] { (void)gradients(v, v); }, [&] { const Plan p({v}); },
      [&] { (void)matmul(v, v); }, [&] { (void)softmax(v); }, [&] { (void)derivation(v, {v}); });
  Graph g;
  const Value x = g.input("x", {2});
  check_each(
      "empty", [&] { (void)(x + v); },
      [&] {
        (void)concat({x, v});
      },
      [&] { (void)where(v, x, x); },
      [&] {
        (void)evaluate(x, {{v, Tensor::zeros({2})}});
      },
      [&] { g.add_penalty(v); }, [&] { (void)gradients(sum(x), v); },
      [&] {
        const Plan p({x}, {}, {.shapes = {{v, {3}}}});
      });
}

TEST_CASE("handles: an empty Parameter throws, as does a layer's weight before the first call") {
  Graph g;
  const Parameter p;
  CHECK(!p.valid());
  CHECK(p == Parameter());
  const auto use = [&](const Parameter& empty) {
    check_each(
        "parameter", [&] { (void)empty.name(); }, [&] { (void)empty.type(); }, [&] { (void)empty.shape(); },
        [&] { (void)empty.value(); }, [&] { (void)empty.view(); }, [&] { (void)empty.trainable(); },
        [&] { Parameter(empty).set(Tensor::zeros({1})); }, [&] { Parameter(empty).set_trainable(false); },
        [&] { Parameter(empty).set_constraint({}); }, [&] { (void)empty.constrained(Value()); },
        [&] { (void)empty.raw(); });
    check_each(
        "empty", [&] { (void)g.parameter(empty); }, [&] { g.add_update(empty, g.constant(1.0)); },
        [&] { (void)g.pin_trainable(empty); }, [&] { (void)g.trainable(empty); },
        [&] {
          const Plan plan({}, {{empty, g.constant(1.0)}});
        });
  };
  use(p);
  Parameter moved("w", Tensor::zeros({2}));
  const Parameter taken = std::move(moved);
  CHECK(taken.name() == "w");
  use(moved);  // NOLINT(bugprone-use-after-move)
  const nn::Dense dense(3);
  use(dense.kernel());
  use(dense.bias());
  use(nn::Conv2D(2, 3).kernel());
  use(nn::BatchNorm().gamma());
  use(nn::BatchNorm().moving_mean());
  use(nn::LayerNorm().beta());
  use(nn::Embedding(4, 2).table());
  check_each("a layer makes its weights when it is first called", [&] { (void)dense.kernel().value(); });
}

TEST_CASE("handles: a moved-from Tensor is empty; an empty Tensor throws where values are needed") {
  Tensor t = Tensor::full({4}, 3);
  Tensor taken = std::move(t);
  CHECK(taken.at(3) == 3);
  CHECK(t.empty());  // NOLINT(bugprone-use-after-move)
  CHECK(t.elements() == 0);
  CHECK(t.bytes() == 0);
  CHECK(t.raw() == nullptr);
  CHECK(t.values<float>().empty());
  CHECK(t.str() == "(no tensor)");
  CHECK(t.clone().empty());
  CHECK(bitwise_equal(t, Tensor()));
  t = Tensor::full({2}, 1);
  CHECK(t.at(1) == 1);
  Tensor& self = t;
  t = std::move(self);
  CHECK(t.at(1) == 1);
  taken = t;
  taken.mutable_values<float>()[0] = 7;
  CHECK(t.at(0) == 1);

  Graph g;
  const Value x = g.input("x", {2});
  const Tensor empty;
  check_each(
      "empty", [&] { (void)g.constant(empty); }, [&] { const Parameter w("w", empty); },
      [&] {
        (void)evaluate(x, {{x, empty}});
      },
      [&] {
        (void)Plan({x}).run({{x, empty}});
      });
  check_each(
      "", [&] { (void)empty.item(); }, [&] { (void)empty.at(0); }, [&] { (void)empty.reshaped({0}); },
      [&] { (void)empty.rows(0, 0); }, [&] { Tensor(empty).assign(Tensor::zeros({1})); });
}

TEST_CASE("handles: a moved-from Plan or Workspace throws") {
  Graph g;
  const Value x = g.input("x", {2});
  Plan plan({x * 2});
  Plan taken = std::move(plan);
  const Feeds feeds{{x, Tensor::full({2}, 3)}};
  CHECK(taken.run(feeds)[0].at(0) == 6);
  Workspace memory(taken);
  // NOLINTBEGIN(bugprone-use-after-move)
  check_each(
      "plan: it is empty", [&] { plan.run(memory); }, [&] { (void)plan.run(feeds); }, [&] { (void)plan.peak_bytes(); },
      [&] { (void)plan.total_bytes(); }, [&] { (void)plan.steps(); }, [&] { (void)plan.flops(); },
      [&] { (void)plan.outputs(); }, [&] { (void)plan.str(); }, [&] { const Workspace w(plan); },
      [&] { (void)to_dot(plan); }, [&] { (void)profile(plan, memory); });
  Workspace kept = std::move(memory);
  check_each(
      "workspace: it is empty", [&] { taken.run(memory); }, [&] { memory.feed(x, Tensor::zeros({2})); },
      [&] { memory.feed("x", Tensor::zeros({2})); }, [&] { (void)memory.feed_in_place(x); },
      [&] { (void)memory.next_input(x); }, [&] { memory.swap_inputs(); }, [&] { (void)memory.output(0); },
      [&] { (void)profile(taken, memory); });
  // NOLINTEND(bugprone-use-after-move)
  kept.feed(x, Tensor::full({2}, 4));
  taken.run(kept);
  CHECK(kept.output(0).at(1) == 8);
  memory = std::move(kept);
  CHECK(memory.output(0).at(1) == 8);
}

TEST_CASE("handles: a moved-from Model throws") {
  nn::Model model = small_model();
  nn::Model taken = std::move(model);
  const nn::Dataset data{Tensor({4, 2}), Tensor({4, 1})};
  CHECK(taken.fit(data, {.verbose = nn::Verbose::silent}).epochs() >= 1);
  const scratch::ScratchFolder folder;
  // NOLINTBEGIN(bugprone-use-after-move)
  check_each(
      "model: it is empty", [&] { (void)model.fit(data); }, [&] { (void)model.evaluate(data); },
      [&] { (void)model.predict(data.x); }, [&] { (void)model.train_on_batch(data); },
      [&] { model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}}); }, [&] { model.summary(); },
      [&] { (void)model.str(); }, [&] { (void)model.parameters(); }, [&] { (void)model.parameter_count(); },
      [&] { (void)model.trainable_count(); }, [&] { (void)model.learning_rate(); }, [&] { model.set_learning_rate(1); },
      [&] { model.swap_averages(); }, [&] { model.save(folder / "m"); }, [&] { model.load(folder / "m"); },
      [&] { (void)model.inference_graph(1); }, [&] { (void)model.training_graph(1); },
      [&] { (void)model.profile(data); }, [&] { model.check_gradients(data); });
  // NOLINTEND(bugprone-use-after-move)
}

TEST_CASE("handles: a moved-from layer, module or weight throws") {
  Graph g;
  const Value x = g.input("x", {3, 2});
  nn::Dense dense(3);
  const nn::Dense taken = std::move(dense);
  CHECK(taken(x).shape() == Shape{3, 3});
  nn::AnyModule module = nn::Dense(2);
  const nn::AnyModule held = std::move(module);
  CHECK(held(x).shape() == Shape{3, 2});
  nn::Weight weight("w", nn::ones);
  const nn::Weight other = std::move(weight);
  // NOLINTBEGIN(bugprone-use-after-move)
  check_each(
      "it is empty", [&] { (void)dense(x); }, [&] { (void)dense.kernel(); }, [&] { (void)dense.trainable(); },
      [&] { dense.set_trainable(false); }, [&] { (void)dense.parameters(); }, [&] { (void)module(x); },
      [&] { (void)module.parameters(); }, [&] { module.set_trainable(false); }, [&] { (void)weight.parameter(); },
      [&] { (void)weight.exists(); }, [&] { weight.freeze(true); }, [&] { (void)weight(g, {2}, f32); });
  // NOLINTEND(bugprone-use-after-move)
}

TEST_CASE("handles: an unknown epoch or name of a History throws") {
  nn::History history;
  check_each("history: there is no epoch 5 of 0", [&] { (void)history.epoch(5); });
  nn::Logs logs;
  logs.add("loss", 1);
  history.add(logs, 1, 1);
  CHECK(history.epoch(0)["loss"] == 1);
  check_each("history: there is no epoch -1 of 1", [&] { (void)history.epoch(-1); });
  check_each(
      "accuracy", [&] { (void)history.best("accuracy"); }, [&] { (void)history["accuracy"]; });
}

TEST_CASE("handles: an empty Dataset throws where rows are needed") {
  nn::Model model = small_model();
  const nn::Dataset none;
  CHECK(none.size() == 0);
  check_each(
      "", [&] { (void)model.fit(none); }, [&] { (void)model.evaluate(none); },
      [&] { (void)model.train_on_batch(none); }, [&] { (void)model.profile(none); },
      [&] { model.check_gradients(none); }, [&] { (void)none.slice(0, 1); },
      [&] {
        const std::vector<Index> rows{0};
        (void)none.select(rows);
      },
      [&] { (void)nn::split(none, 0.5); }, [&] { (void)nn::keras_split(none); },
      [&] { (void)nn::with_class_weights(none, {1}); },
      [&] {
        const nn::Dataset d{Tensor(), Tensor()};
      },
      [&] { (void)model.predict(Tensor()); });
}

TEST_CASE("handles: a moved-from EventWriter or EventReader throws") {
  const scratch::ScratchFolder folder;
  nn::EventWriter writer(folder.path());
  nn::EventWriter taken = std::move(writer);
  taken.scalar("loss", 1, 0);
  nn::EventReader reader(taken.path());
  nn::EventReader read = std::move(reader);
  CHECK(read.next().has_value());
  // NOLINTBEGIN(bugprone-use-after-move)
  check_each(
      "event writer: it is empty", [&] { writer.scalar("loss", 1, 0); }, [&] { (void)writer.path(); },
      [&] { writer.text("a", "b", 0); }, [&] { writer.restart(0); }, [&] { writer.end_session(); });
  check_each(
      "event reader: it is empty", [&] { (void)reader.next(); }, [&] { (void)reader.offset(); },
      [&] { (void)reader.partial_bytes(); });
  // NOLINTEND(bugprone-use-after-move)
}

TEST_CASE("handles: an empty function in a loss, metric, regularizer or constraint throws with its name") {
  const auto compile = [](nn::Loss loss, std::vector<nn::Metric> metrics = {}) {
    nn::Model model{nn::Dense(1), {2}};
    model.compile({.loss = std::move(loss), .optimizer = nn::SGD{}, .metrics = std::move(metrics)});
  };
  check_each(
      "loss", [&] { compile({}); }, [&] { compile({.name = "mine", .apply = {}}); });
  check_each(
      "mine", [&] { compile({.name = "mine", .apply = {}}); },
      [&] { compile(nn::mean_squared_error, {{.name = "mine", .apply = {}}}); },
      [&] {
        const nn::Model m{nn::Dense(1, nn::linear, {.kernel_regularizer = nn::Regularizer{"mine", {}}}), {2}};
      },
      [&] {
        const nn::Dense dense(1, nn::linear, {.kernel_constraint = nn::Constraint{"mine", {}}});
        const nn::Model m{dense, {2}};
      });
}

TEST_CASE("handles: moved-from optimizer state and plots") {
  nn::OptimizerState state(0.1);
  const nn::OptimizerState taken = std::move(state);
  CHECK(taken.learning_rate.value().item() == 0.1);
  check_each("parameter: it is empty", [&] { (void)state.learning_rate.value(); });  // NOLINT(bugprone-use-after-move)
  nn::Plot plot;
  plot.line("a", {1, 2, 3});
  const nn::Plot drawn = std::move(plot);
  CHECK(drawn.svg().find("<svg") != std::string::npos);
  CHECK(plot.svg().find("<svg") != std::string::npos);  // NOLINT(bugprone-use-after-move): an empty plot
}
