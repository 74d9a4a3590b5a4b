// An operation of your own, forward and backward, proven like the built-in ones, and used as an activation.
#include <cmath>
#include <exception>
#include <iostream>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

struct Softsign {
  template <class T>
  T operator()(T x) const {
    return x / (1 + std::abs(x));
  }
};

const xg::OpDef softsign_op = xg::elementwise_op<Softsign, 1>({
    .name = "softsign",
    .doc = "x / (1 + |x|): like tanh, with longer tails.",
    .vjp = [](const xg::Vjp& r) -> xg::Cotangents { return r.cotangent() / square(1 + abs(r.input(0))); },
    .samples = {{"row", {{{9}, xg::domain::away_from({0})}}}, {"matrix", {{{3, 5}, xg::domain::away_from({0})}}}},
});

xg::Value softsign(xg::Value x) { return x.graph().apply(softsign_op, {x}); }

int main() try {
  xg::check_op(softsign_op);
  std::cout << "softsign: kernel, shapes, first and second derivative are proven\n";

  xg::Graph g;
  auto x = g.input("x", {4});
  auto y = softsign(x);
  auto dy = xg::gradients(sum(y), x);
  xt::xarray<float> at{-3, -0.5F, 0.5F, 3};
  std::cout << "y  = " << evaluate(y, {{x, at}}).str() << '\n';
  std::cout << "dy = " << evaluate(dy, {{x, at}}).str() << '\n';

  const nn::Dense layer(2, softsign);  // any function of one value is an activation
  std::cout << "a layer with it: " << layer(g.input("rows", {5, 3})).shape().str() << '\n';
} catch (const std::exception& error) {
  std::cerr << "custom_op: " << error.what() << '\n';
  return 1;
}
