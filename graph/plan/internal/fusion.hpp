// Partitions the steps of a plan into fusion groups and orders the groups.
//
// Note [Stages]. Connected steps may run as one group, unless another step between them must be complete first. So each
// step gets a stage: at least those of its operands, and above those of operands with which it cannot be fused. A path
// that leaves a group ends at a higher stage, so fusing connected steps of one stage cannot create a cycle. A forward
// pass assigns the lowest stages. A backward pass raises producers to the stage of their consumers, so that a producer
// joins the group of its only consumer. Both are linear in the size of the graph.
//
// Note [Shared inputs]. Groups that read the same large tensor become one, which reads it once, if the stages of their
// producers and consumers allow it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <xgrad/graph/shape.hpp>

namespace xgrad::inline v0 {

struct FusionStep {
  std::vector<std::uint32_t> operands;         // indices of the producers; all smaller than its own
  std::vector<char> fuses;                     // by operand: whether this step may be in one group with it
  std::vector<std::uint32_t> external_inputs;  // ids of other inputs, chosen by the caller
  std::vector<std::uint32_t> shared_inputs;    // ids of the large tensors that it reads element by element
  bool runs_last = false;                      // it runs after all steps without this flag
  Index row = 0;                               // elements of a row, or 0; the same in a group
  bool reads_row_values = false;               // an input read by rows and by elements counts twice
  bool anchor = false;                         // its own kernel runs; at most one in a group
  bool column = false;                         // it needs all rows; not in a group with an anchor
};

struct FusionLimits {
  std::size_t steps = 0;    // in a group
  std::size_t inputs = 0;   // that they read from outside the group
  std::size_t columns = 0;  // steps with the flag `column`
};

// Groups of steps in execution order: each group is sorted and comes after the producers of its operands.
std::vector<std::vector<std::uint32_t>> fuse(std::span<const FusionStep> steps, const FusionLimits& limits);

}  // namespace xgrad::inline v0
