// Options of the checks, tables of models, reproducers, and the doctest assertions.
#include <cmath>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/check_table.hpp>
#include <xgrad/autodiff/check/doctest.hpp>
#include <xgrad/autodiff/check/internal/reproducer.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/layers/batch_norm.hpp>
#include <xgrad/nn/layers/dense.hpp>
#include <xgrad/nn/layers/noise.hpp>
#include <xgrad/nn/optimizers/rules.hpp>
#include <xgrad/nn/sequential.hpp>
#include <xgrad/nn/training/check.hpp>

#include "support/faulty_ops.hpp"

using namespace xgrad;
using namespace xgrad::faulty;

namespace {

Tensor row(std::initializer_list<double> values) {
  return Tensor::from<double>({static_cast<Index>(values.size())}, values);
}

void check_contains(const std::string& what, std::initializer_list<const char*> fragments) {
  CAPTURE(what);
  for (const char* fragment : fragments) {
    CAPTURE(fragment);
    CHECK(what.find(fragment) != std::string::npos);
  }
}

// x^3 with a vjp that is off by 0.1%, in first order or only in second order.
const OpDef first_order_fault =
    cube_with([](const Vjp& r) -> Cotangents { return r.cotangent() * 3.003 * square(r.input(0)); });
const OpDef second_order_fault = cube_with([](const Vjp& r) -> Cotangents {
  return r.cotangent() * 3 * (square(r.input(0)) + 0.001 * (stop_gradient(r.input(0)) - r.input(0)));
});

nn::Model model_with(const OpDef& op) {
  nn::Model model{nn::Sequential{nn::Dense(4, nn::tanh),
                                 [&op](Value x) {
                                   const auto scope = x.graph().unique_scope("cubes");
                                   return x.graph().apply(op, {x});
                                 },
                                 nn::Dense(2)},
                  {3}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  return model;
}

}  // namespace

// ---- options

TEST_CASE("check: a kink at the point is reported with both sides, and accepted with accept_kinks") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value y = sum(relu(x) * 2);
  const Feeds feeds{{x, row({-1, 0, 1})}};
  const CheckReport strict = compare_gradients(y, {x}, feeds);
  CHECK_FALSE(strict.passed);
  REQUIRE(strict.kinks.size() == 1);
  CHECK(strict.failures.size() == 1);
  CHECK(strict.kinks[0].element == 1);
  CHECK(strict.kinks[0].left == doctest::Approx(0));
  CHECK(strict.kinks[0].right == doctest::Approx(2));
  check_contains(strict.str(), {"at [1] (element 1)", "(a kink: 0 from the left, 2 from the right)"});
  const CheckReport lenient = compare_gradients(y, {x}, feeds, {.accept_kinks = true});
  CHECK(lenient.passed);
  CHECK(lenient.kinks.size() == 2);  // the derivative jumps at the kink
  check_contains(lenient.str(), {"passed", "of them at kinks, such as"});
}

TEST_CASE("check: accept_kinks does not accept values outside the one-sided derivatives") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {1});
  OpDef op = cube();
  op.kernel = [](const KernelCall& call) {
    each(call, [](const auto* v, Index i) { return v[i] < 0 ? 0 : 2 * v[i]; });
  };
  op.vjp = [](const Vjp& r) -> Cotangents { return r.cotangent() * 2.1; };
  CHECK_FALSE(compare_gradients(g.apply(op, {x}), {x}, {{x, row({0})}}, {.order = 1, .accept_kinks = true}).passed);
  op.vjp = [](const Vjp& r) -> Cotangents { return r.cotangent() * 1.5; };
  CHECK(compare_gradients(g.apply(op, {x}), {x}, {{x, row({0})}}, {.order = 1, .accept_kinks = true}).passed);
  CHECK_FALSE(
      compare_gradients(g.apply(first_order_fault, {x}), {x}, {{x, row({0.7})}}, {.accept_kinks = true}).passed);
}

TEST_CASE("check: nearby kinks are counted") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2});
  const CheckReport report = compare_gradients(sum(relu(x)), {x}, {{x, row({0.0005, 1})}});
  CHECK(report.passed);
  CHECK(report.near_kinks > 0);
  CHECK(report.kinks.empty());
  CHECK(compare_gradients(sum(relu(x)), {x}, {{x, row({0.5, 1})}}).near_kinks == 0);
}

TEST_CASE("check: the step is reduced near the edge of a domain") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  CHECK(compare_gradients(sum(log(x)), {x}, {{x, row({1e-4, 1e-5, 1})}}, {.order = 1}).passed);
  CHECK(compare_gradients(sum(sqrt(x)), {x}, {{x, row({1e-4, 2e-5, 1})}}, {.order = 1}).passed);
  const Value wrong = sum(log(x) + 0.001 * stop_gradient(x) * x);
  CHECK_FALSE(
      compare_gradients(wrong + 0.01 * stop_gradient(log(x)), {x}, {{x, row({1e-2, 1e-2, 1})}}, {.order = 1}).passed);
}

TEST_CASE("check: options step, relative, absolute and directions") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {100});
  const Value y = sum(g.apply(first_order_fault, {x}));
  CHECK_FALSE(compare_gradients(y, {x}).passed);
  CHECK(compare_gradients(y, {x}, {}, {.order = 1, .relative = 2e-3}).passed);
  CHECK(compare_gradients(y, {x}, {}, {.order = 1, .absolute = 1}).passed);
  const Value good = sum(exp(x));
  CHECK(compare_gradients(good, {x}, {}, {.order = 1, .max_elements = 10, .directions = 3}).comparisons == 13);
  CHECK(compare_gradients(good, {x}, {}, {.order = 2, .max_elements = 0, .directions = 2}).comparisons == 4);
  // Too large a step is reduced; too small a step, dominated by rounding, widens the tolerance.
  CHECK(compare_gradients(good, {x}, {}, {.order = 1, .step = 0.1}).passed);
  CHECK(compare_gradients(good, {x}, {}, {.order = 1, .step = 1e-5}).passed);
  const Value off = sum(exp(x) + 1e-3 * stop_gradient(x));
  CHECK_FALSE(compare_gradients(off, {x}, {}, {.order = 1, .step = 1e-2}).passed);
}

TEST_CASE("check: invalid options throw") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value y = sum(exp(x));
  const auto message = [&](const CheckOptions& options) -> std::string {
    try {
      check_gradients(y, x, {}, options);
    } catch (const UserError& error) {
      return error.message();
    }
    return "";
  };
  check_contains(message({.order = 3}), {"check_gradients: order must be 1 or 2, got 3"});
  check_contains(message({.step = 0}), {"step must be positive and finite, got 0"});
  check_contains(message({.step = -1e-3}), {"step must be positive and finite, got -0.001"});
  check_contains(message({.step = std::numeric_limits<double>::quiet_NaN()}),
                 {"step must be positive and finite, got nan"});
  check_contains(message({.relative = -1}), {"relative and absolute must not be negative, got -1"});
  check_contains(message({.max_elements = 0, .directions = 0}), {"must not be negative or both 0, got 0 and 0"});
  check_contains(message({.max_elements = -1}), {"both 0, got -1 and 4"});
  check_contains(message({.only = {"y"}}), {"only \"y\": wrt has no value of that name", "\"x\""});
}

TEST_CASE("differentiable_leaves: all leaves of a value, or selected by name") {
  Graph g({.dtype = f64});
  const Value a = g.input("a", {2});
  const Value labels = g.input("labels", {2}, i64);
  const Value unused = g.input("unused", {2});
  const Parameter w("w", row({1, 2}));
  const Value y = sum(square(a) * g.parameter(w) * cast(labels, f64)) + sum(stop_gradient(unused));
  const auto leaves = differentiable_leaves(y);
  REQUIRE(leaves.size() == 2);
  CHECK(leaves[0] == a);
  CHECK(leaves[1] == g.parameter(w));
  const Feeds feeds{{labels, Tensor::from<std::int64_t>({2}, {1, 2})}};
  const Index all = compare_gradients(y, leaves, feeds).comparisons;
  CHECK(compare_gradients(y, leaves, feeds, {.only = {"w"}}).comparisons * 2 == all);
}

// ---- tables

TEST_CASE("check table: lists a correct model by layer") {
  nn::Model model{nn::Sequential{nn::Dense(5), nn::BatchNorm(), nn::relu, nn::Dropout(0.3), nn::Dense(3, nn::softmax)},
                  {4},
                  {.seed = 2}};
  const CheckTable before = nn::check_table(model);
  CHECK_MESSAGE(before.passed(), before.str());
  check_contains(before.str(), {"check: the prediction of 3 rows, in f64", "prediction wrt kernel"});
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::SGD{}});
  const CheckTable table = nn::check_table(model);
  CHECK_MESSAGE(table.passed(), table.str());
  MESSAGE("\n" << table.str());
  check_contains(table.str(),
                 {"check: the loss of 3 rows, in f64", "  layer", "operation", "worst element", "verdict", "dense ",
                  "matmul", "batch_norm", "dense_1", "loss wrt kernel", "loss wrt gamma", "all agree"});
  // Both layers are listed with all their rows, in order.
  std::string layers;
  for (const CheckRow& r : table.rows) layers += layers.ends_with(r.layer + " ") ? "" : r.layer + " ";
  CHECK(layers == "dense batch_norm dropout dense_1 loss ");
  // A bias before a normalization has no effect.
  for (const CheckRow& r : table.rows) {
    if (r.layer == "dense" && r.what == "loss wrt bias") CHECK(r.report.largest < 1e-12);
  }
  const Tensor x = Tensor::from<float>({2, 4}, {1, 2, 3, 4, -1, 0, 1, 2});
  CHECK(nn::check_table(model, {x, Tensor::from<std::int64_t>({2}, {0, 2})}).passed());
  CHECK(nn::check_table(model, {}, {.order = 1, .max_elements = 3, .only = {"dense_1/bias"}}).passed());
  CHECK_THROWS_AS(nn::check_table(model, {x, Tensor({2}, f32)}), UserError);
}

TEST_CASE("check table: finds a wrong vjp in its layer, with a reproducer") {
  const CheckTable table = nn::check_table(model_with(first_order_fault));
  CHECK_FALSE(table.passed());
  const std::string text = table.str();
  MESSAGE("\n" << text);
  for (const CheckRow& r : table.rows) {
    CAPTURE(r.layer);
    CAPTURE(r.what);
    // The rule itself fails, and every derivative through it.
    const bool through = r.what == "cube" || (r.layer == "dense" && r.what.starts_with("loss wrt"));
    CHECK(r.report.passed == !through);
  }
  check_contains(text, {"WRONG: cubes, %", "cube f64[3, 4]", "analytic and numeric derivatives differ: ",
                        "order 1, wrt input", "to reproduce:", "extern const OpDef cube_op;  // yours: \"cube\"",
                        "Value x0 = g.input(\"x0\", {3, 4}, f64);", "Value y = g.apply(cube_op, {x0});",
                        "std::cout << compare_gradients(y, {x0}, {{x0, Tensor::from<double>({3, 4}, {"});
}

TEST_CASE("check table: finds a vjp that is wrong only in second order") {
  const CheckTable table = nn::check_table(model_with(second_order_fault));
  CHECK_FALSE(table.passed());
  check_contains(table.str(), {"WRONG: cubes, %", "order 2, wrt input"});
  CHECK(nn::check_table(model_with(second_order_fault), {}, {.order = 1}).passed());
}

// document_reproducers tests that the programs compile and run.
TEST_CASE("reproducer: uses few values, and draws many from the seed") {
  CheckFinding failure;
  failure.input = "input";
  failure.shape = {100};
  failure.element = 7;
  const Tensor many = Tensor::full({100}, 0.5, f64);
  check_contains(
      reproducer({&first_order_fault, {}, {many}}, failure, {}),
      {"g.input(\"x0\", {100}, f64)", "// 100 values are too many to print; random ones reproduce the failure",
       "compare_gradients(y, {x0}, {}).str()"});
  OpDef elementwise = first_order_fault;
  elementwise.traits.elementwise = true;
  elementwise.block[static_cast<std::size_t>(f64)] = [](Index n, const void* const* in, const bool*, void* out) {
    for (Index i = 0; i < n; ++i) static_cast<double*>(out)[i] = std::pow(static_cast<const double*>(in[0])[i], 3);
  };
  check_contains(reproducer({&elementwise, {}, {many}}, failure, {}),
                 {"g.input(\"x0\", {1}, f64)", "{{x0, Tensor::from<double>({1}, {0.5})}}"});
}

// ---- doctest assertions

TEST_CASE("CHECK_GRADIENTS: passes for correct derivatives") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value w = g.input("w", {3});
  const Value y = sum(sin(x) * w);
  CHECK_GRADIENTS(y, {x, w});
  CHECK_GRADIENTS(y, {x}, {{w, row({1, 2, 3})}}, {.order = 1, .relative = 1e-5});
  CHECK_GRADIENTS(y, differentiable_leaves(y));
  CHECK_OPERATION(cube());
}

TEST_CASE("CHECK_GRADIENTS: fails for a wrong derivative" * doctest::should_fail()) {
  Graph g;
  const Value x = g.input("x", {3});
  CHECK_GRADIENTS(g.apply(first_order_fault, {x}), {x});
}

TEST_CASE("CHECK_OPERATION: fails for a wrong vjp" * doctest::should_fail()) { CHECK_OPERATION(second_order_fault); }
