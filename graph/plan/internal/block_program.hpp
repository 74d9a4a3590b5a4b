// BlockProgram: a compiled fusion group. It runs blockwise, so that intermediate values stay in the L1 cache. It is an
// immutable value: BlockCode (block_run.hpp) assigns its memory and runs it.
//
//   BlockProgram::Builder b({128, 10}, 10);                  // rows of 10
//   auto x = b.input(x_type);                                // types that broadcast to the shape
//   auto top = b.call(rows_max, {&x, 1}, f32, BlockLevel::row);
//   auto e = b.map(exp.block[f32], {b.map(sub.block[f32], {x, top}, f32)}, f32);
//   auto s = b.reduce(sum.reduction[f32], e, f32);
//   b.output(e), b.output(s);
//   const BlockProgram p = b.finish();
//
// Note [Levels]. Most values of a program are of level `element`, one per element of the shape. A `row` value is one
// per row: operations on row values read it directly, and where elements read it, it is broadcast along its row. A
// `column` value is one per column. It is complete only after the last block, so nothing in the program reads it.
// Programs with row or column values run in blocks of whole rows, a power of two of them. Columns are reduced over
// `group` rows in order and then pairwise: the reduction order of the operation that runs alone, so that results depend
// neither on the size of blocks nor on fusion.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

enum class BlockLevel : std::uint8_t { element, row, column };

// The arguments of a function that computes a block of a value.
struct BlockCall {
  const void* const* in = nullptr;
  void* out = nullptr;
  Index first = 0;  // index of the block's first element, and number of the block's elements
  Index n = 0;
  Index rows = 0;  // number of the block's rows, and of a row's elements; 0 in programs without rows
  Index row = 0;
  RandomState random;
  Index first_row = 0;  // see RunOptions
};
using BlockFunction = std::function<void(const BlockCall&)>;

struct BlockProgram {
  static constexpr std::size_t max_inputs = 16;
  static constexpr std::size_t max_ops = 24;
  static constexpr std::size_t max_columns = 8;
  // Besides inputs and operations, a row value may need an instruction that spreads it along its row.
  static constexpr std::size_t max_registers = max_inputs + 2 * max_ops;
  // Rows of more bytes are not fused.
  static constexpr Index max_row_bytes = Index{8} * 1024;

  using Register = std::uint32_t;  // index into `instructions`
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  struct Instruction {
    enum class Kind : std::uint8_t {
      input,   // of level `row`: one value per row, or one for all, read by operations on row values
      map,     // `kernel`, element by element
      call,    // `function`, on the block as a whole
      reduce,  // columns, by `reduction`
      spread,  // repeats a row value along its row
    };
    Kind kind = Kind::input;
    BlockLevel level = BlockLevel::element;
    std::uint32_t element_bytes = 0;
    std::uint32_t output = none;  // its index in `outputs`
    std::uint32_t operand_count = 0;
    std::array<Register, 4> operand{};
    BlockKernel kernel = nullptr;
    const BlockReduction* reduction = nullptr;
    BlockFunction function{};

    std::span<const Register> operands() const { return std::span(operand).first(operand_count); }
    bool is_output() const { return output != none; }
  };
  class Builder;

  Shape shape;                            // the iteration space
  Index row = 0;                          // elements of a row, which is the last axes of the shape; 0: no rows
  std::vector<Instruction> instructions;  // each computes the register of its index
  std::vector<TensorType> inputs;
  std::vector<Register> outputs;

  Index elements() const { return shape.elements(); }
  Index rows() const { return row > 0 ? elements() / row : 0; }
  std::size_t operations() const { return instructions.size() - inputs.size(); }
  // One line per register, such as `3 map 0 2, output 1`.
  std::string str() const;
};

class BlockProgram::Builder {
 public:
  using Operands = std::span<const Register>;

  explicit Builder(const Shape& shape, Index row = 0) {
    program_.shape = shape;
    program_.row = row;
    program_.instructions.reserve(8);
    program_.inputs.reserve(4);
  }

  // Each returns the register that it computes.
  Register input(const TensorType& type, bool row_values = false);
  Register map(BlockKernel kernel, Operands operands, DType result, BlockLevel level = BlockLevel::element);
  Register map(BlockKernel kernel, std::initializer_list<Register> operands, DType result) {
    return map(kernel, Operands(operands.begin(), operands.size()), result);
  }
  // The operands must be of level `element` and of the program's shape.
  Register call(BlockFunction function, Operands operands, DType result, BlockLevel level);
  Register reduce(const BlockReduction& reduction, Register operand, DType result);
  void output(Register result);
  BlockProgram finish() { return std::move(program_); }

 private:
  using Kind = Instruction::Kind;
  Register add(Instruction instruction, Operands operands, DType result);
  Register as_element(Register operand);

  BlockProgram program_;
  std::vector<Register> spread_;  // by row value: its spread register, or `none`
};

// Throws InternalError, with the register, unless operands come first and have levels that their reader can read.
void verify(const BlockProgram& program);

}  // namespace xgrad::inline v0
