// Operations on whole rows, such as standardize: those with an epilogue whose `reduced_axes` are the axes of a row.
// Their kernel runs on the rows of each block.
#include <algorithm>
#include <array>
#include <vector>

#include <xgrad/graph/plan/internal/group_builder.hpp>

namespace xgrad::inline v0 {

extern const FusionKind rows_kind;

namespace {

// The axes of a row, as a shape.
Shape row_of(const Needed& needed, ItemId id) {
  const TensorType& type = needed.type(id);
  const std::uint32_t axes = needed.op(id).reduced_axes(needed.operand_types(id), type, needed.attrs(id));
  Shape out;
  for (int axis = 0; axis < type.shape.rank(); ++axis) {
    if ((axes >> axis & 1U) != 0) out.push_back(type.shape[axis]);
  }
  return out;
}

FusionInfo classify(const Needed& needed, const FusionInfos&, ItemId id) {
  const OpDef& op = needed.op(id);
  const bool by_rows = op.traits.supports_epilogue && op.reduced_axes != nullptr && op.scratch_bytes == nullptr &&
                       op.prepare == nullptr && needed.items[id].operand_count <= 4;
  const TensorType& type = needed.type(id);
  const std::vector<TensorType> operands = needed.operand_types(id);
  if (!by_rows || !std::all_of(operands.begin(), operands.end(), [&](const TensorType& t) { return t == type; }))
    return {};
  const Index row = row_of(needed, id).elements();
  if (!fits_block(row, type.dtype)) return {};
  return {.iteration_space = id, .row = row};
}

bool can_read(const Needed& needed, const FusionInfos& info, ItemId id, ItemId producer) {
  return info[producer].level == BlockLevel::element && needed.type(producer).shape == needed.type(id).shape;
}

BlockProgram::Register emit(GroupBuilder& group, ItemId id) {
  const Needed& needed = group.needed;
  const auto run = [op = &needed.op(id), attrs = needed.attrs(id), row = row_of(needed, id),
                    count = needed.items[id].operand_count, dtype = needed.type(id).dtype](const BlockCall& call) {
    Shape shape{call.rows};
    for (const Index extent : row) shape.push_back(extent);
    std::array<ConstBuffer, 4> inputs;
    for (std::size_t i = 0; i < count; ++i) inputs[i] = {call.in[i], {dtype, shape}};
    KernelCall kernel;
    kernel.op = op;
    kernel.inputs = {inputs.data(), count};
    kernel.output = {call.out, {dtype, shape}};
    kernel.attrs = &attrs;
    op->kernel(kernel);
  };
  std::vector<BlockProgram::Register> in;
  for (const ItemId operand : needed.operands_of(id)) in.push_back(group.read(operand));
  return group.block.call(run, in, needed.type(id).dtype, BlockLevel::element);
}

}  // namespace

const FusionKind rows_kind{.name = "rows", .classify = classify, .can_read = can_read, .emit = emit};

}  // namespace xgrad::inline v0
