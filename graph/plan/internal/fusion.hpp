// Which steps of a plan run together, and in which order.
//
// Note [Stages]. Elementwise steps of one shape that feed each other may run as one, block after block, unless
// something between them must be complete first. So every step gets a stage: not below those of its operands, and above
// that of any operand it cannot run together with. Along a way that leaves a group through another step the stage
// rises, so it never leads back: connected steps of one stage can always be one unit. A first sweep gives each step the
// lowest stage, a second, backwards, raises steps to the stage of the one they feed, so that what only one reader needs
// is made where it is read. Both are linear in the size of the graph.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <xgrad/graph/shape.hpp>

namespace xgrad {

struct FusionStep {
  std::vector<std::uint32_t> operands;  // steps, by position, whose results this one reads; all smaller
  std::vector<char> joins;              // of each operand: whether this step may run together with it
  std::vector<std::uint32_t> others;    // things that are not steps which it reads, by any numbers of the caller's
  bool last = false;                    // belongs after all steps that are not `last`
  Index row = 0;                        // elements of the rows it works with, if it does; one size a unit
  bool by_rows = false;  // reads a number a row, which beside the same as elements is an input of its own
  bool head = false;     // runs by itself while others follow it; one a unit
  bool column = false;   // needs all of the rows, and so a unit without a head
};

struct FusionLimits {
  int steps = 0;    // of a unit
  int inputs = 0;   // things that these read from outside
  int columns = 0;  // steps that are `column`
};

// Units of steps, each sorted, in an order in which every unit comes after those it reads from.
std::vector<std::vector<std::uint32_t>> fuse(std::span<const FusionStep> steps, const FusionLimits& limits);

}  // namespace xgrad
