#include <xgrad/graph/plan/internal/needed.hpp>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/machine/internal/float_mode.hpp>
#include <xgrad/graph/run/internal/interpretation.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

// A larger result is only folded if it is smaller than its operands: folding must not trade little work for memory.
constexpr std::size_t fold_limit = std::size_t{64} * 1024;
// Smaller values stay in a cache; they are stored rather than computed again.
constexpr Index large_elements = Index{1} << 18;

class Lister {
 public:
  Lister(const Rewritten& rewritten, bool recompute)
      : rewritten_(rewritten), graph_(*rewritten.graph), types_(rewritten.types()), recompute_(recompute) {
    out_.rewritten = &rewritten;
    is_result_.assign(types_.size(), 0);
    for (const Value v : rewritten.results()) is_result_[v.id()] = 1;
  }

  Needed list(bool fold) {
    find_constants(fold);
    const std::vector<char> needed = find_needed();
    add_inputs();
    out_.items.reserve(static_cast<std::size_t>(std::count(needed.begin(), needed.end(), 1)));
    out_.operands.reserve(2 * out_.items.capacity());
    item_of_.assign(types_.size(), no_item);
    for (NodeId id = 0; id < types_.size(); ++id) {
      if (needed[id] != 0) item_of_[id] = append(make_item(id));
    }
    for (const Value v : rewritten_.outputs) out_.outputs.push_back(item_of_[v.id()]);
    for (const Update& u : rewritten_.updates) out_.updates.push_back({item_of_[u.value.id()], parameter(u.parameter)});
    const std::vector<std::uint32_t> keepers = out_.keepers();
    for (Needed::Target& u : out_.updates) u.alone = out_.computed(u.value) && keepers[u.value] == 1;
    return std::move(out_);
  }

 private:
  const OpDef& op(NodeId id) const { return *graph_.node(id).op; }

  // The node that is read as input i, without no-op views, and without broadcasts that an elementwise kernel repeats.
  NodeId operand(NodeId id, std::size_t i) const {
    NodeId from = graph_.inputs(id)[i];
    const bool repeats = op(id).traits.elementwise && op(id).kernel == run_elementwise;
    for (;;) {
      const bool same = op(from).traits.view && types_[from] == types_[graph_.inputs(from)[0]];
      if (!same && !(repeats && op(from).traits.broadcast)) return from;
      from = graph_.inputs(from)[0];
    }
  }

  // Calls f(operand) for each operand whose elements are read; none if the node is constant or has no elements.
  template <class F>
  void for_each_read(NodeId id, F f) const {
    if (constant_.contains(id) || types_[id].shape.elements() == 0) return;
    for (std::size_t i = 0; i < graph_.inputs(id).size(); ++i) {
      if (reads_values(op(id), i)) f(operand(id, i));
    }
  }

  std::vector<char> find_needed() const {
    std::vector<char> out(types_.size(), 0);
    for (const Value v : rewritten_.results()) out[v.id()] = 1;
    for (auto id = static_cast<NodeId>(types_.size()); id-- > 0;) {
      if (out[id] != 0) for_each_read(id, [&](NodeId i) { out[i] = 1; });
    }
    return out;
  }

  void find_constants(bool fold) {
    const KernelFloatMode mode;  // as in runs
    const std::vector<char> needed = find_needed();
    for (NodeId id = 0; id < types_.size(); ++id) {
      if (needed[id] == 0) continue;
      const Leaf leaf = op(id).traits.leaf;
      if (leaf == Leaf::constant)
        constant_[id] = graph_.constant_of(id);
      else if (leaf == Leaf::none && types_[id].shape.elements() == 0)
        constant_[id] = Tensor(types_[id]);
      else if (leaf == Leaf::none && fold && depends_on_constants_alone(id))
        constant_[id] = compute(id);
    }
  }

  bool depends_on_constants_alone(NodeId id) const {
    if (op(id).traits.random || op(id).traits.may_throw) return false;
    bool all = true;
    std::size_t operand_bytes = 0;
    for_each_read(id, [&](NodeId i) {
      all = all && constant_.contains(i);
      operand_bytes += types_[i].bytes();
    });
    return all && types_[id].bytes() <= std::max(operand_bytes, fold_limit);
  }

  Tensor compute(NodeId id) const {
    if (op(id).traits.view) return constant_.at(operand(id, 0)).reshaped(types_[id].shape);
    std::vector<ConstBuffer> inputs;
    for (std::size_t k = 0; k < graph_.inputs(id).size(); ++k) {
      const NodeId i = operand(id, k);
      const auto found = constant_.find(i);  // none if only the shape is read
      inputs.push_back({found == constant_.end() ? nullptr : found->second.raw(), types_[i]});
    }
    return run_kernel(graph_, id, inputs, types_[id], {}, Parallel(1), 0);
  }

  Item make_item(NodeId id) {
    using Kind = Item::Kind;
    Item item{.node = id, .type = types_[id]};
    const OpDef& op = this->op(id);
    if (constant_.contains(id)) {
      item.kind = Kind::constant;
      item.index = static_cast<std::uint32_t>(out_.constants.size());
      out_.constants.push_back(constant_.at(id));
    } else if (op.traits.leaf == Leaf::input) {
      item.kind = Kind::input;
      item.index = input_of_.at(id);
      out_.inputs[item.index].needed = true;
      out_.inputs[item.index].value = out_.size();
    } else if (op.traits.leaf == Leaf::parameter) {
      item.kind = Kind::parameter;
      item.index = parameter(graph_.parameter_of(id));
    } else if (op.traits.view) {
      item.kind = Kind::view;
      item.storage = out_.storage(item_of_[operand(id, 0)]);
    } else {
      reads_.clear();
      for (std::size_t i = 0; i < graph_.node(id).input_count; ++i) {
        const NodeId from = operand(id, i);
        reads_.push_back(reads_values(op, i) ? read(id, from)
                                             : append({.kind = Kind::shape, .node = from, .type = types_[from]}));
      }
      set_operands(item, reads_);
    }
    return item;
  }

  void set_operands(Item& item, const std::vector<ItemId>& operands) {
    item.operand_count = static_cast<std::uint32_t>(operands.size());
    item.first_operand = static_cast<std::uint32_t>(out_.operands.size());
    out_.operands.insert(out_.operands.end(), operands.begin(), operands.end());
  }

  // The item by which the reader reads the node: a copy for each reader that can compute the value by itself.
  ItemId read(NodeId reader, NodeId from) {
    const ItemId item = item_of_[from];
    if (cheap_[item] == 0 || !reads_blockwise(reader, types_[from])) return item;
    const auto [seen, first] = cheap_reads_.try_emplace(item, reader, item);
    if (first || seen->second.first == reader) return seen->second.second;
    Item copy = out_.items[item];
    copy.storage = no_item;
    const auto operands = out_.operands_of(item);
    set_operands(copy, {operands.begin(), operands.end()});
    seen->second = {reader, append(copy)};
    return seen->second.second;
  }

  // Whether the item is large and computed from one tensor of its shape and a small one, as `x - mean` is. To read that
  // tensor again costs no more than to read the item, and then the item need not be stored.
  bool is_cheap(const Item& item) const {
    const Traits& traits = op(item.node).traits;
    const Shape& shape = item.type.shape;
    if (item.operand_count != 2 || is_result_[item.node] != 0 || !traits.elementwise || traits.random ||
        traits.may_throw || shape.elements() < large_elements)
      return false;
    const ItemId* operands = out_.operands.data() + item.first_operand;
    for (const auto& [full, small] : {std::pair{operands[0], operands[1]}, std::pair{operands[1], operands[0]}}) {
      const Index count = out_.type(small).shape.elements();
      if (out_.type(full).shape == shape && count > 1 && count <= shape.elements() / 8) return cheap_[full] == 0;
    }
    return false;
  }

  bool reads_blockwise(NodeId reader, const TensorType& type) const {
    const OpDef& reading = op(reader);
    return (reading.traits.elementwise && types_[reader].shape == type.shape) ||
           reading.reduction[static_cast<std::size_t>(type.dtype)].columns != nullptr;
  }

  ItemId append(Item item) {
    if (item.storage == no_item) item.storage = out_.size();
    cheap_.push_back(recompute_ && item.kind == Item::Kind::computed && is_cheap(item) ? 1 : 0);
    out_.items.push_back(item);
    return out_.size() - 1;
  }

  void add_inputs() {
    const Graph& source = *rewritten_.source;
    const std::vector<TensorType>& types = rewritten_.source_types;
    for (NodeId id = 0; id < source.size(); ++id) {
      const Node& node = source.node(id);
      if (node.op->traits.leaf != Leaf::input) continue;
      input_of_.emplace(rewritten_.input_of(id), static_cast<std::uint32_t>(out_.inputs.size()));
      out_.inputs.push_back({source.value(id), source.name(id), id < types.size() ? types[id] : node.type});
    }
  }

  std::uint32_t parameter(const Parameter& parameter) {
    const auto [found, fresh] =
        parameters_.try_emplace(parameter.raw(), static_cast<std::uint32_t>(out_.parameters.size()));
    if (fresh) out_.parameters.push_back(parameter);
    return found->second;
  }

  const Rewritten& rewritten_;
  const Graph& graph_;
  Needed out_;
  const std::vector<TensorType>& types_;                // by node of the graph, up to the last result
  std::unordered_map<NodeId, Tensor> constant_;         // by node, where it is constant
  std::vector<ItemId> item_of_;                         // by node
  std::unordered_map<NodeId, std::uint32_t> input_of_;  // by node
  std::unordered_map<const void*, std::uint32_t> parameters_;
  std::vector<char> is_result_;  // by node
  const bool recompute_;
  std::vector<ItemId> reads_;  // by the item being made; a member, so that its memory is reused
  std::vector<char> cheap_;    // by item
  std::unordered_map<ItemId, std::pair<NodeId, ItemId>> cheap_reads_;  // by cheap item: its last reader, and the copy
};

}  // namespace

Needed needed(const Rewritten& rewritten, bool fold, bool recompute) { return Lister(rewritten, recompute).list(fold); }

// Describes the source's node, but with the operation by which a rule replaced it.
std::string Needed::describe(ItemId id) const {
  const Graph& source = *rewritten->source;
  const NodeId node = source_node(id);
  if (source.node(node).op == &op(id)) return source.describe(node, type(id));
  const std::string& scope = source.scope_of(node);
  return fmt::format("%{} {} {}{}", node, op(id).name, type(id).str(),
                     scope.empty() ? "" : fmt::format(" in scope {:?}", scope));
}

std::vector<TensorType> Needed::operand_types(ItemId id) const {
  std::vector<TensorType> out;
  for (const ItemId i : operands_of(id)) out.push_back(type(i));
  return out;
}

std::vector<std::uint32_t> Needed::keepers() const {
  std::vector<std::uint32_t> out(size(), 0);
  for (const ItemId id : outputs) ++out[storage(id)];
  for (const Target& u : updates) ++out[storage(u.value)];
  return out;
}

std::string Needed::str() const {
  constexpr const char* kinds[] = {"input", "parameter", "constant", "shape", "view", "computed"};
  std::string out;
  for (ItemId id = 0; id < size(); ++id) {
    out += fmt::format("{} {} {}", id, kinds[static_cast<int>(items[id].kind)], describe(id));
    if (storage(id) != id) out += fmt::format(" of {}", storage(id));
    if (items[id].operand_count > 0) out += fmt::format(" <- {}", fmt::join(operands_of(id), " "));
    out += '\n';
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) out += fmt::format("output {} <- {}\n", i, outputs[i]);
  for (const Target& u : updates)
    out += fmt::format("update {:?} <- {}{}\n", parameters[u.parameter].name(), u.value, u.alone ? " alone" : "");
  return out;
}

void verify(const Needed& needed) {
  using Kind = Item::Kind;
  const auto fail = [&](const std::string& what) {
    throw InternalError(fmt::format("plan: {}\n{}", what, needed.str()));
  };
  for (ItemId id = 0; id < needed.size(); ++id) {
    const auto require = [&](bool holds, const char* what) {
      if (!holds) fail(fmt::format("item {}: {}", id, what));
    };
    const Item& item = needed.items[id];
    require(item.storage <= id && needed.storage(item.storage) == item.storage,
            "its storage is a view or a later item");
    require((item.storage != id) == (item.kind == Kind::view),
            "a view has another item's storage, and only a view does");
    require(needed.type(item.storage).bytes() == item.type.bytes(), "its storage has another size");
    require(item.kind != Kind::computed || item.type.shape.elements() > 0, "it is computed and has no elements");
    require(item.kind == Kind::computed || item.operand_count == 0, "it is not computed and has operands");
    require(item.first_operand + item.operand_count <= needed.operands.size(), "it has operands that do not exist");
    for (const ItemId i : needed.operands_of(id)) require(i < id, "an operand does not come before it");
    if (item.kind == Kind::input)
      require(item.index < needed.inputs.size() && needed.inputs[item.index].value == id, "it is another input");
    if (item.kind == Kind::parameter) require(item.index < needed.parameters.size(), "there is no such parameter");
    if (item.kind == Kind::constant)
      require(item.index < needed.constants.size() && needed.constants[item.index].type() == item.type,
              "it is a constant of another type");
  }
  const auto exists = [&](ItemId id) { return id < needed.size() && !needed.is(id, Kind::shape); };
  if (!std::all_of(needed.outputs.begin(), needed.outputs.end(), exists)) fail("an output has no value");
  const std::vector<std::uint32_t> keepers = needed.keepers();
  for (const Needed::Target& u : needed.updates) {
    if (!exists(u.value) || u.parameter >= needed.parameters.size()) fail("an update has no value or no parameter");
    if (needed.type(u.value) != needed.parameters[u.parameter].type()) fail("an update has a value of another type");
    if (u.alone != (needed.computed(u.value) && keepers[u.value] == 1)) fail("`alone` of an update is wrong");
  }
}

}  // namespace xgrad::inline v0
