// Runs block programs.
#pragma once

#include <utility>

#include <xgrad/graph/plan/internal/block_layout.hpp>

namespace xgrad::inline v0 {

// Output i may be the memory of an input of the same type as long as no later operation than the one that makes the
// output reads that input.
struct BlockMemory {
  const void* const* inputs = nullptr;
  void* const* outputs = nullptr;
  void* scratch = nullptr;  // of BlockCode::scratch_bytes()
  RandomState random;
  Index first_row = 0;  // see RunOptions
};

// A program that is ready to run. Runs allocate nothing and may go on at once in several threads.
class BlockCode {
 public:
  explicit BlockCode(BlockProgram program) : program_(std::move(program)), layout_(lay_out(program_)) {}

  const BlockProgram& program() const { return program_; }
  // Bytes a run needs, for columns that are not complete yet.
  std::size_t scratch_bytes() const { return layout_.scratch_bytes; }
  void run(const BlockMemory& memory, const Parallel& parallel) const;
  // Runs rows [first, last) alone, on this thread. For programs with rows and without columns.
  void run_rows(const BlockMemory& memory, Index first, Index last) const { run_items(memory, first, last); }

 private:
  void run_items(const BlockMemory& memory, Index first, Index last) const;

  BlockProgram program_;
  BlockLayout layout_;
};

}  // namespace xgrad::inline v0
