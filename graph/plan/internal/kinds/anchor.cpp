// Operations whose kernel reports finished rows, such as matmul: other kinds run on these rows as an epilogue.
#include <xgrad/graph/plan/internal/fusion_kind.hpp>

namespace xgrad::inline v0 {

extern const FusionKind anchor_kind;

namespace {

FusionInfo classify(const Needed& needed, const FusionInfos&, ItemId id) {
  const auto& [dtype, shape] = needed.type(id);
  if (!needed.op(id).traits.supports_epilogue || shape.rank() < 1 || !fits_block(shape.back(), dtype)) return {};
  return {.iteration_space = id, .row = shape.back()};
}

}  // namespace

const FusionKind anchor_kind{.name = "anchor", .classify = classify};

}  // namespace xgrad::inline v0
