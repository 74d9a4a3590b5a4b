// Plans an expression to which the rule that addition.cmake adds applies, and one to which it does not.
#include <cmath>
#include <cstdio>

#include <xgrad/engine.hpp>

using namespace xgrad;

namespace {

Tensor numbers(const Shape& shape) {
  Tensor out = Tensor::zeros(shape);
  int i = 0;
  for (float& number : out.mutable_values<float>()) number = std::sin(static_cast<float>(++i) * 1.7F);
  return out;
}

// Whether the plan has this number of steps, and results equal to the interpreter's.
bool has_steps(Value y, int expected) {
  const Plan plan({y}, {}, {.fuse = false});
  const Tensor planned = plan.run({{"a", numbers({3, 5})}, {"b", numbers({5, 4})}})[0];
  const bool right =
      plan.steps() == expected && bitwise_equal(planned, evaluate(y, {{"a", numbers({3, 5})}, {"b", numbers({5, 4})}}));
  if (!right) std::printf("expected %d steps:\n%s\n", expected, plan.str().c_str());
  return right;
}

}  // namespace

int main() {
  Graph g;
  const Value a = g.input("a", {3, 5}), b = g.input("b", {5, 4});
  return has_steps(matmul(-a, -b), 1) && has_steps(matmul(-a, b), 2) ? 0 : 1;
}
