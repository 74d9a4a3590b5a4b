// Model::State: the members of a Model.
#pragma once

#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include <xgrad/nn/data/safetensors.hpp>
#include <xgrad/nn/training/internal/model_use.hpp>
#include <xgrad/nn/training/internal/step_pool.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

struct Model::State {
  AnyModule network;
  Shape row;
  ModelOptions options;
  SourceLocation line;                     // the line of the constructor call
  SourceLocation compile_line{};           // the line of the compile() call
  std::optional<CompileOptions> compiled;  // the options of compile(), with unique names of metrics
  OptimizerState optimizer_state{0};
  TrainableFlags trainable_flags{};  // pinned at compile(); empty before
  std::vector<Parameter> parameters;
  DType input_dtype;
  Shape prediction_row;
  DType prediction_dtype = f32;
  StepPool steps;       // cleared by compile()
  ModelUse use;         // running calls of the model's functions
  std::mutex building;  // held while a graph is built: calling the network creates weights and may not be thread-safe
  std::uint64_t training_steps = 0;  // number of training steps of all fits, the counter of random operations
  std::uint64_t epochs = 0;          // number of epochs of all fits, the counter of shuffles
  bool training = false;             // a fit is running; see require_idle

  State(AnyModule net, Shape row_shape, ModelOptions model_options, SourceLocation at)
      : network(std::move(net)),
        row(row_shape),
        options(std::move(model_options)),
        line(at),
        input_dtype(options.input_dtype.value_or(options.dtype)) {}

  ModelGraph build(Mode mode, Index rows, bool weighted = false);
  StepPool::Lease step(Mode mode, Index rows, bool weighted = false);
  const CompileOptions& require_compiled(const char* where) const;
  // The dtype of targets that have the shape of the prediction, and of row weights.
  DType target_dtype(DType prediction) const { return is_floating(prediction) ? prediction : options.dtype; }
  // Converts and checks data for the compiled model; see checked_data.
  Dataset checked(const std::string& where, const Dataset& data) const;
  // Throws GraphError during a fit, for functions that callbacks may not call.
  void require_idle(const char* where) const;
  // Warns about trainable weights that the loss does not depend on.
  void warn_of_unreached(const ModelGraph& graph) const;
  // All parameters that training changes: weights, moving statistics and optimizer state.
  std::vector<Parameter> changing() const;
  // Convert the state to and from a file; `where` is the prefix of messages. See Model::save and load.
  TensorFile to_file() const;
  void take(const TensorFile& file, const std::string& where);
  // Throws FormatError, naming the weights, if some are trained only in the model or only in the file.
  void require_same_training(const TensorFile& file, const std::string& where) const;
  // Runs all rows in batches, in inference mode. Calls `each` after each batch.
  void run_batches(const std::string& where, Mode mode, const Dataset& data, const EvaluateOptions& options,
                   const std::function<void(const CompiledStep&)>& each);
  Means evaluate(const std::string& where, const Dataset& data, const EvaluateOptions& options);
  // Adds the means of loss and metrics to the logs; names get the prefix.
  void report(Logs& logs, const Means& means, const std::string& prefix) const;
  // Returns f(); converts std::bad_alloc to an OutOfMemoryError that names the function and, unless 0, the rows.
  template <class F>
  decltype(auto) with_memory(const char* where, Index rows, F f) const {
    try {
      return f();
    } catch (const std::bad_alloc&) {
      fail_out_of_memory(where, rows);
    }
  }
  [[noreturn]] void fail_out_of_memory(const char* where, Index rows) const;
};

// Splits `rows` rows into batches: calls each(first, count).
template <class F>
void for_each_batch(Index rows, Index batch, F each) {
  for (Index first = 0; first < rows; first += batch) each(first, std::min(batch, rows - first));
}

}  // namespace xgrad::inline v0::nn
