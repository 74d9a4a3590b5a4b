// Random operations: each block computes its elements of the stream.
#include <xgrad/graph/plan/internal/group_builder.hpp>

namespace xgrad::inline v0 {

extern const FusionKind random_kind;

namespace {

RandomBlockKernel kernel_of(const Needed& needed, ItemId id) {
  return by_dtype(needed.op(id).random_block, needed.type(id).dtype);
}

FusionInfo classify(const Needed& needed, const FusionInfos&, ItemId id) {
  return {.iteration_space = kernel_of(needed, id) != nullptr ? id : no_item};
}

BlockProgram::Register emit(GroupBuilder& group, ItemId id) {
  const Needed& needed = group.needed;
  const auto fill = [kernel = kernel_of(needed, id), attrs = needed.attrs(id),
                     row_elements = needed.graph().row_elements(needed.items[id].node)](const BlockCall& call) {
    kernel(attrs, call.random, call.first_row * row_elements + call.first, call.n, call.out);
  };
  return group.block.call(fill, {}, needed.type(id).dtype, BlockLevel::element);
}

}  // namespace

const FusionKind random_kind{.name = "random", .classify = classify, .emit = emit};

}  // namespace xgrad::inline v0
