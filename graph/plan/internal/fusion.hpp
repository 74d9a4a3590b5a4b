// Which steps of a plan run together, and in which order.
//
// Note [Stages]. Elementwise steps of one shape that feed each other may run as one, block after block, unless
// something between them must be complete first. So every step gets a stage: not below those of its operands, and above
// that of any operand it cannot run together with. Along a way that leaves a group through another step the stage
// rises, so it never leads back: connected steps of one stage can always be one group. A first sweep gives each step
// the lowest stage, a second, backwards, raises steps to the stage of the one they feed, so that what only one reader
// needs is made where it is read. Both are linear in the size of the graph.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <xgrad/graph/shape.hpp>

namespace xgrad::inline v0 {

struct FusionStep {
  std::vector<std::uint32_t> operands;         // steps, by position, whose results this one reads; all smaller
  std::vector<char> joins;                     // of each operand: whether this step may run together with it
  std::vector<std::uint32_t> external_inputs;  // what else it reads, by any numbers of the caller's
  bool runs_last = false;                      // after all steps that do not
  Index row = 0;                               // elements of the rows it works with, if it does; one size a group
  bool reads_row_values = false;               // one a row; beside the same as elements they are inputs of their own
  bool anchor = false;                         // its own kernel runs while others follow it; one a group
  bool column = false;                         // needs all of the rows, and so a group without an anchor
};

struct FusionLimits {
  std::size_t steps = 0;    // of a group
  std::size_t inputs = 0;   // things that these read from outside
  std::size_t columns = 0;  // steps that are `column`
};

// Groups of steps, each sorted, in an order in which every group comes after those it reads from.
std::vector<std::vector<std::uint32_t>> fuse(std::span<const FusionStep> steps, const FusionLimits& limits);

}  // namespace xgrad::inline v0
