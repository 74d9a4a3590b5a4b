// Adds a kind of fusion, for operations that scan each row from left to right.
#include <algorithm>

#include <xgrad/graph/plan/internal/group_builder.hpp>

namespace xgrad::inline v0 {

extern const FusionKind row_scan_kind;

namespace {

void running_max(const float* in, Index rows, Index row, float* out) {
  for (Index r = 0; r < rows; ++r, in += row, out += row) {
    for (Index j = 0; j < row; ++j) out[j] = j == 0 ? in[j] : std::max(out[j - 1], in[j]);
  }
}

FusionInfo classify(const Needed& needed, const FusionInfos&, ItemId id) {
  const auto& [dtype, shape] = needed.type(id);
  if (needed.op(id).name != "running_max" || dtype != f32 || !fits_block(shape.back(), dtype)) return {};
  return {.iteration_space = id, .row = shape.back()};
}

bool can_read(const Needed& needed, const FusionInfos& info, ItemId id, ItemId producer) {
  return info[producer].level == BlockLevel::element && needed.type(producer) == needed.type(id);
}

BlockProgram::Register emit(GroupBuilder& group, ItemId id) {
  const auto scan = [](const BlockCall& call) {
    running_max(static_cast<const float*>(call.in[0]), call.rows, call.row, static_cast<float*>(call.out));
  };
  const BlockProgram::Register x = group.read(group.needed.operands_of(id)[0]);
  return group.block.call(scan, {&x, 1}, f32, BlockLevel::element);
}

}  // namespace

const FusionKind row_scan_kind{.name = "row scan", .classify = classify, .can_read = can_read, .emit = emit};

}  // namespace xgrad::inline v0
