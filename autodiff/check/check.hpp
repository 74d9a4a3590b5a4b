// Proving derivatives by finite differences, in double, first and second order.
//
//   check_gradients(y, {x, w}, {{x, numbers}});          // throws GradientError with a report if a derivative is wrong
//   CheckReport r = compare_gradients(loss, wrt, feeds); // the same as data
//   check_gradients(loss, differentiable_leaves(loss), feeds, {.only = {"w"}});
//   check_op(my_op);                                     // everything the suites know about one operation
//
// The part of the graph that y needs is rebuilt in f64, so a model in f32 is checked without being rewritten. Random
// operations draw the same numbers at x + h and x - h. A check in which analytic and numeric derivatives are all zero
// fails, unless the caller says that they are zero by nature: 0 == 0 proves nothing.
//
// Each comparison has one of three verdicts. It is right if a numeric derivative agrees with the analytic one, wrong if
// numeric derivatives agree with each other and not with the analytic one, and otherwise not judged, with the reason:
// the function is not finite around the point, rounding hides the difference, or estimates at different steps disagree.
// What was not judged fails the check as well, unless `allow_not_judged` is set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

struct CheckOptions {
  int order = 2;              // 1: the gradient; 2: also the gradient of the gradient
  double step = 1e-3;         // first h of the four-point central difference, times max(1, |x|). Where that does not
                              // tell, h shrinks to the scale of the function and of x, or grows if rounding hides it
  double relative = 1e-6;     // accepted: |analytic - numeric| <= absolute + relative * max(|analytic|, |numeric|)
  double absolute = 1e-8;     //   + what rounding may do to the difference at this h
  Index max_elements = 64;    // inputs with more elements are checked at this many, chosen by the seed,
  int directions = 4;         // and along this many random directions over all elements
  bool accept_kinks = false;  // accept any derivative between those from the left and from the right, where they differ
  std::vector<std::string> only{};  // names of the inputs and parameters to check; empty: all that are asked for
  bool allow_zero = false;          // accept a first derivative that is zero everywhere
  bool allow_zero_second = true;    // accept a second derivative that is zero everywhere
  bool allow_not_judged = false;    // accept comparisons that could not be judged
  std::uint64_t seed = 1;           // of the cotangent, the directions and numbers that were not fed
  std::uint64_t run_step = 0;       // the step at which random operations draw
};

enum class Verdict { right, wrong, not_judged };

// One comparison that failed, or the worst that passed.
struct CheckFinding {
  Verdict verdict = Verdict::right;
  std::string reason;  // why it was not judged
  std::string op;      // the operation of y, or the one under test
  std::string sample;  // label of the sample; empty outside check_op
  int order = 1;
  std::string input;  // description of the value differentiated by
  Shape shape;        // its shape
  Index element = 0;  // flat position; -1 for a random direction
  double analytic = 0;
  double numeric = 0;
  double tolerance = 0;  // the difference that would have been accepted
  double spread = 0;     // how far the numeric estimates at smaller and smaller h are apart
  bool kink =
      false;        // the derivatives from the left and from the right differ with `analytic` between them, or it jumps
  double left = 0;  // these, of a kink; infinite where it jumps
  double right = 0;
  double ratio() const;  // of the difference to the tolerance; 1 at a kink
  std::string str() const;
};

struct CheckReport {
  std::string subject;  // description of y, or the operation under test
  bool passed = true;
  std::string why;                       // in one line, if it did not pass
  std::vector<CheckFinding> failures;    // the wrong ones
  std::vector<CheckFinding> not_judged;  // allowed or not
  CheckFinding worst;                    // largest ratio of difference to tolerance among those judged
  std::vector<CheckFinding> kinks;  // where the function has one exactly at the point: accepted or among the failures
  Index near_kinks = 0;             // comparisons that agreed only at a smaller h: there is a kink, or a pole, nearby
  double largest = 0;               // derivative seen, analytic or numeric
  Index comparisons = 0;            // right, wrong and not judged
  std::string counts() const;       // "3 right, 1 wrong, 0 not judged"
  std::string str() const;          // what check_gradients throws
};

// Checks y (any floating shape; other shapes than scalars are weighted by random numbers first) by each of `wrt`, which
// must be inputs or parameters. Inputs not fed get random numbers from the seed; i64 inputs must be fed. Where analytic
// and numeric derivative differ, the difference quotient is taken again at smaller and smaller h, so that a kink or a
// pole nearby does not raise a false alarm. Throws UserError, GraphError or FeedError where the question itself makes
// no sense.
CheckReport compare_gradients(Value y, const std::vector<Value>& wrt, const Feeds& feeds = {},
                              const CheckOptions& options = {});
// The same; throws GradientError carrying the report if it fails.
inline CheckReport compare_gradients(Value y, Value wrt, const Feeds& feeds = {}, const CheckOptions& options = {}) {
  return compare_gradients(y, std::vector<Value>{wrt}, feeds, options);
}
inline CheckReport compare_gradients(Value y, std::initializer_list<Value> wrt, const Feeds& feeds = {},
                                     const CheckOptions& options = {}) {
  return compare_gradients(y, std::vector<Value>(wrt), feeds, options);
}
void check_gradients(Value y, const std::vector<Value>& wrt, const Feeds& feeds = {}, const CheckOptions& options = {});
void check_gradients(Value y, Value wrt, const Feeds& feeds = {}, const CheckOptions& options = {});

// The inputs and parameters of a floating dtype that y depends on, in the order of the tape: all one can check it by.
std::vector<Value> differentiable_leaves(Value y);

// Runs every sample of an operation, built in or of the user's own, through: definition, infer against kernel, kernel
// against reference, f32 against f64, one and several threads, plan against interpreter, first and second derivative,
// bad samples. Throws GradientError or UserError with the op, the sample and what went wrong.
void check_op(const OpDef& op, const CheckOptions& options = {});

// Copies what `outputs` need into `target`, changing f32 to f64 throughout (dtype attributes included). Inputs keep
// their names; parameters become inputs named after them, with _1, _2 ... appended where the name is taken. `target`
// should have the seed of the source, so that random operations draw the same numbers.
struct Rebuilt {
  std::vector<Value> outputs;
  std::vector<Value> wanted;  // empty where not needed
  Feeds parameters;           // the parameters' numbers as feeds of their inputs
};
Rebuilt rebuild_in_f64(Graph& target, const std::vector<Value>& outputs, const std::vector<Value>& wanted);

}  // namespace xgrad::inline v0
