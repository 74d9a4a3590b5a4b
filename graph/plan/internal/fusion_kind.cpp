#include <xgrad/graph/plan/internal/fusion_kind.hpp>

namespace xgrad::inline v0 {

// Each kind is defined in a file of its own in kinds/.
extern const FusionKind elementwise_kind, random_kind, reduction_kind, rows_kind, anchor_kind;

std::span<const FusionKind* const> fusion_kinds() {
  static constexpr const FusionKind* all[] = {&elementwise_kind, &random_kind, &reduction_kind, &rows_kind,
                                              &anchor_kind};
  return all;
}

FusionInfos classify_items(const Needed& needed, std::span<const FusionKind* const> kinds) {
  FusionInfos info(needed.size());
  for (ItemId id = 0; id < needed.size(); ++id) {
    if (!needed.computed(id)) continue;
    for (const FusionKind* kind : kinds) {
      info[id] = kind->classify(needed, info, id);
      if (info[id].iteration_space == no_item) continue;
      info[id].kind = kind;
      break;
    }
  }
  return info;
}

bool can_fuse(const Needed& needed, const FusionInfos& info, ItemId consumer, ItemId producer) {
  const FusionKind* kind = info[consumer].kind;
  return kind != nullptr && kind->can_read != nullptr && info[producer].kind != nullptr &&
         info[producer].level != BlockLevel::column && kind->can_read(needed, info, consumer, producer);
}

bool fits_block(Index elements, DType dtype) {
  return elements > 1 && elements * static_cast<Index>(size_of(dtype)) <= BlockProgram::max_row_bytes;
}

}  // namespace xgrad::inline v0
