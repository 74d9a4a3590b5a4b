// L-BFGS: for losses that are functions of their parameters alone, such as a small model on all of its data. Takes far
// fewer steps than rules that go by batches, each of them on the whole (Liu and Nocedal, "On the limited memory BFGS
// method", 1989).
//
//   xg::Parameter w("w", Tensor::zeros({2}));
//   auto result = nn::lbfgs(loss, {w});                     // w is now where the loss is least
//
//   nn::ModelGraph g = model.training_graph(data.size());   // a model on all rows at once
//   nn::lbfgs(g.loss, model.parameters(), {{g.input, data.x}, {g.target, data.y}});
//
// Each step goes along -H g, where H is made of the last `memory` changes of parameters and gradient, as far as a line
// search says that keeps the strong Wolfe conditions (Nocedal and Wright, "Numerical optimization", 2006, algorithms
// 3.5, 3.6 and 7.4): the loss falls by at least 1e-4 of what the slope promises, and the slope to at most 0.9 of what
// it was. H and the search compute in f64 whatever the dtype of the parameters, in one order: the same bits for any
// number of threads.
#pragma once

#include <vector>

#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0::nn {

struct LbfgsOptions {
  int max_iterations = 100;
  int memory = 10;
  double gradient_tolerance = 0;  // stop where no element of the gradient is larger
  // Stop when a step lowers the loss, and the next one promises to lower it, by no more than this fraction of the loss
  // or of what all steps have lowered it by, whichever is smaller. So neither a factor nor a constant added to the loss
  // makes it stop early.
  double change_tolerance = 1e-9;
  int max_evaluations = 25;  // of one line search
  int threads = 0;           // 0: default_threads()
};

enum class LbfgsStop {
  gradient,
  change,  // also where rounding hides what could still be gained
  iterations,
  no_lower_point,  // where the slope promises one: the gradient is wrong, or the loss has a kink
};

struct LbfgsResult {
  double loss = 0;
  double gradient = 0;  // the largest number of it
  int iterations = 0;
  int evaluations = 0;  // of the loss with its gradient
  LbfgsStop stop = LbfgsStop::iterations;
  bool converged() const { return stop == LbfgsStop::gradient || stop == LbfgsStop::change; }
};

// Moves the trainable ones of the parameters (as the graph has them, see Graph::trainable) to where the loss, a scalar,
// is least. Those that the loss does not depend on stay where they are. Random operations draw the same numbers each
// time, and updates of the graph, such as moving statistics, do not run. A point where the loss is not finite counts as
// too far. Throws what gradients() and feeds throw, ValueError if the loss is not finite to begin with, UserError if
// there is nothing to move or an option has no meaning; the parameters are then as they were.
LbfgsResult lbfgs(Value loss, const std::vector<Parameter>& parameters, const Feeds& feeds = {},
                  const LbfgsOptions& options = {});

}  // namespace xgrad::inline v0::nn
