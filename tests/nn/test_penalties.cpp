// Regularizers, constraints and frozen weights: known values, and their effect in training.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

using namespace xgrad;

namespace {

constexpr auto silent = nn::Verbose::silent;

Tensor numbers(Shape shape, double phase = 0) {
  Tensor out(shape, f64);
  Index i = 0;
  for (double& x : out.mutable_values<double>()) x = std::sin(static_cast<double>(++i) * 1.7 + phase);
  return out;
}

double penalty_of(const nn::Regularizer& regularizer, const Tensor& w) {
  Graph g({.dtype = f64});
  return evaluate(regularizer.apply(g.constant(w))).item();
}

Tensor constrained(const nn::Constraint& constraint, const Tensor& w) {
  Graph g({.dtype = w.dtype()});
  return evaluate(constraint.apply(g.constant(w)));
}

// A model of one Dense layer in f64. With the default learning rate of 0 its weights stay unchanged.
struct OneLayer {
  nn::Dense dense;
  nn::Model model;
  explicit OneLayer(nn::DenseOptions options, double rate = 0)
      : dense(2, nn::linear, std::move(options)), model(dense, {3}, {.seed = 4, .dtype = f64}) {
    model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = rate}});
  }
};

}  // namespace

TEST_CASE("regularizers: known values") {
  const Tensor w = Tensor::from<double>({2, 2}, {1, -2, 0, 3});
  CHECK(penalty_of(nn::l1(0.5), w) == 3);
  CHECK(penalty_of(nn::l2(0.5), w) == 7);  // without a factor 1/2
  CHECK(penalty_of(nn::l1_l2(0.5, 0.25), w) == 6.5);
  CHECK(penalty_of(nn::l2(), w) == doctest::Approx(0.14));
  CHECK(nn::l1(0.5).name == "l1(0.5)");
}

TEST_CASE("orthogonal_regularizer: mean absolute cosine of pairs of vectors") {
  const double half = 0.5, root = std::sqrt(0.5);
  CHECK(penalty_of(nn::orthogonal_regularizer(1), Tensor::from<double>({2, 2}, {3, 0, 0, 2})) == 0);
  CHECK(penalty_of(nn::orthogonal_regularizer(half), Tensor::from<double>({2, 2}, {3, 0, 2, 2})) ==
        doctest::Approx(half * root));
  // Rows (1, 0), (1, 1), (0, 1): cosines root, 0, root; columns (1, 1, 0), (0, 1, 1): 1 / 2.
  const Tensor w = Tensor::from<double>({3, 2}, {1, 0, 1, 1, 0, 1});
  CHECK(penalty_of(nn::orthogonal_regularizer(1), w) == doctest::Approx(2 * root / 3));
  CHECK(penalty_of(nn::orthogonal_regularizer(1, nn::Vectors::columns), w) == doctest::Approx(half));
  CHECK(penalty_of(nn::orthogonal_regularizer(1), Tensor({2, 3}, f64)) == 0);  // zero vectors count as 0
  CHECK(penalty_of(nn::orthogonal_regularizer(1), Tensor::from<double>({1, 2}, {1, 2})) == 0);
  CHECK_THROWS_WITH_AS(penalty_of(nn::orthogonal_regularizer(), numbers({3})),
                       doctest::Contains("orthogonal_regularizer: the weight must be a matrix"), ShapeError);
}

TEST_CASE("regularizers: derivatives") {
  for (const nn::Regularizer& r : {nn::l1(0.3), nn::l2(0.3), nn::l1_l2(0.2, 0.1), nn::orthogonal_regularizer(0.5),
                                   nn::orthogonal_regularizer(0.5, nn::Vectors::columns)}) {
    CAPTURE(r.name);
    Graph g({.dtype = f64});
    const Value w = g.input("w", {4, 3});
    CHECK_NOTHROW(check_gradients(r.apply(w), w, {{w, numbers({4, 3})}}));
  }
}

TEST_CASE("regularizers, constraints: invalid factors throw") {
  CHECK_THROWS_WITH_AS(nn::l1(-1), doctest::Contains("l1: the factor must be finite and at least 0, got -1"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::l2(NAN), doctest::Contains("l2: the factor must be finite and at least 0, got nan"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::l1_l2(0, INFINITY),
                       doctest::Contains("l1_l2: the factor must be finite and at least 0, got inf"), UserError);
  CHECK_THROWS_WITH_AS(nn::orthogonal_regularizer(-0.5), doctest::Contains("-0.5"), UserError);
  CHECK_THROWS_WITH_AS(nn::max_norm(0), doctest::Contains("max_norm: largest must be above 0, got 0"), UserError);
  CHECK_THROWS_WITH_AS(nn::min_max_norm(2, 1),
                       doctest::Contains("min_max_norm: norms must satisfy 0 <= smallest <= largest"), UserError);
  CHECK_THROWS_WITH_AS(nn::min_max_norm(0, 0), doctest::Contains("norms must satisfy"), UserError);
}

TEST_CASE("constraints: known values") {
  // Columns of norms 5, 1 and 0.
  const Tensor w = Tensor::from<double>({2, 3}, {3, 1, 0, -4, 0, 0});
  const Tensor bounded = constrained(nn::max_norm(2), w);
  CHECK(bounded.at(0) == doctest::Approx(1.2));
  CHECK(bounded.at(3) == doctest::Approx(-1.6));
  CHECK(bounded.at(1) == doctest::Approx(1));
  CHECK(bounded.at(2) == 0);
  CHECK(constrained(nn::max_norm(2, {1}), w).at(3) == doctest::Approx(-2));  // norms of rows
  const Tensor unit = constrained(nn::unit_norm(), w);
  CHECK(unit.at(0) == doctest::Approx(0.6));
  CHECK(unit.at(3) == doctest::Approx(-0.8));
  CHECK(unit.at(2) == 0);
  const Tensor between = constrained(nn::min_max_norm(2, 3), w);
  CHECK(between.at(0) == doctest::Approx(1.8));
  CHECK(between.at(1) == doctest::Approx(2));
  CHECK(bitwise_equal(constrained(nn::non_negative, w), Tensor::from<double>({2, 3}, {3, 1, 0, 0, 0, 0})));
}

TEST_CASE("penalties: are part of the reported training and validation loss") {
  const nn::Dataset data{numbers({7, 3}), numbers({7, 2}, 1)};
  OneLayer plain({});
  OneLayer penalized(
      {.kernel_regularizer = nn::l2(0.1), .bias_regularizer = nn::l1(0.2), .activity_regularizer = nn::l1(0.3)});
  Parameter(plain.dense.bias()).set(Tensor::from<double>({2}, {0.5, -1}));
  Parameter(penalized.dense.bias()).set(Tensor::from<double>({2}, {0.5, -1}));
  const Tensor kernel = penalized.dense.kernel().value();
  REQUIRE(bitwise_equal(kernel, plain.dense.kernel().value()));

  double penalty = 0.2 * 1.5;
  for (Index i = 0; i < 6; ++i) penalty += 0.1 * kernel.at(i) * kernel.at(i);
  const Tensor activity = penalized.model.predict(data.x);
  for (Index i = 0; i < 14; ++i) penalty += 0.3 * std::abs(activity.at(i)) / 7;  // mean over rows

  const double bare = plain.model.evaluate(data)["loss"];
  for (const int batch : {1, 3, 7}) {  // 3 leaves a partial batch
    CAPTURE(batch);
    CHECK(penalized.model.evaluate(data, {.batch_size = batch})["loss"] ==
          doctest::Approx(bare + penalty).epsilon(1e-12));
    const nn::History h = penalized.model.fit(data, {.batch_size = batch, .validation = data, .verbose = silent});
    CHECK(h["loss"][0] == doctest::Approx(bare + penalty).epsilon(1e-12));
    CHECK(h["val_loss"][0] == doctest::Approx(bare + penalty).epsilon(1e-12));
  }
  CHECK_NOTHROW(penalized.model.check_gradients(data));
}

TEST_CASE("penalties: a step subtracts rate * 2 * l2 * w if the data have no gradient") {
  OneLayer penalized({.kernel_regularizer = nn::l2(0.1), .use_bias = false}, 0.5);
  const Tensor before = penalized.dense.kernel().value();
  penalized.model.fit({Tensor({4, 3}, f64), Tensor({4, 2}, f64)}, {.batch_size = 4, .verbose = silent});
  const Tensor after = penalized.dense.kernel().value();
  for (Index i = 0; i < 6; ++i) CHECK(after.at(i) == doctest::Approx(0.9 * before.at(i)).epsilon(1e-12));
}

TEST_CASE("penalties: none without regularizers; one per kernel, even if a layer is called twice") {
  Graph bare;
  nn::Dense(2)(bare.input("x", {4, 3}));
  CHECK(bare.penalties().empty());

  Graph g;
  const nn::Dense dense(3, nn::linear, {.kernel_regularizer = nn::l2(), .activity_regularizer = nn::l2()});
  const Value once = dense(g.input("x", {4, 3}));
  CHECK(g.penalties().size() == 2);
  dense(once);
  CHECK(g.penalties().size() == 3);  // the second call has its own activity
}

TEST_CASE("add_penalty: takes floating-point scalars; rewind discards penalties") {
  Graph g;
  const Value x = g.input("x", {3});
  CHECK_THROWS_WITH_AS(g.add_penalty(x), doctest::Contains("add_penalty: a penalty must be a floating-point scalar"),
                       GraphError);
  CHECK_THROWS_AS(g.add_penalty(Value()), GraphError);
  CHECK_THROWS_AS(g.add_penalty(sum(cast(x, i64))), GraphError);
  const Value kept = sum(x);
  g.add_penalty(kept);
  g.add_penalty(kept);
  const NodeId mark = g.mark();
  g.add_penalty(sum(square(x)));
  CHECK(g.penalties().size() == 2);
  g.rewind(mark);
  REQUIRE(g.penalties().size() == 1);
  CHECK(g.penalties()[0] == kept);
}

TEST_CASE("constraints: hold after every step") {
  const nn::Dataset data{numbers({12, 3}), numbers({12, 2}, 2)};
  const auto column_norm = [](const Tensor& w, Index column) {
    double squares = 0;
    for (Index i = 0; i < 3; ++i) squares += w.at(2 * i + column) * w.at(2 * i + column);
    return std::sqrt(squares);
  };
  OneLayer bounded({.kernel_constraint = nn::max_norm(0.25)}, 0.3);
  OneLayer positive({.kernel_constraint = nn::non_negative, .bias_constraint = nn::non_negative}, 0.3);
  OneLayer unit({.kernel_constraint = nn::unit_norm()}, 0.3);
  for (int step = 0; step < 4; ++step) {
    for (OneLayer* layer : {&bounded, &positive, &unit}) layer->model.fit(data, {.batch_size = 12, .verbose = silent});
    for (Index column = 0; column < 2; ++column) {
      CHECK(column_norm(bounded.dense.kernel().value(), column) <= 0.25);
      CHECK(column_norm(unit.dense.kernel().value(), column) == doctest::Approx(1).epsilon(1e-6));
    }
    for (Index i = 0; i < 6; ++i) CHECK(positive.dense.kernel().value().at(i) >= 0);
    for (Index i = 0; i < 2; ++i) CHECK(positive.dense.bias().value().at(i) >= 0);
  }
  // Without the constraint the same training exceeds the bound.
  OneLayer free({}, 0.3);
  free.model.fit(data, {.batch_size = 12, .epochs = 4, .verbose = silent});
  CHECK(column_norm(free.dense.kernel().value(), 0) > 0.25);
}

TEST_CASE("constraints: one that changes the shape throws") {
  const nn::Constraint wrong{"wrong", [](Value w) { return sum(w); }};
  const nn::Dense dense(2, nn::linear, {.kernel_constraint = wrong});
  nn::Model model(dense, {3});
  CHECK_THROWS_WITH_AS(model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}}),
                       doctest::Contains("parameter \"dense/kernel\": its constraint changes f32[3, 2] to f32[]"),
                       ShapeError);
}

TEST_CASE("set_trainable: frozen layers keep their weights and train again when unfrozen") {
  nn::Dense body(4, nn::tanh, {.trainable = false}), head(2);
  nn::Model model(nn::Sequential{body, head}, {3}, {.dtype = f64});
  const auto fit = [&] {
    model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0.1}});
    model.fit({numbers({8, 3}), numbers({8, 2})}, {.verbose = silent});
  };
  CHECK(model.trainable_count() == 4 * 2 + 2);
  const Tensor kernel = body.kernel().value(), old_head_kernel = head.kernel().value();
  fit();
  CHECK(bitwise_equal(kernel, body.kernel().value()));
  CHECK_FALSE(bitwise_equal(old_head_kernel, head.kernel().value()));

  body.set_trainable(true);
  head.set_trainable(false);
  const Tensor head_kernel = head.kernel().value();
  fit();
  CHECK_FALSE(bitwise_equal(kernel, body.kernel().value()));
  CHECK(bitwise_equal(head_kernel, head.kernel().value()));
  CHECK(model.trainable_count() == 3 * 4 + 4);
}

TEST_CASE("penalties: a frozen weight has none") {
  Graph g;
  nn::Dense dense(2, nn::linear, {.kernel_regularizer = nn::l2(), .trainable = false});
  dense(g.input("x", {4, 3}));
  CHECK(g.penalties().empty());
  dense.set_trainable(true);
  Graph other;
  dense(other.input("x", {4, 3}));
  CHECK(other.penalties().size() == 1);
}

TEST_CASE("batch_norm: a frozen layer uses its moving statistics and keeps them") {
  nn::BatchNorm norm;
  nn::Model model(nn::Sequential{norm, nn::Dense(1)}, {3}, {.dtype = f64});
  norm.set_trainable(false);
  Parameter(norm.moving_mean()).set(Tensor::from<double>({3}, {1, 2, 3}));
  const Tensor variance = norm.moving_variance().value();
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0}});
  const nn::Dataset data{numbers({8, 3}), numbers({8, 1})};
  const nn::History h = model.fit(data, {.batch_size = 8, .verbose = silent});
  CHECK(norm.moving_mean().value().at(1) == 2);
  CHECK(bitwise_equal(variance, norm.moving_variance().value()));
  CHECK(h["loss"][0] ==
        doctest::Approx(model.evaluate(data)["loss"]).epsilon(1e-12));  // the same function in training and inference
  CHECK(model.trainable_count() == 4);
  norm.set_trainable(true);
  CHECK(model.trainable_count() == 4);  // takes effect at the next compile()
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  CHECK(model.trainable_count() == 4 + 6);  // without the moving statistics
}
