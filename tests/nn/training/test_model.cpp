// Models: training converges, is bit-identical on any number of threads, and rejects invalid data before any change.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/xgrad.hpp>

#include "support/allocations.hpp"
#include "support/scratch.hpp"
#include "support/small_model.hpp"

using namespace xgrad;
using namespace small_model;

TEST_CASE("fit: linear regression converges") {
  nn::Model model = line();
  const Tensor x = numbers({64, 2});
  Tensor y({64, 1});
  for (Index i = 0; i < 64; ++i) {
    y.mutable_values<float>()[static_cast<std::size_t>(i)] =
        static_cast<float>(3 * x.at(2 * i) - 2 * x.at(2 * i + 1) + 0.5);
  }
  const nn::History history = model.fit({x, y}, {.batch_size = 16, .epochs = 100, .verbose = silent});
  CHECK(history["loss"].front() > 1);
  CHECK(history["loss"].back() < 1e-6);
  CHECK(model.parameters()[0].value().at(0) == doctest::Approx(3).epsilon(1e-3));
  CHECK(model.parameters()[1].value().at(0) == doctest::Approx(0.5).epsilon(1e-3));
}

TEST_CASE("fit: a classifier converges, with metrics and validation in the history") {
  nn::Model model = classifier();
  const nn::History h =
      model.fit(points(500), {.batch_size = 32, .epochs = 20, .validation_split = 0.2, .verbose = silent});
  CHECK(h.names() == std::vector<std::string>{"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"});
  CHECK(h["learning_rate"] == std::vector<double>(20, 0.01));
  CHECK(h.epochs() == 20);
  CHECK(h["accuracy"].size() == 20);
  CHECK(h["accuracy"][0] < h["accuracy"][19]);
  CHECK(h.best("val_accuracy") > 0.95);
  const std::vector<double> losses = h["val_loss"];
  CHECK(h.best("val_loss") == *std::min_element(losses.begin(), losses.end()));
  CHECK(h.seconds().size() == 20);
  CHECK_THROWS_WITH_AS(
      h["val_acc"],
      doctest::Contains("there is no \"val_acc\"; there are: loss, accuracy, val_loss, val_accuracy, learning_rate"),
      UserError);
  const nn::Logs scores = model.evaluate(points(500).slice(400, 100));
  CHECK(scores["accuracy"] == doctest::Approx(h["val_accuracy"].back()));
  CHECK(scores["loss"] == doctest::Approx(h["val_loss"].back()));
}

TEST_CASE("fit: weights, moving statistics and validation are bit-identical on any number of threads") {
  const nn::Dataset train = nn::make_digits(700, 3);
  const nn::Dataset valid = nn::make_digits(300, 4);
  const auto run = [&](int threads) {
    nn::Model model{nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dense(64, nn::relu), nn::BatchNorm(),
                                   nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
                    {784}};
    model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
    nn::History h =
        model.fit(train, {.batch_size = 128, .epochs = 3, .validation = valid, .verbose = silent, .threads = threads});
    return std::pair{weights(model), h};
  };
  const auto [one, history] = run(1);
  CHECK(history["accuracy"].back() > 0.5);
  for (const int threads : {2, 3, 4, 8}) {
    const auto [many, other] = run(threads);
    CHECK(same(one, many));
    for (const char* name : {"loss", "accuracy", "val_loss", "val_accuracy"}) CHECK(history[name] == other[name]);
  }
}

TEST_CASE("fit: equal seeds give equal weights, different seeds different ones") {
  const auto run = [](std::uint64_t seed) {
    nn::Model model = classifier(seed);
    model.fit(points(100), {.epochs = 2, .verbose = silent});
    return weights(model);
  };
  CHECK(same(run(1), run(1)));
  CHECK_FALSE(same(run(1), run(2)));
}

TEST_CASE("fit: two calls in a row equal one longer fit") {
  nn::Model twice = classifier();
  nn::Model once = classifier();
  twice.fit(points(100), {.epochs = 2, .verbose = silent});
  twice.fit(points(100), {.epochs = 2, .verbose = silent});
  once.fit(points(100), {.epochs = 4, .verbose = silent});
  CHECK(same(weights(twice), weights(once)));
}

TEST_CASE("fit: the loss of an epoch is the mean over its rows, also with a short last batch") {
  // A learning rate of 0 keeps the weights, so the loss of the epoch must be that of the whole set.
  nn::Model model{nn::Dense(1), {2}};
  model.compile(
      {.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0}, .metrics = {nn::mean_absolute_error}});
  const nn::Dataset data{numbers({23, 2}), numbers({23, 1}, 1)};
  const nn::History h = model.fit(data, {.batch_size = 5, .verbose = silent});
  const nn::Logs all = model.evaluate(data, {.batch_size = 23});
  CHECK(h["loss"][0] == doctest::Approx(all["loss"]).epsilon(1e-6));
  CHECK(h["mean_absolute_error"][0] == doctest::Approx(all["mean_absolute_error"]).epsilon(1e-6));
  CHECK(model.evaluate(data, {.batch_size = 4})["loss"] == doctest::Approx(all["loss"]).epsilon(1e-6));
}

TEST_CASE("predict: one output row per input row, for any batch size") {
  nn::Model model = classifier();
  const Tensor x = numbers({10, 2});
  const Tensor p = model.predict(x);
  CHECK(p.shape() == Shape{10, 2});
  for (const int batch : {1, 3, 10, 100}) {
    const Tensor q = model.predict(x, {.batch_size = batch});
    for (Index i = 0; i < 20; ++i) CHECK(q.at(i) == doctest::Approx(p.at(i)).epsilon(1e-6));
  }
  CHECK(p.at(0) + p.at(1) == doctest::Approx(1));
  CHECK(model.predict(Tensor(Shape{0, 2})).shape() == Shape{0, 2});
  const xt::xarray<double> in{{1, 2}, {3, 4}};
  const xt::xarray<float> out = model.predict(in);
  CHECK(out.shape()[0] == 2);
}

TEST_CASE("predict: Rewrites::close folds batch normalization into products, within the bound of the rule") {
  const auto with = [](Rewrites rewrites) {
    nn::Model model{nn::Sequential{nn::Dense(8), nn::BatchNorm(), nn::Dense(2, nn::softmax)},
                    {2},
                    {.seed = 1, .rewrites = rewrites}};
    model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{.learning_rate = 0.01}});
    model.fit(points(200), {.epochs = 3, .verbose = silent});
    return model;
  };
  const nn::Model exact = with(Rewrites::exact), close = with(Rewrites::close);
  CHECK(bitwise_equal(exact.parameters()[0].value(), close.parameters()[0].value()));  // training stays exact
  const Tensor x = numbers({300, 2}), a = exact.predict(x), b = close.predict(x);
  CHECK_FALSE(bitwise_equal(a, b));
  for (Index i = 0; i < a.shape().elements(); ++i) CHECK(b.at(i) == doctest::Approx(a.at(i)).epsilon(1e-5));
}

TEST_CASE("plan: a run of a training step does not allocate") {
  nn::Model model = classifier();
  nn::ModelGraph g = model.training_graph(8);
  const Plan plan({g.loss, g.metrics[0]}, g.updates);
  Workspace memory(plan);
  memory.feed(g.input, numbers({8, 2}));
  memory.feed(g.target, Tensor(Shape{8}, i64));
  plan.run(memory, {.threads = 2});
  const std::size_t before = allocations();
  for (std::uint64_t step = 0; step < 20; ++step)
    plan.run(memory, {.threads = 1 + static_cast<int>(step % 2), .step = step});
  CHECK(allocations() == before);
}

TEST_CASE("fit: does not allocate per step") {
  const nn::Dataset data = points(640);
  const auto during = [&](Index rows) {
    nn::Model model = classifier();
    const nn::Dataset part = data.slice(0, rows);
    const auto train = [&] { model.fit(part, {.batch_size = 8, .epochs = 1, .verbose = silent, .threads = 1}); };
    train();  // plans are made here
    const std::size_t before = allocations();
    train();
    return allocations() - before;
  };
  CHECK(during(80) == during(640));  // 10 steps or 80
}

TEST_CASE("check_gradients: passes for a whole model") {
  nn::Model model{nn::Sequential{nn::Dense(5, nn::tanh), nn::BatchNorm(), nn::Dropout(0.3), nn::Dense(3, nn::softmax)},
                  {4}};
  model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  const Tensor labels = Tensor::from<std::int64_t>({6}, {0, 1, 2, 2, 1, 0});
  CHECK_NOTHROW(model.check_gradients({numbers({6, 4}), nn::one_hot(labels, 3)}, {.max_elements = 12}));
}

TEST_CASE("fit: softmax and cross-entropy train at logits of 1e4") {
  for (const bool sparse : {true, false}) {
    nn::Model model{nn::Sequential{nn::Dense(2, nn::softmax, {.kernel_initializer = nn::constant(0)})}, {1}};
    model.compile({.loss = sparse ? nn::sparse_categorical_crossentropy : nn::categorical_crossentropy,
                   .optimizer = nn::SGD{.learning_rate = 1}});
    Parameter bias = model.parameters()[1];
    bias.set(Tensor::from<float>({2}, {1e4F, -1e4F}));  // p = 1 for class 0
    const Tensor labels = Tensor::from<std::int64_t>({4}, {1, 1, 1, 1});
    const nn::Dataset wrong{Tensor({4, 1}), sparse ? labels : nn::one_hot(labels, 2)};
    const nn::History h = model.fit(wrong, {.batch_size = 4, .epochs = 3, .verbose = silent});
    CHECK(h["loss"][0] == 2e4);
    CHECK(h["loss"][2] == 2e4 - 4);  // each step moves both logits by 1: the gradient is not 0
  }
}

TEST_CASE("summary: table of layers") {
  const nn::Model model = classifier();
  const nn::ModelGraph step = model.training_graph(32);
  std::vector<Value> reported = step.metrics;
  reported.push_back(step.loss);
  CHECK(model.str() ==
        "model: [batch, 2] f32\n"
        "  ------------------------------------------------------\n"
        "  layer       output      parameters  FLOPs  activations\n"
        "  ------------------------------------------------------\n"
        "  dense       [batch, 8]          24  1,536      1.0 KiB\n"  // 32 (2 * 2 * 8 + 8 + 8)
        "  batch_norm  [batch, 8]          32  1,576      1.0 KiB\n"
        "  dropout     [batch, 8]           -    768      1.0 KiB\n"
        "  dense_1     [batch, 2]          18  1,408    256 bytes\n"
        "  ------------------------------------------------------\n"
        "  74 parameters, 58 trainable, 16 not; 296 bytes\n"
        "  32 rows forward: 5,288 FLOP, activations of 3.2 KiB\n"
        "  training step: 13.4 kFLOP, peak memory " +
            memory_text(Plan(reported, step.updates).peak_bytes()) + "\n");
  CHECK_THROWS_WITH_AS(model.summary({.batch_size = 0}), "summary: batch_size must be at least 1, got 0", UserError);
}

TEST_CASE("summary: a model without a loss, nested modules, views") {
  struct Block : nn::Module {
    nn::Dense a{6, nn::relu}, b{3};
    Value operator()(Value x) { return x + b(a(x)); }
  };
  const nn::Model model{nn::Sequential{nn::Flatten(), Block()}, {1, 3}};
  const std::string text = model.str({.batch_size = 1000});
  const auto has = [&](const char* part) { CHECK_MESSAGE(text.find(part) != std::string::npos, part, " in\n", text); };
  has("  flatten  [batch, 3]           -       -            -\n");
  // 1000 rows of 6, 3 and 3 values, computed with 2 * 3 * 6 + 6 + 6, 2 * 6 * 3 + 3 and 3 operations.
  has("  block    [batch, 3]          45  90.0 k     46.9 KiB\n");
  has("  1000 rows forward: 90.0 kFLOP, activations of 46.9 KiB\n  prediction step: 90.0 kFLOP, peak memory ");
}

TEST_CASE("model: parameter counts of the deep net of Deep Learning Illustrated, chapter 9") {
  const nn::Model model{
      nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dense(64, nn::relu), nn::BatchNorm(),
                     nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
      {784}};
  CHECK(model.parameter_count() == 59978);
  CHECK(model.trainable_count() == 59594);
}

TEST_CASE("fit: invalid data throws with the reason, and the model is unchanged") {
  nn::Model model = classifier();
  model.fit(points(32), {.verbose = silent});
  const std::vector<Tensor> before = weights(model);
  const nn::Dataset good = points(16);
  const auto rejects = [&](const nn::Dataset& data, const char* why,
                           const nn::FitOptions& options = {.verbose = silent}) {
    CHECK_THROWS_WITH_AS(model.fit(data, options), doctest::Contains(why), UserError);
    CHECK(same(before, weights(model)));
  };
  rejects({numbers({16, 3}), good.y}, "fit: the rows of x do not fit the model: axis 1 is 3 instead of 2");
  rejects({numbers({16}), good.y}, "0 axes per row instead of 1");
  rejects({good.x, numbers({16, 2})}, "hint: for one-hot targets use categorical_crossentropy");
  rejects({good.x, Tensor(Shape{16})}, "requires class indices as targets");
  nn::Dataset bad = points(16);
  bad.y.mutable_values<std::int64_t>()[11] = 2;
  rejects(bad, "class index 2 in row 11 of y is not in [0, 2)");
  bad.y.mutable_values<std::int64_t>()[11] = -1;
  rejects(bad, "class index -1 in row 11");
  rejects(good, "validation: class index -1", {.validation = bad, .verbose = silent});
  bad = points(16);
  bad.x.mutable_values<float>()[9] = std::numeric_limits<float>::quiet_NaN();
  rejects(bad, "fit: x is not finite: nan in row 4, column 1");
  bad.x.mutable_values<float>()[9] = -std::numeric_limits<float>::infinity();
  rejects(bad, "x is not finite: -inf in row 4");
  rejects({Tensor(Shape{0, 2}), Tensor(Shape{0}, i64)}, "there are no rows");
  rejects(good, "batch_size must be at least 1, got 0", {.batch_size = 0});
  rejects(good, "epochs must be at least 0, got -1", {.epochs = -1});
  rejects(good, "are both given", {.validation = good, .validation_split = 0.5});
  rejects(good, "split: fraction 1.5 of 16 rows leaves one side empty", {.validation_split = 1.5});
  CHECK_THROWS_WITH_AS(model.evaluate(bad), doctest::Contains("evaluate: x is not finite"), ValueError);
  CHECK_THROWS_WITH_AS(model.predict(numbers({2, 3})), doctest::Contains("predict: the rows of x do not fit"),
                       ShapeError);

  nn::Model regression = line();
  CHECK_THROWS_WITH_AS(regression.fit({numbers({4, 2}), numbers({4})}, {.verbose = silent}),
                       doctest::Contains("hint: the numbers of elements agree; use Tensor::reshaped"), ShapeError);
  Tensor nan = numbers({4, 1});
  nan.mutable_values<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(regression.fit({numbers({4, 2}), nan}, {.verbose = silent}),
                       doctest::Contains("fit: y is not finite: nan in row 2, column 0"), ValueError);
  nn::Model onehot{nn::Dense(3, nn::softmax), {2}};
  onehot.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}});
  CHECK_THROWS_WITH_AS(onehot.fit(good, {.verbose = silent}),
                       doctest::Contains("hint: for class indices use one_hot(y, classes), or a sparse loss"),
                       ShapeError);
}

namespace {
// A loss whose kernel throws ValueError for a target of 1.
nn::Loss fails_on_class_one() {
  return {"picky", [](Value p, Value t) { return mean(square(one_hot(cast(sum(t, {1}), i64), 1, p.dtype())) + p); }};
}
}  // namespace

TEST_CASE("fit: an exception in a training step rolls the model back") {
  nn::Model model{nn::Dense(1), {2}};
  model.compile({.loss = fails_on_class_one(), .optimizer = nn::Adam{}});
  const std::vector<Tensor> before = weights(model);
  nn::Dataset data{numbers({12, 2}), Tensor({12, 1})};
  data.y.mutable_values<float>()[9] = 1;  // an invalid index for one_hot
  CHECK_THROWS_WITH_AS(model.fit(data, {.batch_size = 4, .shuffle = false, .verbose = silent}),
                       doctest::Contains("one_hot"), ValueError);
  CHECK(same(before, weights(model)));
  data.y.mutable_values<float>()[9] = 0;
  nn::Model fresh{nn::Dense(1), {2}};
  fresh.compile({.loss = fails_on_class_one(), .optimizer = nn::Adam{}});
  CHECK(model.fit(data, {.verbose = silent})["loss"] ==
        fresh.fit(data, {.verbose = silent})["loss"]);  // the optimizer state is rolled back too
}

TEST_CASE("model: an invalid network or loss throws when the model is made or compiled") {
  CHECK_THROWS_WITH_AS((nn::Model{[](Value x) { return sum(x); }, {2}}),
                       doctest::Contains("one row for each of the 2 rows"), ShapeError);
  nn::Model model{nn::Dense(3), {2}};
  CHECK_THROWS_WITH_AS(model.fit(points(4)),
                       doctest::Contains("fit: the model \"model\" has no loss yet\n  hint: call compile() first"),
                       GraphError);
  CHECK_THROWS_WITH_AS(model.evaluate(points(4)), doctest::Contains("evaluate"), GraphError);
  CHECK_THROWS_WITH_AS(model.training_graph(4), doctest::Contains("call compile() first"), GraphError);
  CHECK_THROWS_WITH_AS(model.learning_rate(), doctest::Contains("call compile() first"), GraphError);
  const nn::Loss no_scalar{"rows", [](Value p, Value t) { return p - t; }};
  CHECK_THROWS_WITH_AS(model.compile({.loss = no_scalar, .optimizer = nn::Adam{}}),
                       doctest::Contains("the loss \"rows\" must be a floating-point scalar"), ShapeError);
  CHECK_THROWS_WITH_AS(model.evaluate(points(4)), doctest::Contains("has no loss yet"), GraphError);
}

TEST_CASE("model: the learning rate can be read and set between fits") {
  nn::Model model = line();
  CHECK(model.learning_rate() == 0.1);
  model.set_learning_rate(0);
  const std::vector<Tensor> before = weights(model);
  model.fit({numbers({8, 2}), numbers({8, 1})}, {.verbose = silent});
  CHECK(same(before, weights(model)));
  CHECK_THROWS_WITH_AS(model.set_learning_rate(-1),
                       doctest::Contains("set_learning_rate: rate must be finite and at least 0, got -1"), UserError);
}

TEST_CASE("model: two weights of one name throw") {
  struct Twins : nn::Module {
    nn::Weight a{"w", nn::ones}, b{"w", nn::ones};
    Value operator()(Value x) { return x * a(x.graph(), {2}, x.dtype()) + b(x.graph(), {2}, x.dtype()); }
  };
  CHECK_THROWS_WITH_AS((nn::Model{Twins{}, {2}}), doctest::Contains("two weights are named \"twins/w\""), GraphError);
}

TEST_CASE("train_on_batch: a manual loop is bit-identical to fit") {
  const nn::Dataset data = points(50);
  nn::Model fitted = classifier(9);
  nn::Model by_hand = classifier(9);
  const nn::History h = fitted.fit(data, {.batch_size = 16, .epochs = 2, .verbose = silent});
  double sum = 0;
  for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
    const std::vector<Index> order = nn::shuffled_indices(50, 9, epoch);
    sum = 0;
    for (std::size_t first = 0; first < 50; first += 16) {
      const nn::Dataset batch = data.select(std::span(order).subspan(first, std::min<std::size_t>(16, 50 - first)));
      sum += by_hand.train_on_batch(batch)["loss"] * static_cast<double>(batch.size());
    }
  }
  CHECK(same(weights(fitted), weights(by_hand)));
  CHECK(h["loss"].back() == doctest::Approx(sum / 50).epsilon(1e-12));
  CHECK_THROWS_WITH_AS(by_hand.train_on_batch({numbers({3, 4}), data.slice(0, 3).y}),
                       doctest::Contains("train_on_batch: the rows of x do not fit the model"), ShapeError);
  CHECK_THROWS_WITH_AS(by_hand.train_on_batch(data.slice(0, 0)), doctest::Contains("there are no rows"), ShapeError);
  CHECK(same(weights(fitted), weights(by_hand)));
}

TEST_CASE("fit: the first epoch on MNIST") {
  const auto folder = scratch::real_data("mnist");
  if (!folder) return;
  const nn::ImageDataset mnist = nn::load_mnist(*folder);
  nn::Model model{
      nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dense(64, nn::relu), nn::BatchNorm(),
                     nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
      {784}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  const nn::History h = model.fit(mnist.train, {.batch_size = 128, .validation = mnist.test, .verbose = silent});
  CHECK(h["val_accuracy"][0] > 0.93);  // typically 0.947
}
