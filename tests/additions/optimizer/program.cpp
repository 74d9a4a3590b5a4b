// Adds an optimizer: a header and a source file. A model trains, saves and resumes with it like with the library's.
#include <cmath>
#include <stdexcept>

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <xgrad/nn/optimizers/yogi.hpp>

#include "../../support/scratch.hpp"
#include "../../support/small_model.hpp"

using namespace xgrad;
using nn::Yogi;
using small_model::points;
using small_model::silent;

namespace {

nn::Model classifier(nn::Optimizer optimizer = Yogi{}) {
  nn::Model out{small_model::small_net(), {2}, {.seed = 1}};
  out.compile(
      {.loss = nn::sparse_categorical_crossentropy, .optimizer = std::move(optimizer), .metrics = {nn::accuracy}});
  return out;
}

}  // namespace

TEST_CASE("an added optimizer: its formula") {
  Graph g({.dtype = f64});
  const Parameter w("w", Tensor(2.0));
  const nn::Optimizer yogi = Yogi{.learning_rate = 0.1, .beta_2 = 0.5};
  nn::OptimizerState state(yogi);
  const nn::TrainingStep step = yogi.minimize(square(g.parameter(w)), state);
  const Plan plan({step.loss}, step.updates);
  Workspace memory(plan);
  double x = 2, m = 0, v = 0;
  for (int t = 1; t <= 4; ++t) {
    plan.run(memory);
    const double gradient = 2 * x, squares = gradient * gradient;
    m += 0.1 * (gradient - m);
    v -= 0.5 * (v > squares ? 1 : -1) * squares;
    x -= 0.1 * std::sqrt(1 - std::pow(0.5, t)) / (1 - std::pow(0.9, t)) * m / (std::sqrt(v) + 1e-3);
    CHECK(w.value().item() == doctest::Approx(x).epsilon(1e-12));
  }
  CHECK_THROWS_WITH_AS(nn::Optimizer(Yogi{.beta_1 = 1}), doctest::Contains("yogi: beta_1 must be"), UserError);
}

TEST_CASE("an added optimizer trains, with clipping, weight decay, accumulated gradients and averaged weights") {
  const nn::Dataset data = points(200);
  nn::Model model =
      classifier({Yogi{}, {.global_clip_norm = 1, .weight_decay = 1e-3, .ema_momentum = 0.9, .accumulate = 2}});
  CHECK(model.fit(data, {.batch_size = 16, .epochs = 20, .verbose = silent})["accuracy"].back() > 0.9);
  model.swap_averages();
  CHECK(model.evaluate(data)["accuracy"] > 0.9);
}

TEST_CASE("an added optimizer: a fit that is resumed in the middle of an epoch ends with bitwise equal weights") {
  const scratch::ScratchFolder folder;
  const nn::Dataset data = points(100);
  nn::Model whole = classifier();
  const nn::History expected = whole.fit(data, {.epochs = 4, .verbose = silent});
  nn::Model begun = classifier();
  const nn::LambdaCallback interrupt{.on_batch_end = [](nn::Training& t) {
    if (t.epoch() == 1 && t.batch() == 2) throw std::runtime_error("interrupted");
  }};
  const nn::ModelCheckpoint checkpoint{.path = folder / "run", .every_steps = 1};
  CHECK_THROWS_WITH_AS(begun.fit(data, {.epochs = 4, .verbose = silent, .callbacks = {checkpoint, interrupt}}),
                       "interrupted", std::runtime_error);
  nn::Model resumed = classifier();
  const nn::History history = resumed.fit(data, {.epochs = 4, .verbose = silent, .resume = folder / "run"});
  CHECK(history["loss"] == expected["loss"]);
  CHECK(small_model::same(small_model::weights(resumed), small_model::weights(whole)));

  whole.save(folder / "model");
  nn::Model other = classifier(nn::Adam{});
  CHECK_THROWS_WITH_AS(other.load(folder / "model"), doctest::Contains("it was trained by yogi"), FormatError);
}
