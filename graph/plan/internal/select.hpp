// Fourth stage of planning: selects the kernel, the block program, or both, that run each group. It lists what each
// step reads, writes and may overwrite, so that the next stage can assign memory without knowing any operation.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/plan/internal/program.hpp>
#include <xgrad/graph/plan/internal/schedule.hpp>

namespace xgrad::inline v0 {

struct Selected {
  // The result may overwrite the operand if no later step reads the operand.
  struct Overwrite {
    ItemId result = no_item;
    ItemId operand = no_item;
  };
  Step step;                   // complete except for scratch_offset and in_place
  std::vector<ItemId> reads;   // from outside the group: items with bytes of their own, each once
  std::vector<ItemId> writes;  // the kernel's result, then all items that are read or kept outside the group
  std::vector<Overwrite> overwrites;
  std::size_t scratch = 0;
  bool may_throw = false;

  // One line, such as `matmul f32[2, 3]: 5 <- 1 2, 5 over 1`.
  std::string str() const;
};

// Runs the stage. Returns one step per group, in the same order.
std::vector<Selected> select(const Needed& needed, const Schedule& schedule);

// Throws InternalError, with the step, unless each step reads what was written before, every kept item is written once,
// and a step overwrites only what it reads, or its own kernel's result.
void verify(const std::vector<Selected>& steps, const Needed& needed);

}  // namespace xgrad::inline v0
