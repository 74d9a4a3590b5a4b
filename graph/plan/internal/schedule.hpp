// Third stage of planning: groups items that run as one step, and orders the groups.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <xgrad/graph/plan/internal/fusion_kind.hpp>

namespace xgrad::inline v0 {

struct Schedule {
  static constexpr std::uint32_t no_group = ~std::uint32_t{0};

  FusionInfos info;                         // by item
  std::vector<char> runs_last;              // by item: it runs after all items that are not marked
  std::vector<std::vector<ItemId>> groups;  // in execution order; each computed item is in one
  std::vector<std::uint32_t> group_of;      // by item; `no_group` if it is not computed

  // The member whose own kernel runs, with the others as its epilogue; `no_item` if there is none.
  ItemId anchor_of(const std::vector<ItemId>& members) const;
  // One line per item, such as `2: 7 elementwise %9 tanh f32[8]`, with `last` after items that run last.
  std::string str(const Needed& needed) const;
};

// Runs the stage. If `fuse` is false, every group has one member.
Schedule schedule(const Needed& needed, bool fuse, std::span<const FusionKind* const> kinds = fusion_kinds());

// Throws InternalError, with the item, unless each computed item is in one group, after its operands, and one step can
// run each group.
void verify(const Schedule& schedule, const Needed& needed);

}  // namespace xgrad::inline v0
