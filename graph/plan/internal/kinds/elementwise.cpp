// Elementwise operations, on elements or on row values; fused pairs run as one instruction.
#include <algorithm>
#include <vector>

#include <xgrad/graph/plan/internal/group_builder.hpp>

namespace xgrad::inline v0 {

extern const FusionKind elementwise_kind;

namespace {

using Register = BlockProgram::Register;

BlockKernel block_kernel(const Needed& needed, ItemId id) {
  const auto operands = needed.operands_of(id);
  return operands.empty() ? nullptr : by_dtype(needed.op(id).block, needed.type(operands.back()).dtype);
}

// An item iterates over its own shape or, if it reads row values of a reduction, over the shape that is reduced.
FusionInfo classify(const Needed& needed, const FusionInfos& info, ItemId id) {
  if (!runs_blockwise(needed, id)) return {};
  const Shape& shape = needed.type(id).shape;
  const FusionInfo* rows = nullptr;
  for (const ItemId i : needed.operands_of(id)) {
    const Shape& operand = needed.type(i).shape;
    if (operand == shape) {
      if (rows == nullptr && info[i].level == BlockLevel::row) rows = &info[i];
    } else if (operand.elements() != 1) {
      return {.iteration_space = id};
    }
  }
  if (rows == nullptr) return {.iteration_space = id};
  return {
      .level = BlockLevel::row, .iteration_space = rows->iteration_space, .row = rows->row, .reads_row_values = true};
}

// Whether row values of shape `own` broadcast to `shape` along its rows.
bool broadcasts_along_rows(Index row, const Shape& own, const Shape& shape) {
  if (own.rank() != shape.rank()) return false;
  Index inner = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const bool in_row = inner < row;
    inner *= shape[axis];
    if (shape[axis] != 1 && own[axis] != (in_row ? 1 : shape[axis])) return false;
  }
  return true;
}

bool can_read(const Needed& needed, const FusionInfos& info, ItemId id, ItemId producer) {
  const FusionInfo& to = info[id];
  const FusionInfo& from = info[producer];
  const Shape& shape = needed.type(id).shape;
  const Shape& produced = needed.type(producer).shape;
  if (from.level != BlockLevel::row) return to.level == BlockLevel::element && produced == shape;
  const Shape& iterated = needed.type(from.iteration_space).shape;
  if (to.level == BlockLevel::element) return iterated == shape && broadcasts_along_rows(from.row, produced, shape);
  return from.row == to.row && iterated == needed.type(to.iteration_space).shape && produced == shape;
}

Register emit(GroupBuilder& group, ItemId id) {
  const Needed& needed = group.needed;
  const BlockLevel level = group.level(id);
  std::vector<Register> in;
  const auto read_all = [&](ItemId item, ItemId except) {
    for (const ItemId operand : needed.operands_of(item)) {
      if (operand != except) in.push_back(group.read(operand, level == BlockLevel::row));
    }
  };
  BlockKernel kernel = block_kernel(needed, id);
  const ItemId producer = group.pair_producer(id);
  if (producer != no_item) {
    const auto operands = needed.operands_of(id);
    const auto at = std::find(operands.begin(), operands.end(), producer) - operands.begin();
    kernel = pair_kernel(needed, producer, id, static_cast<std::size_t>(at));
    read_all(producer, no_item);
  }
  read_all(id, producer);
  return group.block.map(kernel, in, needed.type(id).dtype, level);
}

}  // namespace

const FusionKind elementwise_kind{
    .name = "elementwise", .classify = classify, .can_read = can_read, .emit = emit, .moves_late = true};

bool runs_blockwise(const Needed& needed, ItemId id) {
  const OpDef& op = needed.op(id);
  return op.traits.elementwise && !op.traits.random && !op.traits.may_throw && op.traits.shape_only == 0 &&
         op.kernel == run_elementwise && needed.items[id].operand_count <= 4 && block_kernel(needed, id) != nullptr;
}

BlockKernel pair_kernel(const Needed& needed, ItemId first, ItemId second, std::size_t operand) {
  const std::vector<FusedPair>& pairs = needed.op(first).pairs;
  const OpDef& next = needed.op(second);
  const DType dtype = pairs.empty() ? DType() : needed.type(needed.operands_of(first).back()).dtype;
  if (pairs.empty() || needed.type(needed.operands_of(second).back()).dtype != dtype) return nullptr;
  for (const FusedPair& pair : pairs) {
    const bool fits = pair.operand == static_cast<int>(operand) || next.traits.commutative;
    const BlockKernel kernel = by_dtype(pair.kernels, dtype);
    if (pair.next == &next && fits && kernel != nullptr) return kernel;
  }
  return nullptr;
}

}  // namespace xgrad::inline v0
