// L-BFGS: full-batch minimization, for deterministic losses such as a small model on all of its data. Needs far fewer
// iterations than mini-batch optimizers (Liu and Nocedal, "On the limited memory BFGS method", 1989).
//
//   xg::Parameter w("w", Tensor::zeros({2}));
//   auto result = nn::lbfgs(loss, {w});                     // w now minimizes the loss
//
//   nn::ModelGraph g = model.training_graph(data.size());   // a model on all rows at once
//   nn::lbfgs(g.loss, model.parameters(), {{g.input, data.x}, {g.target, data.y}});
//
// Each iteration moves along -H g, where H approximates the inverse Hessian from the last `memory` changes of
// parameters and gradient. The distance comes from a line search with the strong Wolfe conditions, c1 = 1e-4 and c2 =
// 0.9 (Nocedal and Wright, "Numerical optimization", 2006, algorithms 3.5, 3.6 and 7.4). H and the line search use f64
// in a fixed order, so results are bit-identical for any number of threads.
#pragma once

#include <vector>

#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0::nn {

// Stopping criteria and memory of L-BFGS.
struct LbfgsOptions {
  int max_iterations = 100;
  int memory = 10;
  double gradient_tolerance = 0;  // stop if no element of the gradient is larger in magnitude
  // Stop if an iteration's decrease of the loss and the expected next decrease are at most this fraction of the loss or
  // of the total decrease, whichever is smaller. This makes stopping independent of the scale and offset of the loss.
  double change_tolerance = 1e-9;
  int max_evaluations = 25;  // evaluations per line search
  int threads = 0;           // 0: default_threads()
};

// The reason why L-BFGS stopped.
enum class LbfgsStop {
  gradient,        // gradient_tolerance is reached
  change,          // change_tolerance is reached, or rounding hides a further decrease
  iterations,      // max_iterations are done
  no_lower_point,  // the line search failed: wrong gradient, or a kink of the loss
};

// The last point of L-BFGS.
struct LbfgsResult {
  double loss = 0;
  double gradient = 0;  // largest magnitude of the gradient's elements
  int iterations = 0;
  int evaluations = 0;  // evaluations of loss and gradient
  LbfgsStop stop = LbfgsStop::iterations;
  bool converged() const { return stop == LbfgsStop::gradient || stop == LbfgsStop::change; }
};

// Minimizes a scalar loss over the trainable parameters (see Graph::trainable). Parameters that the loss does not
// depend on are unchanged. Random operations draw the same values in each evaluation, and updates of the graph, such as
// moving statistics, do not run. The line search backs off from points where the loss is not finite. Throws the errors
// of gradients() and evaluate(), ValueError if the initial loss is not finite, and UserError if no parameter is
// trainable or an option is invalid; the parameters are then unchanged.
LbfgsResult lbfgs(Value loss, const std::vector<Parameter>& parameters, const Feeds& feeds = {},
                  const LbfgsOptions& options = {});

}  // namespace xgrad::inline v0::nn
