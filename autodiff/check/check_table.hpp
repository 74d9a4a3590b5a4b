// Checks every derivative of a graph one by one and prints a table: layer, operation, worst element.
//
//   CheckTable t = check_graph(loss, differentiable_leaves(loss), feeds);
//   std::cout << t.str();
//   t.passed();
//
// `nn::check(model)` does this for a model.
#pragma once

#include <string>
#include <vector>

#include <xgrad/autodiff/check/check.hpp>

namespace xgrad::inline v0 {

// One row of the table: an operation in a layer, or a derivative of y.
struct CheckRow {
  std::string layer;   // outermost scope; empty outside all scopes
  std::string what;    // the operation, or the derivative, such as `loss wrt kernel`
  CheckReport report;  // comparisons of all nodes of the operation in the layer
  double seconds = 0;
  std::string node;        // the node that failed
  std::string reproducer;  // a program that reproduces the failure; empty if there is none
};

// The result of check_graph.
struct CheckTable {
  std::string title;
  std::vector<CheckRow> rows;
  bool passed() const;
  // The table, followed by each failure with its reproducer.
  std::string str() const;
};

// Default options for whole graphs: few elements per tensor. Kinks are accepted and reported, since in a large graph
// the inputs of some maximum are often equal.
inline CheckOptions table_options() { return {.max_elements = 12, .directions = 2, .accept_kinks = true}; }

// Checks every operation that y needs in isolation, with respect to each of its inputs, at the values it has for these
// feeds, which finds a wrong rule. Then checks y with respect to each of `wrt`, which tests the composition. All checks
// are made in f64, of first and second derivatives. Derivatives that are zero everywhere are accepted and reported.
// Throws as compare_gradients does.
CheckTable check_graph(Value y, const std::vector<Value>& wrt, const Feeds& feeds = {},
                       const CheckOptions& options = table_options());

}  // namespace xgrad::inline v0
