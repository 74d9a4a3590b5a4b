// Optimizers compared with trajectories of scalar reference formulas (numbers/optimizers.py).
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/nn/optimizers/rules.hpp>
#include <xgrad/nn/optimizers/schedules.hpp>

#include "support/descent.hpp"
#include "support/places.hpp"

using namespace xgrad;
using testing::Descent;

namespace {

constexpr auto torch = nn::Preset::torch;

// The variants of numbers/optimizers.py, by their names there.
std::vector<std::pair<std::string, nn::Optimizer>> variants() {
  const nn::LearningRate halves = nn::step_decay(0.05, 5, 0.5);
  const auto adam = [](nn::Preset preset, bool amsgrad) {
    return nn::Adam{
        .preset = preset, .learning_rate = 0.2, .beta_1 = 0.8, .beta_2 = 0.9, .epsilon = 1e-3, .amsgrad = amsgrad};
  };
  const auto rmsprop = [](nn::Preset preset) {
    return nn::RMSprop{
        .preset = preset, .learning_rate = 0.02, .rho = 0.8, .momentum = 0.7, .epsilon = 1e-3, .centered = true};
  };
  constexpr auto keras = nn::Preset::keras;
  return {
      {"sgd", nn::SGD{}},
      {"sgd torch", nn::SGD{.preset = torch}},
      {"sgd momentum", nn::SGD{.learning_rate = 0.05, .momentum = 0.9}},
      {"sgd momentum torch", nn::SGD{.preset = torch, .learning_rate = 0.05, .momentum = 0.9}},
      {"sgd nesterov", nn::SGD{.learning_rate = 0.05, .momentum = 0.9, .nesterov = true}},
      {"sgd nesterov torch", nn::SGD{.preset = torch, .learning_rate = 0.05, .momentum = 0.9, .nesterov = true}},
      {"sgd schedule", nn::SGD{.learning_rate = halves, .momentum = 0.9}},
      {"sgd schedule torch", nn::SGD{.preset = torch, .learning_rate = halves, .momentum = 0.9}},
      {"adagrad", nn::Adagrad{}},
      {"adagrad torch", nn::Adagrad{.preset = torch}},
      {"adagrad options", nn::Adagrad{.learning_rate = 0.5, .accumulator = 0.3, .epsilon = 0.01}},
      {"adagrad options torch",
       nn::Adagrad{.preset = torch, .learning_rate = 0.5, .accumulator = 0.3, .epsilon = 0.01}},
      {"adadelta", nn::Adadelta{}},
      {"adadelta torch", nn::Adadelta{.preset = torch}},
      {"adadelta options", nn::Adadelta{.learning_rate = 0.5, .rho = 0.8, .epsilon = 0.01}},
      {"rmsprop", nn::RMSprop{}},
      {"rmsprop torch", nn::RMSprop{.preset = torch}},
      {"rmsprop centered", nn::RMSprop{.learning_rate = 0.05, .rho = 0.8, .epsilon = 1e-3, .centered = true}},
      {"rmsprop centered torch",
       nn::RMSprop{.preset = torch, .learning_rate = 0.05, .rho = 0.8, .epsilon = 1e-3, .centered = true}},
      {"rmsprop momentum", nn::RMSprop{.learning_rate = 0.02, .momentum = 0.7}},
      {"rmsprop momentum torch",
       nn::RMSprop{.preset = torch, .learning_rate = 0.02, .rho = 0.9, .momentum = 0.7, .epsilon = 1e-7}},
      {"rmsprop both", rmsprop(keras)},
      {"rmsprop both torch", rmsprop(torch)},
      {"adam", nn::Adam{}},
      {"adam torch", nn::Adam{.preset = torch}},
      {"adam options", adam(keras, false)},
      {"adam options torch", adam(torch, false)},
      {"amsgrad", adam(keras, true)},
      {"amsgrad torch", adam(torch, true)},
      {"adamw", nn::AdamW{}},
      {"adamw torch", nn::AdamW{.preset = torch}},
      {"adamw options",
       nn::AdamW{
           .learning_rate = 0.2, .weight_decay = 0.1, .beta_1 = 0.8, .beta_2 = 0.9, .epsilon = 1e-3, .amsgrad = true}},
      {"adamax", nn::Adamax{}},
      {"adamax torch", nn::Adamax{.preset = torch}},
      {"adamax options", nn::Adamax{.learning_rate = 0.2, .beta_1 = 0.8, .beta_2 = 0.7, .epsilon = 0.05}},
      {"adamax options torch",
       nn::Adamax{.preset = torch, .learning_rate = 0.2, .beta_1 = 0.8, .beta_2 = 0.7, .epsilon = 0.05}},
      {"nadam", nn::Nadam{}},
      {"nadam torch", nn::Nadam{.preset = torch}},
      {"nadam options",
       nn::Nadam{.learning_rate = 0.2, .beta_1 = 0.8, .beta_2 = 0.9, .epsilon = 1e-3, .momentum_decay = 0.5}},
      {"lion", nn::Lion{}},
      {"lion options", nn::Lion{.learning_rate = 0.1, .beta_1 = 0.5, .beta_2 = 0.8}},
      {"decay sgd", {nn::SGD{.learning_rate = 0.05, .momentum = 0.9}, {.weight_decay = 0.2}}},
      {"decay sgd torch", {nn::SGD{.preset = torch, .learning_rate = 0.05, .momentum = 0.9}, {.weight_decay = 0.2}}},
      {"decay adam", {adam(keras, false), {.weight_decay = 0.2}}},
      {"decay adam torch", {adam(torch, false), {.weight_decay = 0.2}}},
      {"clip norm", {nn::SGD{.learning_rate = 0.1}, {.clip_norm = 0.9}}},
      {"clip norm torch", {nn::SGD{.preset = torch, .learning_rate = 0.1}, {.clip_norm = 0.9}}},
      {"clip value", {nn::SGD{.learning_rate = 0.1}, {.clip_value = 0.3}}},
      {"clip value decay", {nn::SGD{.learning_rate = 0.1}, {.clip_value = 0.3, .weight_decay = 0.2}}},
      {"clip value decay torch",
       {nn::SGD{.preset = torch, .learning_rate = 0.1}, {.clip_value = 0.3, .weight_decay = 0.2}}},
  };
}

std::map<std::string, std::vector<double>> published() {
  std::ifstream file(places::sources() / "tests/numbers/optimizers.txt");
  std::map<std::string, std::vector<double>> out;
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    std::istringstream numbers(line.substr(colon + 1));
    std::vector<double>& list = out[line.substr(0, colon)];
    for (double x; numbers >> x;) list.push_back(x);
  }
  return out;
}

struct SignDescent {
  static constexpr const char* name = "sign_descent";
  double learning_rate = 0.125;
  Value operator()(nn::ParameterStep& s) const { return s.parameter - s.rate() * sign(s.gradient); }
};
struct Wrong {
  static constexpr const char* name = "wrong";
  double learning_rate = 0.1;
  Value operator()(nn::ParameterStep& s) const { return sum(s.parameter); }
};
struct Forgetful {
  static constexpr const char* name = "forgetful";
  double learning_rate = 0.1;
  Value operator()(nn::ParameterStep& s) const {
    s.set_state("velocity", s.gradient);
    return s.parameter;
  }
};

}  // namespace

TEST_CASE("optimizers: trajectories of 20 steps match the published formulas") {
  const auto expected = published();
  REQUIRE(expected.size() == variants().size());
  for (const auto& variant : variants()) {
    const auto& name = variant.first;  // clang 14 captures no structured bindings
    const auto& optimizer = variant.second;
    CAPTURE(name);
    REQUIRE(expected.count(name) == 1);
    const std::vector<double>& numbers = expected.at(name);
    REQUIRE(numbers.size() == 40);
    Descent descent(optimizer);
    for (std::size_t t = 0; t < 20; ++t) {
      CAPTURE(t);
      descent.step();
      for (std::size_t i = 0; i < 2; ++i) CHECK(std::abs(descent.values()[i] - numbers[2 * t + i]) <= 1e-12);
    }
    CHECK(descent.state.iterations.value().item() == 20);
  }
}

TEST_CASE("optimizers: f32 trajectories are close to f64") {
  const auto expected = published();
  for (const auto& variant : variants()) {
    const auto& name = variant.first;  // clang 14 captures no structured bindings
    const auto& optimizer = variant.second;
    CAPTURE(name);
    Descent descent(optimizer, f32);
    const std::vector<double>& numbers = expected.at(name);
    for (std::size_t t = 0; t < 10; ++t) {
      descent.step();
      for (std::size_t i = 0; i < 2; ++i) CHECK(std::abs(descent.values()[i] - numbers[2 * t + i]) < 1e-5);
    }
  }
}

TEST_CASE("optimizers: the centered variance of rmsprop is clamped at 0") {
  // A constant slope of 1000: v equals the squared mean up to rounding, which is thousands of times epsilon.
  Graph g;
  const Parameter w("w", Tensor(Shape{4}));
  const nn::Optimizer rule = nn::RMSprop{.rho = 0.5, .centered = true};
  nn::OptimizerState state(rule.learning_rate());
  const Plan plan({}, rule.updates(g, {w}, {g.parameter(w) * 0 + 1000.1}, state));
  Workspace memory(plan);
  for (int t = 0; t < 60; ++t) plan.run(memory);
  for (Index i = 0; i < 4; ++i) CHECK(std::isfinite(w.value().at(i)));
}

TEST_CASE("optimizers: have the defaults of both presets") {
  CHECK(nn::Optimizer(nn::SGD{}).learning_rate() == 0.01);
  CHECK(nn::Optimizer(nn::SGD{.preset = torch}).learning_rate() == 1e-3);
  CHECK(nn::Optimizer(nn::RMSprop{.preset = torch}).learning_rate() == 0.01);
  CHECK(nn::Optimizer(nn::Adamax{.preset = torch}).learning_rate() == 2e-3);
  CHECK(nn::defaults(nn::Preset::keras).adam.epsilon == 1e-7);
  CHECK(nn::defaults(torch).adam.epsilon == 1e-8);
}

TEST_CASE("optimizers: a custom optimizer is a struct with a rule") {
  Descent descent(SignDescent{});
  descent.step();
  CHECK(descent.values() == std::vector<double>{1.7 - 0.125, -0.4 - 0.125});
  Descent decays({SignDescent{}, {.weight_decay = 0.5}});  // decoupled, the default
  decays.step();
  CHECK(decays.values()[0] == doctest::Approx(1.7 - 0.125 * 0.5 * 1.7 - 0.125).epsilon(1e-15));
}

TEST_CASE("optimizers: invalid options throw") {
  const auto refuses = [](const std::function<void()>& make, const char* why) {
    CHECK_THROWS_WITH_AS(make(), doctest::Contains(why), UserError);
  };
  refuses([] { nn::Optimizer(nn::SGD{.learning_rate = -1}); },
          "sgd: learning_rate must be finite and at least 0, got -1");
  refuses([] { nn::Optimizer(nn::Adam{.learning_rate = NAN}); },
          "adam: learning_rate must be finite and at least 0, got nan");
  refuses([] { nn::Optimizer(nn::SGD{.momentum = 1}); }, "sgd: momentum must be in [0, 1), got 1");
  refuses([] { nn::Optimizer(nn::Adagrad{.accumulator = -0.1}); },
          "adagrad: accumulator must be finite and at least 0, got -0.1");
  refuses([] { nn::Optimizer(nn::Adagrad{.epsilon = INFINITY}); },
          "adagrad: epsilon must be finite and at least 0, got inf");
  refuses([] { nn::Optimizer(nn::Adadelta{.rho = NAN}); }, "adadelta: rho must be in [0, 1), got nan");
  refuses([] { nn::Optimizer(nn::Adadelta{.epsilon = -1}); },
          "adadelta: epsilon must be finite and at least 0, got -1");
  refuses([] { nn::Optimizer(nn::RMSprop{.rho = 1}); }, "rmsprop: rho must be in [0, 1), got 1");
  refuses([] { nn::Optimizer(nn::RMSprop{.momentum = -0.5}); }, "rmsprop: momentum must be in [0, 1), got -0.5");
  refuses([] { nn::Optimizer(nn::RMSprop{.epsilon = NAN}); },
          "rmsprop: epsilon must be finite and at least 0, got nan");
  refuses([] { nn::Optimizer(nn::Adam{.beta_1 = 1.5}); }, "adam: beta_1 must be in [0, 1), got 1.5");
  refuses([] { nn::Optimizer(nn::Adam{.beta_2 = -0.1}); }, "adam: beta_2 must be in [0, 1), got -0.1");
  refuses([] { nn::Optimizer(nn::Adam{.epsilon = -1}); }, "adam: epsilon must be finite and at least 0, got -1");
  refuses([] { nn::Optimizer(nn::AdamW{.weight_decay = -1}); },
          "adamw: weight_decay must be finite and at least 0, got -1");
  refuses([] { nn::Optimizer(nn::AdamW{.beta_1 = NAN}); }, "adamw: beta_1 must be in [0, 1), got nan");
  refuses([] { nn::Optimizer(nn::Adamax{.beta_1 = 1}); }, "adamax: beta_1 must be in [0, 1), got 1");
  refuses([] { nn::Optimizer(nn::Adamax{.beta_2 = 1}); }, "adamax: beta_2 must be in [0, 1), got 1");
  refuses([] { nn::Optimizer(nn::Nadam{.beta_2 = 2}); }, "nadam: beta_2 must be in [0, 1), got 2");
  refuses([] { nn::Optimizer(nn::Nadam{.momentum_decay = -1}); },
          "nadam: momentum_decay must be finite and at least 0, got -1");
  refuses([] { nn::Optimizer(nn::Lion{.beta_1 = 1}); }, "lion: beta_1 must be in [0, 1), got 1");
  refuses([] { nn::Optimizer(nn::Lion{.learning_rate = -INFINITY}); },
          "lion: learning_rate must be finite and at least 0, got -inf");
  refuses([] { nn::Optimizer(nn::Adam{}, {.clip_norm = 0}); }, "adam: clip_norm must be finite and above 0, got 0");
  refuses([] { nn::Optimizer(nn::Adam{}, {.global_clip_norm = NAN}); },
          "adam: global_clip_norm must be finite and above 0, got nan");
  refuses([] { nn::Optimizer(nn::Adam{}, {.clip_value = -1}); }, "adam: clip_value must be finite and above 0, got -1");
  refuses([] { nn::Optimizer(nn::Adam{}, {.clip_norm = 1, .clip_value = 1}); },
          "adam: only one of clip_norm, global_clip_norm and clip_value may be set");
  refuses([] { nn::Optimizer(nn::SGD{}, {.weight_decay = NAN}); },
          "sgd: weight_decay must be finite and at least 0, got nan");
  refuses([] { nn::Optimizer(nn::AdamW{}, {.weight_decay = 0.1}); },
          "adamw: set weight_decay of the rule, not of OptimizerOptions");
  refuses([] { nn::Optimizer(nn::SGD{}, {.ema_momentum = 1}); }, "sgd: ema_momentum must be in [0, 1), got 1");
  refuses([] { nn::Optimizer(nn::SGD{}, {.accumulate = 0}); }, "sgd: accumulate must be at least 1, got 0");
  refuses([] { Descent{Wrong{}}; }, "wrong: the rule returned f64[] for the parameter \"w0\" f64[2]");
  refuses([] { Descent{Forgetful{}}; }, "the rule did not declare the state \"velocity\" of \"w0\"");
}
