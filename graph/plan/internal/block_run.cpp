#include <xgrad/graph/plan/internal/block_run.hpp>

#include <alloca.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <xgrad/graph/machine/internal/stream.hpp>

namespace xgrad::inline v0 {
namespace {

using Register = BlockProgram::Register;
using Instruction = BlockProgram::Instruction;
using Kind = Instruction::Kind;
using Access = BlockLayout::Access;

constexpr Index piece_elements = BlockLayout::piece_elements;

// Packs `rows` rows of `inner` elements. The source has the stride `row_stride` between rows and `inner_stride`, 0 or
// 1, within a row.
template <class T>
void pack(char* to, const char* from, Index rows, Index inner, Index row_stride, Index inner_stride) {
  T* out = reinterpret_cast<T*>(to);
  const T* row = reinterpret_cast<const T*>(from);
  if (row_stride == 0 && inner_stride == 1) {  // one row for all: copy it, then double the copies
    std::copy_n(row, inner, out);
    for (Index done = 1; done < rows; done *= 2)
      std::copy_n(out, std::min(done, rows - done) * inner, out + done * inner);
    return;
  }
  constexpr Index most = 16;
  for (Index r = 0; r < rows; ++r, out += inner, row += row_stride) {
    if (inner_stride == 0 && inner < most && (rows - r) * inner >= most)
      std::fill_n(out, most, *row);  // a constant count is faster; the next rows overwrite the excess
    else if (inner_stride == 0)
      std::fill_n(out, inner, *row);
    else
      std::copy_n(row, inner, out);
  }
}
void pack(std::size_t element_bytes, char* to, const char* from, Index rows, Index inner, Index row_stride,
          Index inner_stride) {
  if (element_bytes == 4)
    pack<std::uint32_t>(to, from, rows, inner, row_stride, inner_stride);
  else if (element_bytes == 8)
    pack<std::uint64_t>(to, from, rows, inner, row_stride, inner_stride);
  else
    pack<std::uint8_t>(to, from, rows, inner, row_stride, inner_stride);
}

// Prefetches the next block during this one, in small portions: a core stalls with more than about ten cache lines in
// flight. Operations touch memory too rarely for the hardware prefetcher to detect a stream.
struct Prefetch {
  const char* at;
  const char* end;
  std::size_t part;
  void request() {
    const char* stop = std::min(end, at + part);
    for (; at < stop; at += 64) __builtin_prefetch(at);
  }
};

// Stores a block past the caches during the next one, in small portions as well.
struct PendingStore {
  char* to;
  const char* from;
  std::size_t remaining;
  std::size_t part;
  void write(std::size_t most) {
    const std::size_t now = std::min(remaining, most);
    if (now == 0) return;
    stream_copy(to, from, now);
    to += now;
    from += now;
    remaining -= now;
  }
};

// One thread's run over a range of items.
class Runner {
 public:
  Runner(const BlockProgram& program, const BlockLayout& layout, const BlockMemory& memory, void* slots)
      : program_(program), layout_(layout), memory_(memory) {
    const auto address = reinterpret_cast<std::uintptr_t>(slots);
    slots_ = static_cast<char*>(slots) + (63 - (address + 63) % 64);
    for (std::size_t i = 0; i < layout.inputs.size(); ++i) {
      const BlockLayout::Input& in = layout.inputs[i];
      at_[in.made] = in.access == Access::packed ? slots_ + layout.values[in.made].slot : input(i);
    }
    if (!layout.any_nontemporal) return;
    const auto* end = memory.inputs + layout.inputs.size();
    for (pending_count_ = 0; pending_count_ < program.outputs.size(); ++pending_count_) {
      pending_[pending_count_].remaining = 0;
      in_place_[pending_count_] = std::find(memory.inputs, end, memory.outputs[pending_count_]) != end;
    }
  }

  // Blocks of whole rows, or of any elements if all inputs are contiguous.
  void run_blocks(Index first, Index last) {
    const Index item = layout_.item_elements;
    const Index step = layout_.one_block ? last - first : layout_.items_per_block;
    for (Index at = first; at < last; at += step) {
      const Index now = std::min(step, last - at);
      const Index next = std::min(step, last - at - now);
      if (at > 0 || layout_.far) move_to(at);  // the constructor has set the first block
      prefetch_count_ = 0;
      if (layout_.far) prefetch_next((at + now) * item, next * item);
      if (layout_.packs_each_block || (layout_.packs && at == first))
        pack_inputs(at * layout_.walk_rows, now * layout_.walk_rows, at == first);
      execute(at * item, now * item, at, now);
    }
    finish_stores();
  }

  // Blocks of a part of one row, in which each input is contiguous or a scalar.
  void run_row_parts(Index first, Index last) {
    const Index inner = layout_.inner();
    const Index step = layout_.slot_bytes == 0 && layout_.operations.size() == 1 ? inner : BlockLayout::block_elements;
    for (Index row = first; row < last; ++row) {
      for (std::size_t i = 0; i < layout_.inputs.size(); ++i) {
        const BlockLayout::Input& in = layout_.inputs[i];
        at_[in.made] = input(i) + bytes_of(offset_of(in, row), in.element_bytes);
      }
      for (Index at = 0; at < inner; at += step) {
        const Index now = std::min(step, inner - at);
        execute(row * inner + at, now, 0, 0);
        for (const BlockLayout::Input& in : layout_.inputs) {
          if (!layout_.values[in.made].repeats) at_[in.made] += bytes_of(now, in.element_bytes);
        }
      }
    }
    finish_stores();
  }

 private:
  const char* input(std::size_t i) const { return static_cast<const char*>(memory_.inputs[i]); }
  char* output(std::uint32_t i) const { return static_cast<char*>(memory_.outputs[i]); }

  // The offset in the input of a row of the collapsed shape.
  Index offset_of(const BlockLayout::Input& in, Index row) const {
    Index out = 0;
    for (std::size_t axis = layout_.extent.size() - 1; axis-- > 0 && row > 0;) {
      const Index at = axis == 0 ? row : row % layout_.extent[axis];
      if (axis > 0) row /= layout_.extent[axis];
      out += at * in.stride[axis];
    }
    return out;
  }

  void move_to(Index item) {
    for (std::size_t i = 0; i < layout_.inputs.size(); ++i) {
      const BlockLayout::Input& in = layout_.inputs[i];
      switch (in.access) {
        case Access::contiguous:
          at_[in.made] = input(i) + bytes_of(item * layout_.item_elements, in.element_bytes);
          break;
        case Access::row_value:
          if (!layout_.values[in.made].repeats) at_[in.made] = input(i) + bytes_of(item, in.element_bytes);
          break;
        case Access::row_contiguous:
        case Access::row_scalar: at_[in.made] = input(i) + bytes_of(offset_of(in, item), in.element_bytes); break;
        case Access::scalar:
        case Access::packed: break;
      }
    }
  }

  void prefetch_next(Index first, Index elements) {
    const auto add = [&](const char* memory, std::size_t element_bytes) {
      const char* from = memory + bytes_of(first, element_bytes);
      const std::size_t bytes = bytes_of(elements, element_bytes);
      prefetch_[prefetch_count_++] = {from, from + bytes, portion(bytes)};
    };
    for (std::size_t i = 0; i < layout_.inputs.size(); ++i) {
      if (layout_.inputs[i].access == Access::contiguous) add(input(i), layout_.inputs[i].element_bytes);
    }
    for (std::uint32_t i = 0; i < program_.outputs.size(); ++i) {
      const Register r = program_.outputs[i];
      const Instruction& now = program_.instructions[r];
      if (now.level == BlockLevel::element && !layout_.values[r].nontemporal) add(output(i), now.element_bytes);
    }
  }
  std::size_t portion(std::size_t bytes) const { return (bytes / layout_.requests + 63) / 64 * 64; }

  void between_pieces() {
    for (std::size_t i = 0; i < prefetch_count_; ++i) prefetch_[i].request();
    for (std::size_t i = 0; i < pending_count_; ++i) pending_[i].write(pending_[i].part);
  }
  void finish_stores() {
    for (std::size_t i = 0; i < pending_count_; ++i) pending_[i].write(pending_[i].remaining);
  }

  // Copies the block's elements of packed inputs to their slots.
  void pack_inputs(Index first_row, Index rows, bool first) {
    const std::size_t inner_axis = layout_.extent.size() - 1;
    if (inner_axis == 0) return;
    const Index inner = layout_.inner();
    const Index next = layout_.extent[inner_axis - 1];  // rows along this axis have a fixed stride
    for (Index r = 0; r < rows;) {
      const Index beside = inner_axis == 1 ? rows : next - (first_row + r) % next;
      const Index together = std::min(rows - r, beside);
      for (std::size_t i = 0; i < layout_.inputs.size(); ++i) {
        const BlockLayout::Input& in = layout_.inputs[i];
        if (in.access != Access::packed || (in.fixed && !first)) continue;
        const Index offset = offset_of(in, first_row + r);
        // One row that all rows of the block repeat may still be in the slot.
        const bool repeats = together == rows && in.stride[inner_axis - 1] == 0;
        if (repeats && !first && packed_[i].offset == offset && packed_[i].rows >= rows) continue;
        packed_[i] = {repeats ? offset : -1, rows};
        pack(in.element_bytes, slots_ + layout_.values[in.made].slot + bytes_of(r * inner, in.element_bytes),
             input(i) + bytes_of(offset, in.element_bytes), together, inner, in.stride[inner_axis - 1],
             in.stride[inner_axis]);
      }
      r += together;
    }
  }

  // Runs the block of `n` elements from `at`, which are `rows` rows from `row`.
  void execute(Index at, Index n, Index row, Index rows) {
    const bool pieces = prefetch_count_ + pending_count_ > 0;  // prefetch or store between pieces of work
    for (const Register r : layout_.operations) {
      if (pieces) between_pieces();
      const Instruction& now = program_.instructions[r];
      const BlockLayout::Value& value = layout_.values[r];
      if (now.kind == Kind::reduce) {
        reduce_columns(now, value, row, rows);
        continue;
      }
      const bool of_rows = now.level == BlockLevel::row;
      char* result = value.slot != BlockLayout::no_slot ? slots_ + value.slot : nullptr;
      PendingStore* pending = nullptr;
      if (now.is_output()) {
        char* const memory = output(now.output) + bytes_of(of_rows ? row : at, now.element_bytes);
        if (value.nontemporal && !in_place_[now.output]) {
          pending = &pending_[now.output];
          pending->write(pending->remaining);
          const std::size_t bytes = bytes_of(n, now.element_bytes);
          *pending = {memory, result, 0, portion(bytes)};
        } else {
          result = memory;
        }
      }
      at_[r] = result;
      if (now.kind == Kind::map) {
        run_map(now, of_rows ? rows : n, result, pieces);
      } else if (now.kind == Kind::call) {
        std::array<const void*, 4> in;
        for (std::size_t i = 0; i < now.operand_count; ++i) in[i] = at_[now.operand[i]];
        now.function({in.data(), result, at, n, rows, program_.row, memory_.random, memory_.first_row});
      } else if (value.repeats) {  // a spread value
        at_[r] = at_[now.operand[0]];
      } else {
        pack(now.element_bytes, result, at_[now.operand[0]], rows, program_.row, 1, 0);
      }
      if (pending != nullptr) pending->remaining = bytes_of(n, now.element_bytes);
    }
  }

  void run_map(const Instruction& map, Index n, char* to, bool pieces) {
    const std::size_t count = map.operand_count;
    std::array<const void*, 4> operands;
    std::array<bool, 4> repeats;
    for (std::size_t i = 0; i < count; ++i) {
      operands[i] = at_[map.operand[i]];
      repeats[i] = layout_.values[map.operand[i]].repeats;
    }
    for (; pieces && n > piece_elements; n -= piece_elements) {
      map.kernel(piece_elements, operands.data(), repeats.data(), to);
      between_pieces();
      to += bytes_of(piece_elements, map.element_bytes);
      for (std::size_t i = 0; i < count; ++i) {
        if (repeats[i]) continue;
        const std::size_t bytes = bytes_of(piece_elements, program_.instructions[map.operand[i]].element_bytes);
        operands[i] = static_cast<const char*>(operands[i]) + bytes;
      }
    }
    map.kernel(n, operands.data(), repeats.data(), to);
  }

  // Reduces the columns of a block's rows, group by group.
  void reduce_columns(const Instruction& now, const BlockLayout::Value& value, Index row, Index rows) {
    const BlockReduction& by = *now.reduction;
    const Index group = by.group, columns = program_.row;
    const char* in = at_[now.operand[0]];
    char* out = layout_.rows > group ? static_cast<char*>(memory_.scratch) + value.scratch : output(now.output);
    for (Index done = 0; done < rows;) {
      const Index taken = (row + done) % group;  // rows of this group that are reduced already
      const Index some = std::min(rows - done, group - taken);
      by.columns(in + bytes_of(done * columns, now.element_bytes), some, columns,
                 out + bytes_of((row + done) / group * columns, now.element_bytes), taken == 0);
      done += some;
    }
  }

  const BlockProgram& program_;
  const BlockLayout& layout_;
  const BlockMemory& memory_;
  char* slots_;
  std::size_t prefetch_count_ = 0, pending_count_ = 0;
  // Not initialized, since the arrays are large and most programs use few elements.
  std::array<const char*, BlockProgram::max_registers> at_;  // by register: its elements of the block
  struct Packed {
    Index offset, rows;  // the row that the slot repeats, or -1, and how often
  };
  std::array<Packed, BlockProgram::max_inputs> packed_;
  std::array<Prefetch, BlockProgram::max_inputs + BlockProgram::max_ops> prefetch_;
  std::array<PendingStore, BlockProgram::max_ops> pending_;  // by output
  std::array<bool, BlockProgram::max_ops> in_place_;         // by output: its memory is also an input
};

}  // namespace

void BlockCode::run_items(const BlockMemory& memory, Index first, Index last) const {
  Runner runner(program_, layout_, memory, alloca(layout_.slot_bytes + 64));
  if (layout_.row_parts)
    runner.run_row_parts(first, last);
  else
    runner.run_blocks(first, last);
  if (layout_.any_nontemporal) end_streams();
}

void BlockCode::run(const BlockMemory& memory, const Parallel& parallel) const {
  if (layout_.tasks == 0) return;  // there are no elements
  if (layout_.tasks == 1) {
    run_items(memory, 0, layout_.items);
  } else {
    const Index each = layout_.items_per_task;
    parallel.for_each(layout_.tasks,
                      [&](Index task) { run_items(memory, task * each, std::min(layout_.items, (task + 1) * each)); });
  }
  if (layout_.scratch_bytes == 0) return;
  for (const Register r : program_.outputs) {
    const Instruction& now = program_.instructions[r];
    if (now.level != BlockLevel::column) continue;
    const BlockReduction& by = *now.reduction;
    if (layout_.rows <= by.group) continue;
    char* groups = static_cast<char*>(memory.scratch) + layout_.values[r].scratch;
    by.join(groups, divide_up(layout_.rows, by.group), program_.row);
    std::memcpy(memory.outputs[now.output], groups, bytes_of(program_.row, now.element_bytes));
  }
}

void run_elementwise(const KernelCall& call) {
  const TensorType& type = call.output.type;
  const std::size_t count = call.inputs.size();
  const BlockKernel kernel = call.op->block[static_cast<std::size_t>(call.inputs.back().type.dtype)];
  const Index n = type.shape.elements();
  std::array<const void*, 4> inputs{};
  std::array<bool, 4> repeats{};
  bool flat = type.bytes() <= nontemporal_min_bytes;  // operands have the result's shape or one element
  for (std::size_t i = 0; i < count; ++i) {
    const Shape& shape = call.inputs[i].type.shape;
    inputs[i] = call.inputs[i].data;
    repeats[i] = n > 1 && shape.elements() == 1;
    flat = flat && (repeats[i] || shape == type.shape);
  }
  if (flat) {
    const auto run = [&](Index task) {
      const Index first = task * BlockLayout::task_work;
      std::array<const void*, 4> from = inputs;
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t bytes = repeats[i] ? 0 : bytes_of(first, size_of(call.inputs[i].type.dtype));
        from[i] = static_cast<const char*>(inputs[i]) + bytes;
      }
      kernel(std::min(BlockLayout::task_work, n - first), from.data(), repeats.data(),
             static_cast<char*>(call.output.data) + bytes_of(first, size_of(type.dtype)));
    };
    return call.parallel.for_each(divide_up(n, BlockLayout::task_work), run);
  }
  BlockProgram::Builder builder(type.shape);
  std::array<Register, 4> operands{};
  for (std::size_t i = 0; i < count; ++i) operands[i] = builder.input(call.inputs[i].type);
  builder.output(builder.map(kernel, std::span(operands).first(count), type.dtype));
  BlockCode(builder.finish()).run({inputs.data(), &call.output.data, nullptr, call.random}, call.parallel);
}

}  // namespace xgrad::inline v0
