// What a model accepts as data: conversions to its dtypes, integers as indices, and messages that name row and column.
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

TEST_CASE("data checks: numbers that the dtype of the model cannot hold are named with row and column") {
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
  // The same numbers fit a model in f64.
  nn::Model wide{nn::Dense(1), {2}, {.dtype = f64}};
  CHECK_NOTHROW(wide.predict(x));
}

TEST_CASE("data checks: the place of a number in rows of several axes") {
  nn::Model model{nn::Flatten(), {2, 3}};
  Tensor x({4, 2, 3});
  x.mutable_values<float>()[3 * 6 + 1 * 3 + 2] = NAN;
  check_contains(message_of<ValueError>([&] { (void)model.predict(x); }),
                 "predict: x is not finite: nan in row 3, element [1, 2]");
}

TEST_CASE("data checks: ids stay integers on their way to an embedding") {
  const Index far = (Index{1} << 24) + 1;
  const Tensor ids = Tensor::from<std::int64_t>({1, 2}, {far, far - 1});
  nn::Embedding table(far + 1, 1);
  nn::Model model{nn::Sequential{table, nn::Flatten()}, {2}};
  CHECK(model.inference_graph(1).input.dtype() == i64);
  const Tensor p = model.predict(ids);
  CHECK(p.at(0) == table.table().view().at(far));
  CHECK(p.at(1) == table.table().view().at(far - 1));
  CHECK(p.at(0) != p.at(1));
  CHECK(bitwise_equal(p, model.predict(ids.cast(f64))));
}

TEST_CASE("data checks: ids stay integers through slices and reshapes") {
  const nn::Embedding users(5, 2), items(7, 2);
  nn::Model model{[=](Value x) {
                    const Value user = slice(x, 1, 0, 1), item = squeeze(slice(x, 1, 1, 2), {1});
                    return squeeze(users(user), {1}) * items(item);
                  },
                  {2}};
  CHECK(model.inference_graph(1).input.dtype() == i64);
  const Tensor p = model.predict(Tensor::from<std::int64_t>({1, 2}, {4, 6}));
  CHECK(p.at(1) == doctest::Approx(users.table().view().at(9) * items.table().view().at(13)));
  // Arithmetic on the ids is that of floating numbers, as it was written.
  nn::Model shifted{[=](Value x) { return users(x * 0.5); }, {1}};
  CHECK(shifted.inference_graph(1).input.dtype() == f32);
}

TEST_CASE("data checks: floating data for an integer input must be integers") {
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

TEST_CASE("data checks: an input that is used as numbers stays floating, and integers must fit into it") {
  const nn::Embedding table(4, 1);
  // Column 0 is an id, column 1 a number.
  nn::Model model{[=](Value x) { return table(squeeze(slice(x, 1, 0, 1), {1})) + slice(x, 1, 1, 2); }, {2}};
  CHECK(model.inference_graph(1).input.dtype() == f32);
  const Index far = (Index{1} << 24) + 1;
  check_contains(message_of<ValueError>([&] {
                   (void)model.predict(Tensor::from<std::int64_t>({1, 2}, {1, far}));
                 }),
                 "predict: x has 16777217 in row 0, column 1, which f32 does not hold exactly");
  CHECK_NOTHROW(model.predict(Tensor::from<std::int64_t>({1, 2}, {1, far - 1})));
  CHECK_NOTHROW(line().predict(Tensor::from<std::int64_t>({1, 2}, {INT64_MIN, 1})));
  CHECK_THROWS_AS(line().predict(Tensor::from<std::int64_t>({1, 2}, {INT64_MAX, 1})), ValueError);
}

TEST_CASE("data checks: the dtype of the input may be chosen") {
  // A network that needs integers: indices of a table made by hand.
  const auto network = [](Value x) { return gather(cast(arange(x.graph(), 0, 8), f32), squeeze(x, {-1})); };
  nn::Model model{network, {1}, {.input_dtype = i64}};
  CHECK(model.predict(Tensor::from<std::int64_t>({3, 1}, {4, 0, 7})).at(2) == 7);
  // And one that should take floating numbers although it rounds them.
  nn::Model rounding{nn::Embedding(4, 2), {1}, {.input_dtype = f32}};
  CHECK(bitwise_equal(rounding.predict(Tensor::from<float>({1, 1}, {1.5})),
                      rounding.predict(Tensor::from<float>({1, 1}, {1}))));
}

TEST_CASE("predict: a prediction of integers is whole, in its own dtype") {
  nn::Model model{[](Value x) { return argmax(x, -1); }, {3}};
  const Tensor p = model.predict(Tensor::from<float>({3, 3}, {1, 2, 0, 5, 4, 3, 0, 0, 1}));
  CHECK(bitwise_equal(p, Tensor::from<std::int64_t>({3}, {1, 0, 2})));
}

TEST_CASE("data checks: a column of a CSV file trains a classifier, as text and as numbers") {
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
  check_contains(message,
                 "takes class numbers\n  y: f32[60, 1]\n  wanted: i64[60]\n  hint: y.cast(i64).reshaped({60})");
  check_contains(message, "load_csv with .classes");
  const Tensor y = table.dataset("kind").y.cast(i64).reshaped({60});
  CHECK(accuracy({table.select({"size"}), y}) == 1);
}
