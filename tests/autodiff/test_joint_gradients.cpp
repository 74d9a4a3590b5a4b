// Gradients of tensors that many slices or gathers read: one node for all of them, equal to the sum of one for each.
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/dice.hpp"
#include "support/random_graph.hpp"

using namespace xgrad;
using testing::Dice;

namespace {

using Parts = std::function<std::vector<Value>(Value)>;

// A function of all parts of x that is not linear in any of them.
Value loss_of(Value x, const Parts& parts) {
  Value out = x.graph().constant(0, x.dtype());
  double factor = 1;
  for (const Value part : parts(x)) out = out + sum(exp(part * (factor = -0.7 * factor)));
  return out;
}

// Nodes of an operation in the graph.
int count_of(const Graph& graph, const std::string& op) {
  int out = 0;
  for (NodeId id = 0; id < graph.size(); ++id) out += graph.node(id).op->name == op ? 1 : 0;
  return out;
}

// Compares first derivatives with the sum of those by each part, second ones with differences, and interpreter and
// plan.
void check_parts(const Shape& shape, const Parts& parts) {
  Dice dice(7);
  const Tensor at = testing::random_tensor(dice, shape, f64);
  std::vector<double> expected(static_cast<std::size_t>(at.elements()), 0);
  double factor = 1;
  for (std::size_t i = 0, count = 1; i < count; ++i) {
    Graph alone({.dtype = f64});
    const Value x = alone.input("x", shape);
    const std::vector<Value> all = parts(x);
    count = all.size();
    const Tensor dx = evaluate(gradients(sum(exp(all[i] * (factor = -0.7 * factor))), x), {{x, at}});
    for (Index e = 0; e < at.elements(); ++e) expected[static_cast<std::size_t>(e)] += dx.at(e);
  }
  Graph g({.dtype = f64});
  const Value x = g.input("x", shape);
  const Value dx = gradients(loss_of(x, parts), x);
  const Value dxx = gradients(sum(dx * x), x);
  const std::vector<Tensor> run = evaluate({dx, dxx}, {{x, at}});
  const std::vector<Tensor> planned = Plan({dx, dxx}).run({{x, at}});
  for (std::size_t k = 0; k < 2; ++k) CHECK(bitwise_equal(run[k], planned[k]));
  for (Index e = 0; e < at.elements(); ++e)
    CHECK(run[0].at(e) == doctest::Approx(expected[static_cast<std::size_t>(e)]).epsilon(1e-12));
  // Numeric derivative of sum(dx * x).
  const Value total = sum(dx * x);
  for (Index e = 0; e < at.elements(); ++e) {
    constexpr double h = 1e-5;
    const auto moved = [&](double by) {
      Tensor there = at.clone();
      there.mutable_values<double>()[static_cast<std::size_t>(e)] += by;
      return evaluate(total, {{x, there}}).item();
    };
    CHECK(run[1].at(e) == doctest::Approx((moved(h) - moved(-h)) / (2 * h)).epsilon(1e-6));
  }
}

}  // namespace

TEST_CASE("joint gradients: slices along any axis, with steps, gaps, overlaps and other uses") {
  SUBCASE("tiles") {
    check_parts({6, 4}, [](Value x) { return split(x, 2); });
  }
  SUBCASE("columns in another order") {
    check_parts({3, 7}, [](Value x) { return std::vector<Value>{slice(x, 1, 4), slice(x, 1, 0, 4)}; });
  }
  SUBCASE("gaps") {
    check_parts({3, 9}, [](Value x) { return std::vector<Value>{slice(x, 1, 5, 7), slice(x, 1, 1, 3)}; });
  }
  SUBCASE("steps") {
    check_parts({8, 3}, [](Value x) { return std::vector<Value>{slice(x, 0, 0, {}, 2), slice(x, 0, -1, {}, -2)}; });
  }
  SUBCASE("overlaps") {
    check_parts({2, 6, 3}, [](Value x) {
      return std::vector<Value>{slice(x, 1, 0, 4), slice(x, 1, 2, 6), slice(x, 1, 1, 5, 3), slice(x, 1, 0, 4)};
    });
  }
  SUBCASE("two axes and the whole tensor") {
    check_parts({4, 5}, [](Value x) {
      return std::vector<Value>{slice(x, 0, 1, 3), x, slice(x, 1, 0, 2), slice(x, 0, 0, 2), slice(x, 1, 3), x[2]};
    });
  }
  SUBCASE("rows of rows") {
    check_parts({3, 2, 4}, [](Value x) { return std::vector<Value>{x[0][1], x[0][0], x[2], x[2][1]}; });
  }
}

TEST_CASE("joint gradients: gathers of several shapes and axes") {
  const auto indices = [](Value x, std::vector<std::int64_t> values) {
    return x.graph().constant(Tensor::from<std::int64_t>({static_cast<Index>(values.size())}, values));
  };
  check_parts({4, 3}, [&](Value x) {
    const Value two = reshape(indices(x, {0, 3, 3, 1}), {2, 2});
    return std::vector<Value>{gather(x, indices(x, {2, 2, 0})), gather(x, two),
                              gather(x, indices(x, {1, 0}), 1), gather(x, reshape(indices(x, {3}), {})),
                              embedding(x, two, true),          slice(x, 0, 1, 3)};
  });
  check_parts({4, 3}, [&](Value x) {
    const Value some = reshape(indices(x, {2, 1, 0, 0, 1, 1, 2, 2}), {4, 2});
    return std::vector<Value>{take_along_axis(x, some, 1), take_along_axis(x, argsort(x), 1)};
  });
}

TEST_CASE("joint gradients: graph and plan grow linearly with the number of parts") {
  struct Cost {
    NodeId nodes = 0;
    std::size_t inputs = 0, bytes = 0;
  };
  const auto cost = [](Index parts, bool twice) {
    Graph g;
    const Value x = g.input("x", {parts, 16});
    Value y = g.constant(0.0);
    for (const Value row : split(x, 1)) y = y + sum(tanh(row));
    Value dx = gradients(y, x);
    CHECK(count_of(g, "unslice") == 1);
    if (twice) dx = gradients(sum(square(dx)), x);
    Cost out{g.size(), 0, Plan({dx}).total_bytes()};
    for (NodeId id = 0; id < g.size(); ++id) out.inputs += g.inputs(id).size();
    return out;
  };
  for (const bool twice : {false, true}) {
    const Cost few = cost(250, twice), many = cost(1000, twice);
    CHECK(many.nodes < 4.1 * few.nodes);
    CHECK(many.inputs < 4.1 * static_cast<double>(few.inputs));
    CHECK(many.bytes < 4.1 * static_cast<double>(few.bytes));
  }
}

TEST_CASE("joint gradients: the parts of a stack are joined once in the second derivative") {
  Graph g;
  std::vector<Value> parts;
  for (int i = 0; i < 40; ++i) parts.push_back(g.input("x" + std::to_string(i), {8}));
  const std::vector<Value> first = gradients(sum(tanh(stack(parts))), parts);
  Value y = g.constant(0.0);
  for (const Value c : first) y = y + sum(square(c));
  const int before = count_of(g, "concat");
  gradients(y, parts);
  CHECK(count_of(g, "concat") == before + 1);
}

TEST_CASE("joint gradients: a repeated call returns the same nodes") {
  Graph g;
  const Value x = g.input("x", {6, 2});
  const Value y = sum(slice(x, 0, 0, 4) * slice(x, 0, 2));
  const Value dx = gradients(y, x);
  const NodeId size = g.size();
  CHECK(gradients(y, x) == dx);
  CHECK(g.size() == size);
}
