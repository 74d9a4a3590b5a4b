// Checks and conversions of a model's data: dtypes, integer inputs, and errors that name row and column.
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using scratch::message_of;

namespace {

constexpr auto silent = nn::Verbose::silent;

void check_contains(const std::string& message, const std::string& part) {
  CAPTURE(message);
  CHECK(message.find(part) != std::string::npos);
}

nn::Model line() {
  nn::Model model{nn::Dense(1), {2}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  return model;
}

}  // namespace

TEST_CASE("data checks: a value too large for the model's dtype throws with row and column") {
  nn::Model model = line();
  const Tensor x = Tensor::from<double>({2, 2}, {1, 2, 1e39, 3}), y = Tensor::from<double>({2, 1}, {1, -1e300});
  check_contains(message_of<ValueError>([&] {
                   model.fit({x, Tensor({2, 1})}, {.verbose = silent});
                 }),
                 "fit: x has 1e+39 in row 1, column 0, which is too large for f32");
  check_contains(message_of<ValueError>([&] { (void)model.predict(x); }), "predict: x has 1e+39 in row 1, column 0");
  check_contains(message_of<ValueError>([&] {
                   (void)model.evaluate({Tensor({2, 2}), y});
                 }),
                 "evaluate: y has -1e+300 in row 1, column 0");
  check_contains(message_of<ValueError>([&] {
                   model.train_on_batch({Tensor({2, 2}), Tensor({2, 1}), Tensor::from<double>({2}, {1, 1e40})});
                 }),
                 "train_on_batch: weights has 1e+40 in row 1, which is too large for f32");
  // A model in f64 accepts the same values.
  nn::Model wide{nn::Dense(1), {2}, {.dtype = f64}};
  CHECK_NOTHROW(wide.predict(x));
}

TEST_CASE("data checks: the error has the indices of an element in rows of several axes") {
  nn::Model model{nn::Flatten(), {2, 3}};
  Tensor x({4, 2, 3});
  x.mutable_values<float>()[3 * 6 + 1 * 3 + 2] = NAN;
  check_contains(message_of<ValueError>([&] { (void)model.predict(x); }),
                 "predict: x is not finite: nan in row 3, element [1, 2]");
}

TEST_CASE("data checks: integer ids reach an embedding unchanged") {
  const Index first_inexact = (Index{1} << 24) + 1;
  const Tensor ids = Tensor::from<std::int64_t>({1, 2}, {first_inexact, first_inexact - 1});
  nn::Embedding table(first_inexact + 1, 1);
  nn::Model model{nn::Sequential{table, nn::Flatten()}, {2}};
  CHECK(model.inference_graph(1).input.dtype() == i64);
  const Tensor p = model.predict(ids);
  CHECK(p.at(0) == table.table().view().at(first_inexact));
  CHECK(p.at(1) == table.table().view().at(first_inexact - 1));
  CHECK(p.at(0) != p.at(1));
  CHECK(bitwise_equal(p, model.predict(ids.cast(f64))));
}

TEST_CASE("data checks: integer ids stay integers through slices and reshapes") {
  const nn::Embedding users(5, 2), items(7, 2);
  nn::Model model{[=](Value x) {
                    const Value user = slice(x, 1, 0, 1), item = squeeze(slice(x, 1, 1, 2), {1});
                    return squeeze(users(user), {1}) * items(item);
                  },
                  {2}};
  CHECK(model.inference_graph(1).input.dtype() == i64);
  const Tensor p = model.predict(Tensor::from<std::int64_t>({1, 2}, {4, 6}));
  CHECK(p.at(1) == doctest::Approx(users.table().view().at(9) * items.table().view().at(13)));
  // Arithmetic with a floating-point scalar makes the input floating-point.
  nn::Model shifted{[=](Value x) { return users(x * 0.5); }, {1}};
  CHECK(shifted.inference_graph(1).input.dtype() == f32);
}

TEST_CASE("data checks: floating-point data for an integer input must be integral") {
  nn::Model model{nn::Sequential{nn::Embedding(4, 3), nn::Flatten(), nn::Dense(1)}, {2}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  const Tensor whole = Tensor::from<float>({2, 2}, {0, 3, 1, 2}), y({2, 1});
  CHECK(bitwise_equal(model.predict(whole), model.predict(whole.cast(i64))));
  CHECK_NOTHROW(model.fit({whole, y}, {.validation = {whole.cast(i64), y}, .verbose = silent}));
  CHECK_NOTHROW(model.check_gradients({whole, y}));
  CHECK(nn::check_table(model).passed());
  CHECK(nn::check_table(model, {whole, y}).passed());
  check_contains(message_of<ValueError>([&] {
                   (void)model.predict(Tensor::from<float>({1, 2}, {0, 1.5}));
                 }),
                 "predict: x has 1.5 in row 0, column 1, but the input of the model takes integers");
  check_contains(message_of<ValueError>([&] {
                   (void)model.predict(Tensor::from<float>({1, 2}, {0, NAN}));
                 }),
                 "x is not finite: nan in row 0, column 1");
  check_contains(message_of<ValueError>([&] {
                   (void)model.predict(Tensor::from<double>({1, 2}, {1e19, 0}));
                 }),
                 "x has 1e+19 in row 0, column 0, but the input of the model takes integers");
}

TEST_CASE("data checks: integers for a floating-point input must be representable") {
  const nn::Embedding table(4, 1);
  // Column 0 is an id, column 1 a floating-point feature.
  nn::Model model{[=](Value x) { return table(squeeze(slice(x, 1, 0, 1), {1})) + slice(x, 1, 1, 2); }, {2}};
  CHECK(model.inference_graph(1).input.dtype() == f32);
  const Index first_inexact = (Index{1} << 24) + 1;
  check_contains(message_of<ValueError>([&] {
                   (void)model.predict(Tensor::from<std::int64_t>({1, 2}, {1, first_inexact}));
                 }),
                 "predict: x has 16777217 in row 0, column 1, which f32 does not hold exactly");
  CHECK_NOTHROW(model.predict(Tensor::from<std::int64_t>({1, 2}, {1, first_inexact - 1})));
  CHECK_NOTHROW(line().predict(Tensor::from<std::int64_t>({1, 2}, {INT64_MIN, 1})));
  CHECK_THROWS_AS(line().predict(Tensor::from<std::int64_t>({1, 2}, {INT64_MAX, 1})), ValueError);
}

TEST_CASE("data checks: input_dtype overrides the inferred dtype") {
  // A network that needs integers: they are indices of a gather.
  const auto network = [](Value x) { return gather(cast(arange(x.graph(), 0, 8), f32), squeeze(x, {-1})); };
  nn::Model model{network, {1}, {.input_dtype = i64}};
  CHECK(model.predict(Tensor::from<std::int64_t>({3, 1}, {4, 0, 7})).at(2) == 7);
  // A network that takes floating-point ids, which its embedding truncates.
  nn::Model rounding{nn::Embedding(4, 2), {1}, {.input_dtype = f32}};
  CHECK(bitwise_equal(rounding.predict(Tensor::from<float>({1, 1}, {1.5})),
                      rounding.predict(Tensor::from<float>({1, 1}, {1}))));
}

TEST_CASE("predict: an integer prediction keeps its dtype") {
  nn::Model model{[](Value x) { return argmax(x, -1); }, {3}};
  const Tensor p = model.predict(Tensor::from<float>({3, 3}, {1, 2, 0, 5, 4, 3, 0, 0, 1}));
  CHECK(bitwise_equal(p, Tensor::from<std::int64_t>({3}, {1, 0, 2})));
}

TEST_CASE("data checks: a CSV column of class names or of class indices trains a classifier") {
  const scratch::ScratchFolder folder;
  std::string text = "size,kind\n", labels = "size,kind\n";
  for (int i = 0; i < 60; ++i) {
    text += std::to_string(i % 2 == 0 ? -1 : 1) + (i % 2 == 0 ? ",small\n" : ",large\n");
    labels += std::to_string(i % 2 == 0 ? -1 : 1) + (i % 2 == 0 ? ",0\n" : ",1\n");
  }
  const auto accuracy = [](const nn::Dataset& data) {
    nn::Model model{nn::Dense(2, nn::softmax), {1}};
    model.compile({.loss = nn::sparse_categorical_crossentropy,
                   .optimizer = nn::Adam{.learning_rate = 0.1},
                   .metrics = {nn::accuracy}});
    return model.fit(data, {.epochs = 30, .verbose = silent})["accuracy"].back();
  };
  const scratch::fs::path file = folder / "a.csv";
  CHECK(accuracy(nn::load_csv(scratch::write_file(file, text), {.classes = {"kind"}}).dataset("kind")) == 1);
  CHECK(accuracy(nn::load_csv(scratch::write_file(file, labels), {.classes = {"kind"}}).dataset("kind")) == 1);
  const nn::Table table = nn::load_csv(file);
  CHECK(accuracy({table.select({"size"}), table.labels("kind")}) == 1);
  const std::string message = message_of<ShapeError>([&] { (void)accuracy(table.dataset("kind")); });
  check_contains(
      message,
      "requires class indices as targets\n  y: f32[60, 1]\n  expected: i64[60]\n  hint: y.cast(i64).reshaped({60})");
  check_contains(message, "load_csv with .classes");
  const Tensor y = table.dataset("kind").y.cast(i64).reshaped({60});
  CHECK(accuracy({table.select({"size"}), y}) == 1);
}
