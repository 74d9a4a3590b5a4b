// FusionKind: one way in which an operation can take part in a block program. Each kind is one file in kinds/ and one
// entry of `fusion_kinds()`; the scheduler, the selector and block programs know no kind by name.
#pragma once

#include <array>
#include <span>
#include <vector>

#include <xgrad/graph/plan/internal/block_program.hpp>
#include <xgrad/graph/plan/internal/needed.hpp>

namespace xgrad::inline v0 {

struct FusionKind;

// The role of an item in a block program, see Note [Levels] in block_program.hpp.
struct FusionInfo {
  const FusionKind* kind = nullptr;  // null: the item runs alone
  BlockLevel level = BlockLevel::element;
  ItemId iteration_space = no_item;  // the item whose shape the program iterates over
  Index row = 0;                     // elements of a row; 0: the item runs on any blocks
  bool reads_row_values = false;     // it computes row values from row values

  bool is_anchor() const;
};

// The role of each item, by item.
using FusionInfos = std::vector<FusionInfo>;

class GroupBuilder;

struct FusionKind {
  const char* name;
  // The item's role, with its `kind` left to the caller; without an iteration space if the item is of another kind.
  // `info` is complete for the items before it.
  FusionInfo (*classify)(const Needed& needed, const FusionInfos& info, ItemId id);
  // Whether the item can read `producer`, which is not of level `column`, in one block program. Null: it reads nothing.
  bool (*can_read)(const Needed& needed, const FusionInfos& info, ItemId id, ItemId producer) = nullptr;
  // Appends the instructions that compute the item, see group_builder.hpp. Null: an anchor. Its own kernel runs, and
  // the block program on its rows as they become ready.
  BlockProgram::Register (*emit)(GroupBuilder& group, ItemId id) = nullptr;
  // Whether an item of this kind runs last if only items that run last read it.
  bool moves_late = false;
};

inline bool FusionInfo::is_anchor() const { return kind != nullptr && kind->emit == nullptr; }

// All kinds; an item is of the first that classifies it.
std::span<const FusionKind* const> fusion_kinds();

FusionInfos classify_items(const Needed& needed, std::span<const FusionKind* const> kinds);
// Whether the consumer may read the producer within one block program.
bool can_fuse(const Needed& needed, const FusionInfos& info, ItemId consumer, ItemId producer);

template <class T>
const T& by_dtype(const std::array<T, dtype_count>& table, DType dtype) {
  return table[static_cast<std::size_t>(dtype)];
}
// Whether a row of `elements` is short enough for a block.
bool fits_block(Index elements, DType dtype);
// Whether the item has a block kernel for its dtype, and so runs as a block program even alone.
bool runs_blockwise(const Needed& needed, ItemId id);
// The fused kernel of two elementwise items, of which `second` reads `first` as its operand of that index; or null.
BlockKernel pair_kernel(const Needed& needed, ItemId first, ItemId second, std::size_t operand);

}  // namespace xgrad::inline v0
