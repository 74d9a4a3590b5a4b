// Plans an operation of the kind of fusion that addition.cmake adds. Checks that it runs in one step with the
// elementwise operations around it, and that its results equal the interpreter's.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include <xgrad/engine.hpp>
#include <xgrad/graph/plan/internal/program.hpp>

using namespace xgrad;

namespace {

const OpDef running_max{.name = "running_max",
                        .doc = "The largest element so far, along the last axis.",
                        .infer =
                            [](const Infer& in) {
                              in.require_dtype(0, {f32});
                              if (in.shape(0).rank() == 0) in.fail_shape("the input must have at least 1 axis");
                              return in.type(0);
                            },
                        .kernel =
                            [](const KernelCall& call) {
                              const Index row = call.output.type.shape.back();
                              const float* in = call.inputs[0].as<float>();
                              for (Index i = 0; i < call.output.type.shape.elements(); ++i) {
                                float* out = call.output.as<float>() + i;
                                *out = i % row == 0 ? in[i] : std::max(out[-1], in[i]);
                              }
                            },
                        .no_gradient = "it is a test of fusion"};

}  // namespace

int main() {
  verify_stages = true;
  Graph g;
  const Value x = g.input("x", {37, 41});
  const Value y = tanh(g.apply(running_max, {exp(x) - 1}) * 2) + x;
  Tensor fed = Tensor::zeros(x.shape());
  int i = 0;
  for (float& number : fed.mutable_values<float>()) number = std::sin(static_cast<float>(++i) * 1.7F);

  const Plan plan({y});
  bool right = plan.steps() == 1;
  for (const int threads : {1, 2, 3})
    right = right && bitwise_equal(plan.run({{x, fed}}, {.threads = threads})[0], evaluate(y, {{x, fed}}));
  if (!right) std::printf("%s\n", plan.str().c_str());
  return right ? 0 : 1;
}
