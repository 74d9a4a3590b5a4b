// A kind of fusion: operations that scan each row from left to right. In the library it would be kinds/row_scan.cpp and
// its entry in `fusion_kinds()`.
#include "row_scan.hpp"

#include <algorithm>

#include <xgrad/graph/plan/internal/group_builder.hpp>

namespace xgrad::inline v0 {

extern const FusionKind row_scan_kind;

namespace {

void scan_rows(const void* from, Index rows, Index row, void* to) {
  for (Index r = 0; r < rows; ++r) {
    const float* in = static_cast<const float*>(from) + r * row;
    float* out = static_cast<float*>(to) + r * row;
    for (Index j = 0; j < row; ++j) out[j] = j == 0 ? in[j] : std::max(out[j - 1], in[j]);
  }
}

FusionInfo classify(const Needed& needed, const FusionInfos&, ItemId id) {
  const auto& [dtype, shape] = needed.type(id);
  if (&needed.op(id) != &additions::running_max_op() || !fits_block(shape.back(), dtype)) return {};
  return {.iteration_space = id, .row = shape.back()};
}

bool can_read(const Needed& needed, const FusionInfos& info, ItemId id, ItemId producer) {
  return info[producer].level == BlockLevel::element && needed.type(producer) == needed.type(id);
}

BlockProgram::Register emit(GroupBuilder& group, ItemId id) {
  const auto scan = [](const BlockCall& call) { scan_rows(call.in[0], call.rows, call.row, call.out); };
  return group.block.call(scan, {group.read(group.needed.operands_of(id)[0])}, f32, BlockLevel::element);
}

}  // namespace

const FusionKind row_scan_kind{.name = "row scan", .classify = classify, .can_read = can_read, .emit = emit};

}  // namespace xgrad::inline v0

namespace additions {

using namespace xgrad;

const OpDef& running_max_op() {
  static const OpDef op{.name = "running_max",
                        .doc = "The largest element so far, along the last axis.",
                        .infer =
                            [](const Infer& in) {
                              in.require_dtype(0, {f32});
                              if (in.shape(0).rank() == 0) in.fail_shape("the input must have at least 1 axis");
                              return in.type(0);
                            },
                        .kernel =
                            [](const KernelCall& call) {
                              const Shape& shape = call.output.type.shape;
                              const Index row = shape.back();
                              scan_rows(call.inputs[0].data, shape.elements() / row, row, call.output.data);
                            },
                        .no_gradient = "it is a test of fusion"};
  return op;
}

Value running_max(Operand x) { return x.graph().apply(running_max_op(), {x}); }

}  // namespace additions
