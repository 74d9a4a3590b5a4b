#include <xgrad/graph/plan/internal/block_program.hpp>

#include <alloca.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include <xgrad/graph/plan/internal/stream.hpp>

namespace xgrad {
namespace {

constexpr Index block_elements = 1024;
constexpr Index far_elements = 1 << 18;  // more are not in a near cache
constexpr Index piece_elements = 256;    // what an operation works on between two requests for later numbers
constexpr Index task_work = 1 << 15;     // operations on elements; less is not worth handing to another thread

// Lays out `rows` rows of `inner` elements side by side. From row to row the source moves by `row_stride` elements,
// within a row by `inner_stride`, which is 0 or 1.
template <class T>
void lay_out(char* to, const char* from, Index rows, Index inner, Index row_stride, Index inner_stride) {
  T* out = reinterpret_cast<T*>(to);
  const T* row = reinterpret_cast<const T*>(from);
  if (row_stride == 0 && inner_stride == 1) {  // one row for all: what is there already is copied again
    std::copy_n(row, inner, out);
    for (Index done = 1; done < rows; done *= 2)
      std::copy_n(out, std::min(done, rows - done) * inner, out + done * inner);
    return;
  }
  constexpr Index most = 16;
  for (Index r = 0; r < rows; ++r, out += inner, row += row_stride) {
    if (inner_stride == 0 && inner < most && (rows - r) * inner >= most)
      std::fill_n(out, most, *row);  // of a number known when compiled; the next rows write over what is too much
    else if (inner_stride == 0)
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

std::size_t bytes(Index elements, std::size_t size) { return static_cast<std::size_t>(elements) * size; }

}  // namespace

// Where the operands of the block at hand are.
struct BlockProgram::Frame {
  char* slots;
  const char* at[max_inputs + all_ops];
  bool in_place[all_ops];  // of an output: it is the memory of an input
  // What the next block reads and writes, asked for while this one is worked on: only its first operation and the one
  // that makes an output touch memory, too seldom for the processor to see a stream in it. A part of it between any two
  // pieces of work, since a core waits while it has more than about ten lines on their way.
  struct Ahead {
    const char* at;
    const char* end;
    Index part;
    void request() {
      const char* stop = std::min(end, at + part);
      for (; at < stop; at += 64) __builtin_prefetch(at);
    }
  };
  Ahead ahead[max_inputs + max_ops];
  int ahead_count;
  void look_ahead(const char* from, std::size_t bytes, std::uint32_t requests) {
    const std::uint32_t part = static_cast<std::uint32_t>(bytes) / requests;
    ahead[ahead_count++] = {from, from + bytes, static_cast<Index>(part + 63) / 64 * 64};
  }
  // What a block made, on its way past the caches while the next one is worked on, a part of it between any two pieces
  // of work as well: written at once it would be waited for. By output.
  struct Behind {
    char* to;
    const char* from;
    std::size_t left;
    std::size_t part;
    void write(std::size_t most) {
      const std::size_t now = std::min(left, most);
      if (now == 0) return;
      stream_copy(to, from, now);
      to += now;
      from += now;
      left -= now;
    }
  };
  Behind behind[all_ops];
  int behind_count;
  void request() {
    for (int i = 0; i < ahead_count; ++i) ahead[i].request();
    for (int i = 0; i < behind_count; ++i) behind[i].write(behind[i].part);
  }
  void write_behind() {
    for (int i = 0; i < behind_count; ++i) behind[i].write(behind[i].left);
  }
};

BlockProgram::BlockProgram(const Shape& shape, Index row) : shape_(shape), elements_(shape.elements()), row_(row) {
  expanded_.fill(-1);
  if (row > 0)
    block_rows_ =
        std::max<Index>(1, static_cast<Index>(std::bit_floor(static_cast<std::size_t>(block_elements / row))));
}

int BlockProgram::add_input(const TensorType& type) {
  Input& in = input_[static_cast<std::size_t>(inputs_)];
  in.size = size_of(type.dtype);
  in.shape = type.shape;
  return inputs_++;
}

int BlockProgram::add_row_input(const TensorType& type) {
  const int operand = add_input(type);
  input_[static_cast<std::size_t>(operand)].way = Way::row_level;
  return operand;
}

int BlockProgram::add_op(BlockKernel kernel, std::span<const int> operands, DType result, BlockLevel level) {
  std::array<std::uint8_t, 4> in{};
  for (std::size_t i = 0; i < operands.size(); ++i) {
    in[i] = static_cast<std::uint8_t>(level == BlockLevel::element ? beside_elements(operands[i]) : operands[i]);
  }
  Op& op = op_[static_cast<std::size_t>(ops_)];
  op.kernel = kernel;
  op.operands = in;
  op.count = static_cast<std::uint8_t>(operands.size());
  op.size = static_cast<std::uint8_t>(size_of(result));
  op.level = level;
  return first_result + ops_++;
}

int BlockProgram::add_reduction(const BlockReduction& reduction, int operand, DType result, BlockLevel level) {
  Op& op = op_[static_cast<std::size_t>(ops_)];
  op.reduction = &reduction;
  op.operands[0] = static_cast<std::uint8_t>(operand);
  op.count = 1;
  op.size = static_cast<std::uint8_t>(size_of(result));
  op.kind = level == BlockLevel::row ? Kind::reduce_row : Kind::reduce_columns;
  op.level = level;
  if (level == BlockLevel::column) ++columns_;
  return first_result + ops_++;
}

int BlockProgram::add_random(RandomBlockKernel kernel, const Attrs& attrs, DType result, Index row_elements) {
  Op& op = op_[static_cast<std::size_t>(ops_)];
  op.random = kernel;
  op.attrs = &attrs;
  op.row_elements = row_elements;
  op.size = static_cast<std::uint8_t>(size_of(result));
  op.kind = Kind::random;
  return first_result + ops_++;
}

// The operand as elements read it: a number of a row is repeated along the row, once for all that read it.
int BlockProgram::beside_elements(int operand) {
  if (operand < first_result) return operand;
  const auto made = static_cast<std::size_t>(operand - first_result);
  if (op_[made].level != BlockLevel::row) return operand;
  if (expanded_[made] < 0) {
    Op& op = op_[static_cast<std::size_t>(ops_)];
    op.operands[0] = static_cast<std::uint8_t>(operand);
    op.count = 1;
    op.size = op_[made].size;
    op.kind = Kind::expand;
    expanded_[made] = static_cast<std::int8_t>(ops_++);
  }
  return first_result + expanded_[made];
}

int BlockProgram::add_output(int operand) {
  op_[static_cast<std::size_t>(operand - first_result)].output = static_cast<std::int8_t>(outputs_);
  return outputs_++;
}

// The last operation, counted from 0, that reads the operand, or shows it to others that do; -1 if none does.
int BlockProgram::last_reader(int operand) const {
  int last = -1;
  for (int k = 0; k < ops_; ++k) {
    const Op& op = op_[static_cast<std::size_t>(k)];
    const auto end = op.operands.begin() + op.count;
    if (std::find(op.operands.begin(), end, operand) == end) continue;
    last = std::max(last, op.kind == Kind::expand ? std::max(k, last_reader(first_result + k)) : k);
  }
  return last;
}

void BlockProgram::finish() {
  collapse();
  choose_ways();
  assign_slots();
  assign_scratch();
  cut();
}

// All that a run would otherwise divide for.
void BlockProgram::cut() {
  if (elements_ == 0) return;
  const Index inner = extent_[static_cast<std::size_t>(axes_ - 1)];
  const bool flat = !has_rows() && axes_ == 1;
  unit_ = has_rows() ? row_ : flat ? 1 : inner;
  units_ = elements_ / unit_;
  step_ = has_rows() ? block_rows_ : flat ? block_elements : std::max<Index>(1, block_elements / inner);
  whole_ = flat && ops_ == 1 && !streams_;  // nothing passes from one operation to the next
  walk_rows_ = unit_ / inner;
  // No two tasks may work on one group of columns.
  Index least = step_;
  for (int k = 0; k < ops_ && columns_ > 0; ++k) {
    const Op& op = op_[static_cast<std::size_t>(k)];
    if (op.level == BlockLevel::column) least = std::max(least, op.reduction->group);
  }
  const Index wanted = std::max<Index>(1, task_work / (unit_ * ops_));
  each_ = (wanted + least - 1) / least * least;
  tasks_ = (units_ + each_ - 1) / each_;
  for (int k = 0; k < ops_; ++k) {
    const Op& op = op_[static_cast<std::size_t>(k)];
    const bool in_pieces = op.kind == Kind::elementwise && op.level == BlockLevel::element;
    const Index pieces = in_pieces ? (step_ * unit_ + piece_elements - 1) / piece_elements : 1;
    requests_ += static_cast<std::uint32_t>(pieces);
  }
}

std::size_t BlockProgram::operand_size(int operand) const {
  return operand < first_result ? input_[static_cast<std::size_t>(operand)].size
                                : op_[static_cast<std::size_t>(operand - first_result)].size;
}

void BlockProgram::collapse() {
  const auto count = static_cast<std::size_t>(inputs_);
  std::array<std::array<Index, Shape::max_rank>, max_inputs> full{};
  for (std::size_t i = 0; i < count; ++i) {
    if (input_[i].way != Way::row_level) full[i] = broadcast_strides(input_[i].shape, shape_);
  }
  Index after = elements_;  // elements of the axes from this one on
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(shape_.rank()); ++axis) {
    const Index extent = shape_[static_cast<int>(axis)];
    const bool starts_row = after == row_;
    if (extent > 0) after /= extent;
    if (extent == 1) continue;
    const auto last = static_cast<std::size_t>(axes_ - 1);
    bool joins = axes_ > 0 && !starts_row;
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

void BlockProgram::choose_ways() {
  const auto inner = static_cast<std::size_t>(axes_ - 1);
  parts_ = !has_rows() && axes_ > 1 && extent_[inner] > block_elements / 2;
  const bool row_by_row = parts_ || (has_rows() && block_rows_ == 1 && extent_[inner] == row_);
  for (std::size_t i = 0; i < static_cast<std::size_t>(inputs_); ++i) {
    Input& in = input_[i];
    if (in.way == Way::row_level) continue;
    bool whole = in.stride[inner] == 1;
    in.fixed = true;
    Index dense = 1;
    for (std::size_t axis = inner; axis-- > 0;) {
      dense *= extent_[axis + 1];
      whole = whole && in.stride[axis] == dense;
      in.fixed = in.fixed && in.stride[axis] == 0;
    }
    if (whole) {
      in.way = Way::whole;
    } else if (in.fixed && in.stride[inner] == 0) {
      in.way = Way::number;
    } else if (row_by_row) {
      in.way = in.stride[inner] == 0 ? Way::per_row : Way::along_row;
    } else {
      in.way = Way::laid_out;
      in.slot = static_cast<std::int8_t>(slots_++);
    }
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(inputs_); ++i) {
    const Input& in = input_[i];
    const bool one_for_all = in.way == Way::row_level && in.shape.elements() == 1 && rows() > 1;
    repeats_[i] = in.way == Way::number || in.way == Way::per_row || one_for_all;
    lays_out_ = lays_out_ || in.way == Way::laid_out;
    lays_out_anew_ = lays_out_anew_ || (in.way == Way::laid_out && !in.fixed);
  }
  for (std::size_t k = 0; k < static_cast<std::size_t>(ops_); ++k) {
    repeats_[first_result + k] = block_rows_ == 1 && op_[k].kind == Kind::expand;
  }
}

void BlockProgram::assign_slots() {
  std::size_t largest = 1;
  for (std::size_t i = 0; i < static_cast<std::size_t>(inputs_); ++i) largest = std::max(largest, input_[i].size);
  // A slot is free again after the last operation that reads it. That one may write over it, if it works element by
  // element on numbers of one size.
  const int of_inputs = slots_;
  std::array<int, max_inputs + all_ops> free_from{};
  std::array<std::uint8_t, max_inputs + all_ops> size{};
  for (int k = 0; k < ops_; ++k) {
    Op& op = op_[static_cast<std::size_t>(k)];
    largest = std::max<std::size_t>(largest, op.size);
    op.streams = op.output >= 0 && op.level == BlockLevel::element && bytes(elements_, op.size) > stream_bytes &&
                 streaming_pays();
    streams_ = streams_ || op.streams;
    if ((op.output >= 0 && !op.streams) || op.level == BlockLevel::column) continue;
    int slot = -1;
    for (int s = of_inputs; s < slots_ && slot < 0 && !op.streams; ++s) {
      const int free = free_from[static_cast<std::size_t>(s)];
      const bool in_place = op.kind == Kind::elementwise && op.level == BlockLevel::element &&
                            size[static_cast<std::size_t>(s)] == op.size;
      if (free < k || (free == k && in_place)) slot = s;
    }
    if (slot < 0) slot = slots_++;
    size[static_cast<std::size_t>(slot)] = op.size;
    // What streams is still being written while the next block is worked on.
    free_from[static_cast<std::size_t>(slot)] = op.streams ? all_ops : std::max(last_reader(first_result + k), k);
    op.slot = static_cast<std::int8_t>(slot);
  }
  const Index elements = has_rows() ? block_rows_ * row_ : block_elements;
  block_bytes_ = (elements * static_cast<Index>(largest) + 63) / 64 * 64;
}

void BlockProgram::assign_scratch() {
  for (int k = 0; k < ops_; ++k) {
    Op& op = op_[static_cast<std::size_t>(k)];
    if (op.level != BlockLevel::column) continue;
    const Index groups = (rows() + op.reduction->group - 1) / op.reduction->group;
    op.scratch = scratch_bytes_;
    if (groups > 1) scratch_bytes_ += (bytes(groups * row_, op.size) + 63) / 64 * 64;
  }
}

// Copies what the block reads of inputs that do not lie as it needs them.
void BlockProgram::lay_out_inputs(const Memory& memory, Frame& frame, Index first_walk_row, Index walk_rows,
                                  bool first) const {
  const auto inner_axis = static_cast<std::size_t>(axes_ - 1);
  const Index inner = extent_[inner_axis];
  if (axes_ == 1) return;
  const std::size_t next_axis = inner_axis - 1;  // rows along it lie a fixed stride apart
  for (Index r = 0; r < walk_rows;) {
    const Index beside = next_axis == 0 ? walk_rows : extent_[next_axis] - (first_walk_row + r) % extent_[next_axis];
    const Index together = std::min(walk_rows - r, beside);
    for (std::size_t i = 0; i < static_cast<std::size_t>(inputs_); ++i) {
      const Input& input = input_[i];
      if (input.way != Way::laid_out || (input.fixed && !first)) continue;
      const Index offset = offset_of(input, first_walk_row + r);
      char* to = frame.slots + bytes(input.slot, static_cast<std::size_t>(block_bytes_)) + bytes(r * inner, input.size);
      lay_out(input.size, to, static_cast<const char*>(memory.inputs[i]) + bytes(offset, input.size), together, inner,
              input.stride[next_axis], input.stride[inner_axis]);
    }
    r += together;
  }
}

// Columns of a block's rows, group by group.
void BlockProgram::reduce_columns(const Op& op, const Memory& memory, const char* in, Index row, Index rows) const {
  const Index group = op.reduction->group;
  char* out = static_cast<char*>(memory.outputs[static_cast<unsigned char>(op.output)]);
  if (this->rows() > group) out = static_cast<char*>(memory.scratch) + op.scratch;
  for (Index done = 0; done < rows;) {
    const Index now = std::min(rows - done, group - (row + done) % group);
    op.reduction->columns(in + bytes(done * row_, op.size), now, row_,
                          out + bytes((row + done) / group * row_, op.size), (row + done) % group == 0);
    done += now;
  }
}

// The block whose first element is number `at`, and whose first row is number `row`.
void BlockProgram::execute(const Memory& memory, Frame& frame, Index at, Index n, Index row, Index rows) const {
  const bool between = frame.ahead_count + frame.behind_count > 0;  // there is something to do between pieces of work
  for (std::size_t k = 0; k < static_cast<std::size_t>(ops_); ++k) {
    if (between) frame.request();
    const Op& op = op_[k];
    const char* in = frame.at[op.operands[0]];
    if (op.kind == Kind::reduce_columns) {
      reduce_columns(op, memory, in, row, rows);
      continue;
    }
    const bool of_rows = op.level == BlockLevel::row;
    char* result = op.output >= 0 ? static_cast<char*>(memory.outputs[static_cast<unsigned char>(op.output)]) +
                                        bytes(of_rows ? row : at, op.size)
                                  : frame.slots + op.slot * block_bytes_;
    const bool streams = op.streams && !frame.in_place[static_cast<unsigned char>(op.output)];
    char* out = streams ? frame.slots + op.slot * block_bytes_ : result;
    Frame::Behind* const behind = streams ? &frame.behind[static_cast<unsigned char>(op.output)] : nullptr;
    if (streams) behind->write(behind->left);
    frame.at[first_result + k] = out;
    switch (op.kind) {
      case Kind::elementwise: {
        const void* operands[4];
        bool repeats[4];
        for (std::size_t i = 0; i < op.count; ++i) {
          operands[i] = frame.at[op.operands[i]];
          repeats[i] = repeats_[op.operands[i]];
        }
        Index left = of_rows ? rows : n;
        char* to = out;
        while (between && left > piece_elements) {
          op.kernel(piece_elements, operands, repeats, to);
          frame.request();
          left -= piece_elements;
          to += bytes(piece_elements, op.size);
          for (std::size_t i = 0; i < op.count; ++i) {
            if (!repeats[i])
              operands[i] = static_cast<const char*>(operands[i]) + bytes(piece_elements, operand_size(op.operands[i]));
          }
        }
        op.kernel(left, operands, repeats, to);
        break;
      }
      case Kind::random: op.random(*op.attrs, memory.random, memory.first_row * op.row_elements + at, n, out); break;
      case Kind::reduce_row: op.reduction->rows(in, rows, row_, out); break;
      case Kind::expand:
        if (rows == 1 && block_rows_ == 1)
          frame.at[first_result + k] = in;
        else
          lay_out(op.size, out, in, rows, row_, 1, 0);
        break;
      case Kind::reduce_columns: break;
    }
    if (streams) {
      const std::size_t all = bytes(n, op.size);
      *behind = {result, out, all, (all / requests_ + 63) / 64 * 64};
    }
  }
}

void BlockProgram::begin(const Memory& memory, Frame& frame, void* slots) const {
  const auto address = reinterpret_cast<std::uintptr_t>(slots);
  frame.slots = static_cast<char*>(slots) + (63 - (address + 63) % 64);
  std::copy_n(reinterpret_cast<const char* const*>(memory.inputs), inputs_, frame.at);
  for (int i = 0; i < inputs_ && lays_out_; ++i) {
    const Input& in = input_[static_cast<std::size_t>(i)];
    if (in.way == Way::laid_out) frame.at[i] = frame.slots + in.slot * block_bytes_;
  }
  frame.ahead_count = 0;
  frame.behind_count = streams_ ? outputs_ : 0;
  for (int i = 0; i < outputs_ && streams_; ++i) {
    frame.behind[i].left = 0;
    frame.in_place[i] = std::find(memory.inputs, memory.inputs + inputs_, memory.outputs[i]) != memory.inputs + inputs_;
  }
}

// Where row `row` of the walk starts in the input: all axes but the last are those of rows.
Index BlockProgram::offset_of(const Input& in, Index row) const {
  Index out = 0;
  for (std::size_t axis = static_cast<std::size_t>(axes_ - 1); axis-- > 0 && row > 0;) {
    const Index at = axis == 0 ? row : row % extent_[axis];
    if (axis > 0) row /= extent_[axis];
    out += at * in.stride[axis];
  }
  return out;
}

// Blocks of whole rows, or of anything where all inputs lie whole. Counts rows of the program if it has rows, otherwise
// rows of the walk, or elements if the walk has one axis.
void BlockProgram::run_blocks(const Memory& memory, Index first, Index last) const {
  const auto inputs = static_cast<std::size_t>(inputs_);
  Frame frame;
  begin(memory, frame, alloca(bytes(slots_, static_cast<std::size_t>(block_bytes_)) + 64));
  const bool far = elements_ > far_elements && ops_ > 1;
  const Index unit = unit_;  // elements that `first` and `last` count
  const Index step = whole_ ? last - first : step_;
  for (Index at = first; at < last; at += step) {
    const Index now = std::min(step, last - at);
    const Index next = std::min(step, last - at - now);
    frame.ahead_count = 0;
    const bool moves = at > 0 || far;  // the first block begins where its inputs do
    for (std::size_t i = 0; i < inputs && moves; ++i) {
      const Input& in = input_[i];
      if (in.way == Way::whole) {
        frame.at[i] = static_cast<const char*>(memory.inputs[i]) + bytes(at * unit, in.size);
        if (far) frame.look_ahead(frame.at[i] + bytes(now * unit, in.size), bytes(next * unit, in.size), requests_);
      }
      if (in.way == Way::row_level && !repeats_[i])
        frame.at[i] = static_cast<const char*>(memory.inputs[i]) + bytes(at, in.size);
      if (in.way == Way::per_row || in.way == Way::along_row)
        frame.at[i] = static_cast<const char*>(memory.inputs[i]) + bytes(offset_of(in, at), in.size);
    }
    for (int k = 0; k < ops_ && far; ++k) {
      const Op& op = op_[static_cast<std::size_t>(k)];
      if (op.output < 0 || op.level != BlockLevel::element || op.streams) continue;
      const auto* out = static_cast<const char*>(memory.outputs[static_cast<unsigned char>(op.output)]);
      frame.look_ahead(out + bytes((at + now) * unit, op.size), bytes(next * unit, op.size), requests_);
    }
    if (lays_out_anew_ || (lays_out_ && at == first))
      lay_out_inputs(memory, frame, at * walk_rows_, now * walk_rows_, at == first);
    execute(memory, frame, at * unit, now * unit, at, now);
  }
  frame.write_behind();
}

// Rows that are long, of programs that have none of their own: blocks are parts of one row, in which an input is
// consecutive or one number.
void BlockProgram::run_parts(const Memory& memory, Index first, Index last) const {
  const auto inputs = static_cast<std::size_t>(inputs_);
  const Index inner = extent_[static_cast<std::size_t>(axes_ - 1)];
  Frame frame;
  begin(memory, frame, alloca(bytes(slots_, static_cast<std::size_t>(block_bytes_)) + 64));
  const Index step = slots_ == 0 && ops_ == 1 ? inner : block_elements;
  for (Index row = first; row < last; ++row) {
    for (std::size_t i = 0; i < inputs; ++i) {
      frame.at[i] = static_cast<const char*>(memory.inputs[i]) + bytes(offset_of(input_[i], row), input_[i].size);
    }
    for (Index at = 0; at < inner; at += step) {
      const Index now = std::min(step, inner - at);
      execute(memory, frame, row * inner + at, now, 0, 0);
      for (std::size_t i = 0; i < inputs; ++i) frame.at[i] += repeats_[i] ? 0 : bytes(now, input_[i].size);
    }
  }
  frame.write_behind();
}

void BlockProgram::run_range(const Memory& memory, Index first, Index last) const {
  if (parts_)
    run_parts(memory, first, last);
  else
    run_blocks(memory, first, last);
  if (streams_) end_streams();
}

void BlockProgram::run_rows(const Memory& memory, Index first, Index last) const { run_range(memory, first, last); }

void BlockProgram::run(const Memory& memory, const Parallel& parallel) const {
  if (elements_ == 0) return;
  if (tasks_ == 1) {
    run_range(memory, 0, units_);
  } else {
    parallel.for_each(tasks_,
                      [&](Index task) { run_range(memory, task * each_, std::min(units_, (task + 1) * each_)); });
  }
  for (int k = 0; k < ops_ && scratch_bytes_ > 0; ++k) {
    const Op& op = op_[static_cast<std::size_t>(k)];
    if (op.level != BlockLevel::column || rows() <= op.reduction->group) continue;
    char* groups = static_cast<char*>(memory.scratch) + op.scratch;
    op.reduction->join(groups, (rows() + op.reduction->group - 1) / op.reduction->group, row_);
    std::memcpy(memory.outputs[static_cast<unsigned char>(op.output)], groups, bytes(row_, op.size));
  }
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
  program.run({inputs.data(), &call.output.data, nullptr, call.random}, call.parallel);
}

}  // namespace xgrad
