// Adds a layer with weights: a header and a source file. A model trains, saves and lists it like the library's layers.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <xgrad/nn/layers/highway.hpp>

#include "../../support/scratch.hpp"
#include "../../support/small_model.hpp"

using namespace xgrad;
using nn::Highway;
using small_model::points;
using small_model::silent;

namespace {

nn::Model classifier(const Highway& highway = Highway(nn::tanh, {.kernel_regularizer = nn::l2(1e-3)})) {
  nn::Model out{nn::Sequential{nn::Dense(4, nn::tanh), highway, nn::Dense(2, nn::softmax)}, {2}, {.seed = 1}};
  out.compile({.loss = nn::sparse_categorical_crossentropy,
               .optimizer = nn::Adam{.learning_rate = 0.05},
               .metrics = {nn::accuracy}});
  return out;
}

}  // namespace

TEST_CASE("an added layer: its formula") {
  Graph g({.dtype = f64});
  const Highway layer(nn::relu, {.gate_bias = 0.5});
  const Value x = g.input("x", {2, 3});
  const Tensor numbers = Tensor::from({{1.0, -2.0, 3.0}, {0.5, 0.25, -1.0}});
  const Tensor y = evaluate(layer(x), {{x, numbers}});
  const std::vector<Parameter> weights = layer.parameters();
  REQUIRE(weights.size() == 4);
  CHECK(weights[3].name() == "highway/gate_bias");
  for (Index row = 0; row < 2; ++row) {
    for (Index unit = 0; unit < 3; ++unit) {
      double dense = 0, gate = 0.5;
      for (Index i = 0; i < 3; ++i) {
        dense += numbers(row, i) * weights[0].view()(i, unit);
        gate += numbers(row, i) * weights[2].view()(i, unit);
      }
      gate = 1 / (1 + std::exp(-gate));
      CHECK(y(row, unit) == doctest::Approx(gate * std::max(dense, 0.0) + (1 - gate) * numbers(row, unit)));
    }
  }
  CHECK_THROWS_WITH_AS(layer(g.input("row", {3})), doctest::Contains("highway_1: the input must be [rows, features]"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(layer(g.input("wide", {2, 4})), doctest::Contains("weight \"highway/gate_"), ShapeError);
}

TEST_CASE("an added layer is trained, checked, listed, saved, loaded and frozen like the library's layers") {
  const scratch::ScratchFolder folder;
  nn::Model model = classifier();
  const nn::Dataset data = points(200);
  const nn::History history = model.fit(data, {.epochs = 20, .verbose = silent});
  CHECK(history["accuracy"].back() > 0.95);
  CHECK_NOTHROW(model.check_gradients(data.slice(0, 4)));
  CHECK(nn::check_table(model, data.slice(0, 3)).passed());
  const std::string summary = model.str();
  CHECK_MESSAGE(scratch::contains(summary, "highway  [batch, 4]          40"), summary);

  model.save(folder / "net");
  nn::Model loaded = classifier();
  loaded.load(folder / "net");
  CHECK(bitwise_equal(loaded.predict(data.x), model.predict(data.x)));

  Highway layer;
  layer.set_trainable(false);
  nn::Model frozen = classifier(layer);
  const std::vector<Parameter> weights = layer.parameters();
  const Tensor kernel = weights[0].value(), bias = weights[1].value();
  frozen.fit(data, {.epochs = 2, .verbose = silent});
  CHECK(bitwise_equal(kernel, weights[0].value()));
  CHECK(bitwise_equal(bias, weights[1].value()));
  CHECK(frozen.trainable_count() == model.trainable_count() - 40);
}
