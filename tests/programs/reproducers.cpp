// Prints reproducers of correct nodes as a Markdown document: the programs must compile and print that they passed.
#include <cstdio>
#include <string>

#include <xgrad/autodiff/check/internal/reproducer.hpp>
#include <xgrad/ops/define/registry.hpp>

using namespace xgrad;

namespace {

constexpr const char* passes = "check_gradients: y = ...: passed ...\n  closest to failing: ...";

void show(const char* op, const Attrs& attrs, const std::vector<Tensor>& inputs, const char* printed = passes) {
  CheckFinding failure;
  failure.input = "input 0";
  failure.element = 0;
  const std::string program = reproducer({&builtin_op(op), attrs, inputs}, failure, {});
  std::printf("```cpp\n%s```\n\n```text\n%s\n```\n\n", program.c_str(), printed);
}

}  // namespace

int main() {
  const Tensor x = Tensor::from<double>({2, 3}, {0.1, -1e-7, 3, 1e10, 0.25, -2});
  show("sum", {{"axes", Axes{1}}, {"keepdims", true}}, {x});
  show("sum", {{"axes", Axes{0, 1}}, {"keepdims", false}}, {x});
  show("where", {}, {Tensor::from<bool>({3}, {true, false, true}), x, Tensor(2.0)},
       // The derivative of one side is zero for the single remaining element.
       "check_gradients: y = ...: the first derivative with respect to ... is zero everywhere, ...");
  show("gather", {{"axis", Index{1}}}, {x, Tensor::from<std::int64_t>({2}, {2, 0})});
  show("pad", {{"before", Axes{1, 0}}, {"after", Axes{0, 0}}, {"mode", std::string("constant")}, {"value", 0.5}}, {x});
  show("cast", {{"dtype", f64}}, {x});
  show("matmul", {{"transpose_a", false}, {"transpose_b", false}}, {Tensor({9, 10}, f64), Tensor({10, 2}, f64)});
}
