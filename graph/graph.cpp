#include <xgrad/graph/graph.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>
#include <xgrad/graph/base/internal/sizes.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/machine/internal/float_mode.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

// Adds the operands to a one-line message: helpers such as axis_index, which throw such messages, do not know them.
template <class E>
[[noreturn]] void rethrow_with_operands(const E& error, const Infer& in) {
  const std::string what = error.message();
  throw E(what.find('\n') == std::string::npos ? in.message(what) : what);
}

// A list that takes no memory from the heap if it is as short as the operands of most operations.
template <class T>
class ShortList {
 public:
  explicit ShortList(std::size_t size) : long_(size > short_.size() ? size : 0), size_(size) {}
  std::span<T> items() { return {long_.empty() ? short_.data() : long_.data(), size_}; }

 private:
  std::array<T, 4> short_{};
  std::vector<T> long_;
  std::size_t size_;
};

std::string arity(const OpDef& op) {
  if (op.min_inputs == op.max_inputs) return fmt::format("{} input{}", op.min_inputs, op.min_inputs == 1 ? "" : "s");
  if (op.max_inputs == std::numeric_limits<int>::max()) return fmt::format("{} or more inputs", op.min_inputs);
  return fmt::format("{} to {} inputs", op.min_inputs, op.max_inputs);
}

auto find_update(std::vector<Update>& updates, const Parameter& parameter) {
  return std::find_if(updates.begin(), updates.end(), [&](const Update& u) { return u.parameter == parameter; });
}

// Whether `path` is `inner` or an enclosing scope.
bool encloses(const std::string& path, const std::string& inner) {
  return inner.starts_with(path) && (inner.size() == path.size() || inner[path.size()] == '/');
}

}  // namespace

Graph::Graph(GraphOptions options, TrainableFlags flags)
    : options_(options),
      attrs_(1),
      names_(1),
      scopes_(1),
      lines_(1),
      line_ids_{{{SourceLocation().file(), 0}, 0}},
      trainable_flags_(std::move(flags)) {
  scope_ids_[""] = 0;
}

// ---- leaves

Value Graph::input(const std::string& name, Shape shape, DType dtype, SourceLocation at) {
  const SourceLocationScope line(at, this);
  if (name.empty()) throw GraphError("input: the name is empty");
  if (const auto taken = input_nodes_.find(name); taken != input_nodes_.end()) {
    throw GraphError(fmt::format("input: the name {:?} is taken: {}", name, describe(taken->second)));
  }
  const auto entry = input_nodes_.emplace(name, size()).first;
  try {
    return leaf(input_op(), {{"dtype", dtype}, {"shape", std::vector<Index>(shape.begin(), shape.end())}}, name, false);
  } catch (...) {
    input_nodes_.erase(entry);
    throw;
  }
}

Value Graph::parameter(const Parameter& parameter, SourceLocation at) {
  const SourceLocationScope line(at, this);
  if (!parameter.valid()) throw GraphError("parameter: the Parameter is empty");
  if (const auto found = parameter_nodes_.find(parameter.raw()); found != parameter_nodes_.end()) {
    return handle(found->second);
  }
  parameters_.push_back(parameter);
  try {
    parameter_nodes_.emplace(parameter.raw(), size());
    return leaf(parameter_op(), {{"parameter", Opaque{parameter.name(), std::make_shared<const Parameter>(parameter)}}},
                parameter.name(), false);
  } catch (...) {
    parameter_nodes_.erase(parameter.raw());
    parameters_.pop_back();
    throw;
  }
}

Value Graph::constant(const Tensor& tensor, SourceLocation at) {
  const SourceLocationScope line(at, this);
  if (tensor.empty()) throw GraphError("constant: the tensor is empty");
  if (tensor.shape().rank() == 0) {
    const double number = tensor.item();
    if (tensor.dtype() != DType::i64 || std::abs(number) < 0x1p53) return constant(number, tensor.dtype());
  }
  // Clone: the caller may have borrowed the memory or still hold a span of it.
  return leaf(constant_op(), {{"tensor", Opaque{"tensor", std::make_shared<const Tensor>(tensor.clone())}}}, {}, false);
}

Value Graph::constant(double number, DType dtype, SourceLocation at) {
  const SourceLocationScope line(at, this);
  bool fits = true;
  switch (dtype) {
    case DType::f32: fits = !std::isfinite(number) || std::isfinite(static_cast<float>(number)); break;
    case DType::f64: break;
    case DType::i64: fits = number >= -0x1p63 && number < 0x1p63 && number == std::trunc(number); break;
    case DType::boolean: fits = number == 0 || number == 1; break;
  }
  if (!fits)
    throw DTypeError(fmt::format("{}: {} is not a number of dtype {}", SourceLocationScope::function_or("constant"),
                                 number, name_of(dtype)));
  if (!is_floating(dtype)) number += 0.0;  // integers have one zero
  const auto add = [&] { return add_leaf(constant_op(), {{"value", number}, {"dtype", dtype}}, {}, true); };
  return with_memory(add, [&] { return out_of_memory(constant_op()); });
}

Value Graph::leaf(const OpDef& op, Attrs attrs, const std::string& name, bool merge) {
  return with_memory([&] { return add_leaf(op, std::move(attrs), name, merge); }, [&] { return out_of_memory(op); });
}

Value Graph::add_leaf(const OpDef& op, Attrs attrs, const std::string& name, bool merge) {
  std::optional<std::size_t> hash;
  if (merge) {
    hash = key(op, {}, attrs);
    if (const auto same = find_equal(*hash, op, {}, attrs)) return handle(*same);
  }
  const TensorType type = infer(op, {}, attrs);
  const std::uint32_t name_at = store_name(name);
  const NodeId id = append(op, {}, std::move(attrs), type, hash);
  nodes_[id].name = name_at;
  return handle(id);
}

// ---- operations

Value Graph::apply(const OpDef& op, std::span<const Value> inputs, Attrs attrs, SourceLocation at) {
  const SourceLocationScope line(at, this);
  return with_memory([&] { return add_operation(op, inputs, std::move(attrs)); }, [&] { return out_of_memory(op); });
}

std::string Graph::out_of_memory(const OpDef& op) const {
  return fmt::format("{}: out of memory for another node in a graph of {} nodes", op.name, size());
}

Value Graph::add_operation(const OpDef& op, std::span<const Value> inputs, Attrs attrs) {
  check_definition(op);
  if (op.traits.leaf != Leaf::none) {
    throw GraphError(op.name + ": make leaves with Graph::input, Graph::parameter and Graph::constant, not with apply");
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].valid())
      throw GraphError(fmt::format("{}: operand {} is an empty Value", SourceLocationScope::function_or(op.name), i));
  }
  ShortList<NodeId> list(inputs.size());
  const std::span<NodeId> ids = list.items();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value input = inputs[i];
    if (input.graph_ != this) {
      const auto ours = std::find_if(inputs.begin(), inputs.end(), [&](Value v) { return v.graph_ == this; });
      throw GraphError(fmt::format("{}: operand {} belongs to another graph{}",
                                   SourceLocationScope::function_or(op.name), input.describe(),
                                   ours == inputs.end() ? "" : " than " + ours->describe()));
    }
    if (!alive(input)) require(input, SourceLocationScope::function_or(op.name));
    ids[i] = input.id();
  }
  if (static_cast<std::int64_t>(ids.size()) < op.min_inputs || static_cast<std::int64_t>(ids.size()) > op.max_inputs) {
    const std::string message =
        fmt::format("{}: takes {}, but got {}", SourceLocationScope::function_or(op.name), arity(op), ids.size());
    throw GraphError(message + list_text(ids.size(), "", [&](std::size_t i) {
                       return fmt::format("\n  input {}: {}", i, describe(ids[i]));
                     }));
  }
  const std::size_t hash = key(op, ids, attrs);
  if (const auto same = find_equal(hash, op, ids, attrs)) return handle(*same);
  const TensorType type = infer(op, ids, attrs);
  return handle(append(op, ids, std::move(attrs), type, hash));
}

Value Graph::apply(const OpDef& op, std::initializer_list<Operand> inputs, Attrs attrs) {
  const SourceLocation at = inputs.size() == 0 ? SourceLocation() : inputs.begin()->line();
  ShortList<Value> values(inputs.size());
  std::copy(inputs.begin(), inputs.end(), values.items().begin());
  return apply(op, values.items(), std::move(attrs), at);
}

TensorType Graph::infer(const OpDef& op, std::span<const NodeId> inputs, const Attrs& attrs) const {
  ShortList<TensorType> list(inputs.size());
  const std::span<TensorType> types = list.items();
  std::transform(inputs.begin(), inputs.end(), types.begin(), [&](NodeId id) { return nodes_[id].type; });
  try {
    return op.infer(Infer(op, types, attrs));
  } catch (const UserError&) {
    // Describe the operands only on failure: the text takes longer than appending a node.
    std::vector<std::string> operands;
    for (const NodeId id : inputs) operands.push_back(describe(id));
    const Infer in(op, types, attrs, operands);
    try {
      op.infer(in);
    } catch (const ShapeError& error) {
      rethrow_with_operands(error, in);
    } catch (const DTypeError& error) {
      rethrow_with_operands(error, in);
    } catch (const ValueError& error) {
      rethrow_with_operands(error, in);
    } catch (const GraphError& error) {
      rethrow_with_operands(error, in);
    } catch (const UserError& error) {  // of an attribute
      rethrow_with_operands(error, in);
    }
    throw;
  }
}

std::size_t Graph::key(const OpDef& op, std::span<const NodeId> inputs, const Attrs& attrs) const {
  // Mix the bits at each step: ids are small and close together.
  const auto mix = [](std::size_t h, std::size_t v) {
    h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
    return h ^ (h >> 29);
  };
  std::size_t h = mix(std::hash<const void*>{}(&op), attrs.empty() ? 0 : attrs.hash());
  if (op.traits.commutative && inputs.size() == 2) {
    return mix(mix(h, std::min(inputs[0], inputs[1])), std::max(inputs[0], inputs[1]));
  }
  for (const NodeId id : inputs) h = mix(h, id);
  return h;
}

std::optional<NodeId> Graph::find_equal(std::size_t key, const OpDef& op, std::span<const NodeId> inputs,
                                        const Attrs& attrs) const {
  const auto [first, last] = equal_nodes_.equal_range(key);
  for (auto it = first; it != last; ++it) {
    const NodeId id = it->second;
    if (nodes_[id].op != &op || this->attrs(id) != attrs) continue;
    const auto theirs = this->inputs(id);
    const bool same = std::equal(inputs.begin(), inputs.end(), theirs.begin(), theirs.end());
    const bool swapped = op.traits.commutative && inputs.size() == 2 && theirs.size() == 2 && inputs[0] == theirs[1] &&
                         inputs[1] == theirs[0];
    if (same || swapped) return id;
  }
  return std::nullopt;
}

const NodeId* Graph::store_inputs(std::span<const NodeId> inputs) {
  if (inputs.empty()) return nullptr;
  if (inputs_.empty() || inputs_.back().capacity() - inputs_.back().size() < inputs.size()) {
    std::vector<NodeId> block;
    block.reserve(std::max<std::size_t>(inputs.size(), 4096));
    inputs_.push_back(std::move(block));
  }
  auto& block = inputs_.back();
  const auto at = static_cast<std::ptrdiff_t>(block.size());
  block.insert(block.end(), inputs.begin(), inputs.end());
  return block.data() + at;
}

NodeId Graph::append(const OpDef& op, std::span<const NodeId> inputs, Attrs attrs, const TensorType& type,
                     std::optional<std::size_t> key) {
  if (nodes_.size() >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw GraphError(fmt::format("{}: the graph is full: {} nodes", op.name, nodes_.size()));
  }
  const NodeId id = size();
  Node node{.op = &op,
            .type = type,
            .inputs = nullptr,
            .input_count = static_cast<std::uint32_t>(inputs.size()),
            .attrs = 0,
            .scope = scope_,
            .name = 0,
            .line = 0,
            .generation = static_cast<std::uint32_t>(rewinds_.size()) + 1,
            .origin = origin_ < static_cast<std::int32_t>(id) ? origin_ : -1,
            .role = role_};
  node.line = node.origin >= 0 ? nodes_[static_cast<NodeId>(node.origin)].line : line_id(SourceLocationScope::line());
  const std::size_t attrs_before = attrs_.size();
  if (!attrs.empty()) {
    node.attrs = static_cast<std::uint32_t>(attrs_before);
    attrs_.push_back(std::move(attrs));
  }
  // A failure below may leave unused ids in the block of inputs, which is harmless.
  try {
    node.inputs = store_inputs(inputs);
    nodes_.push_back(node);
    if (key) equal_nodes_.emplace(*key, id);
  } catch (...) {
    nodes_.resize(id);
    attrs_.resize(attrs_before);
    throw;
  }
  return id;
}

// ---- random numbers per row

void Graph::set_row_elements(Value random, Index elements) {
  require(random, "set_row_elements");
  if (!random.node().op->traits.random) {
    throw GraphError("set_row_elements: the node is not of a random operation\n  node: " + random.describe());
  }
  if (elements < 0) {
    throw GraphError(
        fmt::format("set_row_elements: elements = {}, expected 0 or more\n  node: {}", elements, random.describe()));
  }
  row_elements_[random.id()] = elements;
}

Index Graph::row_elements(NodeId id) const {
  const auto found = row_elements_.find(id);
  return found == row_elements_.end() ? 0 : found->second;
}

// ---- updates

void Graph::add_update(const Parameter& parameter, Value value) {
  if (!parameter.valid()) throw GraphError("add_update: the Parameter is empty");
  const std::string where = fmt::format("add_update: parameter {:?}", parameter.name());
  require(value, where);
  const TensorType& type = nodes_[value.id()].type;
  if (type != parameter.type()) {
    throw GraphError(fmt::format("{}: it is {}, but the new value is {}\n  value: {}", where, parameter.type().str(),
                                 type.str(), describe(value.id())));
  }
  const auto before = find_update(updates_, parameter);
  if (before != updates_.end() && !depends(value, {before->value})[0]) {
    throw GraphError(
        fmt::format("{}: it has an update already, which the new value does not depend on\n  update: {}\n  new value: "
                    "{}\n  hint: compute the new value from Graph::updated(parameter)",
                    where, before->value.describe(), value.describe()));
  }
  update_history_.push_back({parameter, value});
  if (before != updates_.end())
    before->value = value;
  else
    updates_.push_back({parameter, value});
}

Value Graph::updated(const Parameter& parameter) {
  const auto pending = find_update(updates_, parameter);
  return pending != updates_.end() ? pending->value : this->parameter(parameter);
}

std::vector<Parameter> Graph::trainable_parameters() const {
  std::vector<Parameter> out;
  std::copy_if(parameters_.begin(), parameters_.end(), std::back_inserter(out),
               [&](const Parameter& p) { return trainable(p); });
  return out;
}

void Graph::add_penalty(Value value) {
  require(value, "add_penalty");
  const TensorType& type = nodes_[value.id()].type;
  if (type.shape.rank() != 0 || !is_floating(type.dtype)) {
    throw GraphError(
        fmt::format("add_penalty: a penalty must be a floating-point scalar\n  value: {}", describe(value.id())));
  }
  if (!penalty_nodes_.insert(value.id()).second) return;
  try {
    penalties_.push_back(value);
  } catch (...) {
    penalty_nodes_.erase(value.id());
    throw;
  }
}

// ---- scopes and names

std::string Graph::scope_path(const std::string& name) const {
  if (name.empty() || name.front() == '/' || name.back() == '/' || name.find("//") != std::string::npos) {
    throw GraphError(fmt::format("scope: {:?} is not a name, nor names joined by single slashes", name));
  }
  return current_scope().empty() ? name : current_scope() + "/" + name;
}

std::uint32_t Graph::scope_id(const std::string& path) {
  if (const auto known = scope_ids_.find(path); known != scope_ids_.end()) return known->second;
  scopes_.push_back(path);  // without an id if the next line throws, which is harmless
  return scope_ids_.emplace(path, static_cast<std::uint32_t>(scopes_.size() - 1)).first->second;
}

std::uint32_t Graph::line_id(SourceLocation line) {
  if (line == lines_[recent_line_]) return recent_line_;
  const std::pair key{line.file(), line.line()};
  const auto known = line_ids_.find(key);
  if (known != line_ids_.end()) return recent_line_ = known->second;
  lines_.push_back(line);  // without an id if the next line throws, which is harmless
  return recent_line_ = line_ids_.emplace(key, static_cast<std::uint32_t>(lines_.size() - 1)).first->second;
}

Graph::ScopeGuard Graph::scope(const std::string& name) {
  const std::string path = scope_path(name);
  const std::uint32_t id = scope_id(path);
  opened_scopes_.emplace(path, size());
  return {scope_, id};
}

Graph::ScopeGuard Graph::unique_scope(const std::string& name) {
  const std::string path = scope_path(name);
  std::string chosen = path;
  if (opened_scopes_.contains(chosen)) {
    int& suffix = next_suffix_.try_emplace(path, 1).first->second;
    for (; opened_scopes_.contains(chosen); ++suffix) chosen = fmt::format("{}_{}", path, suffix);
  }
  const std::uint32_t id = scope_id(chosen);
  opened_scopes_.emplace(chosen, size());
  return {scope_, id};
}

Graph::RoleGuard Graph::role(Role role, Value origin) {
  if (!origin.valid()) return {{scope_, scope_}, {role_, role}, {origin_, -1}};
  require(origin, "role");
  return {{scope_, nodes_[origin.id()].scope}, {role_, role}, {origin_, static_cast<std::int32_t>(origin.id())}};
}

std::uint32_t Graph::store_name(const std::string& name) {
  if (name.empty()) return 0;
  if (!free_names_.empty()) {
    const std::uint32_t at = free_names_.back();
    names_[at] = name;
    free_names_.pop_back();
    return at;
  }
  names_.push_back(name);
  return static_cast<std::uint32_t>(names_.size() - 1);
}

void Graph::set_name(Value value, const std::string& name) {
  require(value, "set_name");
  if (name.empty()) throw GraphError("set_name: the name is empty, for " + describe(value.id()));
  Node& node = nodes_[value.id()];
  if (node.name == 0) node.name = store_name(name);
}

// ---- reading

Value Graph::value(NodeId id) const {
  if (id >= size()) throw GraphError(fmt::format("value: there is no %{} in a graph of {} nodes", id, size()));
  return handle(id);
}

const Parameter& Graph::parameter_of(NodeId id) const {
  if (id >= size() || nodes_[id].op->traits.leaf != Leaf::parameter) {
    throw InternalError(fmt::format("parameter_of: %{} is not a parameter", id));
  }
  return *static_cast<const Parameter*>(attrs(id).opaque("parameter").object.get());
}

Tensor Graph::constant_of(NodeId id) const {
  if (id >= size() || nodes_[id].op->traits.leaf != Leaf::constant) {
    throw InternalError(fmt::format("constant_of: %{} is not a constant", id));
  }
  if (const auto number = scalar_constant(*this, id)) {
    const KeepDenormals mode;  // interpreters call this during a run, plans before one
    return Tensor::full(Shape{}, *number, nodes_[id].type.dtype);
  }
  return *static_cast<const Tensor*>(attrs(id).opaque("tensor").object.get());
}

Value Graph::find_input(const std::string& name) const {
  const auto found = input_nodes_.find(name);
  return found == input_nodes_.end() ? Value() : handle(found->second);
}

std::string Graph::discarded(Value value) const {
  // The first later rewind to a mark at or below its id discarded the node.
  for (std::size_t i = value.generation() - 1; i < rewinds_.size(); ++i) {
    if (rewinds_[i] <= value.id())
      return fmt::format("value %{} was discarded by rewind(%{})", value.id(), rewinds_[i]);
  }
  return fmt::format("value %{} never existed in a graph of {} nodes", value.id(), size());
}

std::vector<bool> Graph::depends(Value value, const std::vector<Value>& sources) const {
  require(value, "depends: value");
  NodeId first = value.id();
  for (const Value source : sources) {
    require(source, "depends: source");
    first = std::min(first, source.id());
  }
  const std::vector<char> needed =
      needed_by(*this, {value}, [&](NodeId id, std::size_t i) { return inputs(id)[i] >= first; });
  std::vector<bool> out;
  for (const Value source : sources) out.push_back(source.id() <= value.id() && needed[source.id()] != 0);
  return out;
}

void Graph::require(Value value, const std::string& where) const {
  if (!value.valid()) throw GraphError(where + ": the Value is empty");
  if (value.graph_ != this) throw GraphError(where + ": " + value.describe() + " belongs to another graph");
  if (!alive(value)) throw GraphError(where + ": " + discarded(value));
}

std::string Graph::location_of(NodeId id) const { return id < size() ? line_of(id).str() : std::string(); }

std::unique_ptr<const Graph> Graph::snapshot() const {
  auto out = std::make_unique<Graph>(options_);
  out->nodes_ = nodes_;
  for (Node& node : out->nodes_) node.inputs = out->store_inputs({node.inputs, node.input_count});
  out->attrs_ = attrs_;
  out->names_ = names_;
  out->scopes_ = scopes_;
  out->lines_ = lines_;
  out->row_elements_ = row_elements_;
  out->rewinds_ = rewinds_;
  return out;
}

// ---- rollback

void Graph::rewind(NodeId mark) {
  if (mark > size()) {
    throw GraphError(fmt::format("rewind: mark %{} is beyond the end of a graph of {} nodes", mark, size()));
  }
  if (mark == size()) return;
  rewinds_.reserve(rewinds_.size() + 1);
  free_names_.reserve(names_.size());  // nothing below throws

  for (NodeId id = size(); id-- > mark;) {
    const Node& node = nodes_[id];
    const auto [first, last] = equal_nodes_.equal_range(key(*node.op, inputs(id), attrs(id)));
    for (auto it = first; it != last; ++it) {
      if (it->second == id) {
        equal_nodes_.erase(it);
        break;
      }
    }
    if (node.op->traits.leaf == Leaf::input) input_nodes_.erase(names_[node.name]);
    if (node.op->traits.leaf == Leaf::parameter) parameter_nodes_.erase(parameter_of(id).raw());
    if (node.name != 0) {
      names_[node.name].clear();
      free_names_.push_back(node.name);
    }
    if (node.inputs != nullptr) {
      while (inputs_.back().data() > node.inputs || inputs_.back().data() + inputs_.back().size() <= node.inputs) {
        inputs_.pop_back();
      }
      inputs_.back().resize(static_cast<std::size_t>(node.inputs - inputs_.back().data()));
    }
    if (node.attrs != 0) attrs_.resize(node.attrs);
    nodes_.pop_back();
  }
  std::erase_if(parameters_, [&](const Parameter& p) { return !parameter_nodes_.contains(p.raw()); });
  // Restore the last remaining update of each parameter, in the order of the first ones.
  if (std::erase_if(update_history_, [&](const Update& u) { return u.value.id() >= mark; }) > 0) {
    updates_.clear();
    for (const Update& u : update_history_) {
      if (const auto before = find_update(updates_, u.parameter); before != updates_.end())
        before->value = u.value;
      else
        updates_.push_back(u);  // does not exceed the capacity
    }
  }
  std::erase_if(penalties_, [&](const Value& v) { return v.id() >= mark; });
  std::erase_if(penalty_nodes_, [&](NodeId id) { return id >= mark; });
  std::erase_if(row_elements_, [&](const auto& marked) { return marked.first >= mark; });
  // Keep the scopes, since guards may refer to them, but forget that they were opened: rebuilding gives the same names.
  const auto closed = std::erase_if(opened_scopes_, [&](const auto& opened) {
    return opened.second >= mark && !encloses(opened.first, current_scope());
  });
  if (closed > 0) next_suffix_.clear();
  if (origin_ >= static_cast<std::int32_t>(mark)) origin_ = -1;
  rewinds_.push_back(mark);
}

}  // namespace xgrad::inline v0
