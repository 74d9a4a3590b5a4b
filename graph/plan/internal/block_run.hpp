// BlockCode: a block program and its layout, ready to run.
#pragma once

#include <array>
#include <limits>
#include <utility>
#include <vector>

#include <xgrad/graph/plan/internal/block_program.hpp>

namespace xgrad::inline v0 {

// How a block program iterates over its shape and reads its inputs, and where its registers are. It depends on the
// program alone, so that runs need not compute it.
struct BlockLayout {
  using Register = BlockProgram::Register;
  static constexpr std::size_t no_slot = std::numeric_limits<std::size_t>::max();
  static constexpr Index block_elements = 1024;
  static constexpr Index piece_elements = 256;  // per kernel call between two prefetches
  static constexpr Index task_work = 1 << 15;   // element operations per task; less is not worth another thread

  // How a block reads an input.
  enum class Access : std::uint8_t {
    contiguous,      // in place: the elements of a block are consecutive
    scalar,          // one element for the whole shape
    row_contiguous,  // in place, in blocks of one row or a part of it
    row_scalar,      // one element for such a block
    packed,          // copied to a slot
    row_value,       // one element per row, for operations on row values
  };
  struct Input {
    Register made = 0;
    Access access = Access::contiguous;
    bool fixed = false;  // the same for all rows: packed once
    std::size_t element_bytes = 0;
    std::array<Index, Shape::max_rank> stride{};  // along the collapsed axes, in elements
  };
  struct Value {
    std::size_t slot = no_slot;  // offset into a thread's slots; most inputs and outputs have none
    std::size_t scratch = 0;     // of a column: the offset of its groups
    bool repeats = false;        // one value for all elements
    bool nontemporal = false;    // an output that is computed in its slot and stored past the caches
  };
  std::vector<Input> inputs;
  std::vector<Value> values;         // by register
  std::vector<Register> operations;  // registers that are not inputs
  std::size_t slot_bytes = 0;        // of all slots of a thread
  std::size_t scratch_bytes = 0;

  Index rows = 0;    // of the program
  bool far = false;  // the data exceeds the L2 cache
  // The shape with as few axes as possible: adjacent axes are collapsed if the strides of all inputs allow it.
  std::vector<Index> extent;
  Index inner() const { return extent.back(); }
  // Items are rows, rows of the collapsed shape, or elements. They are partitioned into blocks and tasks.
  Index item_elements = 1;
  Index items = 0;
  Index items_per_block = 1;
  Index items_per_task = 1;
  Index tasks = 0;
  Index walk_rows = 1;       // rows of the collapsed shape per item
  std::size_t requests = 0;  // prefetches per block
  bool one_block = false;    // a task is one block
  bool row_parts = false;    // a row is longer than a block
  bool any_nontemporal = false;
  bool packs = false;             // any input is packed
  bool packs_each_block = false;  // any input is packed for each block
};

BlockLayout lay_out(const BlockProgram& program);

inline Index divide_up(Index n, Index by) { return (n + by - 1) / by; }
inline std::size_t bytes_of(Index elements, std::size_t element_bytes) {
  return static_cast<std::size_t>(elements) * element_bytes;
}

// An output may be the memory of an input of the same type if no operation after the one that computes the output reads
// that input.
struct BlockMemory {
  const void* const* inputs = nullptr;
  void* const* outputs = nullptr;
  void* scratch = nullptr;  // of BlockCode::scratch_bytes()
  RandomState random;
  Index first_row = 0;  // see RunOptions
};

// A block program that is ready to run. Runs allocate no memory, and several threads may run one BlockCode at once.
class BlockCode {
 public:
  explicit BlockCode(BlockProgram program) : program_(std::move(program)), layout_(lay_out(program_)) {}

  const BlockProgram& program() const { return program_; }
  // Bytes of BlockMemory::scratch, for partial column reductions.
  std::size_t scratch_bytes() const { return layout_.scratch_bytes; }
  void run(const BlockMemory& memory, const Parallel& parallel) const;
  // Runs rows [first, last) on this thread. For programs with rows and without columns.
  void run_rows(const BlockMemory& memory, Index first, Index last) const { run_items(memory, first, last); }

 private:
  void run_items(const BlockMemory& memory, Index first, Index last) const;

  BlockProgram program_;
  BlockLayout layout_;
};

}  // namespace xgrad::inline v0
