#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/autodiff/check/suites.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>

#include "support/faulty_ops.hpp"

using namespace xgrad;
using namespace xgrad::faulty;

// ---- operations

TEST_CASE("check_op: accepts a correct custom operation") { CHECK(complaint(cube()) == ""); }

TEST_CASE("check_op: catches a vjp that is off by 0.1%, in first order") {
  require_caught(cube_with([](const Vjp& r) -> Cotangents { return r.cotangent() * 3.003 * square(r.input(0)); }),
                 {"\"cube\", sample \"vector\"", "analytic and numeric derivatives differ: 7 of 7 comparisons",
                  "order 1, wrt input 0 f64[7] at [0] (element 0): analytic "});
}

TEST_CASE("check_op: catches a vjp without a derivative, in second order") {
  const OpDef op =
      cube_with([](const Vjp& r) -> Cotangents { return r.cotangent() * 3 * square(stop_gradient(r.input(0))); });
  require_caught(op, {"\"cube\", sample \"vector\"", "order 2, wrt input 0 f64[7]", "analytic 0, numeric"});
  CHECK(complaint(op, {.order = 1}) == "");
}

TEST_CASE("check_op: catches a second derivative that is off by 0.1%") {
  static const OpDef triple_square = [] {
    OpDef op = cube();
    op.name = "triple_square";
    op.kernel = [](const KernelCall& call) { each(call, [](const auto* x, Index i) { return 3 * x[i] * x[i]; }); };
    op.vjp = [](const Vjp& r) -> Cotangents { return r.cotangent() * 6.006 * r.input(0); };
    return op;
  }();
  const OpDef op = cube_with(
      [](const Vjp& r) -> Cotangents { return r.cotangent() * r.input(0).graph().apply(triple_square, {r.input(0)}); });
  require_caught(op, {"\"cube\", sample \"vector\"", "order 2, wrt input 0"});
  CHECK(complaint(op, {.order = 1}) == "");
}

TEST_CASE("check_op: catches a vjp that is wrong at one element") {
  require_caught(cube_with([](const Vjp& r) -> Cotangents {
                   Tensor factors = Tensor::full(r.input(0).shape(), 1, r.input(0).dtype());
                   if (r.input(0).shape() == Shape{3, 3} && r.input(0).dtype() == f64) {
                     factors.mutable_values<double>()[5] = 1.001;
                   }
                   return r.cotangent() * 3 * square(r.input(0)) * r.input(0).graph().constant(factors);
                 }),
                 {"sample \"square matrix\"", "1 of 9 comparisons", "at [1, 2] (element 5)"});
}

TEST_CASE("check_op: catches a transposed cotangent") {
  require_caught(cube_with([](const Vjp& r) -> Cotangents {
                   const Value d = r.cotangent() * 3 * square(r.input(0));
                   return d.shape().rank() == 2 ? transpose(d) : d;
                 }),
                 {"sample \"square matrix\"", "order 1", "6 of 9 comparisons"});
}

TEST_CASE("check_op: catches a vjp that ignores its cotangent, on scalars too") {
  OpDef op = cube_with([](const Vjp& r) -> Cotangents { return 3 * square(r.input(0)); });
  require_caught(op, {"sample \"vector\"", "order 1"});
  op.samples = {op.samples[2]};
  require_caught(op, {"sample \"scalar\"", "order 1"});
}

TEST_CASE("check_op: catches a vjp that omits an input") {
  OpDef op = cube();
  op.name = "product";
  op.min_inputs = op.max_inputs = 2;
  op.kernel = [](const KernelCall& call) {
    const auto* b32 = call.inputs[1].as<float>();
    const auto* b64 = call.inputs[1].as<double>();
    const bool narrow = call.output.type.dtype == f32;
    each(call, [&](const auto* a, Index i) {
      using T = std::remove_cvref_t<decltype(a[i])>;
      return static_cast<T>(a[i] * static_cast<T>(narrow ? static_cast<double>(b32[i]) : b64[i]));
    });
  };
  op.reference = nullptr;
  op.bad_samples.clear();
  op.samples = {{.label = "vectors", .inputs = {{.shape = {5}}, {.shape = {5}}}, .attrs = {}}};
  op.vjp = [](const Vjp& r) -> Cotangents { return {r.cotangent() * r.input(1), r.cotangent() * r.input(0)}; };
  CHECK(complaint(op) == "");
  op.vjp = [](const Vjp& r) -> Cotangents { return {r.cotangent() * r.input(1), Value()}; };
  require_caught(op, {"\"product\"", "wrt input 1 f64[5]", "analytic 0, numeric"});
}

TEST_CASE("check_op: a zero derivative fails unless the sample allows it") {
  OpDef op = cube_with([](const Vjp& r) -> Cotangents { return zeros_like(r.input(0)); });
  require_caught(op, {"analytic 0, numeric"});
  for (Sample& sample : op.samples) sample.zero_gradient = true;
  require_caught(op, {"analytic 0, numeric"});

  OpDef steps = op;
  steps.name = "steps";
  steps.kernel = [](const KernelCall& call) {
    each(call, [](const auto* x, Index i) { return x[i] > 0 ? x[i] - x[i] + 1 : x[i] - x[i]; });
  };
  steps.reference = nullptr;
  for (Sample& sample : steps.samples) {
    sample.inputs[0].domain = domain::away_from({0});
    sample.zero_gradient = true;
  }
  CHECK(complaint(steps) == "");
  for (Sample& sample : steps.samples) sample.zero_gradient = false;
  require_caught(steps, {"the first derivative with respect to input 0 f64[7] is zero everywhere",
                         "which allow_zero would accept"});
}

TEST_CASE("check_op: a zero second derivative fails unless the sample allows it") {
  OpDef op = cube();
  op.name = "twice";
  op.kernel = [](const KernelCall& call) { each(call, [](const auto* x, Index i) { return x[i] + x[i]; }); };
  op.reference = nullptr;
  op.vjp = [](const Vjp& r) -> Cotangents { return r.cotangent() * 2; };
  require_caught(op, {"the second derivative is zero everywhere"});
  for (Sample& sample : op.samples) sample.zero_second = true;
  CHECK(complaint(op) == "");
}

TEST_CASE("check_op: catches a function that is not finite") {
  OpDef op = cube();
  op.kernel = [](const KernelCall& call) {
    each(call, [](const auto* x, Index i) { return i == 4 ? x[i] / (x[i] - x[i]) : x[i] * x[i] * x[i]; });
  };
  op.reference = nullptr;
  require_caught(op, {"sample \"vector\"", "the function is not finite", "at 4"});
  require_caught(cube_with([](const Vjp& r) -> Cotangents {
                   return r.cotangent() * 3 * square(r.input(0)) * log(r.input(0)) / log(r.input(0));
                 }),
                 {"sample \"vector\"", "analytic nan"});
}

TEST_CASE("check_op: catches a kernel that violates infer or its traits") {
  OpDef op = cube();
  SUBCASE("it does not write an element") {
    op.kernel = [](const KernelCall& call) {
      KernelCall shorter = call;
      if (call.output.type.shape.rank() == 1) shorter.output.type.shape.set(0, call.output.type.shape[0] - 1);
      cube_kernel(shorter);
    };
    require_caught(op, {"\"cube\", sample \"vector\"", "an element is not written", "element 6 of f32[7]"});
  }
  SUBCASE("it writes an extra element") {
    op.kernel = [](const KernelCall& call) {
      KernelCall longer = call;
      if (call.output.type.shape.rank() == 1) longer.output.type.shape.set(0, call.output.type.shape[0] + 1);
      cube_kernel(longer);
    };
    require_caught(op, {"sample \"vector\"", "the kernel writes outside its output f32[7]"});
  }
  SUBCASE("it writes to its input") {
    op.kernel = [](const KernelCall& call) {
      cube_kernel(call);
      static_cast<char*>(const_cast<void*>(call.inputs[0].data))[0] ^= 1;
    };
    require_caught(op, {"the kernel writes to input 0"});
  }
  SUBCASE("its result depends on the number of threads") {
    op.kernel = [](const KernelCall& call) {
      cube_kernel(call);
      if (call.parallel.threads() == 3 && call.output.type.dtype == f32) *call.output.as<float>() *= 1.0000001F;
    };
    require_caught(op, {"the result differs on 3 threads"});
  }
  SUBCASE("it throws") {
    op.kernel = [](const KernelCall&) { throw ValueError("cube: not today"); };
    require_caught(op, {"the kernel throws: cube: not today"});
  }
  SUBCASE("it reads the elements of a shape_only input") {
    op.traits.shape_only = 1;
    require_caught(op, {"depends on uninitialized memory"});
  }
  SUBCASE("it is not a view, but its traits say so") {
    op.traits.view = true;
    require_caught(op, {"the traits say view"});
  }
  SUBCASE("it depends on the step, but its traits do not say random") {
    op.kernel = [](const KernelCall& call) {
      cube_kernel(call);
      if (call.random.step > 0) std::fill_n(call.output.as<char>(), 4, '\0');
    };
    require_caught(op, {"the traits do not say random"});
  }
  SUBCASE("f32 computes another function than f64") {
    op.kernel = [](const KernelCall& call) {
      cube_kernel(call);
      if (call.output.type.dtype == f32) call.output.as<float>()[0] *= 1.0001F;
    };
    require_caught(op, {"f32 disagrees with f64", "at element 0 of f32[7]"});
  }
  SUBCASE("it deviates from the reference") {
    op.kernel = [](const KernelCall& call) {
      each(call, [](const auto* x, Index i) { return x[i] * x[i] * x[i] * (1 + static_cast<float>(1e-6)); });
    };
    require_caught(op, {"the kernel in f64 disagrees with the reference"});
  }
}

namespace {

Index right_column(Index i, Index columns) { return i % columns; }
Index wrong_column(Index i, Index columns) { return i / columns; }

// x[r, c] + row[c], where `pick` selects the element of the row for each element of x.
template <Index (*pick)(Index i, Index columns)>
OpDef add_row() {
  OpDef op = cube();
  op.name = "add_row";
  op.min_inputs = op.max_inputs = 2;
  op.infer = broadcast_type;
  op.kernel = [](const KernelCall& call) {
    const Index columns = call.output.type.shape.back();
    const auto add = [&](auto* out, const auto* x, const auto* row) {
      for (Index i = 0; i < call.output.type.shape.elements(); ++i) out[i] = x[i] + row[pick(i, columns)];
    };
    if (call.output.type.dtype == f32) {
      add(call.output.as<float>(), call.inputs[0].as<float>(), call.inputs[1].as<float>());
    } else {
      add(call.output.as<double>(), call.inputs[0].as<double>(), call.inputs[1].as<double>());
    }
  };
  op.reference = nullptr;
  op.vjp = [](const Vjp& r) -> Cotangents { return {r.cotangent(), r.cotangent()}; };
  op.samples = {{.label = "rows", .inputs = {{.shape = {3, 4}}, {.shape = {4}}}, .attrs = {}, .zero_second = true}};
  op.bad_samples.clear();
  return op;
}

}  // namespace

TEST_CASE("check_op: catches a wrong element of a broadcast input, without a reference") {
  CHECK(complaint(add_row<right_column>()) == "");
  require_caught(add_row<wrong_column>(), {"\"add_row\", sample \"rows\"", "order 1, wrt input 1 f64[4]"});
}

namespace {

std::uint64_t by_seed_and_step(const RandomState& r) { return r.seed * 1000 + r.step * 7919; }
std::uint64_t by_seed(const RandomState& r) { return r.seed * 1000; }
std::uint64_t by_step(const RandomState& r) { return r.step * 1000; }

template <std::uint64_t (*position)(const RandomState&)>
OpDef noise_op() {
  OpDef op = cube();
  op.name = "noise";
  op.traits.random = true;
  op.traits.shape_only = 1;
  op.kernel = [](const KernelCall& call) {
    each(call, [&](const auto* x, Index i) {
      std::uint64_t z = (position(call.random) + static_cast<std::uint64_t>(i) + 1) * 0x9e3779b97f4a7c15ULL;
      z = (z ^ (z >> 31)) * 0x94d049bb133111ebULL;
      return static_cast<std::remove_cvref_t<decltype(x[i])>>(z >> 63);
    });
  };
  op.reference = nullptr;
  op.vjp = nullptr;
  op.no_gradient = "random values do not depend on the elements of the shape input";
  op.samples = {{.label = "many", .inputs = {{.shape = {40}}}, .attrs = {}}};
  return op;
}

}  // namespace

TEST_CASE("check_op: catches a random operation that ignores the step or the seed") {
  CHECK(complaint(noise_op<by_seed_and_step>()) == "");
  require_caught(noise_op<by_seed>(), {"\"noise\"", "draws the same values at every step"});
  require_caught(noise_op<by_step>(), {"draws the same values from every seed"});
}

namespace {

std::uint64_t mixed(const RandomState& r, Index element) {
  std::uint64_t z = (by_seed_and_step(r) + static_cast<std::uint64_t>(element) + 1) * 0x9e3779b97f4a7c15ULL;
  return (z ^ (z >> 31)) * 0x94d049bb133111ebULL;
}

template <class T>
void draw_block(const Attrs&, const RandomState& random, Index first, Index n, void* out) {
  for (Index i = 0; i < n; ++i) static_cast<T*>(out)[i] = static_cast<T>(mixed(random, first + i) >> 63);
}

template <bool begins_at_first>
OpDef block_noise_op() {
  OpDef op = noise_op<by_seed_and_step>();
  op.kernel = [](const KernelCall& call) {
    each(call, [&](const auto* x, Index i) {
      return static_cast<std::remove_cvref_t<decltype(x[i])>>(
          mixed(call.random, i + (begins_at_first ? call.first : 0)) >> 63);
    });
  };
  op.random_block = {draw_block<float>, draw_block<double>, nullptr, nullptr};
  return op;
}

}  // namespace

TEST_CASE("check_op: catches a random kernel that ignores KernelCall::first") {
  CHECK(complaint(block_noise_op<true>()) == "");
  require_caught(block_noise_op<false>(), {"\"noise\"", "with KernelCall::first = 5"});
}

TEST_CASE("check_op: bad samples must throw their message") {
  OpDef op = cube();
  op.bad_samples[0].message = "must be a complex number";
  require_caught(op, {"sample \"integers\"", "the message lacks \"must be a complex number\": cube: input 0 must be"});
  op = cube();
  op.infer = same_type;
  op.kernel = [](const KernelCall& call) {
    if (is_floating(call.output.type.dtype)) cube_kernel(call);
  };
  require_caught(op, {"sample \"integers\"", "a bad sample does not throw"});
  op = cube();
  op.bad_samples[0].message = "";
  require_caught(op, {"the expected message of a bad sample must not be empty"});
}

TEST_CASE("check_op: an incomplete definition throws") {
  OpDef op = cube();
  op.doc.clear();
  require_caught(op, {"\"cube\"", "doc is empty"});
  op = cube();
  op.samples.clear();
  require_caught(op, {"samples is empty"});
  op = cube();
  op.samples[1].label = "vector";
  require_caught(op, {"two samples have the label \"vector\""});
  op = cube();
  op.vjp = nullptr;
  require_caught(op, {"neither a vjp nor a reason"});
  op = cube();
  op.samples[0].inputs.push_back({.shape = {7}});
  require_caught(op, {"it has 2 inputs"});
  op = cube();
  for (Sample& sample : op.samples) sample.inputs[0].shape = {0};
  require_caught(op, {"no sample compares a derivative"});
}

TEST_CASE("check_function: checks functions composed of operations") {
  const std::vector<Sample> samples{{.label = "pair", .inputs = {{.shape = {4}}, {.shape = {}}}, .attrs = {}}};
  CHECK_NOTHROW(check_function(
      "scaled", [](std::span<const Value> in, const Attrs&) { return tanh(in[0]) * in[1]; }, samples));
  CHECK_THROWS_WITH_AS(
      check_function(
          "stopped", [](std::span<const Value> in, const Attrs&) { return stop_gradient(tanh(in[0])) * in[1]; },
          samples),
      doctest::Contains("\"stopped\", sample \"pair\""), GradientError);
}

// ---- graphs

TEST_CASE("check_gradients: checks an f32 graph with parameters and random operations") {
  Graph g({.training = true, .seed = 5});
  const Value x = g.input("x", {6, 4});
  const Value labels = g.input("labels", {6}, i64);
  const Value w = g.parameter(Parameter("w", Tensor::from<float>({4, 2}, {.1F, -.2F, .3F, .4F, -.5F, .6F, .7F, -.8F})));
  const Value b = g.parameter(Parameter("b", Tensor::zeros({2})));
  const Value hidden = tanh(matmul(x, w) + b);
  const Value y = mean(square(hidden * bernoulli_like(hidden, 0.7))) + sum(gather(x, labels)) * 0.01;
  const NodeId size = g.size();
  const Feeds feeds{{labels, Tensor::from<std::int64_t>({6}, {0, 1, 2, 3, 4, 5})}};
  CHECK_NOTHROW(check_gradients(y, {x, w, b}, feeds));
  CHECK(g.size() == size);
  const CheckReport report = compare_gradients(y, {x, w, b}, feeds);
  CHECK(report.comparisons == 2 * (24 + 8 + 2));
  CHECK(report.str().find("passed 68 comparisons (68 right, 0 wrong, 0 not judged)\n  closest to failing: order ") !=
        std::string::npos);
  CHECK_THROWS_WITH_AS(check_gradients(y, x), doctest::Contains("input \"labels\" i64[6] must be fed"), FeedError);
}

TEST_CASE("check_gradients: checks large inputs at some elements and along random directions") {
  Graph g;
  const Value x = g.input("x", {40, 50});
  const CheckReport report = compare_gradients(mean(exp(x)), {x}, {}, {.order = 1, .directions = 3});
  CHECK(report.passed);
  CHECK(report.comparisons == 64 + 3);

  // The directions detect one wrong element among two thousand.
  static const OpDef op = cube_with([](const Vjp& r) -> Cotangents {
    Tensor factors = Tensor::full(r.input(0).shape(), 1, r.input(0).dtype());
    if (factors.dtype() == f64) factors.mutable_values<double>()[1234] = 1.5;
    return r.cotangent() * 3 * square(r.input(0)) * r.input(0).graph().constant(factors);
  });
  const CheckReport faulty = compare_gradients(sum(g.apply(op, {x})), {x}, {}, {.order = 1});
  CHECK_FALSE(faulty.passed);
  REQUIRE_FALSE(faulty.failures.empty());
  CHECK(faulty.failures.back().element == -1);
  CHECK(faulty.str().find("along a random direction: analytic ") != std::string::npos);
}

TEST_CASE("check_gradients: the report names value, input, element and both derivatives") {
  static const OpDef op = cube_with([](const Vjp& r) -> Cotangents { return r.cotangent() * 4 * square(r.input(0)); });
  Graph g;
  const Value x = g.input("x", {2, 1});
  const Value y = sum(g.apply(op, {x}));
  const Feeds feeds{{x, Tensor::from<float>({2, 1}, {0, 2})}};
  try {
    check_gradients(y, x, feeds);
    FAIL("the faulty rule passed");
  } catch (const GradientError& error) {
    const std::string what = error.message();
    CAPTURE(what);
    CHECK(what.find("check_gradients: y = " + y.describe() +
                    ": analytic and numeric derivatives differ: 1 of 2 comparisons (1 right, 1 wrong, 0 not "
                    "judged)\n"
                    "  order 1, wrt %0 input \"x\" f32[2, 1] at [1, 0] (element 1): analytic 16, numeric 12") == 0);
    CHECK(what.find(", difference 4, accepted 1.6e-05") != std::string::npos);
  }
}

TEST_CASE("check_gradients: a kink nearby passes, a kink at the point is reported") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = sum(relu(x) * x * 2 + abs(x));
  CHECK_NOTHROW(check_gradients(y, x, {{x, Tensor::from<float>({3}, {1e-4F, -3e-4F, 0.5F})}}));
  CHECK_NOTHROW(check_gradients(sum(sqrt(abs(x))), x, {{x, Tensor::from<float>({3}, {1e-4F, 1, 2})}}, {.order = 1}));
  const Feeds there{{x, Tensor::from<float>({3}, {0, 1, 2})}};
  const CheckReport report = compare_gradients(sum(relu(x)), {x}, there);
  CHECK_FALSE(report.passed);
  CHECK(report.str().find("(a kink: 0 from the left, 1 from the right)") != std::string::npos);
  const CheckReport jump = compare_gradients(sum(where(x > 0, x + 1, x)), {x}, there);
  CHECK_FALSE(jump.passed);
  CHECK(jump.str().find("(the function jumps here)") != std::string::npos);
  const Value wild = sum(sin(1 / (abs(x) + 1e-9)) * 1e-3 + stop_gradient(x));
  const CheckReport rough = compare_gradients(wild, {x}, {{x, Tensor::from<float>({3}, {1e-3F, 1, 2})}});
  CHECK_FALSE(rough.passed);
  CHECK(rough.str().find("not smooth here?") != std::string::npos);
}

TEST_CASE("check_gradients: non-finite values fail") {
  Graph g;
  const Value x = g.input("x", {2});
  const CheckReport report = compare_gradients(sum(log(x)), {x}, {{x, Tensor::from<float>({2}, {1, -1})}});
  CHECK_FALSE(report.passed);
  CHECK(report.why.find("the function is not finite: nan") == 0);
}

TEST_CASE("check_gradients: a zero derivative fails unless allow_zero is set") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value t = g.input("t", {3});
  const Value y = sum(square(x));
  const Value flat = sum(x - x);
  CHECK_THROWS_WITH_AS(check_gradients(flat, x), doctest::Contains("which allow_zero would accept"), GradientError);
  CHECK_NOTHROW(check_gradients(flat, x, {}, {.allow_zero = true}));
  CHECK_THROWS_WITH_AS(check_gradients(y, t), doctest::Contains("does not depend on %1 input \"t\""), GradientError);
  CHECK_NOTHROW(check_gradients(sum(x * 3), x));
  CHECK_THROWS_AS(check_gradients(sum(x * 3), x, {}, {.allow_zero_second = false}), GradientError);
}

TEST_CASE("check_gradients: invalid arguments throw") {
  Graph g;
  Graph other;
  const Value x = g.input("x", {3});
  const Value i = g.input("i", {3}, i64);
  const Value h = square(x);
  const Value y = sum(h);
  CHECK_THROWS_WITH_AS(check_gradients(y, h), doctest::Contains("wrt must be inputs or parameters"), GraphError);
  CHECK_THROWS_WITH_AS(check_gradients(y, i), doctest::Contains("must be f32 or f64"), GradientError);
  CHECK_THROWS_WITH_AS(check_gradients(i, x), doctest::Contains("y must be f32 or f64"), GradientError);
  CHECK_THROWS_AS(check_gradients(y, {x, x}), GraphError);
  CHECK_THROWS_AS(check_gradients(y, std::vector<Value>{}), GraphError);
  CHECK_THROWS_AS(check_gradients(y, other.input("x", {3})), GraphError);
  CHECK_THROWS_AS(check_gradients(Value(), x), GraphError);
  CHECK_THROWS_WITH_AS(check_gradients(y, x, {{x, Tensor::zeros({4})}}), doctest::Contains("feed \"x\": expected"),
                       FeedError);
  CHECK_THROWS_WITH_AS(check_gradients(y, x, {{x, Tensor::zeros({3})}, {x, Tensor::zeros({3})}}),
                       doctest::Contains("twice"), FeedError);
}

TEST_CASE("rebuild_in_f64: computes the same with every f32 widened") {
  Graph g({.seed = 9});
  const Value x = g.input("w", {2, 3});  // the name of the parameter below
  const Value labels = g.input("labels", {2}, i64);
  const Value w = g.parameter(Parameter("w", Tensor::from<float>({3}, {1, 2, 3})));
  const Value y = sum(x * w + one_hot(labels, 3, f32) * 0.1 + random_normal(g, {2, 3}, f32));
  const Value unused = g.input("unused", {1});
  Graph target({.dtype = f64, .seed = 9});
  const Rebuilt rebuilt = rebuild_in_f64(target, {y}, {w, unused, x});
  for (NodeId id = 0; id < target.size(); ++id) CHECK(target.node(id).type.dtype != f32);
  CHECK(rebuilt.wanted[0].describe().find("input \"w_1\" f64[3]") != std::string::npos);
  CHECK_FALSE(rebuilt.wanted[1].valid());
  CHECK(rebuilt.wanted[2] == target.find_input("w"));
  const Tensor numbers = Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor ids = Tensor::from<std::int64_t>({2}, {0, 2});
  Feeds feeds = rebuilt.parameters;
  feeds.push_back({rebuilt.wanted[2], numbers});
  feeds.push_back({target.find_input("labels"), ids});
  const double narrow = evaluate(y, {{x, numbers}, {labels, ids}}).item();
  CHECK(evaluate(rebuilt.outputs[0], feeds).item() == doctest::Approx(narrow).epsilon(1e-5));
  CHECK_THROWS_AS(rebuild_in_f64(g, {y}, {}), GraphError);
}
