#include <xgrad/graph/value.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

Graph& Value::graph() const {
  if (!valid())
    throw GraphError(SourceLocationScope::function_or("value") + ": the Value is empty and refers to no graph");
  if (!graph_->alive(*this)) graph_->require(*this, SourceLocationScope::function_or("value"));
  return *graph_;
}

const Node& Value::node() const { return graph().node(id_); }

const TensorType& Value::type() const { return node().type; }

Value Value::named(const std::string& name) const {
  graph().set_name(*this, name);
  return *this;
}

std::string Value::describe() const {
  if (!valid()) return "(empty value)";
  if (!graph_->alive(*this)) return fmt::format("%{} (discarded)", id_);
  return graph_->describe(id_);
}

}  // namespace xgrad::inline v0
