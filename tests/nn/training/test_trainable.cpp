// Which weights training changes: frozen layers, weights that the loss does not depend on, shared layers.
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/scratch.hpp"
#include "support/small_model.hpp"

using namespace xgrad;
using small_model::numbers;
using small_model::silent;

namespace {

const nn::Dataset data{numbers({5, 2}), numbers({5, 1}, 0.5)};

// A body with a penalty, a batch norm, and a head.
struct Parts {
  nn::Dense body{3, nn::tanh, {.kernel_regularizer = nn::l2(0.1), .name = "body"}};
  nn::BatchNorm norm;
  nn::Dense head{1, nn::linear, {.name = "head"}};

  nn::Model model(nn::Optimizer optimizer = nn::SGD{.learning_rate = 0.1}) {
    nn::Model out{nn::Sequential{body, norm, head}, {2}, {.seed = 1}};
    compile(out, std::move(optimizer));
    return out;
  }
  static void compile(nn::Model& model, nn::Optimizer optimizer = nn::SGD{.learning_rate = 0.1}) {
    model.compile({.loss = nn::mean_squared_error, .optimizer = std::move(optimizer)});
  }
  void set_trainable(bool trainable) {
    body.set_trainable(trainable);
    norm.set_trainable(trainable);
  }
};

// Names of the parameters that `act` changes.
std::vector<std::string> changed_by(const nn::Model& model, const std::function<void()>& act) {
  const std::vector<Tensor> before = small_model::weights(model);
  act();
  std::vector<std::string> out;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!bitwise_equal(before[i], model.parameters()[i].value())) out.push_back(model.parameters()[i].name());
  }
  return out;
}

const std::vector<std::string> everything{"body/kernel",
                                          "body/bias",
                                          "batch_norm/moving_mean",
                                          "batch_norm/moving_variance",
                                          "batch_norm/gamma",
                                          "batch_norm/beta",
                                          "head/kernel",
                                          "head/bias"};
const std::vector<std::string> the_head{"head/kernel", "head/bias"};

void fit(nn::Model& model, Index rows) {
  model.fit(data.slice(0, rows), {.batch_size = static_cast<int>(rows), .verbose = silent});
}

}  // namespace

TEST_CASE("set_trainable: takes effect at the next compile, for every batch size") {
  for (const bool frozen_first : {false, true}) {
    CAPTURE(frozen_first);
    Parts parts;
    nn::Model model = parts.model();
    parts.set_trainable(!frozen_first);
    Parts::compile(model);
    const auto expected = [&](bool frozen) { return frozen ? the_head : everything; };
    const double penalty = model.evaluate(data)["loss"];
    CHECK(changed_by(model, [&] { fit(model, 4); }) == expected(frozen_first));

    parts.set_trainable(frozen_first);
    for (const Index rows : {4, 3, 5}) {  // one size with a plan, two without
      CAPTURE(rows);
      CHECK(changed_by(model, [&] { fit(model, rows); }) == expected(frozen_first));
    }
    CHECK(changed_by(model, [&] { model.train_on_batch(data.slice(1, 3)); }) == expected(frozen_first));
    CHECK(model.trainable_count() == (frozen_first ? 4 : 9 + 6 + 4));
    const nn::ModelGraph graph = model.training_graph(5);
    CHECK(graph.trained.size() == (frozen_first ? 2 : 6));
    CHECK(graph.graph->penalties().size() == (frozen_first ? 0 : 1));
    CHECK(graph.graph->updates().size() == (frozen_first ? 0 : 2));
    CHECK(model.inference_graph(3).graph->penalties().size() == (frozen_first ? 0 : 1));
    CHECK(changed_by(model, [&] {
            nn::lbfgs(graph.loss, model.parameters(), {{graph.input, data.x}, {graph.target, data.y}},
                      {.max_iterations = 2});
          }).size() == (frozen_first ? 2 : 6));
    CHECK(penalty > 0);

    Parts::compile(model);
    for (const Index rows : {4, 3}) CHECK(changed_by(model, [&] { fit(model, rows); }) == expected(!frozen_first));
  }
}

TEST_CASE("compile: a call that throws keeps the frozen weights frozen") {
  Parts parts;
  nn::Model model = parts.model();
  parts.set_trainable(false);
  const nn::Loss wrong{"wrong", [](Value p, Value) { return p; }};
  CHECK_THROWS_AS(model.compile({.loss = wrong, .optimizer = nn::SGD{}}), ShapeError);
  CHECK(changed_by(model, [&] { fit(model, 4); }) == everything);
}

TEST_CASE("load: a checkpoint with other frozen weights throws with a hint") {
  const scratch::ScratchFolder folder;
  const nn::Optimizer adam = nn::Adam{};
  Parts parts, frozen, other;
  nn::Model trained = parts.model(adam), partly = frozen.model(adam);
  trained.save(folder / "all");
  frozen.body.set_trainable(false);
  Parts::compile(partly, adam);
  partly.save(folder / "head");
  const auto message = [](nn::Model& model, const std::filesystem::path& path) -> std::string {
    try {
      model.load(path);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "";
  };
  const std::string here = message(partly, folder / "all");
  CHECK_MESSAGE(here.find("weights that were trained when it was saved are frozen in this model: \"body/kernel\", "
                          "\"body/bias\"\n  hint: set_trainable(true) on their layers before compile(), or load before "
                          "compile() to load only the weights") != std::string::npos,
                here);
  const std::string there = message(trained, folder / "head");
  CHECK_MESSAGE(there.find("weights that this model trains are frozen or not reached by the loss in the file: "
                           "\"body/kernel\", \"body/bias\"\n  hint: set_trainable(false)") != std::string::npos,
                there);
  // The hint works.
  frozen.body.set_trainable(true);
  Parts::compile(partly, adam);
  partly.load(folder / "all");
  CHECK(small_model::same(small_model::weights(partly), small_model::weights(trained)));
}

// ---- weights that the loss does not depend on

namespace {

nn::Model detached(std::vector<std::string>& warnings) {
  const nn::Dense body(4), head(1);
  return {[=](Value x) { return head(stop_gradient(body(x))); },
          {2},
          {.seed = 1, .name = "detached", .warn = [&](const std::string& text) { warnings.push_back(text); }}};
}

}  // namespace

TEST_CASE("unreached weights: stay unchanged, the rest trains, one warning names them") {
  std::vector<std::string> warnings;
  nn::Model model = detached(warnings);
  CHECK(warnings.empty());
  model.compile({.loss = nn::mean_squared_error, .optimizer = {nn::Adam{}, {.weight_decay = 0.1, .accumulate = 2}}});
  const std::vector<std::string> one{
      "compile: the loss \"mean_squared_error\" does not depend on 2 of 4 trainable weights, which training leaves "
      "unchanged: \"dense/kernel\", \"dense/bias\""};
  CHECK(warnings == one);
  CHECK(changed_by(model, [&] {
          model.fit(data, {.batch_size = 2, .epochs = 2, .validation = data, .verbose = silent});
        }) == std::vector<std::string>{"dense_1/kernel", "dense_1/bias"});
  CHECK_NOTHROW(model.check_gradients(data));
  CHECK(nn::check_table(model, data).passed());
  (void)nn::gradient_report(model, data);
  const nn::ModelGraph g = model.training_graph(5);
  CHECK(changed_by(model, [&] {
          nn::lbfgs(g.loss, model.parameters(), {{g.input, data.x}, {g.target, data.y}});
        }).size() == 2);
  CHECK(warnings == one);
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  CHECK(warnings.size() == 2);
}

TEST_CASE("unreached weights: callbacks that read gradients work") {
  const scratch::ScratchFolder folder;
  std::vector<std::string> warnings;
  nn::Model model = detached(warnings);
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  model.fit(data, {.epochs = 2,
                   .verbose = silent,
                   .callbacks = {nn::Health{.print = false},
                                 nn::TensorBoard{.log_dir = (folder / "logs").string(), .histogram_freq = 1}}});
  CHECK(warnings.size() == 1);
}

TEST_CASE("unreached weights: none if a penalty depends on the weight") {
  std::vector<std::string> warnings;
  const nn::Dense body(4, nn::linear, {.kernel_regularizer = nn::l2(0.1), .use_bias = false}), head(1);
  nn::Model model{[=](Value x) { return head(stop_gradient(body(x))); }, {2}, {.warn = [&](const std::string& text) {
                    warnings.push_back(text);
                  }}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  CHECK(warnings.empty());
}

TEST_CASE("compile: a loss that depends on no weight throws") {
  nn::Model model{[d = nn::Dense(1)](Value x) { return stop_gradient(d(x)); }, {2}};
  CHECK_THROWS_WITH_AS(model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}}),
                       doctest::Contains("the loss depends on none of the trainable weights: \"dense/kernel\", "),
                       GradientError);
  nn::Model none{nn::linear, {2}};  // a model without weights is valid
  none.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  CHECK_NOTHROW(none.fit({numbers({4, 2}), numbers({4, 2})}, {.verbose = silent}));
}

// ---- layers that are called several times

TEST_CASE("batch_norm: a layer shared by two branches updates its statistics twice") {
  nn::BatchNorm norm({.momentum = 0.5});
  const auto branches = [=](Value x) {
    const Value first = norm(x);
    return first + norm(2 * x);
  };
  nn::Model model{branches, {1}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  model.fit({Tensor::from<float>({2, 1}, {0, 2}), Tensor({2, 1})}, {.verbose = silent});
  CHECK(norm.moving_mean().value().at(0) == 0.5 * 0.5 * 1 + 0.5 * 2);
  CHECK(norm.moving_variance().value().at(0) == 0.5 * (0.5 * 1 + 0.5 * 1) + 0.5 * 4);
  CHECK(model.parameter_count() == 4);
}

// ---- data

TEST_CASE("predict: a row without a batch axis throws with a hint") {
  nn::Model model{nn::Dense(1), {3}};
  CHECK_THROWS_WITH_AS(model.predict(numbers({3})),
                       doctest::Contains("hint: x is one row without the axis of rows; use x.reshaped([1, 3])"),
                       ShapeError);
  CHECK(model.predict(numbers({3}).reshaped({1, 3})).shape() == Shape{1, 1});
  nn::Model image{nn::Sequential{nn::Flatten(), nn::Dense(1)}, {2, 3}};
  CHECK_THROWS_WITH_AS(image.predict(numbers({2, 3})), doctest::Contains("use x.reshaped([1, 2, 3])"), ShapeError);
  CHECK_THROWS_WITH_AS(image.predict(numbers({4, 6})), doctest::Contains("the numbers of elements agree"), ShapeError);
}
