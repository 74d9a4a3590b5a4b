// A custom operation with its derivative, checked like the built-in ones and used as an activation.
#include <cmath>
#include <exception>
#include <iostream>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

struct Squareplus {
  template <class T>
  T operator()(T x) const {
    return (x + std::sqrt(x * x + 4)) / 2;
  }
};

const xg::OpDef squareplus_op = xg::elementwise_op<Squareplus, 1>({
    .name = "squareplus",
    .doc =
        "y = (x + sqrt(x^2 + 4)) / 2: like relu, but smooth. Since x = y - 1 / y, the derivative is y^2 / (1 + y^2).",
    .vjp = [](const xg::Vjp& r) -> xg::Cotangents {
      return r.cotangent() * square(r.output()) / (1 + square(r.output()));
    },
    .samples = {{"row", {{{9}}}}, {"matrix", {{{3, 5}}}}},
});

xg::Value squareplus(xg::Operand x) { return x.graph().apply(squareplus_op, {x}); }

int main() try {
  xg::check_op(squareplus_op);
  std::cout << "squareplus: checks of kernel, shapes, first and second derivative passed\n";

  xg::Graph g;
  auto x = g.input("x", {4});
  auto y = squareplus(x);
  auto dy = xg::gradients(sum(y), x);
  xt::xarray<float> at{-3, -0.5F, 0.5F, 3};
  std::cout << "y  = " << evaluate(y, {{x, at}}).str() << '\n';
  std::cout << "dy = " << evaluate(dy, {{x, at}}).str() << '\n';

  const nn::Dense layer(2, squareplus);  // any function of one value is an activation
  std::cout << "output shape of a layer with squareplus: " << layer(g.input("rows", {5, 3})).shape().str() << '\n';
} catch (const std::exception& error) {
  std::cerr << "custom_op: " << error.what() << '\n';
  return 1;
}
