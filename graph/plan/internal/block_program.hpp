// BlockProgram: operations that run together, block after block, so that what one makes for the next stays in the
// nearest cache.
//
//   BlockProgram p({128, 10}, 10);                          // rows of 10
//   int x = p.add_input(x_type);                            // types that broadcast to the shape
//   int top = p.add_reduction(max.reduction[f32], x, f32, BlockLevel::row);
//   int t = p.add_op(*sub.block[f32], {x, top}, f32);
//   int e = p.add_op(*exp.block[f32], {t}, f32);
//   int s = p.add_reduction(sum.reduction[f32], e, f32, BlockLevel::column);
//   p.add_output(e), p.add_output(s);
//   p.finish();
//   p.run({inputs, outputs, scratch, random}, parallel);
//
// An operand is a number: inputs count from 0, results from `first_result`. Holds no heap memory and allocates none.
//
// Note [Levels]. Most numbers of a program are `element`s, one for each element of the shape. A reduction of rows makes
// a number a `row`: it may be used by further operations of rows, and beside elements, where it stands for its whole
// row. A reduction over the rows makes a number a `column`; it is complete when the last block has run, so nothing in
// the program reads it. Blocks are whole rows then, a power of two of them. Columns are combined over `group` rows in
// order and then pairwise, the very tree of the operation that runs alone, so results depend neither on the size of
// blocks nor on what runs together.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <xgrad/graph/op_def.hpp>

namespace xgrad {

enum class BlockLevel : std::uint8_t { element, row, column };

class BlockProgram {
 public:
  static constexpr int max_inputs = 16;
  static constexpr int max_ops = 24;
  static constexpr int max_columns = 8;
  static constexpr int first_result = max_inputs;
  // Rows of more bytes do not go into a block whole.
  static constexpr Index longest_row = Index{8} * 1024;

  // `row`: how many elements, those of the last axes, are a row; 0 if rows do not matter.
  explicit BlockProgram(const Shape& shape, Index row = 0);

  int inputs() const { return inputs_; }
  int outputs() const { return outputs_; }

  // Each returns the operand it makes, except add_output, which returns the output's number. There must be room.
  int add_input(const TensorType& type);
  // One number a row, or one for all, that operations of rows read.
  int add_row_input(const TensorType& type);
  int add_op(BlockKernel kernel, std::span<const int> operands, DType result, BlockLevel level = BlockLevel::element);
  int add_reduction(const BlockReduction& reduction, int operand, DType result, BlockLevel level);
  // `attrs` must outlive the program. `row_elements` as in Graph::row_elements.
  int add_random(RandomBlockKernel kernel, const Attrs& attrs, DType result, Index row_elements);
  int add_output(int operand);
  // Decides how to walk the shape, and where results go that are not outputs. Call once, before the first run.
  void finish();

  // Bytes a run needs, for columns that are not complete yet.
  std::size_t scratch_bytes() const { return scratch_bytes_; }
  // Output i may be the memory of an input of the same type as long as no later operation than the one that makes the
  // output reads that input.
  struct Memory {
    const void* const* inputs;
    void* const* outputs;
    void* scratch;  // of scratch_bytes()
    RandomState random;
    Index first_row = 0;  // see RunOptions
  };
  void run(const Memory& memory, const Parallel& parallel) const;
  // Runs rows [first, last) alone, on this thread. For programs with rows and without columns.
  void run_rows(const Memory& memory, Index first, Index last) const;

 private:
  // How an input's numbers come to a block.
  enum class Way : std::uint8_t {
    whole,      // it lies there, block after block
    number,     // one number for all
    along_row,  // blocks are parts of a row, or whole rows one at a time: it lies there, row after row
    per_row,    // the same, one number for the row
    laid_out,   // copied to where it is needed
    row_level,  // one number a row, for operations of rows
  };
  struct Input {
    std::size_t size = 0;  // bytes of an element
    Shape shape;
    std::array<Index, Shape::max_rank> stride{};  // along the axes of the walk, in elements
    Way way = Way::whole;
    std::int8_t slot = -1;  // where it is laid out
    bool fixed = false;     // the same for each row: laid out once
  };
  enum class Kind : std::uint8_t { elementwise, random, reduce_row, reduce_columns, expand };
  struct Op {
    BlockKernel kernel = nullptr;
    const BlockReduction* reduction = nullptr;
    RandomBlockKernel random = nullptr;
    const Attrs* attrs = nullptr;
    Index row_elements = 0;
    std::array<std::uint8_t, 4> operands{};
    std::uint8_t count = 0;
    std::uint8_t size = 0;  // bytes of an element of the result
    Kind kind = Kind::elementwise;
    BlockLevel level = BlockLevel::element;
    std::int8_t output = -1;  // or
    std::int8_t slot = -1;
    bool streams = false;     // or both: made in the slot, then written past the caches
    std::size_t scratch = 0;  // where groups of columns are
  };
  // Each number of a row may stand beside elements, which takes an operation more.
  static constexpr int all_ops = 2 * max_ops;
  struct Frame;

  bool has_rows() const { return row_ > 0; }
  Index rows() const { return elements_ / row_; }
  int beside_elements(int operand);
  int last_reader(int operand) const;
  void begin(const Memory& memory, Frame& frame, void* slots) const;
  void collapse();
  void choose_ways();
  void assign_slots();
  void assign_scratch();
  void cut();
  std::size_t operand_size(int operand) const;
  void run_range(const Memory& memory, Index first, Index last) const;
  void run_blocks(const Memory& memory, Index first, Index last) const;
  void run_parts(const Memory& memory, Index first, Index last) const;
  void lay_out_inputs(const Memory& memory, Frame& frame, Index first_walk_row, Index walk_rows, bool first) const;
  void execute(const Memory& memory, Frame& frame, Index at, Index n, Index row, Index rows) const;
  void reduce_columns(const Op& op, const Memory& memory, const char* in, Index row, Index rows) const;
  Index offset_of(const Input& in, Index row) const;

  Shape shape_;
  Index elements_ = 0;
  Index row_ = 0;          // elements of a row
  Index block_rows_ = 0;   // rows of a block; power of two
  Index block_bytes_ = 0;  // bytes of a slot
  int inputs_ = 0, ops_ = 0, outputs_ = 0, slots_ = 0, columns_ = 0;
  std::size_t scratch_bytes_ = 0;
  // Units, which are rows, rows of the walk or elements, and how they are cut into blocks and tasks.
  Index unit_ = 1;  // elements
  Index units_ = 0;
  Index step_ = 1;  // units of a block
  Index each_ = 1;  // units of a task
  Index tasks_ = 0;
  Index walk_rows_ = 1;         // of a unit
  std::uint32_t requests_ = 0;  // times a block asks for what the next one needs
  bool whole_ = false;          // a task is one block
  bool streams_ = false;
  bool parts_ = false;  // blocks are parts of rows that are too long for one
  // Some inputs are laid out, some of them anew for each block.
  bool lays_out_ = false;
  bool lays_out_anew_ = false;
  std::array<bool, max_inputs + all_ops> repeats_{};  // of an operand: one number stands for all
  std::array<Input, max_inputs> input_{};
  std::array<Op, all_ops> op_{};
  std::array<std::int8_t, all_ops> expanded_{};  // the operation that puts it beside elements
  // The loop over the shape with as few axes as possible: neighbours that every input walks alike are one.
  int axes_ = 0;
  std::array<Index, Shape::max_rank> extent_{};
};

}  // namespace xgrad
