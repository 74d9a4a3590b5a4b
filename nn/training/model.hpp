// Model: a network that is compiled, trained, judged and used in a few lines.
//
//   nn::Model model{net, {784}};
//   model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
//   model.summary();
//   auto history = model.fit(train, {.batch_size = 128, .epochs = 20, .validation = valid});
//   nn::Logs scores = model.evaluate(test);
//   Tensor p = model.predict(images);
//
// A step of training is one plan: forward, backward, the optimizer's updates, moving statistics and metrics. The same
// seed gives the same weights, shuffles and dropout masks, and the same results to the last bit for any number of
// threads. Whatever throws leaves weights and optimizer as they were.
//
// A training that may be interrupted at any moment, and that ends with the same bits as one that was not:
//
//   model.fit(train, {.epochs = 20, .callbacks = {nn::ModelCheckpoint{.path = "run.safetensors", .every_steps = 100}},
//                     .resume = "run.safetensors"});
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/graph/base/checked_pointer.hpp>
#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/profile/profile.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/nn/data/augment.hpp>
#include <xgrad/nn/data/dataset.hpp>
#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/losses.hpp>
#include <xgrad/nn/metrics.hpp>
#include <xgrad/nn/module.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>
#include <xgrad/nn/training/callback.hpp>
#include <xgrad/nn/training/history.hpp>
#include <xgrad/nn/training/progress.hpp>

namespace xgrad::inline v0::nn {

struct ModelOptions {
  // Of the initial weights, the shuffles and all random operations. Models of equal layers and equal seed start with
  // equal weights and draw equal dropout masks: give each member of an ensemble, or each of two critics, another
  // number, such as `.seed = 1` and `.seed = 2`. The numbers are unrelated, and the program stays reproducible.
  std::uint64_t seed = 0;
  DType dtype = f32;  // of the weights, and of the input unless the next line says otherwise
  // Of the input. By default i64 if the network only looks it up as indices, as nn::Embedding does, else `dtype`. Data
  // of other dtypes are converted; numbers that the dtype cannot hold are errors.
  std::optional<DType> input_dtype{};
  std::string name = "model";
  // Takes the warnings of compile(), one call each; without it they are printed to stderr.
  std::function<void(const std::string& text)> warn{};
};

struct CompileOptions {
  Loss loss;
  Optimizer optimizer;
  std::vector<Metric> metrics{};
};

struct FitOptions {
  int batch_size = default_batch_size;
  int epochs = default_epochs;
  bool shuffle = true;          // anew each epoch
  bool drop_last = false;       // leaves out the rows at the end of an epoch that do not fill a batch
  Dataset validation{};         // judged after each epoch; none if empty
  double validation_split = 0;  // or this part of the rows, the last ones
  Augment augment{};            // of the images of training, not of validation: anew each epoch, by the model's seed
  Verbose verbose = Verbose::automatic;
  int threads = 0;  // 0: default_threads()
  std::vector<Callback> callbacks{};
  // Ends the fit with a NonFiniteError as soon as the loss, a metric, a weight or what the optimizer remembers becomes
  // NaN or infinite. It names the operation that made the first such number, its layer, the line of the program that
  // asked for it and the ranges of its inputs, now and one step before. Costs a copy of all weights a step.
  bool check_finite = false;
  // A checkpoint that a callback wrote: the fit goes on where that one was, in the middle of an epoch too, and ends
  // with the same bits. Data and options must be the same, but for `epochs`, `threads` and `verbose`. If there is no
  // such file, the fit begins at the beginning: so the same program starts and resumes.
  std::filesystem::path resume{};
};

struct EvaluateOptions {
  int batch_size = 0;  // rows at once, which changes speed and memory alone; 0: a good number
  int threads = 0;
  // Random operations that are active in inference draw other numbers at each step. A row's numbers depend on the
  // model's seed, this step and the row's position in the call. Of random values whose shape does not follow the rows,
  // such as noise on a weight, all rows of a call see the same.
  std::uint64_t step = 0;
};

// How weights of another library are taken from a safetensors file.
struct LoadOptions {
  // Names of tensors in the file, and of the weights they are for, as Parameter::name says it; what is not named here
  // is not read. If empty, tensors are called as the weights.
  std::map<std::string, std::string> names{};
  // Preset::torch: kernels of dense layers and convolutions are [out, in, ...] in the file, as PyTorch's Linear and
  // Conv keep them, and become [..., in, out]. A dense layer behind a flattened image still has its rows in another
  // order: PyTorch's images are [channels, h, w].
  Preset preset = Preset::keras;
  bool strict = true;  // every weight of the model must get a tensor
};

struct SummaryOptions {
  int batch_size = default_batch_size;  // of which memory and operations are counted
};

// A graph of the model for a batch of some rows, to be looked at, planned or checked.
struct ModelGraph {
  std::unique_ptr<Graph> graph;
  Value input, prediction;
  Value target, loss;  // not valid before compile(); the loss has the penalties in it
  Value weights;       // of the rows; valid if they have any
  // f64 scalar: what the loss of this batch weighs beside those of others, and, of that loss, the penalties, which
  // weigh the number of rows. Valid if rows have weights, or the loss weighs or ignores labels; otherwise the weight is
  // the number of rows. If it is 0, the batch adds nothing to the updates.
  Value loss_weight, penalty;
  std::vector<Value> metrics;         // what each reports of a batch, in the order of CompileOptions
  std::vector<Value> metric_weights;  // the same as loss_weight for each of them
  // In a graph that trains: all that a step changes, the weights among it, and the trainable weights that stay
  // unchanged since the loss does not depend on them.
  std::vector<Update> updates;
  std::vector<Parameter> trained, unreached;

  // The rows for the inputs that the graph has. What is empty is left out.
  //
  //   Tensor loss = evaluate(graph.loss, graph.feeds(rows));
  Feeds feeds(const Dataset& rows) const;
};

// Threads: several threads may call predict(), evaluate() and all else that only reads the model at once. What changes
// weights, loss or optimizer (compile, fit, train_on_batch, load, set_learning_rate, swap_averages, and profile, which
// restores them) needs the model for itself: it throws GraphError while another thread is inside any function of the
// model, and the others throw GraphError while another thread is inside it. The callbacks of a fit run on its thread
// and may read the model there, and set its learning rate and weights.
//
// Memory: a model keeps the plans and workspaces of the batch sizes used last, for training, evaluation and prediction:
// 64 at most, and beyond 8 and one more for each processor only as many as have 64 MiB together. See kept_bytes().
class Model {
 public:
  // `network` is any module or function from Value to Value; `row` is the shape of one row of the input. Makes the
  // weights. Throws what the layers throw if shapes do not fit.
  Model(AnyModule network, Shape row, ModelOptions options = {}, SourceLocation at = SourceLocation::here());
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  // May be called again: forgets what the optimizer remembered, keeps the weights. Which layers are trainable is taken
  // from here until the next compile(). Warns once, naming them, of trainable weights that the loss does not depend on:
  // training leaves these unchanged. Throws GradientError if the loss depends on none, and what the loss and the
  // metrics throw if the prediction's shape does not suit them. Metrics of one name get numbers:
  // precision, precision_1, ...
  void compile(CompileOptions options, SourceLocation at = SourceLocation::here());

  // Trains. The history has loss and metrics, those of the validation with "val_" in front, and "learning_rate" as it
  // was when the epoch ended. Throws ShapeError, DTypeError or ValueError, before anything changes, if the data do not
  // fit the model: another shape of rows, numbers that are not finite, class numbers out of range; GraphError before
  // compile().
  History fit(const Dataset& data, const FitOptions& options = {});
  // One step of training with all the rows at once, for loops written by hand: loss and metrics of these rows, before
  // the step. Throws as fit.
  Logs train_on_batch(const Dataset& rows, int threads = 0);
  // Loss, penalties included, and metrics over all rows, with the network as it is used and not as it is trained.
  Logs evaluate(const Dataset& data, const EvaluateOptions& options = {}) const;
  // One row of the result for each row of x.
  Tensor predict(const Tensor& x, const EvaluateOptions& options = {}) const;

  // Prints str().
  void summary(const SummaryOptions& options = {}) const;
  // A table of layers: shapes of what they give, numbers of parameters, floating-point operations as graph/flops.hpp
  // counts them, and activations, which are the bytes of what a layer and the modules in it give; the last two for a
  // batch. Below it what a step takes, of training or, before compile(), of prediction: its operations, and its memory
  // as it is planned, beside the parameters and what the optimizer keeps of them.
  std::string str(const SummaryOptions& options = {}) const;

  // Bytes of the workspaces that are kept for the next calls, while none runs.
  std::size_t kept_bytes() const;

  // Weights and moving statistics, in the order of their first use.
  const std::vector<Parameter>& parameters() const;
  Index parameter_count() const;
  // Of the weights that training changes: what was set at compile(), or before it what is set now.
  Index trainable_count() const;
  // Of the next step.
  double learning_rate() const;
  // Throws UserError if the optimizer's rate follows a schedule.
  void set_learning_rate(double rate);
  // Exchanges the weights and their averages (OptimizerOptions::ema_momentum): once to evaluate or keep the averages,
  // again to train on. Throws UserError if the optimizer keeps none or nothing was trained yet.
  void swap_averages();

  // The whole state, in one safetensors file: weights and moving statistics, what the optimizer remembers, the seed and
  // the counts of steps and epochs that shuffles and random operations go by. Written under another name and renamed:
  // whenever the program stops, `path` is the old file or the new one. Throws EnvironmentError if it cannot be written.
  void save(const std::filesystem::path& path) const;
  // Makes this model the saved one: it must have the same weights, by name, shape and dtype. If it is compiled, it
  // takes what the optimizer remembers, which must be the same optimizer; otherwise the weights alone. Throws
  // FormatError, naming file and tensor, for a file that does not fit or is damaged.
  void load(const std::filesystem::path& path);
  // Takes weights and moving statistics from a file of another library; what the optimizer remembers and the counts
  // stay as they are. Floating-point numbers are converted to the weights' dtype. Throws FormatError, naming file and
  // tensor, for a tensor that is missing or of another shape, UserError for names that fit no weight; then nothing has
  // changed.
  //
  //   model.load("net.safetensors", {.names = {{"0.weight", "dense/kernel"}, {"0.bias", "dense/bias"}},
  //                                  .preset = nn::Preset::torch});
  void load(const std::filesystem::path& path, const LoadOptions& options);

  // The network on a batch of `rows`; with target, loss and metrics if compiled.
  ModelGraph inference_graph(Index rows) const;
  // The step that fit() runs, of rows with or without weights. Throws GraphError before compile().
  ModelGraph training_graph(Index rows, bool weighted = false) const;
  // Where the time of a training step of the first `batch_size` rows goes, beside the peak of the machine, which is
  // measured first if the options have none. Weights, optimizer and counts stay as they are. Throws as fit.
  //
  //   std::cout << model.profile(train, 128).str();
  Profile profile(const Dataset& data, int batch_size = default_batch_size, const ProfileOptions& options = {}) const;
  // Proves the gradients of the training graph's loss by all trainable weights on a few rows of data, by finite
  // differences. Throws GradientError with a report if one is wrong.
  void check_gradients(const Dataset& few_rows, const CheckOptions& options = {}) const;

 private:
  struct State;
  class Fit;
  static constexpr char empty[] = "model: it is empty: it was moved to another Model";
  CheckedPointer<std::unique_ptr<State>, empty> state_;
};

}  // namespace xgrad::inline v0::nn
