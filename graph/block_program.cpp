#include <xgrad/graph/block_program.hpp>

#include <algorithm>
#include <cstring>

namespace xgrad {
namespace {

constexpr Index block_elements = 512;
constexpr std::size_t slot_bytes = block_elements * sizeof(double);
constexpr int most_slots = BlockProgram::max_ops + BlockProgram::max_inputs;
constexpr Index task_work = 1 << 15;  // operations on elements; less is not worth handing to another thread

// Lays out `rows` rows of `inner` elements side by side. From row to row the source moves by `row_stride` elements,
// within a row by `inner_stride`, which is 0 or 1.
template <class T>
void lay_out(char* to, const char* from, Index rows, Index inner, Index row_stride, Index inner_stride) {
  T* out = reinterpret_cast<T*>(to);
  const T* row = reinterpret_cast<const T*>(from);
  for (Index r = 0; r < rows; ++r, out += inner, row += row_stride) {
    if (inner_stride == 0)
      std::fill_n(out, inner, *row);
    else
      std::copy_n(row, inner, out);
  }
}
void lay_out(std::size_t size, char* to, const char* from, Index rows, Index inner, Index row_stride,
             Index inner_stride) {
  if (size == 4)
    lay_out<std::uint32_t>(to, from, rows, inner, row_stride, inner_stride);
  else if (size == 8)
    lay_out<std::uint64_t>(to, from, rows, inner, row_stride, inner_stride);
  else
    lay_out<std::uint8_t>(to, from, rows, inner, row_stride, inner_stride);
}

}  // namespace

// The memory of one run.
struct BlockProgram::Block {
  std::array<const char*, max_inputs> input{};
  std::array<char*, max_ops> output{};
};

int BlockProgram::add_input(const TensorType& type) {
  Input& in = input_[static_cast<std::size_t>(inputs_)];
  in.size = size_of(type.dtype);
  in.shape = type.shape;
  return inputs_++;
}

int BlockProgram::add_op(BlockKernel kernel, std::span<const int> operands, DType result) {
  Op& op = op_[static_cast<std::size_t>(ops_)];
  op.kernel = kernel;
  op.count = static_cast<std::uint8_t>(operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i) op.operands[i] = static_cast<std::uint8_t>(operands[i]);
  op.size = static_cast<std::uint8_t>(size_of(result));
  return first_result + ops_++;
}

int BlockProgram::add_output(int operand) {
  op_[static_cast<std::size_t>(operand - first_result)].output = static_cast<std::int8_t>(outputs_);
  return outputs_++;
}

int BlockProgram::last_reader(int operand) const {
  for (int k = ops_ - 1; k >= 0; --k) {
    const Op& op = op_[static_cast<std::size_t>(k)];
    if (std::find(op.operands.begin(), op.operands.begin() + op.count, operand) != op.operands.begin() + op.count)
      return k;
  }
  return -1;
}

void BlockProgram::finish() {
  collapse();
  assign_slots();
}

void BlockProgram::collapse() {
  const auto count = static_cast<std::size_t>(inputs_);
  std::array<std::array<Index, Shape::max_rank>, max_inputs> full{};
  for (std::size_t i = 0; i < count; ++i) full[i] = broadcast_strides(input_[i].shape, shape_);
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(shape_.rank()); ++axis) {
    const Index extent = shape_[static_cast<int>(axis)];
    if (extent == 1) continue;
    const auto last = static_cast<std::size_t>(axes_ - 1);
    bool joins = axes_ > 0;
    for (std::size_t i = 0; joins && i < count; ++i) joins = input_[i].stride[last] == full[i][axis] * extent;
    const std::size_t to = joins ? last : static_cast<std::size_t>(axes_++);
    extent_[to] = joins ? extent_[to] * extent : extent;
    for (std::size_t i = 0; i < count; ++i) input_[i].stride[to] = full[i][axis];
  }
  if (axes_ == 0) {
    axes_ = 1;
    extent_[0] = 1;
    for (std::size_t i = 0; i < count; ++i) input_[i].stride[0] = 1;  // a single element is not one to repeat
  }
}

void BlockProgram::assign_slots() {
  const auto inner = static_cast<std::size_t>(axes_ - 1);
  // Rows shorter than half a block are taken several at a time: inputs that do not lie whole along them are laid out.
  if (axes_ > 1 && extent_[inner] <= block_elements / 2) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(inputs_); ++i) {
      Input& in = input_[i];
      bool whole = in.stride[inner] == 1;
      in.fixed = true;
      Index dense = 1;
      for (std::size_t axis = inner; axis-- > 0;) {
        dense *= extent_[axis + 1];
        whole = whole && in.stride[axis] == dense;
        in.fixed = in.fixed && in.stride[axis] == 0;
      }
      const bool one_number = in.fixed && in.stride[inner] == 0;
      if (!whole && !one_number) in.slot = static_cast<std::int8_t>(slots_++);
    }
  }
  // A slot is free again after the last operation that reads it, which may write over it.
  std::array<int, most_slots> free_from{};
  for (int k = 0; k < ops_; ++k) {
    Op& op = op_[static_cast<std::size_t>(k)];
    if (op.output >= 0) continue;
    const int last = last_reader(first_result + k);
    int slot = -1;
    for (int s = 0; s < slots_ && slot < 0; ++s) {
      const bool of_input =
          std::any_of(input_.begin(), input_.begin() + inputs_, [&](const Input& in) { return in.slot == s; });
      if (!of_input && free_from[static_cast<std::size_t>(s)] < k) slot = s;
    }
    if (slot < 0) slot = slots_++;
    free_from[static_cast<std::size_t>(slot)] = std::max(last, k);
    op.slot = static_cast<std::int8_t>(slot);
  }
}

// `at` is the number of the block's first element in the outputs.
void BlockProgram::execute(const Block& block, Index at, Index n, const char* const* in, const bool* scalar,
                           char* slots) const {
  std::array<char*, max_ops> result;
  for (std::size_t k = 0; k < static_cast<std::size_t>(ops_); ++k) {
    const Op& op = op_[k];
    const void* operands[4];
    bool repeats[4];
    for (std::size_t i = 0; i < op.count; ++i) {
      const int operand = op.operands[i];
      const bool made = operand >= first_result;
      operands[i] = made ? result[static_cast<std::size_t>(operand - first_result)] : in[operand];
      repeats[i] = !made && scalar[operand];
    }
    result[k] = op.output >= 0
                    ? block.output[static_cast<unsigned char>(op.output)] + static_cast<std::size_t>(at) * op.size
                    : slots + static_cast<std::size_t>(op.slot) * slot_bytes;
    op.kernel(n, operands, repeats, result[k]);
  }
}

// Where row `row` starts in each input: all axes but the last are those of rows.
std::array<Index, BlockProgram::max_inputs> BlockProgram::offsets_of(Index row) const {
  std::array<Index, max_inputs> out{};
  for (std::size_t axis = static_cast<std::size_t>(axes_ - 1); axis-- > 0;) {
    const Index at = row % extent_[axis];
    row /= extent_[axis];
    for (std::size_t i = 0; i < static_cast<std::size_t>(inputs_); ++i) out[i] += at * input_[i].stride[axis];
  }
  return out;
}

// Elements from `first` to `last` of a shape with one axis.
void BlockProgram::run_flat(const Block& block, Index first, Index last) const {
  alignas(64) char slots[most_slots * slot_bytes];
  const auto inputs = static_cast<std::size_t>(inputs_);
  const char* in[max_inputs];
  bool scalar[max_inputs];
  for (std::size_t i = 0; i < inputs; ++i) scalar[i] = input_[i].stride[0] == 0;
  // Nothing passes from one operation to the next: the whole range is one block.
  const Index step = slots_ == 0 && ops_ == 1 ? last - first : block_elements;
  for (Index at = first; at < last; at += step) {
    for (std::size_t i = 0; i < inputs; ++i) {
      in[i] = block.input[i] + (scalar[i] ? 0 : static_cast<std::size_t>(at) * input_[i].size);
    }
    execute(block, at, std::min(step, last - at), in, scalar, slots);
  }
}

// Rows that are long: blocks are parts of one row, in which an input is consecutive or one number.
void BlockProgram::run_rows(const Block& block, Index first, Index last) const {
  alignas(64) char slots[most_slots * slot_bytes];
  const auto inner_axis = static_cast<std::size_t>(axes_ - 1);
  const Index inner = extent_[inner_axis];
  const auto inputs = static_cast<std::size_t>(inputs_);
  const char* in[max_inputs];
  bool scalar[max_inputs];
  for (std::size_t i = 0; i < inputs; ++i) scalar[i] = input_[i].stride[inner_axis] == 0;
  const Index step = slots_ == 0 && ops_ == 1 ? inner : block_elements;
  for (Index row = first; row < last; ++row) {
    const auto offset = offsets_of(row);
    for (Index at = 0; at < inner; at += step) {
      for (std::size_t i = 0; i < inputs; ++i) {
        in[i] = block.input[i] + static_cast<std::size_t>(offset[i] + (scalar[i] ? 0 : at)) * input_[i].size;
      }
      execute(block, row * inner + at, std::min(step, inner - at), in, scalar, slots);
    }
  }
}

void BlockProgram::run_short_rows(const Block& block, Index first, Index last) const {
  alignas(64) char slots[most_slots * slot_bytes];
  const auto inner_axis = static_cast<std::size_t>(axes_ - 1);
  const Index inner = extent_[inner_axis];
  const auto inputs = static_cast<std::size_t>(inputs_);
  const Index rows_at_once = std::max<Index>(1, block_elements / inner);
  const char* in[max_inputs];
  bool scalar[max_inputs];
  for (std::size_t i = 0; i < inputs; ++i) {
    scalar[i] = input_[i].slot < 0 && input_[i].stride[inner_axis] == 0;
    in[i] = input_[i].slot < 0 ? block.input[i] : slots + static_cast<std::size_t>(input_[i].slot) * slot_bytes;
  }
  // Rows along the axis next to the last lie a fixed stride apart.
  const std::size_t next_axis = inner_axis - 1;
  const auto fill = [&](Index row, Index rows) {
    for (Index r = 0; r < rows;) {
      const Index together = std::min(rows - r, extent_[next_axis] - (row + r) % extent_[next_axis]);
      const auto offset = offsets_of(row + r);
      for (std::size_t i = 0; i < inputs; ++i) {
        const Input& input = input_[i];
        if (input.slot < 0 || (input.fixed && row != first)) continue;
        char* to = slots + static_cast<std::size_t>(input.slot) * slot_bytes +
                   static_cast<std::size_t>(r * inner) * input.size;
        lay_out(input.size, to, block.input[i] + static_cast<std::size_t>(offset[i]) * input.size, together, inner,
                input.stride[next_axis], input.stride[inner_axis]);
      }
      r += together;
    }
  };
  for (Index row = first; row < last; row += rows_at_once) {
    const Index rows = std::min(rows_at_once, last - row);
    const Index at = row * inner;
    bool any = row == first;
    for (std::size_t i = 0; i < inputs; ++i) {
      if (input_[i].slot >= 0)
        any = any || !input_[i].fixed;
      else if (!scalar[i])
        in[i] = block.input[i] + static_cast<std::size_t>(at) * input_[i].size;
    }
    if (any) fill(row, rows);
    execute(block, at, rows * inner, in, scalar, slots);
  }
}

void BlockProgram::run(const void* const* inputs, void* const* outputs, const Parallel& parallel) const {
  const Index n = shape_.elements();
  if (n == 0) return;
  Block block;
  for (std::size_t i = 0; i < static_cast<std::size_t>(inputs_); ++i)
    block.input[i] = static_cast<const char*>(inputs[i]);
  for (std::size_t i = 0; i < static_cast<std::size_t>(outputs_); ++i) block.output[i] = static_cast<char*>(outputs[i]);

  const Index inner = axes_ == 1 ? 1 : extent_[static_cast<std::size_t>(axes_ - 1)];
  const Index units = n / inner;  // elements, or rows
  const auto range = [&](Index first, Index last) {
    if (axes_ == 1)
      run_flat(block, first, last);
    else if (inner > block_elements / 2)
      run_rows(block, first, last);
    else
      run_short_rows(block, first, last);
  };
  const Index whole = axes_ == 1 ? block_elements : std::max<Index>(1, block_elements / inner);  // units of a block
  const Index wanted = std::max<Index>(1, task_work / (inner * ops_));
  const Index each = (wanted + whole - 1) / whole * whole;
  if (units <= each) return range(0, units);
  parallel.for_each((units + each - 1) / each,
                    [&](Index task) { range(task * each, std::min(units, (task + 1) * each)); });
}

// The kernel of every elementwise operation that runs alone.
void run_elementwise(const KernelCall& call) {
  BlockProgram program(call.output.type.shape);
  std::array<const void*, 4> inputs{};
  std::array<int, 4> operands{};
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    inputs[i] = call.inputs[i].data;
    operands[i] = program.add_input(call.inputs[i].type);
  }
  const BlockKernel kernel = call.op->block[static_cast<std::size_t>(call.inputs.back().type.dtype)];
  program.add_output(program.add_op(kernel, std::span(operands).first(call.inputs.size()), call.output.type.dtype));
  program.finish();
  program.run(inputs.data(), &call.output.data, call.parallel);
}

}  // namespace xgrad
