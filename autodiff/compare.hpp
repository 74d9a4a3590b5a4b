// The heart of gradient checking: one function in f64, first and second order, at one point.
//
//   Comparison c{.y = y, .wrt = {x}, .feeds = {{x, numbers}}};
//   CheckReport r = compare_in_f64(c, options);
//
// Appends the gradients to y's graph. Every evaluation runs at the same step, so random operations draw the same
// numbers at x + h and x - h. Internal: not installed.
#pragma once

#include <string>
#include <vector>

#include <xgrad/autodiff/check.hpp>

namespace xgrad {

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

CheckReport compare_in_f64(const Comparison& comparison, const CheckOptions& options);

}  // namespace xgrad
