// A function, its gradient and its second derivative, checked by finite differences.
#include <iostream>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;

int main() {
  xg::Graph g({.dtype = xg::f64});
  auto x = g.input("x", {3});
  auto y = sum(sin(x) * x);
  auto dy = xg::gradients(y, x);        // appends nodes to the graph
  auto d2 = xg::gradients(sum(dy), x);  // the same for the gradient

  xt::xarray<double> at{1, 2, 3};
  std::cout << "y   = " << evaluate(y, {{x, at}}).str() << '\n';
  std::cout << "dy  = " << evaluate(dy, {{x, at}}).str() << '\n';
  std::cout << "d2y = " << evaluate(d2, {{x, at}}).str() << '\n';

  xg::check_gradients(y, x, {{x, at}});  // throws with a report if a derivative is wrong
  std::cout << "finite differences agree\n";
}
