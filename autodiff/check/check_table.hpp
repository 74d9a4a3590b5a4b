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

struct CheckRow {
  std::string layer;   // outermost scope; empty outside all scopes
  std::string what;    // an operation, or such as `loss by kernel`
  CheckReport report;  // of all nodes of the operation in the layer
  double seconds = 0;
  std::string node;        // the node that failed
  std::string reproducer;  // a program that reproduces the failure; empty if there is none
};

struct CheckTable {
  std::string title;
  std::vector<CheckRow> rows;
  bool passed() const;
  // The table, followed by each failure with its reproducer.
  std::string str() const;
};

// Options for whole graphs: few elements per tensor, and kinks are accepted and reported, since some maximum has a tie.
inline CheckOptions table_options() { return {.max_elements = 12, .directions = 2, .accept_kinks = true}; }

// Checks every operation that y needs in isolation, by each of its inputs, at the values it has for these feeds; then y
// by each of `wrt`. Both in f64, first and second order. The former finds the wrong rule, the latter checks the
// composition. Derivatives that are zero everywhere are accepted and reported. Throws as compare_gradients.
CheckTable check_graph(Value y, const std::vector<Value>& wrt, const Feeds& feeds = {},
                       const CheckOptions& options = table_options());

}  // namespace xgrad::inline v0
