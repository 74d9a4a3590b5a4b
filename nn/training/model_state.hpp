// What a Model holds. Internal: not installed.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include <xgrad/nn/data/safetensors.hpp>
#include <xgrad/nn/training/compiled_step.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::nn {

enum class Mode { predict, judge, train };

struct Model::State {
  AnyModule network;
  Shape row;
  ModelOptions options;
  CodeLine line;                           // that made the model
  CodeLine compile_line{};                 // that compiled it
  std::optional<CompileOptions> compiled;  // with names of metrics that are all different
  OptimizerState optimizer_state{0};
  TrainableFlags trainable_flags{};  // as they were at compile(); empty before
  std::vector<Parameter> parameters;
  DType input_dtype;
  Shape prediction_row;
  DType prediction_dtype = f32;
  // By mode, rows, and whether these have weights; compile() empties it.
  std::map<std::tuple<Mode, Index, bool>, CompiledStep> steps;
  std::uint64_t training_steps = 0;  // over all fits: random operations draw anew at each
  std::uint64_t epochs = 0;          // over all fits: each is shuffled anew
  bool training = false;             // while a fit runs: callbacks may not do everything

  State(AnyModule net, Shape row_shape, ModelOptions model_options, CodeLine at)
      : network(std::move(net)),
        row(row_shape),
        options(std::move(model_options)),
        line(at),
        input_dtype(options.input_dtype.value_or(options.dtype)) {}

  ModelGraph build(Mode mode, Index rows, bool weighted = false);
  CompiledStep& step(Mode mode, Index rows, bool weighted = false);
  const CompileOptions& require_compiled(const char* where) const;
  // Of targets that are like the prediction, and of row weights.
  DType target_dtype(DType prediction) const { return is_floating(prediction) ? prediction : options.dtype; }
  // The data as the compiled model takes them. Throws, beginning with `where`, if they do not fit.
  Dataset checked(const std::string& where, const Dataset& data) const;
  // Throws GraphError while a fit runs.
  void require_idle(const char* where) const;
  // Whether training changes the weight: as it was at compile().
  bool trains(const Parameter& p) const;
  // Warns of trainable weights that the loss does not depend on.
  void warn_of_unreached(const ModelGraph& graph) const;
  // All that training changes.
  std::vector<Parameter> changing() const;
  // The model in a file, and the model of a file; `where` begins the messages. See Model::save and load.
  TensorFile to_file() const;
  void take(const TensorFile& file, const std::string& where);
  // Throws FormatError, naming them, for weights that are trained in only one of the model and the file.
  void require_same_training(const TensorFile& file, const std::string& where) const;
  Means judge(const std::string& where, const Dataset& data, const EvaluateOptions& options);
  // The names of loss and metrics with their means, `prefix` in front.
  void report(Logs& logs, const Means& means, const std::string& prefix) const;
};

// Cuts `rows` rows into batches: calls each(first, count).
template <class F>
void for_each_batch(Index rows, Index batch, F each) {
  for (Index first = 0; first < rows; first += batch) each(first, std::min(batch, rows - first));
}

}  // namespace xgrad::nn
