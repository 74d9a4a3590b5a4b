// The health callback: finds every kind of issue, and none in healthy training runs.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/small_model.hpp"
#include "support/text.hpp"

using namespace xgrad;
using namespace small_model;
using nn::Issue;
using testing::contains;

namespace {

// Normally distributed values.
Tensor normal_numbers(Shape shape, double mean = 0, double stddev = 1, std::uint64_t seed = 3) {
  Graph g({.seed = seed});
  return evaluate(random_normal(g, shape, f32, mean, stddev));
}

// An easy linear regression problem.
nn::Dataset plane(Index rows, double mean = 0, double stddev = 1) {
  nn::Dataset data{normal_numbers({rows, 4}, mean, stddev), Tensor({rows, 1})};
  const auto x = data.x.values<float>();
  auto y = data.y.mutable_values<float>();
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = 0.5F * x[4 * i] - 0.25F * x[4 * i + 1];
  return data;
}

struct Outcome {
  std::vector<nn::Finding> findings;
  nn::History history;

  const nn::Finding* find(Issue issue, const std::string& where = {}) const {
    const auto found = std::find_if(findings.begin(), findings.end(), [&](const nn::Finding& f) {
      return f.issue == issue && (where.empty() || f.where == where);
    });
    return found == findings.end() ? nullptr : &*found;
  }
  std::string text() const {
    std::string out;
    for (const nn::Finding& f : findings) out += f.str() + "\n";
    return out;
  }
};

nn::Health quiet() { return nn::Health{.print = false}; }

Outcome fit(nn::AnyModule net, const nn::Dataset& data, nn::Optimizer optimizer, nn::FitOptions options = {},
            nn::Health health = quiet(), const nn::Loss& loss = nn::mean_squared_error) {
  nn::Model model{std::move(net), Shape(std::span(data.x.shape().begin() + 1, data.x.shape().end())), {.seed = 1}};
  model.compile({.loss = loss, .optimizer = std::move(optimizer)});
  options.verbose = silent;
  options.callbacks.emplace_back(std::ref(health));
  Outcome out;
  out.history = model.fit(data, options);
  out.findings = health.findings();
  return out;
}

}  // namespace

TEST_CASE("health: a healthy training run has no findings") {
  const nn::Dataset digits = nn::make_digits(1500, 1);
  const nn::Dataset data{digits.x, nn::one_hot(digits.y, 10)};
  const Index pixels = data.x.elements() / data.size();
  SUBCASE("relu, batch normalization, dropout and Adam") {
    const nn::BatchNormOptions norm{.momentum = 0.9};
    const Outcome out =
        fit(nn::Sequential{nn::Flatten(), nn::Dense(64, nn::relu), nn::BatchNorm(norm), nn::Dense(64, nn::relu),
                           nn::BatchNorm(norm), nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
            data, nn::Adam{}, {.batch_size = 32, .epochs = 8, .validation_split = 0.2}, quiet(),
            nn::categorical_crossentropy);
    CHECK_MESSAGE(out.findings.empty(), out.text());
    CHECK(pixels > 1);
  }
  SUBCASE("tanh and SGD") {
    const Outcome out =
        fit(nn::Sequential{nn::Flatten(), nn::Dense(32, nn::tanh), nn::Dense(32, nn::tanh), nn::Dense(10, nn::softmax)},
            data, nn::SGD{.learning_rate = 0.05}, {.batch_size = 32, .epochs = 8, .validation_split = 0.2}, quiet(),
            nn::categorical_crossentropy);
    CHECK_MESSAGE(out.findings.empty(), out.text());
  }
  SUBCASE("a regression with Adam") {
    const Outcome out = fit(nn::Sequential{nn::Dense(16, nn::relu), nn::Dense(16, nn::silu), nn::Dense(1)}, plane(512),
                            nn::Adam{.learning_rate = 0.01}, {.batch_size = 32, .epochs = 10, .validation_split = 0.2});
    CHECK_MESSAGE(out.findings.empty(), out.text());
  }
  SUBCASE("binary classifier whose sigmoid saturates at the right classes") {
    nn::Dataset moons = nn::make_moons(512, 1, 0.05);
    const nn::Dataset two{moons.x, moons.y.cast(f32).reshaped({512, 1})};
    const Outcome out =
        fit(nn::Sequential{nn::Dense(32, nn::relu), nn::Dense(32, nn::relu), nn::Dense(1, nn::sigmoid)}, two,
            nn::Adam{.learning_rate = 0.01}, {.batch_size = 32, .epochs = 40}, quiet(), nn::binary_crossentropy);
    CHECK(out.history["loss"].back() < 0.01);
    CHECK_MESSAGE(out.findings.empty(), out.text());
  }
}

TEST_CASE("health: dead relu units") {
  const nn::DenseOptions dead{.bias_initializer = nn::constant(-100)};
  const Outcome out = fit(nn::Sequential{nn::Dense(16, nn::relu, dead), nn::Dense(1)}, plane(300),
                          nn::SGD{.learning_rate = 0.01}, {.epochs = 3});
  const nn::Finding* f = out.find(Issue::dead_units);
  REQUIRE_MESSAGE(f != nullptr, out.text());
  CHECK(f->where == "dense");
  CHECK(f->value == 1);
  CHECK(f->limit == 0.5);
  CHECK(f->epoch == 1);  // at the second check
  CHECK(contains(f->what, "16 of 16 relu units output 0 on all 256 sampled rows"));
  CHECK(contains(f->advice, "0.01"));
  CHECK(contains(f->str(), "dead units in dense, epoch 1: 16 of 16"));
}

TEST_CASE("health: dead channels of a convolution, with limits below and at their fraction") {
  // The biases of half the channels are far below 0.
  struct Net : nn::Module {
    nn::Conv2D conv{8, 3, nn::linear};
    nn::Dense last{1};
    Value operator()(Value x) {
      const auto scope = x.graph().scope("half");
      std::vector<float> shift{-9, -9, -9, -9, 9, 9, 9, 9};
      const Value y = relu(conv(x) + x.graph().constant(Tensor::from<float>({8}, shift)));
      return last(reshape(y, {x.shape()[0], -1}));
    }
  };
  const nn::Dataset data{normal_numbers({64, 6, 6, 2}), Tensor({64, 1})};
  const auto with_limit = [&](double dead) {
    return fit(Net(), data, nn::SGD{.learning_rate = 1e-4}, {.epochs = 2}, nn::Health{.print = false, .dead = dead});
  };
  const Outcome out = with_limit(0.4);
  const nn::Finding* f = out.find(Issue::dead_units);
  REQUIRE_MESSAGE(f != nullptr, out.text());
  CHECK(f->where == "net/half");
  CHECK(f->value == doctest::Approx(0.5));
  CHECK(contains(f->what, "4 of 8"));
  // A fraction equal to the limit is no issue.
  CHECK(with_limit(0.5).find(Issue::dead_units) == nullptr);
}

TEST_CASE("health: dead units need at least 32 rows") {
  const nn::DenseOptions dead{.bias_initializer = nn::constant(-100)};
  const nn::Sequential net{nn::Dense(16, nn::relu, dead), nn::Dense(1)};
  CHECK(fit(net, plane(31), nn::SGD{}, {.epochs = 3}).find(Issue::dead_units) == nullptr);
  CHECK(fit(nn::Sequential{nn::Dense(16, nn::relu, dead), nn::Dense(1)}, plane(32), nn::SGD{}, {.epochs = 3})
            .find(Issue::dead_units) != nullptr);
}

TEST_CASE("health: saturated units") {
  for (const nn::Activation& activation : {nn::tanh, nn::sigmoid}) {
    CAPTURE(activation.name());
    const nn::DenseOptions large{.kernel_initializer = nn::normal(0, 30)};
    const Outcome out = fit(nn::Sequential{nn::Dense(16, activation, large), nn::Dense(1)}, plane(300),
                            nn::SGD{.learning_rate = 0.001}, {.epochs = 2});
    const nn::Finding* f = out.find(Issue::saturated_units);
    REQUIRE_MESSAGE(f != nullptr, out.text());
    CHECK(f->where == "dense");
    CHECK(f->value > 0.8);
    CHECK(contains(f->what, std::string("% of the outputs of ") + activation.name() +
                                " are saturated: its slope there is below 0.01"));
  }
  // The sigmoid inside another activation may saturate.
  const nn::DenseOptions large{.kernel_initializer = nn::normal(0, 30)};
  const Outcome out = fit(nn::Sequential{nn::Dense(16, nn::silu, large), nn::Dense(1)}, plane(300),
                          nn::SGD{.learning_rate = 1e-9}, {.epochs = 2});
  CHECK(out.find(Issue::saturated_units) == nullptr);
}

TEST_CASE("health: saturation is detected by the derivative, not by the name of the activation") {
  const auto with = [](nn::Activation activation, nn::Initializer kernel, double bias = 0) {
    const nn::DenseOptions dense{.kernel_initializer = std::move(kernel), .bias_initializer = nn::constant(bias)};
    return fit(nn::Sequential{nn::Dense(16, activation, dense), nn::Dense(1)}, plane(300),
               nn::SGD{.learning_rate = 1e-9}, {.epochs = 2});
  };
  // A custom activation: erf times a constant.
  const Outcome erfs = with(nn::Activation([](Value x) { return 1.7 * erf(x); }, "scaled"), nn::normal(0, 30));
  const nn::Finding* f = erfs.find(Issue::saturated_units, "dense");
  REQUIRE_MESSAGE(f != nullptr, erfs.text());
  CHECK(contains(f->what, "% of the outputs of erf are saturated"));
  // Sigmoids that are exactly 0 or 1: zeros are not counted as saturated, as for relu; ones are.
  const Outcome saturated = with(nn::sigmoid, nn::normal(0, 1e6));
  f = saturated.find(Issue::saturated_units, "dense");
  REQUIRE_MESSAGE(f != nullptr, saturated.text());
  CHECK(f->value > 0.99);
  // Sigmoid units that are 0 on all rows are dead, as relu units are.
  const Outcome dead = with(nn::sigmoid, nn::normal(0, 0.1), -200);
  f = dead.find(Issue::dead_units, "dense");
  REQUIRE_MESSAGE(f != nullptr, dead.text());
  CHECK(contains(f->what, "16 of 16 sigmoid units output 0 on all 256 sampled rows"));
  // Relu units that are 0 on most rows, but not on all.
  const Outcome sparse = with(nn::relu, nn::normal(0, 1), -1);
  const auto expect_no_issue = [](const Outcome& out) {
    CHECK_MESSAGE(out.find(Issue::saturated_units) == nullptr, out.text());
    CHECK_MESSAGE(out.find(Issue::dead_units) == nullptr, out.text());
  };
  expect_no_issue(sparse);
  // An activation before the first weights has nothing to train.
  const Outcome first = fit(nn::Sequential{nn::ActivationLayer(nn::tanh), nn::Dense(1)}, plane(300, 0, 1000),
                            nn::SGD{.learning_rate = 1e-9}, {.epochs = 2});
  expect_no_issue(first);
}

TEST_CASE("health: steps that are too large relative to the weights") {
  const Outcome out = fit(nn::Sequential{nn::Dense(16, nn::tanh), nn::Dense(1)}, plane(64),
                          nn::Adam{.learning_rate = 2}, {.batch_size = 32, .epochs = 3});
  const nn::Finding* f = out.find(Issue::large_steps);
  REQUIRE_MESSAGE(f != nullptr, out.text());
  CHECK(contains(f->where, "/kernel"));
  CHECK(f->value > 0.1);
  CHECK(contains(f->advice, "Lower the learning rate (now 2)"));
}

TEST_CASE("health: large_steps reports the ratio of step to weight") {
  // w = 2, x = 1, y = 0: the gradient of w^2 is 4, a step of 0.1 times that is 0.4, a fifth of w.
  nn::Model model{nn::Dense(1, nn::linear, {.kernel_initializer = nn::constant(2), .use_bias = false}), {1}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0.1}});
  nn::Health health{.print = false, .consecutive_checks = 1};
  // The learning rate is 0 until the check, so that the check sees w = 2.
  model.fit(
      {Tensor::full({4, 1}, 1), Tensor({4, 1})},
      {.epochs = 1,
       .verbose = silent,
       .callbacks = {nn::LambdaCallback{.on_epoch_begin = [](nn::Training& t) { t.model().set_learning_rate(0); },
                                        .on_epoch_end = [](nn::Training& t) { t.model().set_learning_rate(0.1); }},
                     std::ref(health)}});
  REQUIRE(health.findings().size() == 1);
  CHECK(health.findings()[0].issue == Issue::large_steps);
  CHECK(health.findings()[0].where == "dense/kernel");
  CHECK(health.findings()[0].value == doctest::Approx(0.2));
}

TEST_CASE("health: gradients that vanish through many sigmoid layers") {
  const nn::DenseOptions small{.kernel_initializer = nn::normal(0, 0.3)};
  std::vector<nn::AnyModule> layers;
  struct Deep : nn::Module {
    std::vector<nn::Dense> layers;
    Value operator()(Value x) {
      for (nn::Dense& layer : layers) x = layer(x);
      return x;
    }
  };
  Deep net;
  for (int i = 0; i < 8; ++i) net.layers.emplace_back(8, nn::sigmoid, small);
  net.layers.emplace_back(1);
  const Outcome out = fit(net, plane(128), nn::SGD{.learning_rate = 0.01}, {.epochs = 2});
  const nn::Finding* f = out.find(Issue::vanishing_steps, "deep/dense/kernel");
  REQUIRE_MESSAGE(f != nullptr, out.text());
  CHECK(f->value < 1e-3);
  CHECK(contains(f->what, "of its norm, but "));
  // The steps of the last layer do not vanish.
  CHECK(out.find(Issue::vanishing_steps, "deep/dense_8/kernel") == nullptr);
}

TEST_CASE("health: batch norm statistics that lag behind") {
  const nn::Dataset shifted = plane(160, 50, 3);
  const auto net = [](double momentum) {
    return nn::Sequential{nn::BatchNorm({.momentum = momentum}), nn::Dense(8, nn::relu), nn::Dense(1)};
  };
  const Outcome out = fit(net(0.99), shifted, nn::SGD{.learning_rate = 0.001}, {.batch_size = 32, .epochs = 2});
  const nn::Finding* f = out.find(Issue::batch_norm_lag);
  REQUIRE_MESSAGE(f != nullptr, out.text());
  CHECK(f->where == "batch_norm");
  CHECK(f->value == 1);
  // 0.99^10 = 0.90
  CHECK(contains(f->what, "4 of 4 features"));
  CHECK(contains(f->what, "after 10 steps their initial values still weigh 90%"));
  CHECK(contains(f->advice, "lower the momentum of nn::BatchNorm (now 0.99), or train for more steps"));
  // With a small momentum they catch up.
  CHECK(fit(net(0.5), shifted, nn::SGD{.learning_rate = 0.001}, {.batch_size = 32, .epochs = 6})
            .find(Issue::batch_norm_lag) == nullptr);
  // With momentum 1 they are constant on purpose.
  CHECK(fit(net(1), shifted, nn::SGD{.learning_rate = 0.001}, {.batch_size = 32, .epochs = 3})
            .find(Issue::batch_norm_lag) == nullptr);
}

namespace {

// Produces given losses: the model outputs its bias; the targets are 0 for training and 1 for validation.
struct ScriptedBias {
  std::vector<double> biases;
  void on_epoch_begin(nn::Training& t) {
    for (Parameter p : t.model().parameters())
      p.set(Tensor::full(p.shape(), p.shape().rank() == 1 ? biases[static_cast<std::size_t>(t.epoch())] : 0));
  }
};
std::vector<nn::Finding> fit_with_biases(const std::vector<double>& biases, nn::Health health = quiet()) {
  nn::Model model{nn::Dense(1), {1}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0}});
  const nn::Dataset train{Tensor({4, 1}), Tensor({4, 1})}, valid{Tensor({4, 1}), Tensor::full({4, 1}, 1)};
  model.fit(train, {.epochs = static_cast<int>(biases.size()),
                    .validation = valid,
                    .verbose = silent,
                    .callbacks = {ScriptedBias{biases}, std::ref(health)}});
  return health.findings();
}

}  // namespace

TEST_CASE("health: overfitting, a validation loss that rises while the training loss falls") {
  // For a bias b the loss is b^2 and val_loss (b - 1)^2.
  const auto found = fit_with_biases({1.5, 0.9, 0.7, 0.6, 0.5, 0.4});
  REQUIRE(found.size() == 1);
  CHECK(found[0].issue == Issue::overfitting);
  CHECK(found[0].where.empty());
  CHECK(found[0].epoch == 5);  // three epochs after the best one, at the second check
  CHECK(contains(found[0].what, "val_loss rose from 0.01 in epoch 1 to 0.36 (+3500%)"));
  CHECK(contains(found[0].what, "from 0.81 to 0.16"));
  CHECK(contains(found[0].str(), "overfitting, epoch 5: val_loss"));
  // No overfitting: both fall, both rise, a single bad epoch.
  CHECK(fit_with_biases({3, 2.5, 2, 1.8, 1.5, 1.2}).empty());
  CHECK(fit_with_biases({1.2, 1.4, 1.6, 1.8, 2, 2.2}).empty());
  CHECK(fit_with_biases({1.5, 1.4, 1.3, 1.2, 0.4, 1.1, 1.05}).empty());
}

TEST_CASE("health: a non-finite loss is reported at once") {
  const Outcome out = fit(nn::Sequential{nn::Dense(4), nn::Dense(1)}, plane(64), nn::SGD{.learning_rate = 1e15},
                          {.batch_size = 8, .epochs = 3});
  REQUIRE(out.findings.size() == 1);
  CHECK(out.findings[0].issue == Issue::not_finite);
  CHECK(out.findings[0].epoch == 0);
  CHECK(contains(out.findings[0].str(), "not finite, epoch 0: the loss is "));
}

TEST_CASE("health: an issue is reported once, after enough consecutive checks; the next fit starts over") {
  const nn::DenseOptions dead{.bias_initializer = nn::constant(-100)};
  nn::Model model{nn::Sequential{nn::Dense(16, nn::relu, dead), nn::Dense(1)}, {4}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  nn::Health health{.every = 2, .print = false, .consecutive_checks = 3};
  const nn::FitOptions options{.epochs = 9, .verbose = silent, .callbacks = {std::ref(health)}};
  model.fit(plane(64), options);
  CHECK(health.checks == 4);
  const auto count_dead = [&] {
    return std::count_if(health.found.begin(), health.found.end(),
                         [](const nn::Finding& f) { return f.issue == Issue::dead_units; });
  };
  REQUIRE(count_dead() == 1);
  CHECK(health.found[0].epoch == 5);
  nn::FitOptions shorter = options;
  shorter.epochs = 3;
  model.fit(plane(64), shorter);
  CHECK(health.findings().empty());
  CHECK(health.checks == 1);
}

TEST_CASE("health: checks do not change the training") {
  const nn::Dataset data = points(200);
  nn::Model plain = classifier(), checked = classifier();
  nn::Health health = quiet();
  plain.fit(data, {.epochs = 3, .verbose = silent});
  checked.fit(data, {.epochs = 3, .verbose = silent, .callbacks = {std::ref(health)}});
  CHECK(health.checks == 3);
  CHECK(same(weights(plain), weights(checked)));
}

TEST_CASE("health: row weights, fewer rows than requested, and invalid options") {
  nn::Dataset data = points(40);
  data.weights = Tensor::full({40}, 2);
  nn::Model model = classifier();
  nn::Health health = quiet();
  CHECK_NOTHROW(model.fit(data, {.epochs = 2, .verbose = silent, .callbacks = {std::ref(health)}}));
  CHECK(health.checks == 2);
  const auto fit_with = [&](nn::Health bad) { model.fit(data, {.epochs = 1, .verbose = silent, .callbacks = {bad}}); };
  CHECK_THROWS_WITH_AS(fit_with({.every = 0}), "health: every must be at least 1, got 0", UserError);
  CHECK_THROWS_WITH_AS(fit_with({.rows = 0}), "health: rows must be at least 1, got 0", UserError);
  CHECK_THROWS_WITH_AS(fit_with({.consecutive_checks = 0}), "health: consecutive_checks must be at least 1, got 0",
                       UserError);
  CHECK_THROWS_WITH_AS(fit_with({.dead = std::nan("")}), "health: dead must be at least 0, got nan", UserError);
  CHECK_THROWS_WITH_AS(fit_with({.rise = -1}), "health: rise must be at least 0, got -1", UserError);
}
