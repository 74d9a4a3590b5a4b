// GroupBuilder: compiles the members of a fusion group, except the anchor, to a block program.
#pragma once

#include <vector>

#include <xgrad/graph/plan/internal/schedule.hpp>

namespace xgrad::inline v0 {

// Elementwise items that run in one pass, see FusedPair. By item; `no_item` if there is none.
struct Pairs {
  std::vector<ItemId> consumer;
  std::vector<ItemId> producer;
  // A producer runs when its consumer does.
  ItemId runs_at(ItemId id) const { return consumer[id] != no_item ? consumer[id] : id; }
};
// `escapes`, by item: whether anything outside its group reads or keeps it.
Pairs find_pairs(const Needed& needed, const Schedule& schedule, const std::vector<char>& escapes);

class GroupBuilder {
 public:
  // `registers`, by item: its register in the block program of its group, filled by `build`.
  GroupBuilder(const Needed& needed, const Schedule& schedule, const Pairs& pairs, const std::vector<ItemId>& members,
               std::vector<BlockProgram::Register>& registers);

  BlockProgram build(const std::vector<char>& escapes);
  // The program's inputs, after `build`.
  std::vector<ItemId> inputs() const;

  // ---- for FusionKind::emit

  const Needed& needed;
  BlockProgram::Builder block;
  // The register of an operand. `row_values`: one value per row, for an operation on row values.
  BlockProgram::Register read(ItemId operand, bool row_values = false);
  BlockLevel level(ItemId id) const { return all_elements_ ? BlockLevel::element : schedule_.info[id].level; }
  // The fused pair's producer, which runs in one instruction with the item.
  ItemId pair_producer(ItemId id) const { return pairs_.producer[id]; }

 private:
  struct Input {
    ItemId item;
    bool row_values;
    BlockProgram::Register made;
  };

  const Schedule& schedule_;
  const Pairs& pairs_;
  const std::vector<ItemId>& members_;
  std::vector<BlockProgram::Register>& registers_;
  bool all_elements_;
  std::vector<Input> inputs_;
};

}  // namespace xgrad::inline v0
