// Fifth stage of planning: where values are. Every item that a step writes gets a parameter's memory, the buffer of an
// operand that dies with the step, or a buffer of its own. Steps are known here by what they read, write and may
// overwrite, and by nothing else.
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
  // Old values that an update would destroy, copied when all steps are done.
  struct Save {
    ItemId item = no_item;
    std::uint32_t buffer = none;
  };

  std::vector<Lifetime> buffers;          // of the arena
  MemoryPlan memory;                      // and their offsets
  std::vector<std::uint32_t> buffer_of;   // by item, or `none`
  std::vector<std::uint32_t> written_to;  // by item, the parameter it is written into, or `none`
  std::vector<std::uint32_t> scratch;     // by step, its buffer, or `none`
  std::vector<char> in_place;             // by step: it writes over something it reads
  std::vector<Save> saves;
  std::vector<std::uint32_t> commits;  // updates whose new values are copied at the end

  // One line an item that has a place, such as `3 @64..128 from 0 to 2`, then what is copied.
  std::string str(const Needed& needed) const;
};

Placement place(const Needed& needed, const std::vector<Selected>& steps, const PlanOptions& options);

// Runs the plan with the names of items in place of their values. Throws InternalError, naming the step, if it reads
// bytes that hold something else, or writes over what it reads without leave.
void verify(const Placement& placement, const Needed& needed, const std::vector<Selected>& steps);

}  // namespace xgrad::inline v0
