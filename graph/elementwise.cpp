// Runs block kernels over broadcast inputs: the kernel of every elementwise operation.
#include <algorithm>
#include <array>

#include <xgrad/graph/op_def.hpp>

namespace xgrad {
namespace {

constexpr int max_inputs = 4;
constexpr Index task_elements = 1 << 15;  // work below this is not worth handing to another thread
// Short rows are copied side by side into a buffer of this many bytes per input, so that kernels see long blocks.
constexpr std::size_t tile_bytes = 2048;

// The loop over the output with as few axes as possible: neighbouring axes that every input walks alike are one.
struct Loop {
  int axes = 0;
  int inputs = 0;
  std::array<Index, Shape::max_rank> extent{};
  std::array<std::array<Index, Shape::max_rank>, max_inputs> stride{};  // of each input, in elements
};

Loop collapse(const KernelCall& call) {
  const Shape& shape = call.output.type.shape;
  Loop loop;
  loop.inputs = static_cast<int>(call.inputs.size());
  std::array<std::array<Index, Shape::max_rank>, max_inputs> full{};
  for (int i = 0; i < loop.inputs; ++i) {
    full[static_cast<std::size_t>(i)] = broadcast_strides(call.inputs[static_cast<std::size_t>(i)].type.shape, shape);
  }
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(shape.rank()); ++axis) {
    const Index extent = shape[static_cast<int>(axis)];
    if (extent == 1) continue;
    const auto last = static_cast<std::size_t>(loop.axes - 1);
    bool joins = loop.axes > 0;
    for (std::size_t i = 0; joins && i < static_cast<std::size_t>(loop.inputs); ++i) {
      joins = loop.stride[i][last] == full[i][axis] * extent;
    }
    const std::size_t to = joins ? last : static_cast<std::size_t>(loop.axes++);
    loop.extent[to] = joins ? loop.extent[to] * extent : extent;
    for (std::size_t i = 0; i < static_cast<std::size_t>(loop.inputs); ++i) loop.stride[i][to] = full[i][axis];
  }
  if (loop.axes == 0) loop.extent[static_cast<std::size_t>(loop.axes++)] = 1;
  return loop;
}

// Where the row-major element `row * inner` of the output starts in each input.
std::array<Index, max_inputs> offsets_of(const Loop& loop, Index row) {
  std::array<Index, max_inputs> out{};
  for (int axis = loop.axes - 2; axis >= 0; --axis) {
    const auto a = static_cast<std::size_t>(axis);
    const Index at = row % loop.extent[a];
    row /= loop.extent[a];
    for (std::size_t i = 0; i < static_cast<std::size_t>(loop.inputs); ++i) out[i] += at * loop.stride[i][a];
  }
  return out;
}

struct Operands {
  std::array<const char*, max_inputs> base{};
  std::array<std::size_t, max_inputs> size{};
  char* out = nullptr;
  std::size_t out_size = 0;
};

void run_rows(const Loop& loop, const Operands& at, BlockKernel kernel, Index first, Index last) {
  const auto inner_axis = static_cast<std::size_t>(loop.axes - 1);
  const Index inner = loop.extent[inner_axis];
  const auto inputs = static_cast<std::size_t>(loop.inputs);
  bool scalar[max_inputs];
  for (std::size_t i = 0; i < inputs; ++i) scalar[i] = loop.stride[i][inner_axis] == 0;
  for (Index row = first; row < last; ++row) {
    const auto offset = offsets_of(loop, row);
    const void* in[max_inputs];
    for (std::size_t i = 0; i < inputs; ++i) in[i] = at.base[i] + static_cast<std::size_t>(offset[i]) * at.size[i];
    kernel(inner, in, scalar, at.out + static_cast<std::size_t>(row * inner) * at.out_size);
  }
}

// Repeats one element, of `size` bytes, `count` times.
void repeat(char* to, const char* from, std::size_t size, Index count) {
  if (size == 4)
    std::fill_n(reinterpret_cast<std::uint32_t*>(to), count, *reinterpret_cast<const std::uint32_t*>(from));
  else if (size == 8)
    std::fill_n(reinterpret_cast<std::uint64_t*>(to), count, *reinterpret_cast<const std::uint64_t*>(from));
  else
    std::fill_n(to, count, *from);
}

// Several short rows in one call of the kernel: inputs that are not whole along these rows are laid out in a buffer.
void run_short_rows(const Loop& loop, const Operands& at, BlockKernel kernel, Index first, Index last) {
  const auto inner_axis = static_cast<std::size_t>(loop.axes - 1);
  const Index inner = loop.extent[inner_axis];
  const auto inputs = static_cast<std::size_t>(loop.inputs);
  const Index rows_at_once = std::max<Index>(1, static_cast<Index>(tile_bytes / 8) / inner);
  alignas(64) char buffer[max_inputs][tile_bytes];
  bool scalar[max_inputs] = {};
  bool whole[max_inputs];  // consecutive in memory over all rows
  bool fixed[max_inputs];  // the same for each row: laid out once
  for (std::size_t i = 0; i < inputs; ++i) {
    whole[i] = loop.stride[i][inner_axis] == 1;
    fixed[i] = true;
    for (int axis = 0, above = loop.axes - 2; axis <= above; ++axis) {
      const auto a = static_cast<std::size_t>(axis);
      fixed[i] = fixed[i] && loop.stride[i][a] == 0;
      Index dense = 1;
      for (int b = axis + 1; b < loop.axes; ++b) dense *= loop.extent[static_cast<std::size_t>(b)];
      whole[i] = whole[i] && loop.stride[i][a] == dense;
    }
  }
  const auto lay_out = [&](std::size_t i, Index to_row, Index offset) {
    char* to = buffer[i] + static_cast<std::size_t>(to_row * inner) * at.size[i];
    const char* from = at.base[i] + static_cast<std::size_t>(offset) * at.size[i];
    if (loop.stride[i][inner_axis] == 0)
      repeat(to, from, at.size[i], inner);
    else
      std::copy_n(from, static_cast<std::size_t>(inner) * at.size[i], to);
  };
  for (Index row = first; row < last; row += rows_at_once) {
    const Index rows = std::min(rows_at_once, last - row);
    const void* in[max_inputs];
    const auto start = offsets_of(loop, row);
    for (std::size_t i = 0; i < inputs; ++i) {
      in[i] = whole[i] ? at.base[i] + static_cast<std::size_t>(start[i]) * at.size[i] : buffer[i];
    }
    for (Index r = 0; r < rows; ++r) {
      const auto offset = offsets_of(loop, row + r);
      for (std::size_t i = 0; i < inputs; ++i) {
        if (!whole[i] && (!fixed[i] || row == first)) lay_out(i, r, offset[i]);
      }
    }
    kernel(rows * inner, in, scalar, at.out + static_cast<std::size_t>(row * inner) * at.out_size);
  }
}

}  // namespace

void run_elementwise(const KernelCall& call) {
  const Index n = call.output.type.shape.elements();
  if (n == 0) return;
  const BlockKernel kernel = call.op->block[static_cast<std::size_t>(call.inputs.back().type.dtype)];
  Operands at;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    at.base[i] = static_cast<const char*>(call.inputs[i].data);
    at.size[i] = size_of(call.inputs[i].type.dtype);
  }
  at.out = static_cast<char*>(call.output.data);
  at.out_size = size_of(call.output.type.dtype);

  const Loop loop = collapse(call);
  const Index inner = loop.extent[static_cast<std::size_t>(loop.axes - 1)];
  if (loop.axes == 1) {
    bool scalar[max_inputs];
    for (std::size_t i = 0; i < call.inputs.size(); ++i) scalar[i] = loop.stride[i][0] == 0 && n > 1;
    const auto run = [&](Index first, Index count) {
      const void* in[max_inputs];
      for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        in[i] = at.base[i] + (scalar[i] ? 0 : static_cast<std::size_t>(first) * at.size[i]);
      }
      kernel(count, in, scalar, at.out + static_cast<std::size_t>(first) * at.out_size);
    };
    if (n <= task_elements) return run(0, n);
    call.parallel.for_each((n + task_elements - 1) / task_elements, [&](Index task) {
      run(task * task_elements, std::min(task_elements, n - task * task_elements));
    });
    return;
  }
  const Index rows = n / inner;
  const Index rows_per_task = std::max<Index>(1, task_elements / inner);
  const bool is_short = inner <= static_cast<Index>(tile_bytes / 8) / 2;
  const auto run = [&](Index first, Index last) {
    if (is_short)
      run_short_rows(loop, at, kernel, first, last);
    else
      run_rows(loop, at, kernel, first, last);
  };
  if (rows <= rows_per_task) return run(0, rows);
  call.parallel.for_each((rows + rows_per_task - 1) / rows_per_task,
                         [&](Index task) { run(task * rows_per_task, std::min(rows, (task + 1) * rows_per_task)); });
}

}  // namespace xgrad
