// Gradient checking by finite differences, in f64, first and second order.
//
//   check_gradients(y, {x, w}, {{x, tensor}});           // throws GradientError with a report if a derivative is wrong
//   CheckReport r = compare_gradients(loss, wrt, feeds); // returns the report
//   check_gradients(loss, differentiable_leaves(loss), feeds, {.only = {"w"}});
//   check_op(my_op);                                     // runs all suites on one operation
//
// The part of the graph that y needs is rebuilt in f64, so f32 models are checked unchanged. Random operations draw the
// same values at x + h and x - h. A check in which all analytic and numeric derivatives are zero fails unless options
// allow it: 0 == 0 proves nothing.
//
// Each comparison has one of three verdicts. `right`: a numeric derivative agrees with the analytic one. `wrong`:
// numeric derivatives agree with each other and not with the analytic one. `not_judged`, with a reason: the function is
// not finite around the point, rounding hides the difference, or estimates at different step sizes disagree.
// Comparisons that are not judged fail the check unless `allow_not_judged` is set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

// Accuracy, extent and strictness of gradient checks.
struct CheckOptions {
  int order = 2;              // 1: first derivatives; 2: second derivatives too
  double step = 1e-3;         // first h of the four-point central difference, times max(1, |x|); h then shrinks to the
                              // scale of the function and of x, or grows if rounding hides the difference
  double relative = 1e-6;     // tolerance: |analytic - numeric| <= absolute + relative * max(|analytic|, |numeric|)
  double absolute = 1e-8;     //   + the rounding error of the difference at this h
  Index max_elements = 64;    // larger inputs are checked at this many elements, chosen by the seed,
  int directions = 4;         // and along this many random directions over all elements
  bool accept_kinks = false;  // at a kink accept any value between the one-sided derivatives
  std::vector<std::string> only{};  // names of the wrt to check; empty: all
  bool allow_zero = false;          // accept a first derivative that is zero everywhere
  bool allow_zero_second = true;    // accept a second derivative that is zero everywhere
  bool allow_not_judged = false;    // accept comparisons that could not be judged
  std::uint64_t seed = 1;           // seed of the random cotangent and directions, and of inputs that are not fed
  std::uint64_t run_step = 0;       // RunOptions::step of random operations
};

// The result of one comparison, as described above.
enum class Verdict { right, wrong, not_judged };

// A failed comparison, or the worst one that passed.
struct CheckFinding {
  Verdict verdict = Verdict::right;
  std::string reason;  // why the comparison was not judged
  int order = 1;
  std::string input;  // description of the wrt value
  Shape shape;        // shape of the wrt value
  Index element = 0;  // flat index of its element; -1 for a random direction
  double analytic = 0;
  double numeric = 0;
  double tolerance = 0;  // accepted difference
  double spread = 0;     // difference between numeric estimates at smaller h
  bool kink = false;     // the one-sided derivatives differ with `analytic` between them, or the function jumps
  double left = 0;       // one-sided derivatives at a kink; infinite at a jump
  double right = 0;
  double ratio() const;  // difference / tolerance; 1 at a kink
  std::string str() const;
};

// The comparisons of one check.
struct CheckReport {
  std::string subject;  // description of y, or the operation under test
  bool passed = true;
  std::string why;                       // one-line reason if the check failed
  std::vector<CheckFinding> failures;    // wrong comparisons
  std::vector<CheckFinding> not_judged;  // comparisons without a verdict, allowed or not
  CheckFinding worst;                    // largest ratio() of the judged comparisons
  std::vector<CheckFinding> kinks;       // kinks exactly at the point, accepted or failed
  Index near_kinks = 0;                  // comparisons that agreed only at a smaller h, near a kink or a pole
  double largest = 0;                    // largest derivative, analytic or numeric
  Index comparisons = 0;                 // number of all comparisons
  std::string counts() const;            // "3 right, 1 wrong, 0 not judged"
  std::string str() const;               // the report that check_gradients throws
};

// Checks the derivatives of y with respect to each of `wrt`, which must be inputs or parameters. y is f32 or f64; if it
// is not a scalar, a sum of its elements with random weights is checked. Inputs that are not fed get random values from
// the seed; i64 inputs must be fed. If analytic and numeric derivative differ, h is reduced, so that a kink or pole
// nearby does not raise a false alarm. Throws UserError, GraphError or FeedError for invalid arguments.
CheckReport compare_gradients(Value y, const std::vector<Value>& wrt, const Feeds& feeds = {},
                              const CheckOptions& options = {});
// The same for one value of wrt.
inline CheckReport compare_gradients(Value y, Value wrt, const Feeds& feeds = {}, const CheckOptions& options = {}) {
  return compare_gradients(y, std::vector<Value>{wrt}, feeds, options);
}
// The same for a list in braces.
inline CheckReport compare_gradients(Value y, std::initializer_list<Value> wrt, const Feeds& feeds = {},
                                     const CheckOptions& options = {}) {
  return compare_gradients(y, std::vector<Value>(wrt), feeds, options);
}
// Like compare_gradients, but throws GradientError with the report if the check fails.
void check_gradients(Value y, const std::vector<Value>& wrt, const Feeds& feeds = {}, const CheckOptions& options = {});
// The same for one value of wrt.
void check_gradients(Value y, Value wrt, const Feeds& feeds = {}, const CheckOptions& options = {});

// The f32 and f64 inputs and parameters that y depends on, in tape order.
std::vector<Value> differentiable_leaves(Value y);

// Runs every suite (suites.hpp) on every sample of an operation: definition, infer against kernel, kernel against
// reference, f32 against f64, thread counts, plan against interpreter, first and second derivatives, bad samples.
// Throws GradientError or UserError with the operation, the sample and the failure.
void check_op(const OpDef& op, const CheckOptions& options = {});

// Nodes of the graph that rebuild_in_f64 made.
struct Rebuilt {
  std::vector<Value> outputs;
  std::vector<Value> wanted;  // the copies of its argument `wanted`; an empty Value if the outputs do not need it
  Feeds parameters;           // feeds with the parameters' values
};
// Copies the nodes that `outputs` need into `target`, changing f32 to f64 throughout, including dtype attributes.
// Inputs keep their names; parameters become inputs of the same name, with _1, _2 ... appended if the name is taken.
// `target` should have the seed of the source graph, so that random operations draw the same values. Throws GraphError
// if `outputs` is empty or `target` is the source graph.
Rebuilt rebuild_in_f64(Graph& target, const std::vector<Value>& outputs, const std::vector<Value>& wanted);

}  // namespace xgrad::inline v0
