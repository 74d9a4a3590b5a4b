// Training steps without a Model: Optimizer::minimize and updates.
#include <filesystem>
#include <span>
#include <stdexcept>
#include <vector>

#include <doctest/doctest.h>

#include "support/scratch.hpp"
#include "support/small_model.hpp"

using namespace xgrad;
using small_model::numbers;
using small_model::silent;

namespace {

nn::Sequential net() {
  return {nn::Dense(4, nn::tanh, {.kernel_regularizer = nn::l2(0.1)}), nn::BatchNorm(), nn::Dense(1)};
}

}  // namespace

TEST_CASE("minimize: the step moves weights, moving statistics and penalties") {
  Graph g({.dtype = f64, .training = true});
  const nn::BatchNorm norm({.center = false, .scale = false});
  const nn::Dense dense(1, nn::linear,
                        {.kernel_initializer = nn::ones, .kernel_regularizer = nn::l2(0.5), .use_bias = false});
  const Value x = g.input("x", {2, 1});
  const Value loss = mean(0 * norm(dense(x)));
  const nn::Optimizer sgd = nn::SGD{.learning_rate = 0.1};
  nn::OptimizerState state(sgd);
  const nn::TrainingStep step = sgd.minimize(loss, state);
  CHECK(step.trained == std::vector<Parameter>{dense.kernel()});
  CHECK(step.unreached.empty());
  const Plan plan({step.loss}, step.updates);
  Workspace memory(plan);
  memory.feed(x, Tensor::from<double>({2, 1}, {0, 2}));
  double w = 1, moving = 0;
  for (int i = 0; i < 5; ++i) {
    plan.run(memory);
    CHECK(memory.output(0).item() == doctest::Approx(0.5 * w * w).epsilon(1e-14));
    moving = 0.99 * moving + 0.01 * w;  // the mean of {0, 2} w
    w -= 0.1 * 2 * 0.5 * w;
    CHECK(dense.kernel().value().item() == doctest::Approx(w).epsilon(1e-14));
    CHECK(norm.moving_mean().value().item() == doctest::Approx(moving).epsilon(1e-14));
  }
}

TEST_CASE("minimize: a manual training loop is bit-identical to fit") {
  const nn::Dataset data{numbers({16, 3}), numbers({16, 1}, 0.5)};
  nn::Model model{net(), {3}, {.seed = 3}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{}});
  model.fit(data, {.batch_size = 16, .epochs = 4, .shuffle = false, .verbose = silent});

  Graph g({.training = true, .seed = 3});
  const Value x = g.input("x", {16, 3}), y = g.input("y", {16, 1});
  const Value loss = mse(net()(x), y);
  const std::vector<Parameter> weights = g.parameters();
  const nn::Optimizer adam = nn::Adam{};
  nn::OptimizerState state(adam);
  const nn::TrainingStep step = adam.minimize(loss, state);
  const Plan plan({step.loss}, step.updates);
  for (std::uint64_t i = 0; i < 4; ++i) plan.run({{x, data.x}, {y, data.y}}, {.step = i});
  REQUIRE(weights.size() == model.parameters().size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    CAPTURE(weights[i].name());
    CHECK(bitwise_equal(weights[i].value(), model.parameters()[i].value()));
  }
}

TEST_CASE("minimize: penalties are added once, also if the loss contains them already") {
  Graph g({.dtype = f64});
  const nn::Dense dense(1, nn::linear, {.kernel_regularizer = nn::l2(0.5)});
  const Value loss = mean(dense(g.input("x", {2, 1})));
  const Value total = nn::with_penalties(loss);
  CHECK(total != loss);
  CHECK(nn::with_penalties(total) == total);
  CHECK(nn::with_penalties(2 * total) == 2 * total);
  const nn::Optimizer sgd = nn::SGD{};
  nn::OptimizerState state(sgd);
  CHECK(sgd.minimize(loss, state).loss == total);
  CHECK(sgd.minimize(total, state).loss == total);
}

TEST_CASE("minimize: two optimizers train different weights in one plan") {
  Graph g({.dtype = f64, .training = true});
  const nn::Dense left(1, nn::linear, {.kernel_initializer = nn::ones, .use_bias = false}),
      right(1, nn::linear, {.kernel_initializer = nn::ones, .use_bias = false});
  const nn::BatchNorm norm;
  const Value x = g.input("x", {2, 1});
  const Value y = right(left(x)), statistics = norm(x);
  const nn::Optimizer down = nn::SGD{.learning_rate = 0.1};
  nn::OptimizerState a(down), b(down);
  const nn::TrainingStep first = down.minimize(mean(y), a, {left.kernel()});
  const nn::TrainingStep second = down.minimize(-mean(y), b, {right.kernel()});
  std::vector<Update> both = first.updates;  // both lists contain the graph's own updates
  both.insert(both.end(), second.updates.begin(), second.updates.end());
  Plan({statistics}, both).run({{x, Tensor::from<double>({2, 1}, {1, 3})}});
  CHECK(left.kernel().value().item() == doctest::Approx(1 - 0.1 * 2));
  CHECK(right.kernel().value().item() == doctest::Approx(1 + 0.1 * 2));
  CHECK(norm.moving_mean().value().item() == doctest::Approx(0.01 * 2));
}

TEST_CASE("minimize: unreached weights stay unchanged, a loss that depends on none throws") {
  Graph g({.dtype = f64, .training = true});
  const nn::Dense body(2), head(1);
  const Value y = mean(head(stop_gradient(body(g.input("x", {2, 3})))));
  const nn::Optimizer decaying{nn::SGD{}, {.weight_decay = 0.5}};
  nn::OptimizerState state(decaying);
  const nn::TrainingStep step = decaying.minimize(y, state);
  CHECK(step.trained == std::vector<Parameter>{head.kernel(), head.bias()});
  CHECK(step.unreached == std::vector<Parameter>{body.kernel(), body.bias()});
  for (const Update& u : step.updates) CHECK_FALSE(u.parameter == body.kernel());
  CHECK_THROWS_WITH_AS(
      decaying.minimize(mean(stop_gradient(body(g.find_input("x")))), state),
      doctest::Contains("sgd: minimize: the loss depends on none of the trainable weights: \"dense/kernel\""),
      GradientError);
  CHECK_THROWS_AS(decaying.minimize(Value(), state), GraphError);
}

TEST_CASE("updates: accepts a reference to the graph's own list of parameters") {
  Graph g({.training = true, .seed = 1});
  const Value x = g.input("x", {4, 3});
  const Value loss = mean(square(nn::Sequential{nn::Dense(8, nn::tanh), nn::Dense(1)}(x)));
  const nn::Optimizer adam = nn::Adam{};
  nn::OptimizerState state(adam);
  const auto updates = adam.updates(g, g.parameters(), gradients(loss, g.parameters()), state);
  CHECK(updates.size() == 4 * 3 + 1);  // four weights with two moments each, and the count of batches
}

TEST_CASE("updates: weights and gradients must match") {
  Graph g, other;
  const Parameter a("a", Tensor(Shape{2})), b("b", Tensor(Shape{2})), c("c", Tensor(Shape{3}));
  const Value loss = sum(g.parameter(a) * g.parameter(b) + 1);
  const nn::Optimizer adam = nn::Adam{};
  nn::OptimizerState state(adam);
  const Value da = gradients(loss, a), db = gradients(loss, b);
  const auto message = [&](const std::vector<Parameter>& weights, const std::vector<Value>& slopes) -> std::string {
    const NodeId size = g.size();
    try {
      adam.updates(g, weights, slopes, state);
    } catch (const Error& error) {
      CHECK(g.size() == size);
      return error.what();
    }
    return "";
  };
  CHECK(message({a, b}, {da}).starts_with("adam: updates: expected one gradient per weight, got 1 for 2 weights"));
  CHECK(message({a}, {da, db}).starts_with("adam: updates: expected one gradient per weight, got 2 for 1 weights"));
  CHECK(message({a, a}, {da, da}).starts_with("adam: updates: the weight \"a\" is given twice"));
  CHECK(message({c}, {da}).starts_with("adam: updates: the gradient of \"c\" must have the weight's type f32[3]"));
  CHECK(message({Parameter()}, {da}).starts_with("adam: updates: weight 0 is an empty Parameter"));
  CHECK(message({a}, {other.parameter(a)}).starts_with("adam: updates: the gradient of \"a\": "));
  CHECK(state.slots.empty());
  CHECK(adam.updates(g, {a, b}, {da, Value()}, state).size() == 4);  // b has no gradient and stays unchanged
}

TEST_CASE("updates: moving statistics are part of the step") {
  Graph g({.dtype = f64, .training = true});
  const nn::BatchNorm norm;
  const Value x = g.input("x", {2, 1});
  const Value loss = mean(square(norm(x)));
  const std::vector<Parameter> weights = g.trainable_parameters();
  const nn::Optimizer sgd = nn::SGD{};
  nn::OptimizerState state(sgd);
  Plan({loss}, sgd.updates(g, weights, gradients(loss, weights), state))
      .run({{x, Tensor::from<double>({2, 1}, {1, 3})}});
  CHECK(norm.moving_mean().value().item() == doctest::Approx(0.01 * 2));
}

// ---- gradients that are accumulated

namespace {

// The weight w after each epoch of `batches` batches with one row each: x = 1, 2, ... The loss is w x, its gradient x.
std::vector<double> weights_after_epochs(nn::AccumulationRest rest, int batches, int epochs,
                                         const nn::LearningRate& rate = 1) {
  nn::Model model{nn::Dense(1, nn::linear, {.kernel_initializer = nn::zeros, .use_bias = false}), {1}, {.dtype = f64}};
  const nn::Loss itself{"itself", [](Value p, Value) { return mean(p); }};
  model.compile(
      {.loss = itself, .optimizer = {nn::SGD{.learning_rate = rate}, {.accumulate = 2, .accumulation_rest = rest}}});
  nn::Dataset data{Tensor(Shape{batches, 1}, f64), Tensor(Shape{batches, 1}, f64)};
  for (Index i = 0; i < batches; ++i)
    data.x.mutable_values<double>()[static_cast<std::size_t>(i)] = static_cast<double>(i + 1);
  std::vector<double> out;
  const nn::LambdaCallback note{
      .on_epoch_end = [&](nn::Training& t) { out.push_back(t.model().parameters()[0].value().item()); }};
  model.fit(data, {.batch_size = 1, .epochs = epochs, .shuffle = false, .verbose = silent, .callbacks = {note}});
  return out;
}

}  // namespace

TEST_CASE("accumulation: remaining batches are carried into the next epoch or applied as their mean") {
  // Gradients 1, 2, 3 per epoch, two per step.
  CHECK(weights_after_epochs(nn::AccumulationRest::carry, 3, 2) == std::vector<double>{-1.5, -1.5 - 2 - 2.5});
  CHECK(weights_after_epochs(nn::AccumulationRest::apply, 3, 2) == std::vector<double>{-1.5 - 3, 2 * (-1.5 - 3)});
  CHECK(weights_after_epochs(nn::AccumulationRest::apply, 2, 2) == std::vector<double>{-1.5, -3});
  CHECK(weights_after_epochs(nn::AccumulationRest::apply, 1, 2) == std::vector<double>{-1, -2});
}

TEST_CASE("accumulation: schedules count weight updates, including those of remaining batches") {
  const nn::LearningRate rate = nn::piecewise_constant({1, 2, 3}, {1, 10, 100, 1000});
  CHECK(weights_after_epochs(nn::AccumulationRest::apply, 3, 2, rate) ==
        std::vector<double>{-1.5 - 30, -1.5 - 30 - 150 - 3000});
}

TEST_CASE("accumulation: a fit that applies remaining batches resumes bit-identical") {
  const nn::Dataset data{numbers({20, 3}), numbers({20, 1}, 0.5)};  // 5 batches per epoch, 3 per step
  const auto fresh = [] {
    nn::Model model{nn::Dense(1), {3}, {.seed = 3}};
    model.compile({.loss = nn::mean_squared_error,
                   .optimizer = {nn::Adam{.learning_rate = 0.1},
                                 {.accumulate = 3, .accumulation_rest = nn::AccumulationRest::apply}}});
    return model;
  };
  const scratch::ScratchFolder folder;
  const auto path = folder / "fit.safetensors";
  nn::Model whole = fresh();
  whole.fit(data, {.batch_size = 4, .epochs = 3, .verbose = silent});
  for (const int last : {1, 4, 5, 6, 9, 10, 13}) {
    CAPTURE(last);
    std::filesystem::remove(path);
    nn::Model first = fresh(), second = fresh();
    int step = 0;
    const nn::LambdaCallback interrupt{.on_batch_end = [&](nn::Training& t) {
      if (++step == last) t.save(path);
      if (step == last + 1) throw std::runtime_error("interrupted");
    }};
    const auto options = [&](std::vector<nn::Callback> callbacks) {
      return nn::FitOptions{.batch_size = 4, .epochs = 3, .verbose = silent, .callbacks = callbacks, .resume = path};
    };
    CHECK_THROWS_AS(first.fit(data, options({interrupt})), std::runtime_error);
    second.fit(data, options({}));
    CHECK(small_model::same(small_model::weights(whole), small_model::weights(second)));
  }
}

TEST_CASE("accumulation: a manual training loop sets apply_rest to apply the remaining batches") {
  Graph g({.dtype = f64});
  Parameter w("w", Tensor(0.0));
  const Value x = g.input("x", {});
  const nn::Optimizer sgd{nn::SGD{.learning_rate = 1},
                          {.accumulate = 4, .accumulation_rest = nn::AccumulationRest::apply}};
  nn::OptimizerState state(sgd);
  const Plan plan({}, sgd.minimize(g.parameter(w) * x, state).updates);
  Workspace memory(plan);
  const auto run = [&](double slope) {
    memory.feed(x, Tensor(slope));
    plan.run(memory);
  };
  run(1), run(2);
  CHECK(w.value().item() == 0);
  state.apply_rest.set(Tensor(true));
  run(6);
  CHECK(w.value().item() == -3);
  run(1), run(1), run(1);
  CHECK(w.value().item() == -3);
  run(1);
  CHECK(w.value().item() == -4);
}

namespace {

// The weights after two epochs over the data, all batches of `batch` rows of an epoch accumulated into one step.
std::vector<Tensor> weights_of_whole_epochs(const nn::Loss& loss, const nn::Dataset& data, int batch) {
  nn::Model model{
      nn::Sequential{nn::Dense(5, nn::tanh, {.kernel_regularizer = nn::l2(0.1)}), nn::Dense(3)}, {2}, {.dtype = f64}};
  model.compile({.loss = loss,
                 .optimizer = {nn::SGD{.learning_rate = 0.5, .momentum = 0.9},
                               {.accumulate = 1000, .accumulation_rest = nn::AccumulationRest::apply}}});
  model.fit(data, {.batch_size = batch, .epochs = 2, .shuffle = false, .verbose = silent});
  return small_model::weights(model);
}

}  // namespace

TEST_CASE("accumulation: batches count by weight, so that a step equals one with all rows at once") {
  const Tensor x = numbers({11, 2}).cast(f64);
  const Tensor labels = Tensor::from<std::int64_t>({11}, {0, -1, 2, 1, 1, -1, 2, 0, -1, -1, -1});
  const Tensor classes = Tensor::from<std::int64_t>({11}, {0, 0, 2, 1, 1, 2, 2, 0, 0, 0, 1});
  Tensor rows({11}, f64);
  for (std::size_t i = 0; i < 11; ++i) rows.mutable_values<double>()[i] = static_cast<double>((i * i) % 5);
  const nn::Loss ignoring = nn::sparse_categorical_crossentropy_from_logits({.ignored_label = -1});
  const nn::Loss weighing = nn::sparse_categorical_crossentropy_from_logits({.class_weights = {1, 0, 5}});
  struct Case {
    const char* name;
    nn::Loss loss;
    nn::Dataset data;
  };
  for (const Case& c : {Case{"a short last batch", nn::mean_squared_error, {x, numbers({11, 3}).cast(f64)}},
                        Case{"ignored labels", ignoring, {x, labels}}, Case{"class weights", weighing, {x, classes}},
                        Case{"weights of rows", nn::mean_squared_error, {x, numbers({11, 3}).cast(f64), rows}},
                        Case{"both", ignoring, {x, labels, rows}}}) {
    CAPTURE(c.name);
    const std::vector<Tensor> whole = weights_of_whole_epochs(c.loss, c.data, 11);
    for (const int batch : {1, 2, 3, 4, 8}) {
      CAPTURE(batch);  // some last batches have no counted rows
      const std::vector<Tensor> parts = weights_of_whole_epochs(c.loss, c.data, batch);
      for (std::size_t i = 0; i < whole.size(); ++i) {
        for (Index j = 0; j < whole[i].elements(); ++j)
          CHECK(parts[i].at(j) == doctest::Approx(whole[i].at(j)).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("accumulation: a batch without counted rows is skipped") {
  nn::Model model{nn::Dense(2), {2}, {.dtype = f64}};
  model.compile({.loss = nn::sparse_categorical_crossentropy_from_logits({.ignored_label = -1}),
                 .optimizer = {nn::SGD{}, {.accumulate = 2}}});
  const Tensor x = numbers({1, 2}).cast(f64);
  const nn::Dataset counts{x, Tensor::from<std::int64_t>({1}, {1})}, ignored{x, Tensor::from<std::int64_t>({1}, {-1})};
  const std::vector<Tensor> before = small_model::weights(model);
  model.train_on_batch(counts);
  model.train_on_batch(ignored);
  CHECK(small_model::same(before, small_model::weights(model)));
  model.train_on_batch(counts);
  CHECK_FALSE(small_model::same(before, small_model::weights(model)));
}

TEST_CASE("accumulation: a manual training loop averages by the weights that the loss measures") {
  const nn::Loss loss = nn::sparse_categorical_crossentropy_from_logits({.ignored_label = -1});
  const Tensor x = numbers({5, 3}).cast(f64), y = Tensor::from<std::int64_t>({5}, {0, -1, 2, 1, 1});
  const auto step = [&](Index batch, int accumulate) {
    Graph g({.dtype = f64});
    const Parameter w("w", Tensor({3}, f64));
    const Value rows = g.input("x", {batch, 3}), labels = g.input("y", {batch}, i64);
    const nn::Optimizer sgd{nn::SGD{.learning_rate = 1}, {.accumulate = accumulate}};
    nn::OptimizerState state(sgd);
    const nn::TrainingStep made =
        sgd.minimize(loss.measure({.prediction = rows * g.parameter(w), .target = labels}), state);
    const Plan plan({made.loss}, made.updates);
    Workspace memory(plan);
    const nn::Dataset data{x, y};
    for (Index first = 0; first < 5; first += batch) {
      const nn::Dataset part = data.slice(first, batch);
      memory.feed(rows, part.x);
      memory.feed(labels, part.y);
      plan.run(memory);
    }
    return w.value();
  };
  const Tensor whole = step(5, 1), parts = step(1, 4);  // one of the five labels is ignored
  for (Index i = 0; i < 3; ++i) CHECK(parts.at(i) == doctest::Approx(whole.at(i)).epsilon(1e-12));
}

TEST_CASE("fit: drop_last drops the last, partial batch") {
  const nn::Dataset data{numbers({10, 2}), numbers({10, 1}, 0.5)};
  nn::Model all = small_model::line(), dropped = small_model::line();
  int steps = 0;
  const nn::LambdaCallback count{.on_batch_end = [&](nn::Training& t) {
    ++steps;
    CHECK(t.batches() == 2);
  }};
  const nn::History h = dropped.fit(
      data, {.batch_size = 4, .shuffle = false, .drop_last = true, .verbose = silent, .callbacks = {count}});
  CHECK(steps == 2);
  CHECK(h["loss"] == all.fit(data.slice(0, 8), {.batch_size = 4, .shuffle = false, .verbose = silent})["loss"]);
  CHECK(small_model::same(small_model::weights(all), small_model::weights(dropped)));
  CHECK_THROWS_WITH_AS(dropped.fit(data, {.batch_size = 16, .drop_last = true, .verbose = silent}),
                       "fit: drop_last needs at least one full batch: batch_size is 16, but there are only 10 rows",
                       UserError);
}

// ---- metrics that throw

TEST_CASE("metric: a result function that throws leaves the model unchanged, in train_on_batch and fit") {
  bool throws = false;
  const nn::Metric fragile{.name = "fragile",
                           .apply = [](Value p, Value t) { return sum(p - t); },
                           .result =
                               [&](std::span<const double> totals) {
                                 if (throws) throw std::runtime_error("no result");
                                 return totals[0];
                               }};
  const nn::Dataset data{numbers({6, 2}), numbers({6, 1}, 0.5)};
  const auto compiled = [&] {
    nn::Model out{net(), {2}, {.seed = 1}};
    out.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{}, .metrics = {fragile}});
    return out;
  };
  const scratch::ScratchFolder folder;
  nn::Model model = compiled(), calm = compiled();
  model.train_on_batch(data);
  calm.train_on_batch(data);
  const std::vector<Tensor> before = small_model::weights(model);
  throws = true;
  CHECK_THROWS_WITH_AS(model.train_on_batch(data), "no result", std::runtime_error);
  CHECK(small_model::same(small_model::weights(model), before));
  CHECK_THROWS_WITH_AS(model.fit(data, {.verbose = silent}), "no result", std::runtime_error);
  CHECK(small_model::same(small_model::weights(model), before));
  throws = false;
  // The optimizer state and the counters are unchanged too.
  model.train_on_batch(data);
  calm.train_on_batch(data);
  model.save(folder / "model");
  calm.save(folder / "calm");
  const nn::TensorFile file = nn::load_safetensors(folder / "model"), other = nn::load_safetensors(folder / "calm");
  CHECK(file.metadata == other.metadata);
  REQUIRE(file.tensors.size() == other.tensors.size());
  for (const auto& [name, tensor] : file.tensors) CHECK(bitwise_equal(tensor, other.tensors.at(name)));
}
