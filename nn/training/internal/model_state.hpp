// What a Model holds.
#pragma once

#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/safetensors.hpp>
#include <xgrad/nn/training/internal/model_use.hpp>
#include <xgrad/nn/training/internal/step_pool.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

struct Model::State {
  AnyModule network;
  Shape row;
  ModelOptions options;
  SourceLocation line;                     // that made the model
  SourceLocation compile_line{};           // that compiled it
  std::optional<CompileOptions> compiled;  // with names of metrics that are all different
  OptimizerState optimizer_state{0};
  TrainableFlags trainable_flags{};  // as they were at compile(); empty before
  std::vector<Parameter> parameters;
  DType input_dtype;
  Shape prediction_row;
  DType prediction_dtype = f32;
  StepPool steps;       // compile() empties it
  ModelUse use;         // of the functions of the model that are running
  std::mutex building;  // one graph at a time: the network is the user's code, and its layers make weights when called
  std::uint64_t training_steps = 0;  // over all fits: random operations draw anew at each
  std::uint64_t epochs = 0;          // over all fits: each is shuffled anew
  bool training = false;             // while a fit runs: callbacks may not do everything

  State(AnyModule net, Shape row_shape, ModelOptions model_options, SourceLocation at)
      : network(std::move(net)),
        row(row_shape),
        options(std::move(model_options)),
        line(at),
        input_dtype(options.input_dtype.value_or(options.dtype)) {}

  ModelGraph build(Mode mode, Index rows, bool weighted = false);
  StepPool::Lease step(Mode mode, Index rows, bool weighted = false);
  const CompileOptions& require_compiled(const char* where) const;
  // Of targets that are like the prediction, and of row weights.
  DType target_dtype(DType prediction) const { return is_floating(prediction) ? prediction : options.dtype; }
  // The data as the compiled model takes them. Throws, beginning with `where`, if they do not fit.
  Dataset checked(const std::string& where, const Dataset& data) const;
  // Throws GraphError while a fit runs.
  void require_idle(const char* where) const;
  // Warns of trainable weights that the loss does not depend on.
  void warn_of_unreached(const ModelGraph& graph) const;
  // All that training changes.
  std::vector<Parameter> changing() const;
  // The model in a file, and the model of a file; `where` begins the messages. See Model::save and load.
  TensorFile to_file() const;
  void take(const TensorFile& file, const std::string& where);
  // Throws FormatError, naming them, for weights that are trained in only one of the model and the file.
  void require_same_training(const TensorFile& file, const std::string& where) const;
  // Runs all rows of the data, batch after batch, not as they are trained but as the model is used: calls `each` after
  // each batch.
  void run_batches(const std::string& where, Mode mode, const Dataset& data, const EvaluateOptions& options,
                   const std::function<void(const CompiledStep&)>& each);
  Means evaluate(const std::string& where, const Dataset& data, const EvaluateOptions& options);
  // The names of loss and metrics with their means, `prefix` in front.
  void report(Logs& logs, const Means& means, const std::string& prefix) const;
  // Calls f() for a function of the model that works on so many rows; 0: on none. Where the standard library finds no
  // memory, throws OutOfMemoryError.
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

// Cuts `rows` rows into batches: calls each(first, count).
template <class F>
void for_each_batch(Index rows, Index batch, F each) {
  for (Index first = 0; first < rows; first += batch) each(first, std::min(batch, rows - first));
}

}  // namespace xgrad::inline v0::nn
