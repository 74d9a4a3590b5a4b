// Values printed as formulas.
#include <string>

#include <doctest/doctest.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/pictures/formulas.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/ops/ops.hpp>

using namespace xgrad;

TEST_CASE("formulas: symbols, calls, attributes and numbers") {
  Graph g;
  const Value x = g.input("x", {2, 3});
  const Parameter w("dense/w", Tensor({2, 3}));
  const Value p = g.parameter(w);
  CHECK(to_formulas({{"y", tanh(x * 2 + p)}}) == "y = tanh(x * 2 + dense/w)\n");
  CHECK(to_formulas({{"y", sum(x, {1})}}) == "y = sum(x, axes=[1], keepdims=false)\n");
  CHECK(to_formulas({{"y", x * -3}}) == "y = x * -3\n");
  CHECK(to_formulas({{"y", maximum(x, -3) + maximum(p, -3)}}) == "y = maximum(x, -3) + maximum(dense/w, -3)\n");
  CHECK(to_formulas({{"y", x * (1e-8 * 1e-8)}}) == "y = x * 1e-16\n");
  CHECK(to_formulas({{"y", x}}) == "y = x\n");
  CHECK(to_formulas({}) == "");
  CHECK(to_formulas({{"y", exp(x) + exp(p)}}, {{"a", exp(x)}, {"b", p}}) == "y = a + exp(b)\n");
}

TEST_CASE("formulas: parentheses appear only where they change the order of evaluation") {
  Graph g;
  const Value a = g.input("a", {});
  const Value b = g.input("b", {});
  const Value c = g.input("c", {});
  const auto text = [](Value v) {
    const std::string line = to_formulas({{"y", v}});
    return line.substr(4, line.size() - 5);
  };
  CHECK(text(a + b + c) == "a + b + c");
  CHECK(text(a + (b + c)) == "a + (b + c)");
  CHECK(text(a - (b - c)) == "a - (b - c)");
  CHECK(text((a + b) * c) == "(a + b) * c");
  CHECK(text(a + b * c) == "a + b * c");
  CHECK(text(a / (b * c)) == "a / (b * c)");
  CHECK(text(a / b * c) == "a / b * c");
  CHECK(text(-(a * b)) == "-(a * b)");
  CHECK(text(-a * b) == "-a * b");
  CHECK(text(-(-a)) == "-(-a)");
  CHECK(text(a - -b) == "a - -b");
  CHECK(text(where(a + b < c, a, b)) == "where(a + b < c, a, b)");
  CHECK(text(logical_and(a < b, logical_not(b < c))) == "a < b && !(b < c)");
  CHECK(text(cast(equal(a < b, b < c), f32)) == "cast((a < b) == (b < c), dtype=f32)");
}

TEST_CASE("formulas: a shared subexpression gets its own line, and results refer to each other by name") {
  Graph g;
  const Value a = g.input("a", {});
  const Value b = g.input("b", {});
  const Value y = a / b;
  const auto d = gradients(y, {a, b}, {.cotangent = g.input("dy", {})});
  CHECK(to_formulas({{"da", d[0]}, {"db", d[1]}}, {{"y", y}}) == "da = dy / b\ndb = -(da * y)\n");
  const Value shared = tanh(a * b + 1);
  CHECK(to_formulas({{"y", shared * shared}}) == "t1 = tanh(a * b + 1)\ny = t1 * t1\n");
  CHECK(to_formulas({{"y", exp(a) * exp(a)}}) == "y = exp(a) * exp(a)\n");  // too short for a line of its own
}

TEST_CASE("formulas: long chains are split into lines") {
  Graph g;
  Value y = g.input("x", {});
  for (int i = 0; i < 20000; ++i) y = sin(y);
  const std::string text = to_formulas({{"y", y}});
  std::size_t longest = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    longest = std::max(longest, end - at);
    at = end + 1;
  }
  CHECK(longest < 120);
  CHECK(text.size() < 200'000);
}

TEST_CASE("formulas: unusual names are quoted, and dead values throw") {
  Graph g;
  const Value x = g.input("a b\n", {});
  CHECK(to_formulas({{"y", x + 1}}) == "y = \"a b\\n\" + 1\n");
  const Value y = exp(x);
  g.rewind(y.id());
  CHECK_THROWS_AS(to_formulas({{"y", y}}), GraphError);
  CHECK_THROWS_AS(to_formulas({{"y", Value{}}}), GraphError);
}
