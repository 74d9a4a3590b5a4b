#include <xgrad/graph/plan/internal/group_builder.hpp>

#include <algorithm>

namespace xgrad::inline v0 {
namespace {

// Operations on row values whose reduction is in another group run as elements.
bool are_all_elements(const Schedule& schedule, const std::vector<ItemId>& members) {
  return members.size() == 1 ||
         std::all_of(members.begin(), members.end(), [&](ItemId id) { return schedule.info[id].reads_row_values; });
}

BlockProgram::Builder make_builder(const Needed& needed, const Schedule& schedule, const std::vector<ItemId>& members,
                                   bool all_elements) {
  if (all_elements) return BlockProgram::Builder(needed.type(members.front()).shape);
  Index row = 0;
  for (const ItemId id : members) row = std::max(row, schedule.info[id].row);
  return BlockProgram::Builder(needed.type(schedule.info[members.front()].iteration_space).shape, row);
}

}  // namespace

Pairs find_pairs(const Needed& needed, const Schedule& schedule, const std::vector<char>& escapes) {
  Pairs out{std::vector<ItemId>(needed.size(), no_item), std::vector<ItemId>(needed.size(), no_item)};
  std::vector<std::uint32_t> readers(needed.size(), 0);
  for (const ItemId i : needed.operands) ++readers[i];
  const auto may_pair = [&](ItemId from, ItemId id) {
    const FusionInfo& first = schedule.info[from];
    return schedule.group_of[from] == schedule.group_of[id] && first.kind == schedule.info[id].kind &&
           first.level == schedule.info[id].level && needed.type(from).shape == needed.type(id).shape &&
           readers[from] == 1 && escapes[from] == 0 && out.producer[from] == no_item;
  };
  for (const auto& members : schedule.groups) {
    for (const ItemId id : members) {
      const auto operands = needed.operands_of(id);
      for (std::size_t i = 0; i < operands.size() && out.producer[id] == no_item; ++i) {
        if (!may_pair(operands[i], id) || pair_kernel(needed, operands[i], id, i) == nullptr) continue;
        out.producer[id] = operands[i];
        out.consumer[operands[i]] = id;
      }
    }
  }
  return out;
}

GroupBuilder::GroupBuilder(const Needed& needed_items, const Schedule& schedule, const Pairs& pairs,
                           const std::vector<ItemId>& members, std::vector<BlockProgram::Register>& registers)
    : needed(needed_items),
      block(make_builder(needed_items, schedule, members, are_all_elements(schedule, members))),
      schedule_(schedule),
      pairs_(pairs),
      members_(members),
      registers_(registers),
      all_elements_(are_all_elements(schedule, members)) {}

BlockProgram GroupBuilder::build(const std::vector<char>& escapes) {
  for (const ItemId id : members_) {
    const FusionInfo& info = schedule_.info[id];
    if (info.is_anchor() || pairs_.consumer[id] != no_item) continue;
    registers_[id] = info.kind->emit(*this, id);
    if (escapes[id] != 0 || members_.size() == 1) block.output(registers_[id]);
  }
  return block.finish();
}

std::vector<ItemId> GroupBuilder::inputs() const {
  std::vector<ItemId> out;
  for (const Input& input : inputs_) out.push_back(input.item);
  return out;
}

BlockProgram::Register GroupBuilder::read(ItemId operand, bool row_values) {
  const bool member = schedule_.group_of[operand] == schedule_.group_of[members_.front()];
  if (member && !schedule_.info[operand].is_anchor()) return registers_[operand];
  for (const Input& known : inputs_) {
    if (known.item == operand && known.row_values == row_values) return known.made;
  }
  inputs_.push_back({operand, row_values, block.input(needed.type(operand), row_values)});
  return inputs_.back().made;
}

}  // namespace xgrad::inline v0
