// Uses the operation that addition.cmake adds, and runs the suites on it.
#include <cmath>
#include <cstdio>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/autodiff/check/suites.hpp>
#include <xgrad/engine.hpp>
#include <xgrad/ops/define/registry.hpp>

using namespace xgrad;

int main() {
  check_op(builtin_op("squareplus"));
  check_op(builtin_op("floor"));  // the other operations of the family still work
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = squareplus(x);
  const int line = __LINE__ - 1;
  const bool named = g.location_of(y.id()) == "program.cpp:" + std::to_string(line);
  const Tensor t = evaluate(y + 1, {{x, Tensor::from<float>({3}, {-1, 0, 1})}});
  const bool right = std::abs(t.at(0) - 1.618034) < 1e-6 && t.at(1) == 2 && std::abs(t.at(2) - 2.618034) < 1e-6;
  if (!named || !right) std::printf("squareplus: %s, made at %s\n", t.str().c_str(), g.location_of(y.id()).c_str());
  return named && right ? 0 : 1;
}
