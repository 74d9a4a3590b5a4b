// Uses the engine through its one header: builds a graph, its gradient and the gradient of that, and checks numbers.

#include <cmath>
#include <cstdio>

#include <xgrad/engine.hpp>

#if defined(FMT_VERSION) || defined(XSIMD_VERSION_MAJOR) || defined(XTENSOR_VERSION_MAJOR)
#error "the engine's headers must not bring other libraries along"
#endif

int main() {
  using namespace xgrad;
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value y = sum(x * x * x);
  const Value first = gradients(y, x);
  const Value second = gradients(sum(first), x);

  const Feeds feeds = {{x, Tensor::from<double>({3}, {1, 2, -3})}};
  const auto results = evaluate({y, first, second}, feeds);
  for (const Tensor& t : results) std::printf("%s\n", t.str().c_str());

  const double expected[3] = {6, 12, -18};
  for (Index i = 0; i < 3; ++i) {
    if (std::abs(results[2].at(i) - expected[i]) > 1e-12) return 1;
  }
  try {
    (void)(x + g.input("z", {4}));
  } catch (const ShapeError& error) {  // exceptions cross from the library to the program
    std::printf("%s\n", error.what());
    return std::abs(results[0].item() + 18) < 1e-12 ? 0 : 1;
  }
  return 1;
}
