#include <fmt/format.h>

#include <algorithm>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

DType wider(DType t) { return t == f32 ? f64 : t; }

Attrs wider(const Attrs& attrs) {
  Attrs out = attrs;
  for (const auto& [name, value] : attrs.items()) {
    if (const auto* dtype = std::get_if<DType>(&value)) out.set(name, wider(*dtype));
  }
  return out;
}

class Rebuilder {
 public:
  Rebuilder(Graph& target, const Graph& source) : target_(target), source_(source) {}

  Value copy(NodeId id) {
    const Node& node = source_.node(id);
    const SourceLocationScope line = SourceLocationScope::instead(source_.line_of(id), &target_);
    switch (node.op->traits.leaf) {
      case Leaf::input: return target_.input(source_.name(id), node.type.shape, wider(node.type.dtype));
      case Leaf::parameter: return parameter(source_.parameter_of(id));
      case Leaf::constant: {
        if (const auto number = scalar_constant(source_, id)) {
          return target_.constant(rounded(*number, node.type.dtype), wider(node.type.dtype));
        }
        const Tensor numbers = source_.constant_of(id);
        return target_.constant(numbers.cast(wider(numbers.dtype())));
      }
      case Leaf::none: break;
    }
    std::vector<Value> inputs;
    for (const NodeId i : source_.inputs(id)) inputs.push_back(copies[i]);
    const Value out = target_.apply(*node.op, inputs, wider(source_.attrs(id)));
    if (!source_.name(id).empty()) target_.set_name(out, source_.name(id));
    return out;
  }

  std::vector<Value> copies;
  Feeds parameters;

 private:
  // Rounds constants to f32 as the source graph does, so that both graphs compute the same function.
  static double rounded(double number, DType dtype) {
    return dtype == f32 ? static_cast<double>(static_cast<float>(number)) : number;
  }

  Value parameter(const Parameter& parameter) {
    std::string name = parameter.name().empty() ? "parameter" : parameter.name();
    for (int i = 1; target_.find_input(name).valid() || source_.find_input(name).valid(); ++i) {
      name = fmt::format("{}_{}", parameter.name(), i);
    }
    const Tensor numbers = parameter.value();
    const Value out = target_.input(name, numbers.shape(), wider(numbers.dtype()));
    parameters.push_back({out, numbers.cast(wider(numbers.dtype()))});
    return out;
  }

  Graph& target_;
  const Graph& source_;
};

}  // namespace

Rebuilt rebuild_in_f64(Graph& target, const std::vector<Value>& outputs, const std::vector<Value>& wanted) {
  if (outputs.empty()) return {{}, std::vector<Value>(wanted.size()), {}};
  if (!outputs[0].valid()) throw GraphError("rebuild_in_f64: output 0 is an empty Value");
  Graph& source = outputs[0].graph();
  if (&source == &target) throw GraphError("rebuild_in_f64: the target must be another graph");
  for (const Value v : outputs) source.require(v, "rebuild_in_f64: output");
  for (const Value v : wanted) source.require(v, "rebuild_in_f64: wanted");
  const std::vector<char> needed = needed_by(source, outputs);
  const NodeId size = end_of(outputs);
  Rebuilder rebuilder(target, source);
  rebuilder.copies.resize(size);
  for (NodeId id = 0; id < size; ++id) {
    if (!needed[id]) continue;
    const std::string& scope = source.scope_of(id);
    if (scope.empty()) {
      rebuilder.copies[id] = rebuilder.copy(id);
    } else {
      const auto guard = target.scope(scope);
      rebuilder.copies[id] = rebuilder.copy(id);
    }
  }
  Rebuilt out;
  for (const Value v : outputs) out.outputs.push_back(rebuilder.copies[v.id()]);
  for (const Value v : wanted) out.wanted.push_back(v.id() < size ? rebuilder.copies[v.id()] : Value());
  out.parameters = std::move(rebuilder.parameters);
  return out;
}

}  // namespace xgrad::inline v0
