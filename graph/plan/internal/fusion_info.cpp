#include <xgrad/graph/plan/internal/fusion_info.hpp>

namespace xgrad::inline v0 {
namespace {

using Kind = FusionInfo::Kind;

template <class T>
const T& by_dtype(const std::array<T, dtype_count>& table, DType dtype) {
  return table[static_cast<std::size_t>(dtype)];
}

// Whether a whole row of the type fits a block.
bool fits_block(Index row, DType dtype) {
  return row > 1 && row * static_cast<Index>(size_of(dtype)) <= BlockProgram::longest_row;
}

// An elementwise operation walks its own shape, unless it works on row values of a reduction: then it goes with that.
FusionInfo elementwise(const Needed& needed, const std::vector<FusionInfo>& info, ItemId id) {
  if (!runs_blockwise(needed, id)) return {};
  const Shape& shape = needed.type(id).shape;
  const FusionInfo* rows = nullptr;
  bool row_values_alone = true;
  for (const ItemId i : needed.operands_of(id)) {
    const Shape& of = needed.type(i).shape;
    if (of == shape) {
      if (rows == nullptr && info[i].level == BlockLevel::row) rows = &info[i];
    } else if (of.elements() != 1) {
      row_values_alone = false;
    }
  }
  if (rows == nullptr || !row_values_alone) return {Kind::elementwise, BlockLevel::element, id, 0};
  return {Kind::elementwise, BlockLevel::row, rows->iteration_space, rows->row};
}

FusionInfo random(const Needed& needed, const std::vector<FusionInfo>&, ItemId id) {
  if (by_dtype(needed.op(id).random_block, needed.type(id).dtype) == nullptr) return {};
  return {Kind::random, BlockLevel::element, id, 0};
}

// A reduction over the last axes leaves a value per row, one over the first axes a value per column.
FusionInfo reduction(const Needed& needed, const std::vector<FusionInfo>&, ItemId id) {
  const OpDef& op = needed.op(id);
  if (op.reduced_axes == nullptr || block_reduction(needed, id).rows == nullptr) return {};
  const std::vector<TensorType> operands = needed.operand_types(id);
  const std::uint32_t axes = op.reduced_axes(operands, needed.type(id), needed.attrs(id));
  const Shape& shape = operands[0].shape;
  // Axes of extent 1 do not count; of the others, the reduced ones must be neighbors at one end.
  Index kept_after = 1, reduced = 1, changes = 0;
  bool last_is_reduced = false, any = false, previous = false;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] == 1) continue;
    const bool combined = (axes >> axis & 1U) != 0;
    if (!any) last_is_reduced = combined;
    if (any && combined != previous) ++changes;
    (combined ? reduced : kept_after) *= shape[axis];
    previous = combined;
    any = true;
  }
  const DType dtype = operands[0].dtype;
  if (!any || changes > 1 || reduced <= 1 || needed.type(id).dtype != dtype) return {};
  const Index row = last_is_reduced ? reduced : kept_after;
  if (!fits_block(row, dtype)) return {};
  return {Kind::reduction, last_is_reduced ? BlockLevel::row : BlockLevel::column, needed.operands_of(id)[0], row};
}

// A kernel that reports its rows as they are finished lets others go on with them.
FusionInfo anchor(const Needed& needed, const std::vector<FusionInfo>&, ItemId id) {
  const auto& [dtype, shape] = needed.type(id);
  if (!needed.op(id).traits.supports_epilogue || shape.rank() < 1 || !fits_block(shape.back(), dtype)) return {};
  return {Kind::anchor, BlockLevel::element, id, shape.back()};
}

// Whether row values of shape `own` stand for the rows of `shape` when they are broadcast to it.
bool stands_for_rows(Index row, const Shape& own, const Shape& shape) {
  if (own.rank() != shape.rank()) return false;
  Index inner = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const bool in_row = inner < row;
    inner *= shape[axis];
    if (shape[axis] != 1 && own[axis] != (in_row ? 1 : shape[axis])) return false;
  }
  return true;
}

}  // namespace

std::vector<FusionInfo> classify_items(const Needed& needed, bool fuse) {
  std::vector<FusionInfo> info(needed.size());
  for (ItemId id = 0; fuse && id < needed.size(); ++id) {
    if (!needed.computed(id)) continue;
    for (const auto classify : {elementwise, random, reduction, anchor}) {
      if (info[id].kind == Kind::none) info[id] = classify(needed, info, id);
    }
  }
  return info;
}

bool can_fuse(const Needed& needed, const std::vector<FusionInfo>& info, ItemId consumer, ItemId producer) {
  const FusionInfo& to = info[consumer];
  const FusionInfo& from = info[producer];
  if (to.kind == Kind::none || to.kind == Kind::anchor || from.kind == Kind::none) return false;
  if (from.level == BlockLevel::column) return false;
  const bool row_values = from.level == BlockLevel::row;
  if (to.kind == Kind::reduction) return !row_values;
  const Shape& shape = needed.type(consumer).shape;
  const Shape& shape_of = needed.type(producer).shape;
  if (!row_values) return to.level == BlockLevel::element && shape_of == shape;
  const Shape& walked = needed.type(from.iteration_space).shape;
  if (to.level == BlockLevel::element) return walked == shape && stands_for_rows(from.row, shape_of, shape);
  return from.row == to.row && walked == needed.type(to.iteration_space).shape && shape_of == shape;
}

bool runs_blockwise(const Needed& needed, ItemId id) {
  const OpDef& op = needed.op(id);
  return op.traits.elementwise && !op.traits.random && !op.traits.may_throw && op.traits.shape_only == 0 &&
         op.kernel == run_elementwise && needed.items[id].operand_count <= 4 && block_kernel(needed, id) != nullptr;
}

BlockKernel block_kernel(const Needed& needed, ItemId id) {
  const auto operands = needed.operands_of(id);
  return operands.empty() ? nullptr : by_dtype(needed.op(id).block, needed.type(operands.back()).dtype);
}

const BlockReduction& block_reduction(const Needed& needed, ItemId id) {
  return by_dtype(needed.op(id).reduction, needed.type(needed.operands_of(id)[0]).dtype);
}

}  // namespace xgrad::inline v0
