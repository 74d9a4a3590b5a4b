// Third stage of planning: which items are computed together, and in which order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <xgrad/graph/plan/internal/fusion_info.hpp>

namespace xgrad::inline v0 {

struct Schedule {
  static constexpr std::uint32_t no_group = ~std::uint32_t{0};

  std::vector<FusionInfo> info;             // by item
  std::vector<char> runs_last;              // by item: after all that is not marked so
  std::vector<std::vector<ItemId>> groups;  // in the order of running; every computed item is in one
  std::vector<std::uint32_t> group_of;      // by item; `no_group` if it is not computed

  // The member whose own kernel runs while the others follow it; `no_item` if there is none.
  ItemId anchor_of(const std::vector<ItemId>& members) const;
  // One line an item, such as `2: 7 elementwise %9 tanh f32[8]`, with `last` behind those that run last.
  std::string str(const Needed& needed) const;
};

// With `fuse` false every group has one member.
Schedule schedule(const Needed& needed, bool fuse);

// Throws InternalError, naming the item, unless every computed item is in one group, after all it reads, and every
// group is one that a step can run.
void verify(const Schedule& schedule, const Needed& needed);

}  // namespace xgrad::inline v0
