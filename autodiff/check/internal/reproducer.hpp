// Prints a failed check as a short program that reproduces it.
#pragma once

#include <string>
#include <vector>

#include <xgrad/autodiff/check/check.hpp>

namespace xgrad::inline v0 {

// One node in isolation, at the values it had.
struct NodeCase {
  const OpDef* op = nullptr;
  Attrs attrs;
  std::vector<Tensor> inputs;  // floating inputs are f64
};

CheckReport check_node(const NodeCase& node, const CheckOptions& options);

// Returns a program that uses the public headers and prints the report of check_node. It uses as few values as
// reproduce `failure`; values too many to print are drawn from the seed. A custom operation is only declared.
std::string reproducer(const NodeCase& node, const CheckFinding& failure, const CheckOptions& options);

}  // namespace xgrad::inline v0
