#include <xgrad/nn/layers/merge.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

Merge::Merge(const char* kind, std::vector<AnyModule> branches, const std::string& name, SourceLocation at)
    : Layer(kind, name, true, at), branches_(std::move(branches)) {
  const SourceLocationScope line(at, nullptr);
  if (branches_.empty()) throw UserError(fmt::format("{}: at least 1 branch is needed", this->name()));
}

std::vector<Value> Merge::results(Value x) const {
  std::vector<Value> out;
  for (const AnyModule& branch : branches_) out.push_back(branch(x));
  return out;
}

std::vector<Value> Merge::equal_results(Value x) const {
  std::vector<Value> out = results(x);
  for (const Value& result : out) {
    if (result.shape() == out[0].shape()) continue;
    throw ShapeError(fmt::format("{}: the branches must have outputs of equal shape\n  first: {}\n  other: {}",
                                 x.graph().current_scope(), out[0].describe(), result.describe()));
  }
  return out;
}

Value Add::operator()(Operand x) const {
  const auto scope = open(x);
  const std::vector<Value> outputs = equal_results(x);
  Value y = outputs[0];
  for (std::size_t i = 1; i < outputs.size(); ++i) y = y + outputs[i];
  return y;
}

Value Multiply::operator()(Operand x) const {
  const auto scope = open(x);
  const std::vector<Value> outputs = equal_results(x);
  Value y = outputs[0];
  for (std::size_t i = 1; i < outputs.size(); ++i) y = y * outputs[i];
  return y;
}

Value Concatenate::operator()(Operand x) const {
  const auto scope = open(x);
  const std::vector<Value> outputs = results(x);
  const std::string& where = x.graph().current_scope();
  const int axis = axis_index(axis_, outputs[0].shape().rank(), where.c_str());
  for (const Value& output : outputs) {
    bool fits = output.shape().rank() == outputs[0].shape().rank();
    for (int i = 0; fits && i < output.shape().rank(); ++i)
      fits = i == axis || output.shape()[i] == outputs[0].shape()[i];
    if (fits) continue;
    throw ShapeError(fmt::format("{}: the outputs of the branches may differ only on axis {}\n  first: {}\n  other: {}",
                                 where, axis, outputs[0].describe(), output.describe()));
  }
  return concat(outputs, axis);
}

}  // namespace xgrad::inline v0::nn
