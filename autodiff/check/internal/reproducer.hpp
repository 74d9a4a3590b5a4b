// A failed check as a short program that shows it again.
#pragma once

#include <string>
#include <vector>

#include <xgrad/autodiff/check/check.hpp>

namespace xgrad::inline v0 {

// One node alone, on the numbers that it met.
struct NodeCase {
  const OpDef* op = nullptr;
  Attrs attrs;
  std::vector<Tensor> inputs;  // floating ones are f64
};

CheckReport check_node(const NodeCase& node, const CheckOptions& options);

// A program of the public headers that prints the report of check_node. If `failure` can be had from fewer numbers, it
// has these; numbers too many to print are left to the seed. An operation that is not built in is declared only.
std::string reproducer(const NodeCase& node, const CheckFinding& failure, const CheckOptions& options);

}  // namespace xgrad::inline v0
