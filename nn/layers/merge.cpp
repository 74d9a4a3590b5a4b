#include <xgrad/nn/layers/merge.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

Merge::Merge(const char* kind, std::vector<AnyModule> branches, const std::string& name, SourceLocation at)
    : Layer(kind, name, true, at), branches_(std::move(branches)) {
  const SourceLocationScope line(at, nullptr);
  if (branches_.empty()) throw UserError(fmt::format("{}: there are no branches", this->name()));
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
    throw ShapeError(fmt::format("{}: the branches give different shapes\n  one: {}\n  another: {}",
                                 x.graph().current_scope(), out[0].describe(), result.describe()));
  }
  return out;
}

Value Add::operator()(Operand x) const {
  const auto scope = open(x);
  const std::vector<Value> parts = equal_results(x);
  Value y = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) y = y + parts[i];
  return y;
}

Value Multiply::operator()(Operand x) const {
  const auto scope = open(x);
  const std::vector<Value> parts = equal_results(x);
  Value y = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) y = y * parts[i];
  return y;
}

Value Concatenate::operator()(Operand x) const {
  const auto scope = open(x);
  const std::vector<Value> parts = results(x);
  const std::string& where = x.graph().current_scope();
  const int axis = axis_index(axis_, parts[0].shape().rank(), where.c_str());
  for (const Value& part : parts) {
    bool fits = part.shape().rank() == parts[0].shape().rank();
    for (int i = 0; fits && i < part.shape().rank(); ++i) fits = i == axis || part.shape()[i] == parts[0].shape()[i];
    if (fits) continue;
    throw ShapeError(fmt::format("{}: the branches differ on other axes than {}\n  one: {}\n  another: {}", where, axis,
                                 parts[0].describe(), part.describe()));
  }
  return concat(parts, axis);
}

}  // namespace xgrad::inline v0::nn
