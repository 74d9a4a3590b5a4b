// The interpreter: a plain loop over the nodes, one buffer each. It is the specification of what a graph means; plans
// must agree with it bit for bit. Use it to look at numbers while you build, and a Plan to train.
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

// A tensor for an input. Numbers are converted to the input's dtype where nothing but precision can be lost: any
// number to floating dtypes, whole-number dtypes and bool to each other; floating to integer is refused.
//
//   evaluate(y, {{x, numbers}});
//   evaluate(y, {{"x", numbers}});
struct Feed {
  Feed(Value fed, Tensor numbers) : input(fed), value(std::move(numbers)) {}
  Feed(std::string name_of_input, Tensor numbers) : name(std::move(name_of_input)), value(std::move(numbers)) {}
  Feed(const char* name_of_input, Tensor numbers) : Feed(std::string(name_of_input), std::move(numbers)) {}

  Value input{};     // empty: the input of that name
  std::string name;  // used if `input` is empty
  Tensor value;
};
using Feeds = std::vector<Feed>;
// The same with the inputs in place of their names. Throws FeedError for a name that no input of the graph has.
Feeds find_inputs(const Graph& graph, Feeds feeds);

struct RunOptions {
  int threads = 0;  // 0: default_threads(). The result has the same bits for any number.
  // Random operations draw other numbers at each step. By default a Workspace counts its runs: the first is step 0, and
  // each later one the step after that of the run before, given or counted. What keeps no state between runs, such as
  // evaluate() and Plan::run(feeds), runs step 0.
  std::optional<std::uint64_t> step{};
  // The first of the rows that this run computes, when a longer computation is cut into runs: random nodes marked by
  // Graph::set_row_elements draw the numbers of these rows. A row's numbers then do not depend on where the cuts are.
  Index first_row = 0;
  // Throws NonFiniteError (graph/run/finite.hpp) if a result is NaN or infinite, naming the node that made it. Of a
  // plan the results are its outputs and the new numbers of parameters, none of which is kept then; the plan's graph
  // must be alive, and each run costs a copy of all inputs and parameters.
  bool check_finite = false;
};

// The numbers of the values. Computes only what they need. Throws FeedError for an input that is missing, fed twice,
// or fed with another shape (parameters and constants need no feed).
std::vector<Tensor> evaluate(const std::vector<Value>& values, const Feeds& feeds = {}, const RunOptions& options = {});
inline std::vector<Tensor> evaluate(std::initializer_list<Value> values, const Feeds& feeds = {},
                                    const RunOptions& options = {}) {
  return evaluate(std::vector<Value>(values), feeds, options);
}
Tensor evaluate(Value value, const Feeds& feeds = {}, const RunOptions& options = {});

// Throws UserError if first_row is negative; `where` begins the message.
void check_run_options(const char* where, const RunOptions& options);

// `value` as an input of type `expected` takes it; throws FeedError naming the input otherwise.
Tensor convert_feed(const std::string& name, const TensorType& expected, const Tensor& value);

}  // namespace xgrad::inline v0
