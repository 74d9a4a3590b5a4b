// BlockCode: a block program and its layout, ready to run.
#pragma once

#include <utility>

#include <xgrad/graph/plan/internal/block_layout.hpp>

namespace xgrad::inline v0 {

// The memory of one run. An output may share memory with an input of the same type if no later operation reads that
// input.
struct BlockMemory {
  const void* const* inputs = nullptr;
  void* const* outputs = nullptr;
  void* scratch = nullptr;  // of BlockCode::scratch_bytes()
  RandomState random;
  Index first_row = 0;  // see RunOptions
};

// Runs allocate nothing. Several threads may run one BlockCode at once.
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
