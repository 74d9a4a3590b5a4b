// Optimizer options: clipping, decay, averages, accumulation; frozen weights, threads, memory.
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/allocations.hpp"
#include "support/descent.hpp"
#include "support/scratch.hpp"

using namespace xgrad;
using testing::Descent;

namespace {

constexpr auto silent = nn::Verbose::silent;
constexpr auto torch = nn::Preset::torch;

double slope(double w, double c) { return c * (w * w * w - w) + 0.3; }

// Every rule with all options.
std::vector<nn::Optimizer> all_rules(nn::OptimizerOptions options) {
  nn::OptimizerOptions own_decay = options;
  own_decay.weight_decay.reset();
  return {{nn::SGD{.momentum = 0.9, .nesterov = true}, options},
          {nn::SGD{.preset = torch, .momentum = 0.9}, options},
          {nn::Adagrad{}, options},
          {nn::Adadelta{}, options},
          {nn::RMSprop{.momentum = 0.5, .centered = true}, options},
          {nn::Adam{.learning_rate = nn::cosine_decay(1e-2, 20, {.warmup = 3}), .amsgrad = true}, options},
          {nn::AdamW{}, own_decay},
          {nn::Adamax{}, options},
          {nn::Nadam{.preset = torch}, options},
          {nn::Lion{}, options}};
}

Tensor waves(const Shape& shape, DType dtype = f32) {
  std::vector<double> numbers(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(static_cast<double>(i + 1) * 1.7);
  return Tensor::from<double>(shape, numbers).cast(dtype);
}

std::vector<Tensor> values(const std::vector<Parameter>& parameters) {
  std::vector<Tensor> out;
  for (const Parameter& p : parameters) out.push_back(p.value());
  return out;
}

void check_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(bitwise_equal(a[i], b[i]));
}

}  // namespace

TEST_CASE("optimizer options: the global norm is over all gradients") {
  for (const bool is_torch : {false, true}) {
    const nn::SGD rule{.preset = is_torch ? torch : nn::Preset::keras, .learning_rate = 0.1};
    Descent descent({rule, {.global_clip_norm = 0.9}}, {{1.7, -0.4}, {0.9}}, {{1, 2.5}, {0.5}});
    double w[3] = {1.7, -0.4, 0.9};
    const double c[3] = {1, 2.5, 0.5};
    bool clipped = false, whole = false;
    for (int t = 0; t < 20; ++t) {
      descent.step();
      double squares = 0;
      for (int i = 0; i < 3; ++i) squares += std::pow(slope(w[i], c[i]), 2);
      const double factor = std::min(1.0, 0.9 / (std::sqrt(squares) + (is_torch ? 1e-6 : 0)));
      (factor < 1 ? clipped : whole) = true;
      double next[3];
      for (int i = 0; i < 3; ++i) next[i] = w[i] - 0.1 * factor * slope(w[i], c[i]);
      std::copy(next, next + 3, w);
      CHECK(std::abs(descent.values(0)[0] - w[0]) < 1e-12);
      CHECK(std::abs(descent.values(0)[1] - w[1]) < 1e-12);
      CHECK(std::abs(descent.values(1)[0] - w[2]) < 1e-12);
    }
    CHECK(clipped);
    CHECK(whole);
  }
}

TEST_CASE("optimizer options: clipping handles huge, tiny and zero gradients") {
  for (const bool global : {false, true}) {
    nn::OptimizerOptions options;
    (global ? options.global_clip_norm : options.clip_norm) = 2;
    for (const double size : {1e30, 0.0, 1e-30}) {
      Graph g;
      const Parameter w("w", Tensor(Shape{2}));
      const Value gradient = g.constant(Tensor::from<double>({2}, {3 * size, -4 * size}).cast(f32));
      const nn::Optimizer rule(nn::SGD{.learning_rate = 1}, options);
      nn::OptimizerState state(1);
      const Plan plan({}, rule.updates(g, {w}, {gradient}, state));
      Workspace memory(plan);
      plan.run(memory);
      const double kept = size > 1 ? 2.0 / 5 : size;
      CHECK(w.value().at(0) == doctest::Approx(-3 * kept).epsilon(1e-6));
      CHECK(w.value().at(1) == doctest::Approx(4 * kept).epsilon(1e-6));
    }
  }
}

TEST_CASE("optimizer options: decay_mask selects the weights that decay") {
  const auto first = [](const Parameter& p) { return p.name() == "w0"; };
  Descent some({nn::SGD{.learning_rate = 0.1}, {.weight_decay = 0.5, .decay_mask = first}}, {{1.7}, {1.7}}, {{1}, {1}});
  some.step();
  CHECK(some.values(0)[0] == doctest::Approx(1.7 * 0.95 - 0.1 * slope(1.7, 1)).epsilon(1e-14));
  CHECK(some.values(1)[0] == doctest::Approx(1.7 - 0.1 * slope(1.7, 1)).epsilon(1e-14));
}

TEST_CASE("optimizer options: averages start at the weights after the first step") {
  Descent descent({nn::SGD{.learning_rate = 0.05}, {.ema_momentum = 0.8}});
  const Parameter average = descent.state.slots.at("w0/weight_average");
  double a = 0;
  for (int t = 1; t <= 20; ++t) {
    descent.step();
    const double w = descent.values()[0];
    a = t == 1 ? w : 0.8 * a + 0.2 * w;
    CHECK(std::abs(average.value().at(0) - a) < 1e-14);
  }

  const std::vector<double> weights = descent.values();
  nn::swap_averages(descent.weights, descent.state);
  CHECK(descent.values()[0] == doctest::Approx(a).epsilon(1e-14));
  CHECK(average.value().at(0) == weights[0]);
  nn::swap_averages(descent.weights, descent.state);
  CHECK(descent.values() == weights);
}

TEST_CASE("optimizer options: swap_averages throws without averages") {
  Descent none(nn::SGD{});
  none.step();
  CHECK_THROWS_WITH_AS(nn::swap_averages(none.weights, none.state),
                       doctest::Contains("swap_averages: the optimizer keeps no averages"), UserError);
  Descent early({nn::SGD{}, {.ema_momentum = 0.9}});
  CHECK_THROWS_WITH_AS(nn::swap_averages(early.weights, early.state), doctest::Contains("train at least 1 batch first"),
                       UserError);
  CHECK(early.values() == std::vector<double>{1.7, -0.4});
}

TEST_CASE("optimizer options: a model is evaluated with averages and trained with weights") {
  const nn::Dataset data{waves({16, 3}), waves({16, 1})};
  const auto fresh = [] {
    nn::Model model{nn::Dense(1), {3}, {.seed = 4}};
    model.compile({.loss = nn::mean_squared_error, .optimizer = {nn::SGD{}, {.ema_momentum = 0.9}}});
    return model;
  };
  nn::Model model = fresh(), straight = fresh();
  model.fit(data, {.batch_size = 4, .epochs = 2, .verbose = silent});
  const double of_weights = model.evaluate(data)["loss"];
  model.swap_averages();
  CHECK(model.evaluate(data)["loss"] != of_weights);
  model.swap_averages();
  CHECK(model.evaluate(data)["loss"] == of_weights);
  model.fit(data, {.batch_size = 4, .epochs = 1, .verbose = silent});
  straight.fit(data, {.batch_size = 4, .epochs = 3, .verbose = silent});
  check_same(values(model.parameters()), values(straight.parameters()));
}

TEST_CASE("optimizer options: four equal accumulated gradients are bit-identical to one step") {
  const nn::OptimizerOptions one{.global_clip_norm = 1.1, .weight_decay = 0.01, .ema_momentum = 0.9};
  nn::OptimizerOptions four = one;
  four.accumulate = 4;
  const std::vector<nn::Optimizer> plain = all_rules(one), accumulating = all_rules(four);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    CAPTURE(plain[i].name());
    Descent a(plain[i]), b(accumulating[i]);
    for (int t = 0; t < 10; ++t) {
      const std::vector<double> before = b.values();
      a.step();
      for (int batch = 0; batch < 3; ++batch) {
        b.step();
        CHECK(b.values() == before);  // unchanged until the fourth
      }
      b.step();
      CHECK(a.values() == b.values());
      for (const auto& slot : a.state.slots) {
        CAPTURE(slot.first);
        CHECK(bitwise_equal(slot.second.value(), b.state.slots.at(slot.first).value()));
      }
    }
    CHECK(b.state.iterations.value().item() == 40);
    CHECK(b.state.slots.at("w0/gradient_mean").value().at(0) == 0);
    CHECK(b.state.slots.at("accumulated_weight").value().item() == 0);
  }
}

TEST_CASE("optimizer options: accumulated batches equal one large batch") {
  const nn::Dataset data{waves({24, 3}, f64), waves({24, 2}, f64)};
  const auto train = [&](int batch, int accumulate) {
    nn::Model model{nn::Sequential{nn::Dense(5, nn::tanh), nn::Dense(2)}, {3}, {.seed = 2, .dtype = f64}};
    model.compile({.loss = nn::mean_squared_error,
                   .optimizer = {nn::Adam{.learning_rate = 0.05},
                                 {.clip_norm = 0.3, .weight_decay = 0.01, .accumulate = accumulate}}});
    model.fit(data, {.batch_size = batch, .epochs = 5, .shuffle = false, .verbose = silent});
    return values(model.parameters());
  };
  const std::vector<Tensor> whole = train(12, 1), parts = train(4, 3);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (Index j = 0; j < whole[i].elements(); ++j) CHECK(std::abs(whole[i].at(j) - parts[i].at(j)) < 1e-12);
  }
}

TEST_CASE("optimizer options: accumulation continues in the next epoch") {
  const nn::Dataset data{waves({12, 3}, f64), waves({12, 1}, f64)};  // 3 batches per epoch, 2 per weight update
  nn::Model model{nn::Dense(1), {3}, {.dtype = f64}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = {nn::SGD{}, {.accumulate = 2}}});
  const auto changes = [&] {
    const std::vector<Tensor> before = values(model.parameters());
    model.fit(data.slice(0, 4), {.batch_size = 4, .verbose = silent});
    return !bitwise_equal(before[0], model.parameters()[0].value());
  };
  CHECK_FALSE(changes());
  CHECK(changes());
  model.fit(data, {.batch_size = 4, .verbose = silent});
  CHECK(changes());  // together with the last batch of the previous epoch
}

TEST_CASE("optimizer options: frozen weights are unchanged with all options") {
  for (const nn::Optimizer& optimizer :
       all_rules({.global_clip_norm = 1, .weight_decay = 0.1, .ema_momentum = 0.9, .accumulate = 2})) {
    CAPTURE(optimizer.name());
    nn::Model model{nn::Sequential{nn::Dense(4, nn::tanh), nn::Dense(1)}, {3}, {.seed = 3}};
    for (std::size_t i = 0; i < 2; ++i) Parameter(model.parameters()[i]).set_trainable(false);
    model.compile({.loss = nn::mean_squared_error, .optimizer = optimizer});
    const std::vector<Tensor> before = values(model.parameters());
    model.fit({waves({16, 3}), waves({16, 1})}, {.batch_size = 2, .epochs = 2, .verbose = silent});
    const std::vector<Tensor> after = values(model.parameters());
    CHECK(bitwise_equal(before[0], after[0]));
    CHECK(bitwise_equal(before[1], after[1]));
    CHECK_FALSE(bitwise_equal(before[2], after[2]));
    model.swap_averages();
    CHECK(bitwise_equal(before[0], model.parameters()[0].value()));
  }
}

TEST_CASE("optimizer options: all rules are bit-identical on one and two threads") {
  const nn::Dataset data{waves({96, 300}), waves({96, 10})};
  const std::size_t rules = all_rules({}).size();
  for (std::size_t i = 0; i < rules; ++i) {
    const auto train = [&](int threads) {
      const nn::OptimizerOptions options{
          .global_clip_norm = 0.5, .weight_decay = 0.01, .ema_momentum = 0.9, .accumulate = 2};
      nn::Model model{nn::Sequential{nn::Dense(300, nn::tanh), nn::Dense(10)}, {300}, {.seed = 3}};
      model.compile({.loss = nn::mean_squared_error, .optimizer = all_rules(options)[i]});
      model.fit(data, {.batch_size = 32, .epochs = 2, .verbose = silent, .threads = threads});
      std::vector<Tensor> out = values(model.parameters());
      model.swap_averages();
      for (const Tensor& t : values(model.parameters())) out.push_back(t);
      return out;
    };
    CAPTURE(i);
    check_same(train(1), train(2));
  }
}

TEST_CASE("optimizer options: steps after the first do not allocate, for all rules") {
  for (const nn::Optimizer& optimizer :
       all_rules({.global_clip_norm = 1, .weight_decay = 0.1, .ema_momentum = 0.9, .accumulate = 2})) {
    CAPTURE(optimizer.name());
    Descent descent(optimizer);
    descent.step();
    const std::size_t before = allocations();
    for (int t = 0; t < 10; ++t) descent.step(1 + t % 2);
    CHECK(allocations() == before);
  }
}

TEST_CASE("optimizer options: resuming in the middle of an accumulation is bit-identical") {
  const scratch::ScratchFolder folder;
  const nn::Dataset data{waves({18, 3}), waves({18, 1})};  // 5 batches per epoch, 2 per weight update
  for (const nn::Optimizer& optimizer :
       all_rules({.global_clip_norm = 1, .weight_decay = 0.1, .ema_momentum = 0.9, .accumulate = 2})) {
    CAPTURE(optimizer.name());
    const auto fresh = [&] {
      nn::Model model{nn::Sequential{nn::Dense(4, nn::tanh), nn::Dense(1)}, {3}, {.seed = 3}};
      model.compile({.loss = nn::mean_squared_error, .optimizer = optimizer});
      return model;
    };
    const auto train = [&](nn::Model& model, int epochs) {
      model.fit(data, {.batch_size = 4, .epochs = epochs, .verbose = silent});
    };
    nn::Model whole = fresh(), first = fresh(), second = fresh();
    train(whole, 3);
    train(first, 1);
    first.save(folder / "model.safetensors");
    second.load(folder / "model.safetensors");
    CHECK(second.learning_rate() == first.learning_rate());
    train(second, 2);
    check_same(values(whole.parameters()), values(second.parameters()));
    whole.swap_averages();
    second.swap_averages();
    check_same(values(whole.parameters()), values(second.parameters()));
  }
}

TEST_CASE("optimizer options: the state is a list of named parameters") {
  Descent descent({nn::Nadam{}, {.ema_momentum = 0.9, .accumulate = 2}});
  std::vector<std::string> names;
  for (const Parameter& p : descent.state.parameters()) names.push_back(p.name());
  CHECK(names == std::vector<std::string>{"learning_rate", "iterations", "accumulated_weight", "w0/gradient_mean",
                                          "w0/mean", "w0/momentum_product", "w0/square", "w0/weight_average"});
  // After restoring the state, training continues from there.
  for (int t = 0; t < 5; ++t) descent.step();
  const std::vector<double> weights = descent.values();
  const std::vector<Tensor> kept = values(descent.state.parameters());
  for (int t = 0; t < 5; ++t) descent.step();
  const std::vector<double> end = descent.values();
  descent.weights[0].set(Tensor::from<double>({2}, weights));
  for (std::size_t i = 0; i < kept.size(); ++i) Parameter(descent.state.parameters()[i]).set(kept[i]);
  for (int t = 0; t < 5; ++t) descent.step();
  CHECK(descent.values() == end);
}

TEST_CASE("sgd: dampening scales the gradient from the second step on, as in PyTorch") {
  for (const nn::Preset preset : {nn::Preset::keras, torch}) {
    Descent descent(nn::SGD{.preset = preset, .learning_rate = 0.05, .momentum = 0.9, .dampening = 0.25});
    double w = 1.7, velocity = 0;
    for (int t = 0; t < 20; ++t) {
      descent.step();
      velocity = t == 0 ? slope(w, 1) : 0.9 * velocity + 0.75 * slope(w, 1);
      w -= 0.05 * velocity;
      CHECK(std::abs(descent.values()[0] - w) < 1e-13);
    }
  }
  CHECK_THROWS_WITH_AS(nn::Optimizer(nn::SGD{.momentum = 0.9, .dampening = 1.5}),
                       "sgd: dampening must be in [0, 1], got 1.5", UserError);
  CHECK_THROWS_WITH_AS(nn::Optimizer(nn::SGD{.dampening = 0.5}), "sgd: dampening = 0.5 requires momentum above 0",
                       UserError);
  CHECK_THROWS_WITH_AS(nn::Optimizer(nn::SGD{.momentum = 0.9, .nesterov = true, .dampening = 0.5}),
                       "sgd: dampening = 0.5 requires nesterov = false", UserError);
}
