// Fifth stage of planning: assigns memory. Each item that a step writes gets the memory of a parameter, the buffer of
// an operand that no later step reads, or its own buffer. This stage reads only the reads, writes and overwrites of a
// step.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include <xgrad/graph/plan/internal/memory_plan.hpp>
#include <xgrad/graph/plan/internal/select.hpp>

namespace xgrad::inline v0 {

struct Placement {
  static constexpr int forever = std::numeric_limits<int>::max();
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  // Old values that an update would overwrite, copied after the last step.
  struct Save {
    ItemId item = no_item;
    std::uint32_t buffer = none;
  };

  std::vector<Lifetime> buffers;          // of the arena
  MemoryPlan memory;                      // their offsets
  std::vector<std::uint32_t> buffer_of;   // by item: its buffer, or `none`
  std::vector<std::uint32_t> written_to;  // by item: the parameter into which a step writes it, or `none`
  std::vector<std::uint32_t> scratch;     // by step: its buffer, or `none`
  std::vector<char> in_place;             // by step: it overwrites one of its operands
  std::vector<Save> saves;
  std::vector<std::uint32_t> commits;  // updates that are copied after the last step

  // One line per placed item, such as `3 @64..128 from 0 to 2`, then the copies.
  std::string str(const Needed& needed) const;
};

Placement place(const Needed& needed, const std::vector<Selected>& steps, const PlanOptions& options);

// Simulates a run on item ids. Throws InternalError, with the step, if a step reads bytes that hold another item, or
// overwrites an operand without an entry in `overwrites`.
void verify(const Placement& placement, const Needed& needed, const std::vector<Selected>& steps);

}  // namespace xgrad::inline v0
