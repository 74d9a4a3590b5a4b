// BlockProgram: a compiled fusion group. It runs blockwise, so that intermediate values stay in the L1 cache. It is a
// value: block_layout.hpp says how it walks memory, block_run.hpp runs it.
//
//   BlockProgram::Builder b({128, 10}, 10);                  // rows of 10
//   auto x = b.input(x_type);                                // types that broadcast to the shape
//   auto top = b.reduce(max.reduction[f32], x, f32, BlockLevel::row);
//   auto e = b.map(exp.block[f32], {b.map(sub.block[f32], {x, top}, f32)}, f32);
//   auto s = b.reduce(sum.reduction[f32], e, f32, BlockLevel::column);
//   b.output(e), b.output(s);
//   const BlockProgram p = b.finish();
//
// Note [Levels]. Most values of a program are of level `element`, one for each element of the shape. A reduction of
// rows makes one value per `row`: operations on row values may use it, and beside elements it stands for its whole row.
// A reduction over the rows makes one value per `column`; it is complete only after the last block, so nothing in the
// program reads it. Blocks are whole rows then, a power of two of them. Columns are combined over `group` rows in order
// and then pairwise, the very tree of the operation that runs alone, so results depend neither on the size of blocks
// nor on what runs together.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

enum class BlockLevel : std::uint8_t { element, row, column };

struct BlockProgram {
  static constexpr std::size_t max_inputs = 16;
  static constexpr std::size_t max_ops = 24;
  static constexpr std::size_t max_columns = 8;
  // Each row value may have to be spread beside elements, which takes an instruction more.
  static constexpr std::size_t max_registers = max_inputs + 2 * max_ops;
  // A row of more bytes does not go into a block.
  static constexpr Index longest_row = Index{8} * 1024;

  using Register = std::uint32_t;  // position in `instructions`
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  struct Input {
    std::uint32_t number = 0;
    bool row_values = false;  // one value a row, or one for all, that operations on row values read
  };
  struct Map {
    BlockKernel kernel = nullptr;
    std::array<Register, 4> operands{};
    std::uint32_t count = 0;
  };
  struct Draw {
    RandomBlockKernel kernel = nullptr;
    std::uint32_t attrs = 0;
    Index row_elements = 0;  // as in Graph::row_elements
  };
  struct Reduce {
    const BlockReduction* by = nullptr;
    Register operand = 0;
  };
  struct Spread {  // a row value, repeated along its row
    Register operand = 0;
  };
  struct Instruction {
    std::variant<Input, Map, Draw, Reduce, Spread> action;
    std::uint32_t element_bytes = 0;
    std::uint32_t output = none;
    BlockLevel level = BlockLevel::element;

    template <class Action>
    bool is() const {
      return std::holds_alternative<Action>(action);
    }
    std::span<const Register> operands() const;
  };
  class Builder;

  Shape shape;                            // that is walked
  Index row = 0;                          // elements of a row, those of the last axes; 0 if rows do not matter
  std::vector<Instruction> instructions;  // each makes the register of its number
  std::vector<TensorType> inputs;
  std::vector<Register> outputs;
  std::vector<Attrs> attrs;  // of random operations

  Index elements() const { return shape.elements(); }
  Index rows() const { return row > 0 ? elements() / row : 0; }
  std::size_t operations() const { return instructions.size() - inputs.size(); }
  // One line a register, such as `3 map 0 2, output 1`.
  std::string str() const;
};

class BlockProgram::Builder {
 public:
  explicit Builder(const Shape& shape, Index row = 0) {
    program_.shape = shape;
    program_.row = row;
    program_.instructions.reserve(8);
    program_.inputs.reserve(4);
  }

  // Each returns the register it makes.
  Register input(const TensorType& type, bool row_values = false);
  Register map(BlockKernel kernel, std::span<const Register> operands, DType result,
               BlockLevel level = BlockLevel::element);
  Register map(BlockKernel kernel, std::initializer_list<Register> operands, DType result,
               BlockLevel level = BlockLevel::element) {
    return map(kernel, std::span(operands.begin(), operands.size()), result, level);
  }
  Register reduce(const BlockReduction& by, Register operand, DType result, BlockLevel level);
  Register draw(RandomBlockKernel kernel, const Attrs& attrs, DType result, Index row_elements);
  void output(Register result);
  BlockProgram finish() { return std::move(program_); }

 private:
  Register add(Instruction instruction);
  Register beside_elements(Register operand);

  BlockProgram program_;
  std::vector<Register> spread_;  // by register up to the last spread one, which has it beside elements
};

// Throws InternalError, naming the register, unless operands come first and have levels that their reader can read.
void verify(const BlockProgram& program);

}  // namespace xgrad::inline v0
