// What each item of a plan can be in a block program, and which items can be in one together.
#pragma once

#include <vector>

#include <xgrad/graph/plan/internal/block_program.hpp>
#include <xgrad/graph/plan/internal/needed.hpp>

namespace xgrad::inline v0 {

// See Note [Levels] in block_program.hpp.
struct FusionInfo {
  enum class Kind : std::uint8_t {
    none,
    elementwise,
    random,
    reduction,
    anchor,  // its own kernel runs, and the block program on its rows as they are finished
  };
  Kind kind = Kind::none;
  BlockLevel level = BlockLevel::element;
  ItemId iteration_space = no_item;  // the item whose shape the program walks
  Index row = 0;                     // elements of a row, where rows matter
};

// By item. With `fuse` false all are none.
std::vector<FusionInfo> classify_items(const Needed& needed, bool fuse);

// Whether the consumer may read the producer within one block program.
bool can_fuse(const Needed& needed, const std::vector<FusionInfo>& info, ItemId consumer, ItemId producer);

// Whether a block program of its own runs the item: an elementwise operation that has nothing but its block kernel.
bool runs_blockwise(const Needed& needed, ItemId id);
BlockKernel block_kernel(const Needed& needed, ItemId id);
const BlockReduction& block_reduction(const Needed& needed, ItemId id);

}  // namespace xgrad::inline v0
