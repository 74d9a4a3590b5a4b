#include <xgrad/graph/plan/internal/needed.hpp>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/machine/internal/float_mode.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

// Folding must not trade a little work for a lot of memory: a larger result stays computed, unless it is smaller than
// its operands.
constexpr std::size_t fold_limit = std::size_t{64} * 1024;

// The graph's nodes up to the last result, with the types they have in this plan and the values that are known.
class Nodes {
 public:
  Nodes(const Rewritten& rewritten, bool fold)
      : graph_(*rewritten.graph),
        results_(rewritten.results()),
        types_(rewritten.types()),
        constant_(types_.size(), none) {
    find_constants(fold);
  }

  NodeId size() const { return static_cast<NodeId>(types_.size()); }
  const TensorType& type(NodeId id) const { return types_[id]; }
  const OpDef& op(NodeId id) const { return *graph_.node(id).op; }
  const Tensor* constant(NodeId id) const { return constant_[id] == none ? nullptr : &constants_[constant_[id]]; }

  // What the node reads as its input i. A view that looks like what it shows is skipped; so are broadcasts before an
  // elementwise kernel, which repeats its inputs by itself.
  NodeId operand(NodeId id, std::size_t i) const {
    NodeId from = graph_.inputs(id)[i];
    const bool repeats = op(id).traits.elementwise && op(id).kernel == run_elementwise;
    for (;;) {
      const bool same = op(from).traits.view && types_[from] == types_[graph_.inputs(from)[0]];
      if (!same && !(repeats && op(from).traits.broadcast)) return from;
      from = graph_.inputs(from)[0];
    }
  }

  std::vector<char> needed() const {
    std::vector<char> out(size(), 0);
    for (const Value v : results_) out[v.id()] = 1;
    for (NodeId id = size(); id-- > 0;) {
      if (out[id] != 0) for_each_read(id, [&](NodeId i) { out[i] = 1; });
    }
    return out;
  }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  // Calls f(operand) for each operand whose values are read; none if the node is known or has no elements.
  template <class F>
  void for_each_read(NodeId id, F f) const {
    if (constant_[id] != none || types_[id].shape.elements() == 0) return;
    for (std::size_t i = 0; i < graph_.inputs(id).size(); ++i) {
      if (reads_values(op(id), i)) f(operand(id, i));
    }
  }

  void find_constants(bool fold) {
    const KernelFloatMode mode;  // as in runs
    const std::vector<char> needed = this->needed();
    for (NodeId id = 0; id < size(); ++id) {
      if (needed[id] == 0) continue;
      const Leaf leaf = op(id).traits.leaf;
      if (leaf == Leaf::constant)
        set_constant(id, graph_.constant_of(id));
      else if (leaf == Leaf::none && types_[id].shape.elements() == 0)
        set_constant(id, Tensor(types_[id]));
      else if (leaf == Leaf::none && fold && depends_on_constants_alone(id))
        set_constant(id, compute(id));
    }
  }

  void set_constant(NodeId id, Tensor value) {
    constant_[id] = static_cast<std::uint32_t>(constants_.size());
    constants_.push_back(std::move(value));
  }

  bool depends_on_constants_alone(NodeId id) const {
    if (op(id).traits.random || op(id).traits.may_throw) return false;
    bool all = true;
    std::size_t operand_bytes = 0;
    for_each_read(id, [&](NodeId i) {
      all = all && constant_[i] != none;
      operand_bytes += types_[i].bytes();
    });
    return all && types_[id].bytes() <= std::max(operand_bytes, fold_limit);
  }

  Tensor compute(NodeId id) const {
    if (op(id).traits.view) return constant(operand(id, 0))->reshaped(types_[id].shape);
    std::vector<ConstBuffer> buffers;
    std::vector<TensorType> operands;
    for (std::size_t k = 0; k < graph_.inputs(id).size(); ++k) {
      const NodeId i = operand(id, k);
      buffers.push_back({constant(i) == nullptr ? nullptr : constant(i)->raw(), types_[i]});
      operands.push_back(types_[i]);
    }
    Tensor result(types_[id]);
    const Attrs& attrs = graph_.attrs(id);
    const auto scratch = allocate_aligned(op(id).scratch_bytes ? op(id).scratch_bytes(operands, types_[id], attrs) : 0);
    op(id).kernel({&op(id), buffers, {result.mutable_raw(), types_[id]}, &attrs, scratch.get(), {}, Parallel(1)});
    return result;
  }

  const Graph& graph_;
  std::vector<Value> results_;
  std::vector<TensorType> types_;
  std::vector<std::uint32_t> constant_;  // by node, a position in
  std::vector<Tensor> constants_;
};

// Makes the list from the nodes.
class Lister {
 public:
  Lister(const Rewritten& rewritten, const Nodes& nodes) : nodes_(nodes), item_of_(nodes.size(), no_item) {
    out_.rewritten = &rewritten;
  }

  Needed list() {
    const Rewritten& rewritten = *out_.rewritten;
    const std::vector<char> needed = nodes_.needed();
    std::vector<std::uint32_t> input_of(nodes_.size(), 0);
    for (NodeId id = 0; id < rewritten.source->size(); ++id) {
      if (rewritten.source->node(id).op->traits.leaf != Leaf::input) continue;
      if (const NodeId made = rewritten.input_of(id); made < nodes_.size())
        input_of[made] = static_cast<std::uint32_t>(out_.inputs.size());
      add_input(id);
    }
    out_.items.reserve(static_cast<std::size_t>(std::count(needed.begin(), needed.end(), 1)));
    out_.operands.reserve(2 * out_.items.capacity());
    for (NodeId id = 0; id < nodes_.size(); ++id) {
      if (needed[id] != 0) add_node(id, input_of[id]);
    }
    for (const Value v : rewritten.outputs) out_.outputs.push_back(item_of_[v.id()]);
    for (const Update& u : rewritten.updates) out_.updates.push_back({item_of_[u.value.id()], parameter(u.parameter)});
    const std::vector<std::uint32_t> keepers = out_.keepers();
    for (Needed::Target& u : out_.updates) u.alone = out_.computed(u.value) && keepers[u.value] == 1;
    return std::move(out_);
  }

 private:
  void add_node(NodeId id, std::uint32_t input) {
    Item item{.node = id, .type = nodes_.type(id)};
    const OpDef& op = nodes_.op(id);
    if (const Tensor* known = nodes_.constant(id)) {
      item.kind = Item::Kind::constant;
      item.index = static_cast<std::uint32_t>(out_.constants.size());
      out_.constants.push_back(*known);
    } else if (op.traits.leaf == Leaf::input) {
      item.kind = Item::Kind::input;
      item.index = input;
      out_.inputs[input].needed = true;
      out_.inputs[input].value = out_.size();
    } else if (op.traits.leaf == Leaf::parameter) {
      item.kind = Item::Kind::parameter;
      item.index = parameter(out_.graph().parameter_of(id));
    } else if (op.traits.view) {
      item.kind = Item::Kind::view;
      item.storage = out_.storage(item_of_[nodes_.operand(id, 0)]);
    } else {
      const std::size_t count = out_.graph().inputs(id).size();
      item.first_operand = static_cast<std::uint32_t>(out_.operands.size());
      item.operand_count = static_cast<std::uint32_t>(count);
      for (std::size_t i = 0; i < count; ++i) {
        const NodeId from = nodes_.operand(id, i);
        out_.operands.push_back(reads_values(op, i)
                                    ? item_of_[from]
                                    : append({.kind = Item::Kind::shape, .node = from, .type = nodes_.type(from)}));
      }
    }
    item_of_[id] = append(item);
  }
  ItemId append(Item item) {
    if (item.storage == no_item) item.storage = out_.size();
    out_.items.push_back(item);
    return out_.size() - 1;
  }
  // Of the source.
  void add_input(NodeId id) {
    const Graph& source = *out_.rewritten->source;
    const std::vector<TensorType>& types = out_.rewritten->source_types;
    out_.inputs.push_back({source.value(id), source.name(id), id < types.size() ? types[id] : source.node(id).type});
  }
  std::uint32_t parameter(const Parameter& parameter) {
    const auto [found, fresh] =
        parameters_.try_emplace(parameter.raw(), static_cast<std::uint32_t>(out_.parameters.size()));
    if (fresh) out_.parameters.push_back(parameter);
    return found->second;
  }

  const Nodes& nodes_;
  Needed out_;
  std::vector<ItemId> item_of_;  // by node
  std::unordered_map<const void*, std::uint32_t> parameters_;
};

}  // namespace

Needed needed(const Rewritten& rewritten, bool fold) {
  const Nodes nodes(rewritten, fold);
  return Lister(rewritten, nodes).list();
}

// As the source describes its node, with the operation that a rule has put in its place.
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
  constexpr const char* words[] = {"input", "parameter", "constant", "shape", "view", "computed"};
  std::string out;
  for (ItemId id = 0; id < size(); ++id) {
    out += fmt::format("{} {} {}", id, words[static_cast<int>(items[id].kind)], describe(id));
    if (storage(id) != id) out += fmt::format(" of {}", storage(id));
    if (items[id].operand_count > 0) out += fmt::format(" <- {}", fmt::join(operands_of(id), " "));
    out += '\n';
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) out += fmt::format("output {} <- {}\n", i, outputs[i]);
  for (const Target& u : updates) {
    out += fmt::format("update {:?} <- {}{}\n", parameters[u.parameter].name(), u.value, u.alone ? " alone" : "");
  }
  return out;
}

void verify(const Needed& needed) {
  using Kind = Item::Kind;
  for (ItemId id = 0; id < needed.size(); ++id) {
    const auto require = [&](bool holds, const char* what) {
      if (!holds) throw InternalError(fmt::format("plan: item {}: {}\n{}", id, what, needed.str()));
    };
    const Item& item = needed.items[id];
    require(item.storage <= id && needed.storage(item.storage) == item.storage, "it shows a view or a later item");
    require((item.storage != id) == (item.kind == Kind::view), "a view shows another item, and only a view does");
    require(needed.type(item.storage).bytes() == item.type.bytes(), "it shows an item of another size");
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
  const auto require = [&](bool holds, const char* what) {
    if (!holds) throw InternalError(fmt::format("plan: {}\n{}", what, needed.str()));
  };
  const auto exists = [&](ItemId id) { return id < needed.size() && !needed.is(id, Kind::shape); };
  for (const ItemId id : needed.outputs) require(exists(id), "an output has no value");
  for (const Needed::Target& u : needed.updates) {
    require(exists(u.value) && u.parameter < needed.parameters.size(), "an update has no value or no parameter");
    require(needed.type(u.value) == needed.parameters[u.parameter].type(), "an update has a value of another type");
  }
  const std::vector<std::uint32_t> keepers = needed.keepers();
  for (const Needed::Target& u : needed.updates) {
    require(u.alone == (needed.computed(u.value) && keepers[u.value] == 1), "an update is wrong to be alone, or not");
  }
}

}  // namespace xgrad::inline v0
