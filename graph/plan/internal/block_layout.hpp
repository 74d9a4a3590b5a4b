// How a block program walks its shape and its inputs, and where its registers are: all that a run would otherwise work
// out. A function of the program alone.
#pragma once

#include <array>
#include <limits>
#include <vector>

#include <xgrad/graph/plan/internal/block_program.hpp>

namespace xgrad::inline v0 {

struct BlockLayout {
  using Register = BlockProgram::Register;
  static constexpr std::size_t no_slot = std::numeric_limits<std::size_t>::max();
  static constexpr Index block_elements = 1024;
  static constexpr Index piece_elements = 256;  // what an operation works on between two requests for later values
  static constexpr Index task_work = 1 << 15;   // operations on elements; less is not worth handing to another thread

  // How the values of an input reach a block.
  enum class Access : std::uint8_t {
    contiguous,      // they lie there, block after block
    scalar,          // one for all
    row_contiguous,  // blocks are parts of a row, or whole rows one at a time: they lie there, row after row
    row_scalar,      // the same, one for the row
    packed,          // copied to a slot
    row_value,       // one a row, for operations on row values
  };
  struct Input {
    Register made = 0;
    Access access = Access::contiguous;
    bool fixed = false;  // the same for each row: packed once
    std::size_t element_bytes = 0;
    std::array<Index, Shape::max_rank> stride{};  // along the axes of the walk, in elements
  };
  struct Value {
    std::size_t slot = no_slot;  // bytes into a thread's memory; outputs and inputs may have none
    std::size_t scratch = 0;     // of a column, where its groups are
    bool repeats = false;        // one value stands for all elements
    bool nontemporal = false;    // an output that is made in its slot, then written past the caches
  };
  std::vector<Input> inputs;
  std::vector<Value> values;         // by register
  std::vector<Register> operations;  // the registers that are not inputs
  std::size_t slot_bytes = 0;        // of all slots
  std::size_t scratch_bytes = 0;

  Index rows = 0;    // of the program
  bool far = false;  // it works on more than a near cache holds
  // The loop over the shape with as few axes as possible: neighbors that every input walks alike are one.
  std::vector<Index> extent;
  Index inner() const { return extent.back(); }
  // Items are rows, rows of the walk or elements. They are cut into blocks and tasks.
  Index item_elements = 1;
  Index items = 0;
  Index items_per_block = 1;
  Index items_per_task = 1;
  Index tasks = 0;
  Index walk_rows = 1;       // of an item
  std::size_t requests = 0;  // times a block asks for what the next one needs
  bool one_block = false;    // a task is one block
  bool row_parts = false;    // blocks are parts of rows that are too long for one
  bool any_nontemporal = false;
  bool packs = false;             // some inputs are packed,
  bool packs_each_block = false;  // some of them anew for each block
};

BlockLayout lay_out(const BlockProgram& program);

inline Index divide_up(Index n, Index by) { return (n + by - 1) / by; }
inline std::size_t bytes_of(Index elements, std::size_t element_bytes) {
  return static_cast<std::size_t>(elements) * element_bytes;
}

}  // namespace xgrad::inline v0
