// BlockProgram: elementwise operations that run together, block after block, so that what one makes for the next stays
// in the nearest cache.
//
//   BlockProgram p(shape);
//   int a = p.add_input(x), b = p.add_input(y);           // types that broadcast to the shape
//   int t = p.add_op(*mul.block[f32], {a, b}, f32);
//   int u = p.add_op(*tanh.block[f32], {t}, f32);
//   p.add_output(u);
//   p.finish();
//   p.run(inputs, outputs, parallel);
//
// An operand is a number: inputs count from 0, results from `first_result`. Holds no heap memory and allocates none.
// Results depend neither on the size of blocks nor on what runs together: block kernels compute each element by itself.
// Internal: not installed.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <xgrad/graph/op_def.hpp>

namespace xgrad {

class BlockProgram {
 public:
  static constexpr int max_inputs = 16;
  static constexpr int max_ops = 24;
  static constexpr int first_result = max_inputs;

  explicit BlockProgram(const Shape& shape) : shape_(shape) {}

  int inputs() const { return inputs_; }
  int ops() const { return ops_; }
  int outputs() const { return outputs_; }

  // Each returns the operand it makes, except add_output, which returns the output's number. There must be room.
  int add_input(const TensorType& type);
  int add_op(BlockKernel kernel, std::span<const int> operands, DType result);
  int add_output(int operand);
  // The last operation, counted from 0, that reads the operand; -1 if none does.
  int last_reader(int operand) const;
  // Decides how to walk the shape, and where results go that are not outputs. Call once, before the first run.
  void finish();

  // Output i may be the memory of an input of the same type as long as no later operation than the one that makes the
  // output reads that input.
  void run(const void* const* inputs, void* const* outputs, const Parallel& parallel) const;

 private:
  struct Input {
    std::size_t size = 0;  // bytes of an element
    Shape shape;
    std::array<Index, Shape::max_rank> stride{};  // along the axes of the walk, in elements
    std::int8_t slot = -1;                        // where its rows are laid out, if they are short and not whole
    bool fixed = false;                           // the same for each row: laid out once
  };
  struct Op {
    BlockKernel kernel = nullptr;
    std::array<std::uint8_t, 4> operands{};
    std::uint8_t count = 0;
    std::uint8_t size = 0;    // bytes of an element of the result
    std::int8_t output = -1;  // or
    std::int8_t slot = -1;
  };
  struct Block;

  void collapse();
  void assign_slots();
  void run_flat(const Block& block, Index first, Index last) const;
  void run_rows(const Block& block, Index first, Index last) const;
  void run_short_rows(const Block& block, Index first, Index last) const;
  void execute(const Block& block, Index at, Index n, const char* const* in, const bool* scalar, char* slots) const;
  std::array<Index, max_inputs> offsets_of(Index row) const;

  Shape shape_;
  int inputs_ = 0, ops_ = 0, outputs_ = 0, slots_ = 0;
  std::array<Input, max_inputs> input_{};
  std::array<Op, max_ops> op_{};
  // The loop over the shape with as few axes as possible: neighbours that every input walks alike are one.
  int axes_ = 0;
  std::array<Index, Shape::max_rank> extent_{};
};

}  // namespace xgrad
