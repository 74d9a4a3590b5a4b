// Model: compiles, trains and evaluates a network, and predicts with it, in a few lines.
//
//   nn::Model model{net, {784}};
//   model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
//   model.summary();
//   auto history = model.fit(train, {.batch_size = 128, .epochs = 20, .validation = valid});
//   nn::Logs scores = model.evaluate(test);
//   Tensor p = model.predict(images);
//
// A training step is one plan: forward and backward pass, optimizer updates, moving statistics and metrics. Equal seeds
// give equal weights, shuffles and dropout masks. Results are bit-identical for any number of threads. A function that
// throws leaves weights and optimizer state unchanged.
//
// Training that can be interrupted at any time; the resumed run is bit-identical to an uninterrupted one:
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
#include <xgrad/graph/rewrite_rule.hpp>
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

// Options of a model's constructor.
struct ModelOptions {
  // Seed of the initial weights, the shuffles and all random operations. Models with equal layers and equal seeds have
  // equal initial weights and dropout masks, so give each member of an ensemble its own seed. Nearby seeds such as 1
  // and 2 give independent random numbers.
  std::uint64_t seed = 0;
  DType dtype = f32;  // dtype of the weights
  // Dtype of the input. Default: i64 if the network uses the input only as indices, as nn::Embedding does, else
  // `dtype`. Data of other dtypes are converted; values that the dtype cannot represent are errors.
  std::optional<DType> input_dtype{};
  // Rewrite rules in predictions and evaluations. Rewrites::close also folds batch normalization into the product
  // before it, which changes results within the bounds of docs/rewrites.md. Training steps always use Rewrites::exact.
  Rewrites rewrites = Rewrites::exact;
  std::string name = "model";
  // Called with each warning of compile(). If empty, warnings are printed to stderr.
  std::function<void(const std::string& text)> warn{};
};

// The loss, optimizer and metrics of training.
struct CompileOptions {
  Loss loss;
  Optimizer optimizer;
  std::vector<Metric> metrics{};
};

// Options of Model::fit.
struct FitOptions {
  int batch_size = default_batch_size;
  int epochs = default_epochs;
  bool shuffle = true;          // a new order in each epoch
  bool drop_last = false;       // skips a partial batch at the end of an epoch
  Dataset validation{};         // evaluated after each epoch; none if empty
  double validation_split = 0;  // alternative to `validation`: the fraction of the rows, from the end, that is held out
  Augment augment{};            // changes the training images, anew in each epoch, by the model's seed
  Verbose verbose = Verbose::automatic;
  int threads = 0;  // 0: default_threads()
  std::vector<Callback> callbacks{};
  // Ends the fit with a NonFiniteError when the loss, a metric, a weight or the optimizer state becomes NaN or
  // infinite. The error names the first operation with a non-finite result, its layer, its source location and the
  // ranges of its inputs in this training step and the one before. Costs a copy of all weights per step.
  bool check_finite = false;
  // Checkpoint to resume from, possibly mid-epoch; the result is bit-identical to an uninterrupted run if the data and
  // all options except `epochs`, `threads` and `verbose` are the same. A missing file starts a new run, so that one
  // program both starts and resumes.
  std::filesystem::path resume{};
};

// Options of Model::evaluate and Model::predict.
struct EvaluateOptions {
  int batch_size = 0;  // affects only speed and memory; 0: chosen automatically
  int threads = 0;     // 0: default_threads()
  // Counter for random operations that are active in inference. The random numbers of a row depend on the model's seed,
  // this counter and the row's index in the call. A random value without an axis of rows, such as noise on a weight, is
  // the same for all rows of a call.
  std::uint64_t step = 0;
};

// Options for loading weights of another library from a safetensors file.
struct LoadOptions {
  // Maps names of tensors in the file to names of weights (Parameter::name). Other tensors are not read. If empty,
  // tensors and weights have equal names.
  std::map<std::string, std::string> names{};
  // Preset::torch: kernels of dense layers and convolutions are [out, in, ...] in the file, as in PyTorch's Linear and
  // Conv, and are transposed to [..., in, out]. The kernel of a dense layer after a flattened image needs more: its
  // rows are in PyTorch's order [channels, h, w] and are not reordered.
  Preset preset = Preset::keras;
  bool strict = true;  // throw if the file lacks a tensor for a weight
};

// Options of Model::summary.
struct SummaryOptions {
  int batch_size = default_batch_size;  // rows for which memory and operations are counted
};

// A graph of the model for a fixed number of rows, to inspect, plan or check.
struct ModelGraph {
  std::unique_ptr<Graph> graph;
  Value input, prediction;
  Value target, loss;  // not valid before compile(); the loss includes the penalties
  Value weights;       // row weights; valid if the graph was built with them
  // `loss_weight` (f64 scalar) is the total weight of the batch, by which losses of batches are averaged. `penalty` is
  // the part of the loss that is averaged by the number of rows instead. Both are valid only if rows have weights or
  // the loss weighs or ignores labels; otherwise the weight of a batch is its number of rows. A batch of weight 0
  // contributes nothing to the updates.
  Value loss_weight, penalty;
  std::vector<Value> metrics;         // outputs for the batch, in the order of CompileOptions
  std::vector<Value> metric_weights;  // total weight of each metric; the number of rows if not valid
  // In training graphs: all updates of a training step, the weights that it trains, and the trainable weights that the
  // loss does not depend on.
  std::vector<Update> updates;
  std::vector<Parameter> trained, unreached;

  // Feeds for the inputs of this graph. Empty members of `rows` are skipped.
  //
  //   Tensor loss = evaluate(graph.loss, graph.feeds(rows));
  Feeds feeds(const Dataset& rows) const;
};

// A network with everything that training it needs: loss, optimizer, metrics and random seeds.
//
// Threads: several threads may call functions that only read the model, such as predict() and evaluate(), concurrently.
// Functions that change weights, loss or optimizer (compile, fit, train_on_batch, load, set_learning_rate,
// swap_averages, and profile, which restores them) need exclusive access: they throw GraphError while another thread is
// inside any function of the model, and any function throws GraphError while another thread is inside one of them.
// Callbacks run on the thread of the fit; they may read the model there, and set its learning rate and weights.
//
// Memory: a model caches the plans and workspaces of the last used batch sizes, for training, evaluation and
// prediction: at most 64. Beyond the first 8 + (number of processors), only as many as fit in 64 MiB. See kept_bytes().
class Model {
 public:
  // `network` is any module or function from Value to Value; `row` is the shape of one input row. Creates the weights.
  // Layers throw if shapes do not match.
  Model(AnyModule network, Shape row, ModelOptions options = {}, SourceLocation at = SourceLocation::here());
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  // Sets loss, optimizer and metrics. A repeated call resets the optimizer state and keeps the weights. The trainable
  // flags of the layers are read here and hold until the next compile(). Warns once if the loss does not depend on some
  // trainable weights, which training then leaves unchanged; throws GradientError if it depends on none. Loss and
  // metrics throw if the shape of the prediction does not suit them. Metrics with equal names are numbered: precision,
  // precision_1, ...
  void compile(CompileOptions options, SourceLocation at = SourceLocation::here());

  // Trains for `options.epochs` epochs. The history has loss and metrics, the validation ones prefixed by "val_", and
  // the "learning_rate" at the end of each epoch. If the data do not match the model (shape of rows, non-finite values,
  // class indices out of range), throws ShapeError, DTypeError or ValueError before anything changes. Throws GraphError
  // before compile().
  History fit(const Dataset& data, const FitOptions& options = {});
  // One training step on all rows as a single batch, for custom training loops. Returns loss and metrics of the rows
  // before the update. Throws like fit.
  Logs train_on_batch(const Dataset& rows, int threads = 0);
  // Returns loss (with penalties) and metrics over all rows, in inference mode.
  Logs evaluate(const Dataset& data, const EvaluateOptions& options = {}) const;
  // Returns predictions, [rows, ...], one for each row of x, in inference mode.
  Tensor predict(const Tensor& x, const EvaluateOptions& options = {}) const;

  // Prints str().
  void summary(const SummaryOptions& options = {}) const;
  // A table of the layers: output shape, number of parameters, floating-point operations (graph/flops.hpp) and
  // activation bytes (outputs of the layer and its modules), the last two per batch. Below it, the operations and the
  // planned peak memory, without parameters and optimizer state, of a training step or, before compile(), a prediction.
  std::string str(const SummaryOptions& options = {}) const;

  // Bytes of the cached workspaces that no call is using.
  std::size_t kept_bytes() const;

  // Weights and moving statistics, in the order of their first use.
  const std::vector<Parameter>& parameters() const;
  Index parameter_count() const;
  // Number of trainable elements, by the flags at compile(), or by the current flags before compile().
  Index trainable_count() const;
  // The learning rate of the next training step.
  double learning_rate() const;
  // Throws UserError unless rate is finite and at least 0, or if the optimizer has a schedule.
  void set_learning_rate(double rate);
  // Swaps the weights and their moving averages (OptimizerOptions::ema_momentum): call once to evaluate or save the
  // averages, and again before training continues. Throws UserError if the optimizer has no averages or nothing was
  // trained yet.
  void swap_averages();

  // Saves the whole state in one safetensors file: weights, moving statistics, optimizer state, the seed, and the step
  // and epoch counts that shuffles and random operations depend on. The write is atomic: if the program is killed,
  // `path` is the old or the new file. Throws EnvironmentError if the file cannot be written.
  void save(const std::filesystem::path& path) const;
  // Restores the state from a file of save(). The model must have the same weights, by name, shape and dtype. A
  // compiled model must have the same optimizer and restores its state, too. Throws FormatError, naming file and
  // tensor, if the file does not match or is damaged.
  void load(const std::filesystem::path& path);
  // Loads weights and moving statistics from a file of another library; optimizer state and counts stay unchanged.
  // Floating-point values are converted to the weights' dtype. Throws FormatError, naming file and tensor, if a tensor
  // is missing or has another shape, UserError for the name of a weight that does not exist; then nothing has changed.
  //
  //   model.load("net.safetensors", {.names = {{"0.weight", "dense/kernel"}, {"0.bias", "dense/bias"}},
  //                                  .preset = nn::Preset::torch});
  void load(const std::filesystem::path& path, const LoadOptions& options);

  // The inference graph for `rows` rows; with target, loss and metrics if compiled.
  ModelGraph inference_graph(Index rows) const;
  // The training step of fit() for `rows` rows, with or without row weights. Throws GraphError before compile().
  ModelGraph training_graph(Index rows, bool weighted = false) const;
  // Profiles a training step on the first `batch_size` rows against the peak performance of the machine, which is
  // measured first if the options have none. Weights, optimizer state and counts stay unchanged. Throws like fit.
  //
  //   std::cout << model.profile(train, 128).str();
  Profile profile(const Dataset& data, int batch_size = default_batch_size, const ProfileOptions& options = {}) const;
  // Checks the gradients of the training loss with respect to all trainable weights by finite differences, on a few
  // rows. Throws GradientError with a report if one is wrong.
  void check_gradients(const Dataset& few_rows, const CheckOptions& options = {}) const;

 private:
  struct State;
  class Fit;
  static constexpr char empty[] = "model: it is empty: it was moved to another Model";
  CheckedPointer<std::unique_ptr<State>, empty> state_;
};

}  // namespace xgrad::inline v0::nn
