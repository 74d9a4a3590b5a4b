// The core of gradient checking: compares the derivatives of one f64 function at one point, first and second order.
//
//   Comparison c{.y = y, .wrt = {x}, .feeds = {{x, tensor}}};
//   CheckReport r = compare_in_f64(c, options);
//
// Appends the gradients to y's graph. All evaluations use the same step, so random operations draw the same values at
// x + h and x - h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <xgrad/autodiff/check/check.hpp>

namespace xgrad::inline v0 {

struct Comparison {
  Value y;                         // f64, any shape
  std::vector<Value> wrt;          // f64 inputs
  Feeds feeds;                     // f64; all inputs of y, including `wrt`
  std::vector<std::string> names;  // of wrt, for messages
  std::string subject;
  bool weigh_scalars = false;  // random cotangent for a scalar y too, to catch rules that ignore it
};

// Throws UserError if the options are invalid.
CheckReport compare_in_f64(const Comparison& comparison, const CheckOptions& options);

// The part of a graph that `outputs` need, rebuilt in f64, with feeds for every input: those given, the parameters'
// values, and random values for the rest. Throws FeedError if the feeds do not fit.
struct InF64 {
  std::unique_ptr<Graph> graph;
  Rebuilt rebuilt;
  Feeds feeds;
};
InF64 in_f64(const std::vector<Value>& outputs, const std::vector<Value>& wanted, const Feeds& feeds,
             const CheckOptions& options);

// The values of wrt with one of the names; all if there are no names. Throws GraphError for a name that none has.
std::vector<Value> chosen_by_name(const Graph& graph, const std::vector<Value>& wrt,
                                  const std::vector<std::string>& names);

}  // namespace xgrad::inline v0
