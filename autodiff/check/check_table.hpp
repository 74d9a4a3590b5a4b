// Every derivative of a graph, checked one by one and printed as a table: which layer, which operation, which number.
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
  std::string layer;   // the outermost scope; empty outside all scopes
  std::string what;    // an operation, or `loss by kernel`
  CheckReport report;  // of all nodes of the operation in the layer
  double seconds = 0;
  std::string node;        // which one failed
  std::string reproducer;  // a program that shows the failure again; empty if there is none
};

struct CheckTable {
  std::string title;
  std::vector<CheckRow> rows;
  bool passed() const;
  // The table, and below it every failure with a program that shows it again.
  std::string str() const;
};

// What suits a whole graph: few elements of each tensor, and kinks reported, since a maximum somewhere meets a tie.
inline CheckOptions table_options() { return {.max_elements = 12, .directions = 2, .accept_kinks = true}; }

// First every operation that y needs, alone, by each of its inputs, on the numbers that it meets at these feeds; then y
// by each of `wrt`. Both in f64, first and second order. The first says which rule is wrong, the second that the parts
// are put together rightly. Derivatives that are zero everywhere are accepted and shown as such. Throws as
// compare_gradients.
CheckTable check_graph(Value y, const std::vector<Value>& wrt, const Feeds& feeds = {},
                       const CheckOptions& options = table_options());

}  // namespace xgrad::inline v0
