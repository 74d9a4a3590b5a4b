#include <xgrad/graph/op_def.hpp>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>
#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

std::string Infer::message(const std::string& what, const std::string& hint) const {
  const std::string function = SourceLocationScope::function_or(op_.name) + ": ";
  std::string out = what;
  for (const std::string& prefix : {function, op_.name + ": "}) {
    if (out.starts_with(prefix)) out.erase(0, prefix.size());
  }
  out.insert(0, function);
  out += list_text(inputs_.size(), "", [&](std::size_t i) {
    return fmt::format("\n  input {}: {}", i, i < operands_.size() ? operands_[i] : inputs_[i].str());
  });
  if (!hint.empty()) out += "\n  hint: " + hint;
  return out;
}

void Infer::fail_shape(const std::string& what, const std::string& hint) const {
  throw ShapeError(message(what, hint));
}

void Infer::fail_dtype(const std::string& what, const std::string& hint) const {
  throw DTypeError(message(what, hint));
}

void Infer::require_dtype(int i, std::initializer_list<DType> allowed) const {
  if (std::find(allowed.begin(), allowed.end(), dtype(i)) != allowed.end()) return;
  std::string expected;
  for (const DType t : allowed) expected += fmt::format("{}{}", expected.empty() ? "" : " or ", name_of(t));
  fail_dtype(fmt::format("input {} must be {}, but it is {}", i, expected, name_of(dtype(i))));
}

void Infer::require_same_dtype(int i, int j) const {
  if (dtype(i) == dtype(j)) return;
  fail_dtype(fmt::format("inputs {} and {} differ in dtype: {} and {}", i, j, name_of(dtype(i)), name_of(dtype(j))));
}

TensorType same_type(const Infer& in) { return in.type(0); }

TensorType broadcast_type(const Infer& in) {
  Shape out = in.shape(0);
  for (int i = 1; i < in.count(); ++i) {
    const Shape& next = in.shape(i);
    const auto both = broadcast(out, next);
    if (!both) {
      int back = 1;  // position, counted from the end, of the last axis that does not fit
      while (out[out.rank() - back] == next[next.rank() - back] || out[out.rank() - back] == 1 ||
             next[next.rank() - back] == 1) {
        ++back;
      }
      in.fail_shape(fmt::format("shapes do not broadcast: {} and {} (axis {}: {} against {})", out.str(), next.str(),
                                -back, out[out.rank() - back], next[next.rank() - back]));
    }
    out = *both;
  }
  return {in.dtype(in.count() - 1), out};
}

int Vjp::count() const { return static_cast<int>(output_.node().input_count); }

Value Vjp::input(int i) const {
  const Node& node = output_.node();
  if (i < 0 || static_cast<std::uint32_t>(i) >= node.input_count) {
    throw InternalError(fmt::format("vjp of {}: input {} of {}", node.op->name, i, node.input_count));
  }
  return output_.graph().value(node.inputs[i]);
}

const Attrs& Vjp::attrs() const { return output_.graph().attrs(output_.id()); }

const Attrs& Batch::attrs() const { return output_.graph().attrs(output_.id()); }

namespace domain {

Domain any() { return {}; }
Domain between(double low, double high) { return {.low = low, .high = high, .avoid = {}}; }
Domain positive() { return between(0.2, 3); }
Domain away_from(std::vector<double> points) { return {.avoid = std::move(points)}; }
Domain distinct() { return {.kind = Domain::Kind::distinct, .avoid = {}}; }
Domain integers(std::int64_t low, std::int64_t high) {
  return {
      .kind = Domain::Kind::integer, .low = static_cast<double>(low), .high = static_cast<double>(high), .avoid = {}};
}
Domain booleans() { return {.kind = Domain::Kind::mask, .low = 0, .high = 1, .avoid = {}}; }

}  // namespace domain

void check_definition(const OpDef& op) {
  const auto fail = [&](std::string_view what) { throw GraphError(fmt::format("operation {:?}: {}", op.name, what)); };
  const bool is_leaf = op.traits.leaf != Leaf::none;
  if (op.name.empty()) fail("it has no name");
  if (op.min_inputs < 0 || op.max_inputs < op.min_inputs) {
    fail(fmt::format("it takes {} to {} inputs, which is no range", op.min_inputs, op.max_inputs));
  }
  if (is_leaf && op.max_inputs > 0) fail("a leaf takes no inputs");
  if (op.infer == nullptr) fail("infer is missing");
  if (op.kernel == nullptr && !is_leaf) fail("kernel is missing");
  if (op.vjp == nullptr && op.no_gradient.empty())
    fail("it has neither a vjp nor a reason for having none (no_gradient)");
  if (op.vjp != nullptr && !op.no_gradient.empty())
    fail("it has both a vjp and a reason for having none (no_gradient)");
  if (op.traits.elementwise && std::all_of(op.block.begin(), op.block.end(), [](auto k) { return k == nullptr; })) {
    fail("it is elementwise, but has no block kernel for any dtype");
  }
  if (op.traits.commutative && (op.min_inputs != 2 || op.max_inputs != 2)) {
    fail("it is commutative, but does not take exactly two inputs");
  }
  if (op.traits.view && op.min_inputs < 1) fail("it is a view, but min_inputs is 0");
  for (const Rule& rule : op.rules) check_rule(rule, op);
}

const OpDef& OpRegistry::add(OpDef op) {
  check_definition(op);
  if (find(op.name) != nullptr) throw GraphError(fmt::format("operation {:?}: the name is taken", op.name));
  return *ops_.emplace_back(std::make_unique<OpDef>(std::move(op)));
}

void OpRegistry::add_pair(std::string_view first, FusedPair pair) {
  const auto found = std::find_if(ops_.begin(), ops_.end(), [&](const auto& op) { return op->name == first; });
  if (found == ops_.end() || pair.next == nullptr) {
    throw GraphError(fmt::format("operation {:?}: a pair with an operation that is not registered", first));
  }
  (*found)->pairs.push_back(pair);
}

void OpRegistry::add_rule(Rule rule) {
  const auto root = std::find_if(ops_.begin(), ops_.end(), [&](const auto& op) { return op.get() == rule.from.op; });
  if (root == ops_.end())
    throw GraphError(fmt::format("rewrite rule {:?}: its root is not an operation of this registry", rule.name));
  check_rule(rule, **root);
  for (const auto& op : ops_) {
    for (const Rule& known : op->rules) {
      if (known.name == rule.name) throw GraphError(fmt::format("rewrite rule {:?}: the name is taken", rule.name));
    }
  }
  (*root)->rules.push_back(std::move(rule));
}

const OpDef* OpRegistry::find(std::string_view name) const {
  for (const auto& op : ops_) {
    if (op->name == name) return op.get();
  }
  return nullptr;
}

}  // namespace xgrad::inline v0
