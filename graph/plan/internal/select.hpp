// Fourth stage of planning: the step that runs each group, which is a kernel, a block program, or both. What a step
// reads, writes and may overwrite is listed, so that the next stage can assign memory without knowing any operation.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/plan/internal/program.hpp>
#include <xgrad/graph/plan/internal/schedule.hpp>

namespace xgrad::inline v0 {

struct Selected {
  // The result may be written over the operand's bytes if no later step reads these.
  struct Overwrite {
    ItemId result = no_item;
    ItemId operand = no_item;
  };
  Step step;  // all but its scratch offset, which is of `scratch` bytes
  StepLabel label;
  std::vector<StepPart> parts;
  std::vector<ItemId> reads;   // of other steps and leaves: items with bytes of their own, each once
  std::vector<ItemId> writes;  // the result of the kernel, then all that other steps read or that a run keeps
  std::vector<Overwrite> overwrites;
  std::size_t scratch = 0;
  bool may_throw = false;

  // Such as `matmul f32[2, 3]: 5 <- 1 2, 5 over 1`.
  std::string str() const;
};

// One step a group, in the same order.
std::vector<Selected> select(const Needed& needed, const Schedule& schedule);

// Throws InternalError, naming the step, unless each reads what is there before it, everything kept is written once,
// and overwrites are of what the step reads or of its own kernel's result.
void verify(const std::vector<Selected>& steps, const Needed& needed);

}  // namespace xgrad::inline v0
