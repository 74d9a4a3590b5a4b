// Reductions: over the last axes to one value per row, over the first axes to one value per column.
#include <vector>

#include <xgrad/graph/plan/internal/group_builder.hpp>

namespace xgrad::inline v0 {

extern const FusionKind reduction_kind;

namespace {

const BlockReduction& reduction_of(const Needed& needed, ItemId id) {
  return by_dtype(needed.op(id).reduction, needed.type(needed.operands_of(id)[0]).dtype);
}

FusionInfo classify(const Needed& needed, const FusionInfos&, ItemId id) {
  const OpDef& op = needed.op(id);
  if (op.reduced_axes == nullptr || reduction_of(needed, id).rows == nullptr) return {};
  const std::vector<TensorType> operands = needed.operand_types(id);
  const std::uint32_t axes = op.reduced_axes(operands, needed.type(id), needed.attrs(id));
  const auto& [dtype, shape] = operands[0];
  // Ignore axes of extent 1. Of the others, the reduced ones must be adjacent and at one end.
  Index kept = 1, reduced = 1;
  int changes = -1;
  bool last_is_reduced = false, previous = false;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] == 1) continue;
    const bool is_reduced = (axes >> axis & 1U) != 0;
    if (changes < 0) last_is_reduced = is_reduced;
    if (changes < 0 || is_reduced != previous) ++changes;
    (is_reduced ? reduced : kept) *= shape[axis];
    previous = is_reduced;
  }
  const Index row = last_is_reduced ? reduced : kept;
  if (changes > 1 || reduced <= 1 || needed.type(id).dtype != dtype || !fits_block(row, dtype)) return {};
  return {.level = last_is_reduced ? BlockLevel::row : BlockLevel::column,
          .iteration_space = needed.operands_of(id)[0],
          .row = row};
}

bool can_read(const Needed&, const FusionInfos& info, ItemId, ItemId producer) {
  return info[producer].level == BlockLevel::element;
}

BlockProgram::Register emit(GroupBuilder& group, ItemId id) {
  const BlockReduction& reduction = reduction_of(group.needed, id);
  const BlockProgram::Register operand = group.read(group.needed.operands_of(id)[0]);
  const DType dtype = group.needed.type(id).dtype;
  if (group.level(id) == BlockLevel::column) return group.block.reduce(reduction, operand, dtype);
  const auto reduce_rows = [&reduction](const BlockCall& call) {
    reduction.rows(call.in[0], call.rows, call.row, call.out);
  };
  return group.block.call(reduce_rows, {&operand, 1}, dtype, BlockLevel::row);
}

}  // namespace

const FusionKind reduction_kind{.name = "reduction", .classify = classify, .can_read = can_read, .emit = emit};

}  // namespace xgrad::inline v0
