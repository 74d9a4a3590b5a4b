#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/print.hpp>

#include "support/tiny_ops.hpp"

using namespace xgrad;

TEST_CASE("print: a small graph is listed with one node per line") {
  Graph g;
  const Value x = g.input("x", {2, 3});
  const Parameter w("dense/kernel", Tensor({4, 3}));
  Value y;
  {
    const auto scope = g.scope("dense");
    const Value k = g.parameter(w);
    y = g.apply(tiny::matmul, {x, k}, {{"transpose_b", true}}).named("y");
  }
  const Value c = g.constant(Tensor::from<float>({8}, {1, 2.5, 3, 4, 5, 6, 7, 8}));
  const Value two = g.constant(2);
  Value back;
  {
    const auto role = g.role(Role::backward, y);
    back = g.apply(tiny::mul, {y, two});
  }
  Value next;
  {
    const auto role = g.role(Role::update);
    next = g.apply(tiny::sub, {g.parameter(w), two});
  }
  g.add_update(w, next);
  CHECK(to_text(g) ==
        "%0 = input \"x\" : f32[2, 3]\n"
        "# dense\n"
        "%1 = parameter \"dense/kernel\" : f32[4, 3]\n"
        "%2 = matmul(%0, %1) transpose_b=true \"y\" : f32[2, 4]\n"
        "# (no scope)\n"
        "%3 = constant {1, 2.5, 3, 4, 5, 6, ...} : f32[8]\n"
        "%4 = constant 2 : f32[]\n"
        "# dense\n"
        "%5 = mul(%2, %4) : f32[2, 4]  # backward of %2\n"
        "# (no scope)\n"
        "%6 = sub(%1, %4) : f32[4, 3]  # update\n"
        "update \"dense/kernel\" <- %6\n");
  CHECK(to_text(g, {.outputs = {back}, .scopes = false}) ==
        "%0 = input \"x\" : f32[2, 3]\n"
        "%1 = parameter \"dense/kernel\" : f32[4, 3]\n"
        "%2 = matmul(%0, %1) transpose_b=true \"y\" : f32[2, 4]\n"
        "%4 = constant 2 : f32[]\n"
        "%5 = mul(%2, %4) : f32[2, 4]  # backward of %2\n");
  CHECK(constant_text(g, c.id()) == "{1, 2.5, 3, 4, 5, 6, ...}");
}

TEST_CASE("print: names and attributes cannot break lines") {
  Graph g;
  const auto scope = g.scope("sc\nope");
  const Value x = g.input("a\"b\\\n\t\x01\xff\xc3\xa9", {2});
  g.apply(tiny::tanh, {x}, {{"note", std::string("one\ntwo\r\x1b[31m")}});
  const std::string text = to_text(g);
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK(
      std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; }));
  CHECK(text.find("a\\\"b\\\\\\n\\t") != std::string::npos);
}

TEST_CASE("print: outputs must be live values of the graph") {
  Graph g;
  Graph other;
  const Value x = g.input("x", {2});
  const Value y = g.apply(tiny::tanh, {x});
  g.rewind(1);
  CHECK_THROWS_AS(to_text(g, {.outputs = {y}}), GraphError);
  CHECK_THROWS_AS(to_text(g, {.outputs = {Value()}}), GraphError);
  CHECK_THROWS_AS(to_text(g, {.outputs = {other.input("x", {2})}}), GraphError);
  CHECK(to_text(other).size() > 0);
  CHECK(to_text(Graph{}).empty());
}

TEST_CASE("print: constants show all digits of integers, and NaN without a sign") {
  Graph g;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(
      node_text(g, g.constant(Tensor::from<std::int64_t>({2}, {INT64_MAX, 7})).id()).find("{9223372036854775807, 7}") !=
      std::string::npos);
  CHECK(node_text(g, g.constant(3000000000.0, i64).id()).find("constant 3000000000 ") != std::string::npos);
  CHECK(node_text(g, g.constant(std::copysign(nan, -1), f32).id()).find("constant nan ") != std::string::npos);
  CHECK(node_text(g, g.constant(Tensor::from<double>({1}, {std::copysign(nan, -1)})).id()).find("{nan}") !=
        std::string::npos);
}
