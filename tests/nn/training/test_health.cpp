// The health callback: every issue is made on purpose, and a training that goes well has none.
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

// Normal numbers of a deviation around a mean.
Tensor normal_numbers(Shape shape, double mean = 0, double stddev = 1, std::uint64_t seed = 3) {
  Graph g({.seed = seed});
  return evaluate(random_normal(g, shape, f32, mean, stddev));
}

// A regression with nothing hard about it.
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

TEST_CASE("health: a training that goes well has no findings") {
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
  SUBCASE("tanh and plain descent") {
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
  SUBCASE("two classes by one sigmoid that becomes sure of itself") {
    nn::Dataset moons = nn::make_moons(512, 1, 0.05);
    const nn::Dataset two{moons.x, moons.y.cast(f32).reshaped({512, 1})};
    const Outcome out =
        fit(nn::Sequential{nn::Dense(32, nn::relu), nn::Dense(32, nn::relu), nn::Dense(1, nn::sigmoid)}, two,
            nn::Adam{.learning_rate = 0.01}, {.batch_size = 32, .epochs = 40}, quiet(), nn::binary_crossentropy);
    CHECK(out.history["loss"].back() < 0.01);
    CHECK_MESSAGE(out.findings.empty(), out.text());
  }
}

TEST_CASE("health: dead relus") {
  const nn::DenseOptions drowned{.bias_initializer = nn::constant(-100)};
  const Outcome out = fit(nn::Sequential{nn::Dense(16, nn::relu, drowned), nn::Dense(1)}, plane(300),
                          nn::SGD{.learning_rate = 0.01}, {.epochs = 3});
  const nn::Finding* f = out.find(Issue::dead_units);
  REQUIRE_MESSAGE(f != nullptr, out.text());
  CHECK(f->where == "dense");
  CHECK(f->value == 1);
  CHECK(f->limit == 0.5);
  CHECK(f->epoch == 1);  // at the second look
  CHECK(contains(f->what, "16 of 16 relu units are 0 for all 256 rows"));
  CHECK(contains(f->advice, "0.01"));
  CHECK(contains(f->str(), "dead units in dense, epoch 1: 16 of 16"));
}

TEST_CASE("health: dead channels of a convolution, and half of them") {
  // Channel i has the bias of its number: those of half the channels lie far below 0.
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
  // What is allowed is allowed.
  CHECK(with_limit(0.5).find(Issue::dead_units) == nullptr);
}

TEST_CASE("health: few rows are not enough to call a unit dead") {
  const nn::DenseOptions drowned{.bias_initializer = nn::constant(-100)};
  const nn::Sequential net{nn::Dense(16, nn::relu, drowned), nn::Dense(1)};
  CHECK(fit(net, plane(31), nn::SGD{}, {.epochs = 3}).find(Issue::dead_units) == nullptr);
  CHECK(fit(nn::Sequential{nn::Dense(16, nn::relu, drowned), nn::Dense(1)}, plane(32), nn::SGD{}, {.epochs = 3})
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
  // Inside another function it may be saturated.
  const nn::DenseOptions large{.kernel_initializer = nn::normal(0, 30)};
  const Outcome out = fit(nn::Sequential{nn::Dense(16, nn::silu, large), nn::Dense(1)}, plane(300),
                          nn::SGD{.learning_rate = 1e-9}, {.epochs = 2});
  CHECK(out.find(Issue::saturated_units) == nullptr);
}

TEST_CASE("health: what is saturated is asked of slopes and not of names") {
  const auto with = [](nn::Activation activation, nn::Initializer kernel, double bias = 0) {
    const nn::DenseOptions dense{.kernel_initializer = std::move(kernel), .bias_initializer = nn::constant(bias)};
    return fit(nn::Sequential{nn::Dense(16, activation, dense), nn::Dense(1)}, plane(300),
               nn::SGD{.learning_rate = 1e-9}, {.epochs = 2});
  };
  // A function that no list has, and what is a constant away from it.
  const Outcome erfs = with(nn::Activation([](Value x) { return 1.7 * erf(x); }, "scaled"), nn::normal(0, 30));
  const nn::Finding* f = erfs.find(Issue::saturated_units, "dense");
  REQUIRE_MESSAGE(f != nullptr, erfs.text());
  CHECK(contains(f->what, "% of the outputs of erf are saturated"));
  // Sigmoids that are 0 and 1 to the last bit: the zeros are left out, as those of relus are, the ones are not.
  const Outcome ends = with(nn::sigmoid, nn::normal(0, 1e6));
  f = ends.find(Issue::saturated_units, "dense");
  REQUIRE_MESSAGE(f != nullptr, ends.text());
  CHECK(f->value > 0.99);
  // Sigmoids that are 0 for all rows learn no more than such relus do.
  const Outcome drowned = with(nn::sigmoid, nn::normal(0, 0.1), -200);
  f = drowned.find(Issue::dead_units, "dense");
  REQUIRE_MESSAGE(f != nullptr, drowned.text());
  CHECK(contains(f->what, "16 of 16 sigmoid units are 0 for all 256 rows"));
  // Relus that are 0 for most rows, but none for all.
  const Outcome sparse = with(nn::relu, nn::normal(0, 1), -1);
  const auto well = [](const Outcome& out) {
    CHECK_MESSAGE(out.find(Issue::saturated_units) == nullptr, out.text());
    CHECK_MESSAGE(out.find(Issue::dead_units) == nullptr, out.text());
  };
  well(sparse);
  // Before the first weights there is nothing that could not learn.
  const Outcome first = fit(nn::Sequential{nn::ActivationLayer(nn::tanh), nn::Dense(1)}, plane(300, 0, 1000),
                            nn::SGD{.learning_rate = 1e-9}, {.epochs = 2});
  well(first);
}

TEST_CASE("health: steps as large as the weights") {
  const Outcome out = fit(nn::Sequential{nn::Dense(16, nn::tanh), nn::Dense(1)}, plane(64),
                          nn::Adam{.learning_rate = 2}, {.batch_size = 32, .epochs = 3});
  const nn::Finding* f = out.find(Issue::large_steps);
  REQUIRE_MESSAGE(f != nullptr, out.text());
  CHECK(contains(f->where, "/kernel"));
  CHECK(f->value > 0.1);
  CHECK(contains(f->advice, "Lower the learning rate (now 2)"));
}

TEST_CASE("health: the ratio of step and weight is that of the step") {
  // w = 2, x = 1, y = 0: the gradient of w^2 is 4, a step of 0.1 times that is 0.4, a fifth of w.
  nn::Model model{nn::Dense(1, nn::linear, {.kernel_initializer = nn::constant(2), .use_bias = false}), {1}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0.1}});
  nn::Health health{.print = false, .consecutive_checks = 1};
  // Nothing is trained before the look: the rate is set between.
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

TEST_CASE("health: derivatives that vanish on their way through many sigmoids") {
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
  CHECK(contains(f->what, "of its size, but "));
  // The last layer moves.
  CHECK(out.find(Issue::vanishing_steps, "deep/dense_8/kernel") == nullptr);
}

TEST_CASE("health: moving statistics that lag behind") {
  const nn::Dataset far = plane(160, 50, 3);
  const auto net = [](double momentum) {
    return nn::Sequential{nn::BatchNorm({.momentum = momentum}), nn::Dense(8, nn::relu), nn::Dense(1)};
  };
  const Outcome out = fit(net(0.99), far, nn::SGD{.learning_rate = 0.001}, {.batch_size = 32, .epochs = 2});
  const nn::Finding* f = out.find(Issue::batch_norm_lag);
  REQUIRE_MESSAGE(f != nullptr, out.text());
  CHECK(f->where == "batch_norm");
  CHECK(f->value == 1);
  // 0.99 to the 10th.
  CHECK(contains(f->what, "4 of 4 features"));
  CHECK(contains(f->what, "after 10 steps 90 % of what they began with is left"));
  CHECK(contains(f->advice, "lower the momentum of nn::BatchNorm (now 0.99), or train for more steps"));
  // A short memory catches up.
  CHECK(fit(net(0.5), far, nn::SGD{.learning_rate = 0.001}, {.batch_size = 32, .epochs = 6})
            .find(Issue::batch_norm_lag) == nullptr);
  // What never moves does so on purpose.
  CHECK(
      fit(net(1), far, nn::SGD{.learning_rate = 0.001}, {.batch_size = 32, .epochs = 3}).find(Issue::batch_norm_lag) ==
      nullptr);
}

namespace {

// Losses by a script: the model gives its bias, the targets of training are 0 and those of the validation 1.
struct Script {
  std::vector<double> biases;
  void on_epoch_begin(nn::Training& t) {
    for (Parameter p : t.model().parameters())
      p.set(Tensor::full(p.shape(), p.shape().rank() == 1 ? biases[static_cast<std::size_t>(t.epoch())] : 0));
  }
};
std::vector<nn::Finding> play(const std::vector<double>& biases, nn::Health health = quiet()) {
  nn::Model model{nn::Dense(1), {1}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0}});
  const nn::Dataset train{Tensor({4, 1}), Tensor({4, 1})}, valid{Tensor({4, 1}), Tensor::full({4, 1}, 1)};
  model.fit(train, {.epochs = static_cast<int>(biases.size()),
                    .validation = valid,
                    .verbose = silent,
                    .callbacks = {Script{biases}, std::ref(health)}});
  return health.findings();
}

}  // namespace

TEST_CASE("health: a loss of the validation that rises while that of the training falls") {
  // val_loss is (b - 1)^2, the loss b^2.
  const auto found = play({1.5, 0.9, 0.7, 0.6, 0.5, 0.4});
  REQUIRE(found.size() == 1);
  CHECK(found[0].issue == Issue::overfitting);
  CHECK(found[0].where.empty());
  CHECK(found[0].epoch == 5);  // three epochs after the best, and once more
  CHECK(contains(found[0].what, "val_loss was 0.01 in epoch 1 and is 0.36 now, 3500 % more"));
  CHECK(contains(found[0].what, "from 0.81 to 0.16"));
  CHECK(contains(found[0].str(), "overfitting, epoch 5: val_loss"));
  // Both fall; both rise; and a single bad epoch.
  CHECK(play({3, 2.5, 2, 1.8, 1.5, 1.2}).empty());
  CHECK(play({1.2, 1.4, 1.6, 1.8, 2, 2.2}).empty());
  CHECK(play({1.5, 1.4, 1.3, 1.2, 0.4, 1.1, 1.05}).empty());
}

TEST_CASE("health: a loss that is not finite is told at once") {
  const Outcome out = fit(nn::Sequential{nn::Dense(4), nn::Dense(1)}, plane(64), nn::SGD{.learning_rate = 1e15},
                          {.batch_size = 8, .epochs = 3});
  REQUIRE(out.findings.size() == 1);
  CHECK(out.findings[0].issue == Issue::not_finite);
  CHECK(out.findings[0].epoch == 0);
  CHECK(contains(out.findings[0].str(), "not finite, epoch 0: the loss is "));
}

TEST_CASE("health: each is told once, when it was there often enough, and the next fit begins anew") {
  const nn::DenseOptions drowned{.bias_initializer = nn::constant(-100)};
  nn::Model model{nn::Sequential{nn::Dense(16, nn::relu, drowned), nn::Dense(1)}, {4}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  nn::Health health{.every = 2, .print = false, .consecutive_checks = 3};
  const nn::FitOptions options{.epochs = 9, .verbose = silent, .callbacks = {std::ref(health)}};
  model.fit(plane(64), options);
  CHECK(health.checks == 4);
  const auto dead = [&] {
    return std::count_if(health.found.begin(), health.found.end(),
                         [](const nn::Finding& f) { return f.issue == Issue::dead_units; });
  };
  REQUIRE(dead() == 1);
  CHECK(health.found[0].epoch == 5);
  nn::FitOptions shorter = options;
  shorter.epochs = 3;
  model.fit(plane(64), shorter);
  CHECK(health.findings().empty());
  CHECK(health.checks == 1);
}

TEST_CASE("health: looking changes nothing") {
  const nn::Dataset data = points(200);
  nn::Model plain = classifier(), watched = classifier();
  nn::Health health = quiet();
  plain.fit(data, {.epochs = 3, .verbose = silent});
  watched.fit(data, {.epochs = 3, .verbose = silent, .callbacks = {std::ref(health)}});
  CHECK(health.checks == 3);
  CHECK(same(weights(plain), weights(watched)));
}

TEST_CASE("health: rows with weights, fewer rows than asked for, and options without a meaning") {
  nn::Dataset data = points(40);
  data.weights = Tensor::full({40}, 2);
  nn::Model model = classifier();
  nn::Health health = quiet();
  CHECK_NOTHROW(model.fit(data, {.epochs = 2, .verbose = silent, .callbacks = {std::ref(health)}}));
  CHECK(health.checks == 2);
  const auto refused = [&](nn::Health bad) { model.fit(data, {.epochs = 1, .verbose = silent, .callbacks = {bad}}); };
  CHECK_THROWS_WITH_AS(refused({.every = 0}), "health: every = 0 has no meaning", UserError);
  CHECK_THROWS_WITH_AS(refused({.rows = 0}), "health: rows = 0 has no meaning", UserError);
  CHECK_THROWS_WITH_AS(refused({.consecutive_checks = 0}), "health: consecutive_checks = 0 has no meaning", UserError);
  CHECK_THROWS_WITH_AS(refused({.dead = std::nan("")}), "health: dead = nan has no meaning", UserError);
  CHECK_THROWS_WITH_AS(refused({.rise = -1}), "health: rise = -1 has no meaning", UserError);
}
