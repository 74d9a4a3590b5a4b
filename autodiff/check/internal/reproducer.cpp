#include <xgrad/autodiff/check/internal/reproducer.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/autodiff/check/internal/compare.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/registry.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index most_numbers = 32;  // maximum number of literals in a program

bool moves(const OpDef& op, std::size_t input, const Tensor& numbers) {
  return is_floating(numbers.dtype()) && !op.shape_only(static_cast<int>(input));
}

// For an elementwise operation: the element of each input that the failed element depends on; empty otherwise.
std::vector<Tensor> one_element(const NodeCase& node, const CheckFinding& failure, std::size_t failed_input) {
  if (!node.op->traits.elementwise || failure.element < 0) return {};
  std::vector<TensorType> types;
  for (const Tensor& t : node.inputs) types.push_back(t.type());
  const Shape shape = node.op->infer(Infer(*node.op, types, node.attrs)).shape;
  const auto at = [&](std::size_t input, Index element) {
    const auto strides = shape.strides();
    const auto own = broadcast_strides(node.inputs[input].shape(), shape);
    Index flat = 0;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const auto a = static_cast<std::size_t>(axis);
      flat += element / strides[a] % shape[axis] * own[a];
    }
    return flat;
  };
  Index element = 0;
  while (element < shape.elements() && at(failed_input, element) != failure.element) ++element;
  if (element == shape.elements()) return {};
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Tensor& t = node.inputs[i];
    out.push_back(t.reshaped({t.shape().elements()}).rows(at(i, element), 1).clone());
  }
  return out;
}

// Rounds the inputs to three digits.
NodeCase rounded(const NodeCase& node) {
  NodeCase out = node;
  for (Tensor& t : out.inputs) {
    if (t.dtype() != f64) continue;
    t = t.clone();
    for (double& x : t.mutable_values<double>()) x = std::stod(fmt::format("{:.3g}", x));
  }
  return out;
}

// Whether the smaller case fails too, so that it can replace the larger one.
bool fails_too(const NodeCase& node, const CheckOptions& options) {
  try {
    return !check_node(node, options).passed;
  } catch (const Error&) {
    return false;
  }
}

std::string literal(double x) {
  if (std::isnan(x)) return "NAN";
  if (std::isinf(x)) return x > 0 ? "INFINITY" : "-INFINITY";
  std::string out = fmt::format("{}", x);
  return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
}

std::string literal(const Tensor& t) {
  std::string numbers;
  for (Index i = 0; i < t.elements(); ++i) {
    numbers += i == 0 ? "" : ", ";
    numbers += is_floating(t.dtype()) ? literal(t.at(i)) : fmt::format("{}", static_cast<Index>(t.at(i)));
  }
  const char* type = is_floating(t.dtype()) ? "double" : t.dtype() == i64 ? "std::int64_t" : "bool";
  return fmt::format("Tensor::from<{}>({{{}}}, {{{}}})", type, fmt::join(t.shape(), ", "), numbers);
}

struct AttrLiteral {
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::int64_t v) const { return fmt::format("Index{{{}}}", v); }
  std::string operator()(double v) const { return literal(v); }
  std::string operator()(DType v) const { return v == boolean ? "boolean" : name_of(v); }
  std::string operator()(const std::vector<Index>& v) const { return fmt::format("Axes{{{}}}", fmt::join(v, ", ")); }
  std::string operator()(const std::string& v) const { return fmt::format("std::string({:?})", v); }
  std::string operator()(const Opaque& v) const { return fmt::format("Opaque{{}} /* {} */", v.name); }
};

std::string literal(const Attrs& attrs) {
  std::string out;
  for (const auto& [name, value] : attrs.items()) {
    out += fmt::format("{}{{\"{}\", {}}}", out.empty() ? "" : ", ", name, std::visit(AttrLiteral{}, value));
  }
  return out.empty() ? "" : fmt::format(", {{{}}}", out);
}

std::string identifier(const std::string& name) {
  std::string out;
  for (const char c : name) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return out + "_op";
}

}  // namespace

CheckReport check_node(const NodeCase& node, const CheckOptions& options) {
  Graph graph({.dtype = f64});
  Comparison c;
  c.weigh_scalars = true;
  c.subject = node.op->name;
  std::vector<Value> inputs;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Tensor& t = node.inputs[i];
    inputs.push_back(graph.input(fmt::format("x{}", i), t.shape(), t.dtype()));
    c.feeds.push_back({inputs.back(), t});
    if (!moves(*node.op, i, t)) continue;
    c.wrt.push_back(inputs.back());
    c.names.push_back(node.inputs.size() == 1 ? "input" : fmt::format("input {}", i));
  }
  c.y = graph.apply(*node.op, inputs, node.attrs);
  return compare_in_f64(c, options);
}

std::string reproducer(const NodeCase& given, const CheckFinding& failure, const CheckOptions& options) {
  NodeCase node = given;
  const auto digit = failure.input.find_first_of("0123456789");
  const std::size_t failed_input = digit == std::string::npos ? 0 : std::stoul(failure.input.substr(digit));
  if (const auto smaller = one_element(node, failure, failed_input); !smaller.empty()) {
    NodeCase shrunk = node;
    shrunk.inputs = smaller;
    if (fails_too(shrunk, options)) node = shrunk;
  }
  if (const NodeCase shorter = rounded(node); fails_too(shorter, options)) node = shorter;
  Index numbers = 0;
  for (const Tensor& t : node.inputs) numbers += t.elements();
  const bool builtin = builtin_ops().find(node.op->name) == node.op;
  std::string inputs, names, wrt, feeds;
  std::vector<TensorType> types;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Tensor& t = node.inputs[i];
    types.push_back(t.type());
    inputs += fmt::format("  Value x{} = g.input(\"x{}\", {{{}}}, {});\n", i, i, fmt::join(t.shape(), ", "),
                          AttrLiteral{}(t.dtype()));
    names += fmt::format("{}x{}", i == 0 ? "" : ", ", i);
    if (moves(*node.op, i, t)) wrt += fmt::format("{}x{}", wrt.empty() ? "" : ", ", i);
    if (is_floating(t.dtype()) && numbers > most_numbers) continue;
    feeds += fmt::format("{}{{x{}, {}}}", feeds.empty() ? "" : ", ", i, literal(t));
  }
  const bool scalar = node.op->infer(Infer(*node.op, types, node.attrs)).shape.rank() == 0;
  std::string out = "#include <cmath>\n#include <iostream>\n#include <xgrad/engine.hpp>\nusing namespace xgrad;\n\n";
  if (!builtin)
    out += fmt::format("extern const OpDef {};  // yours: \"{}\"\n\n", identifier(node.op->name), node.op->name);
  out += "int main() {\n  Graph g;\n" + inputs;
  out += builtin ? fmt::format("  Value y = apply(\"{}\", {{{}}}{});\n", node.op->name, names, literal(node.attrs))
                 : fmt::format("  Value y = g.apply({}, {{{}}}{});\n", identifier(node.op->name), names,
                               literal(node.attrs));
  if (scalar) out += "  y = reshape(y, {1});  // a scalar would get a cotangent of 1\n";
  if (numbers > most_numbers)
    out += fmt::format("  // {} values are too many to print; random ones reproduce the failure\n", numbers);
  out += fmt::format("  std::cout << compare_gradients(y, {{{}}}, {{{}}}).str() << '\\n';\n}}\n", wrt, feeds);
  return out;
}

}  // namespace xgrad::inline v0
