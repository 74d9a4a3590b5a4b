// Second stage of planning: lists the values that a plan needs, operands first. Constants are folded, and operands
// resolved through no-op views and broadcasts. The later stages read this list and do not change it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <xgrad/graph/plan/internal/rewrite.hpp>

namespace xgrad::inline v0 {

using ItemId = std::uint32_t;  // position in Needed::items, and in Program::values
inline constexpr ItemId no_item = ~ItemId{0};

struct Item {
  enum class Kind : std::uint8_t {
    input,
    parameter,
    constant,  // known while planning; every value without elements is a constant
    shape,     // an operand of which only the shape is read
    view,      // the bytes of `storage` in another shape
    computed,  // by a step; has elements
  };
  Kind kind = Kind::computed;
  NodeId node = 0;
  TensorType type;
  ItemId storage = no_item;  // the item that owns its bytes: itself or, for a view, an item that is not a view
  std::uint32_t index = 0;   // into inputs, parameters or constants
  std::uint32_t first_operand = 0;
  std::uint32_t operand_count = 0;  // only computed items have operands
};

struct PlannedInput {
  Value handle;  // only compared: the graph may have been destroyed
  std::string name;
  TensorType type;
  bool needed = false;
  ItemId value = no_item;
};

struct Needed {
  const Rewritten* rewritten = nullptr;  // the stage before
  std::vector<Item> items;
  std::vector<ItemId> operands;      // of all items, concatenated
  std::vector<PlannedInput> inputs;  // all inputs of the graph, in the order of their nodes
  std::vector<Parameter> parameters;
  std::vector<Tensor> constants;
  std::vector<ItemId> outputs;
  struct Target {
    ItemId value = no_item;
    std::uint32_t parameter = 0;
    bool alone = false;  // the value is computed, and no other output or update uses it: it may be updated in place
  };
  std::vector<Target> updates;

  ItemId size() const { return static_cast<ItemId>(items.size()); }
  bool is(ItemId id, Item::Kind kind) const { return items[id].kind == kind; }
  bool computed(ItemId id) const { return is(id, Item::Kind::computed); }
  const TensorType& type(ItemId id) const { return items[id].type; }
  ItemId storage(ItemId id) const { return items[id].storage; }
  std::span<const ItemId> operands_of(ItemId id) const {
    return {operands.data() + items[id].first_operand, items[id].operand_count};
  }
  // Calls f(operand) for each operand whose elements are read.
  template <class F>
  void for_each_read(ItemId id, F f) const {
    for (const ItemId operand : operands_of(id)) {
      if (!is(operand, Item::Kind::shape)) f(operand);
    }
  }
  const Graph& graph() const { return *rewritten->graph; }
  const OpDef& op(ItemId id) const { return *graph().node(items[id].node).op; }
  const Attrs& attrs(ItemId id) const { return graph().attrs(items[id].node); }
  // The node of the user's graph that the item is reported as.
  NodeId source_node(ItemId id) const { return rewritten->source_of(items[id].node); }
  std::vector<TensorType> operand_types(ItemId id) const;
  // Returns, by item, how many outputs and updates read its bytes at the end of a run.
  std::vector<std::uint32_t> keepers() const;
  std::string describe(ItemId id) const;
  // One line per item, such as `3 computed %4 sum f32[3] <- 0`.
  std::string str() const;
};

// Runs the stage. With `fold`, it computes nodes that depend on constants alone. With `recompute`, a large value that
// is cheap to compute from a tensor of its shape has one item per reader, so that it need not be stored. `rewritten`
// must outlive the result.
Needed needed(const Rewritten& rewritten, bool fold, bool recompute = false);

// Throws InternalError, with the item, unless the list is as documented above.
void verify(const Needed& needed);

}  // namespace xgrad::inline v0
