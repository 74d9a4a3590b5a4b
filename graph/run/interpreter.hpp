// The interpreter: a plain loop over the nodes, with one buffer each. It specifies the semantics of a graph: results of
// plans are bit-identical to its results. Use it to inspect values while building a graph, and a Plan to train.
//
//   Tensor t = evaluate(y, {{x, xt::xarray<float>{1, 2, 3}}});
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0 {

// A tensor for an input, given as a Value or by name. The tensor is converted to the input's dtype if only precision
// can be lost: any dtype to f32 and f64, i64 and bool to each other. Floating-point values for an i64 or bool input
// throw.
//
//   evaluate(y, {{x, tensor}});
//   evaluate(y, {{"x", tensor}});
struct Feed {
  Feed(Value fed, Tensor tensor) : input(fed), value(std::move(tensor)) {}
  Feed(std::string name_of_input, Tensor tensor) : name(std::move(name_of_input)), value(std::move(tensor)) {}
  Feed(const char* name_of_input, Tensor tensor) : Feed(std::string(name_of_input), std::move(tensor)) {}

  Value input{};     // empty: use `name`
  std::string name;  // used if `input` is empty
  Tensor value;
};
// The tensors of a run's inputs.
using Feeds = std::vector<Feed>;
// Replaces names by the graph's inputs. Throws FeedError if the graph has no input of a name.
Feeds find_inputs(const Graph& graph, Feeds feeds);

// Options of one run, of the interpreter or of a plan.
struct RunOptions {
  int threads = 0;  // 0: default_threads(). Results are bit-identical for any number.
  // Number of the step; random operations draw other values at each step. If empty, a Workspace uses 0 for its first
  // run and the step of its last run plus 1 for later ones; stateless runs, such as evaluate() and Plan::run(feeds),
  // use 0.
  std::optional<std::uint64_t> step{};
  // The first row of this run, when a longer computation is split into runs. Random nodes marked by
  // Graph::set_row_elements draw by row, so a row's values do not depend on the split.
  Index first_row = 0;
  // Throws NonFiniteError (graph/run/finite.hpp) if a result is NaN or infinite, with the node that first computed it.
  // The results of a plan are its outputs and the parameters' new values, which are then restored. A run copies all
  // inputs and parameters. The first checked run of a workspace also copies the graph's nodes; the graph must still
  // exist then, unless the plan was made with PlanOptions::check_finite.
  bool check_finite = false;
};

// Evaluates the values, computing only what they need. Throws FeedError for an input that is missing, fed twice, or fed
// with another shape. Parameters and constants need no feed.
std::vector<Tensor> evaluate(const std::vector<Value>& values, const Feeds& feeds = {}, const RunOptions& options = {});
// The same for a list in braces, even of one value.
inline std::vector<Tensor> evaluate(std::initializer_list<Value> values, const Feeds& feeds = {},
                                    const RunOptions& options = {}) {
  return evaluate(std::vector<Value>(values), feeds, options);
}
// Evaluates one value.
Tensor evaluate(Value value, const Feeds& feeds = {}, const RunOptions& options = {});

// Throws UserError if first_row is negative; `where` begins the message.
void check_run_options(const char* where, const RunOptions& options);

// Throws FeedError for a fed name that no input has; the message lists the inputs' names.
[[noreturn]] void fail_unknown_feed(const std::string& name, std::vector<std::string> known);

// Converts `value` to the type `expected` of an input. Throws FeedError, naming the input, if it cannot.
Tensor convert_feed(const std::string& name, const TensorType& expected, const Tensor& value);

}  // namespace xgrad::inline v0
