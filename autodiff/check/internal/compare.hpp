// The heart of gradient checking: one function in f64, first and second order, at one point.
//
//   Comparison c{.y = y, .wrt = {x}, .feeds = {{x, numbers}}};
//   CheckReport r = compare_in_f64(c, options);
//
// Appends the gradients to y's graph. Every evaluation runs at the same step, so random operations draw the same
// numbers at x + h and x - h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <xgrad/autodiff/check/check.hpp>

namespace xgrad::inline v0 {

struct Comparison {
  Value y;                         // f64, any shape
  std::vector<Value> wrt;          // f64 inputs
  Feeds feeds;                     // f64; all that y needs, and `wrt`
  std::vector<std::string> names;  // of wrt, for messages
  std::string subject;
  std::string op;
  std::string sample;
  bool weigh_scalars = false;  // give a scalar y a random cotangent too, so that a rule which ignores it is found out
};

// Throws UserError if the options have no meaning.
CheckReport compare_in_f64(const Comparison& comparison, const CheckOptions& options);

// What `outputs` need of their graph, in f64, with numbers for every input: those given, the parameters', and random
// ones for the rest. Throws FeedError if the feeds do not fit.
struct InF64 {
  std::unique_ptr<Graph> graph;
  Rebuilt rebuilt;
  Feeds feeds;
};
InF64 in_f64(const std::vector<Value>& outputs, const std::vector<Value>& wanted, const Feeds& feeds,
             const CheckOptions& options);

// Those of wrt that have one of the names; all if there are no names. Throws GraphError for a name that none has.
std::vector<Value> chosen_by_name(const Graph& graph, const std::vector<Value>& wrt,
                                  const std::vector<std::string>& names);

// [1, 2] for the flat position in the shape.
std::string position_text(const Shape& shape, Index element);

}  // namespace xgrad::inline v0
