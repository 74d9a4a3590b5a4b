#include <xgrad/nn/training/model.hpp>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <set>
#include <string>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/nn/internal/names.hpp>
#include <xgrad/nn/regularizers.hpp>
#include <xgrad/nn/training/internal/data_checks.hpp>
#include <xgrad/nn/training/internal/model_state.hpp>
#include <xgrad/nn/training/internal/row_random.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/machine_peak.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

namespace {

// The default batch size of evaluate() and predict(): large enough for fast matrix products, small enough for the
// caches.
constexpr Index inference_batch_size = 256;

Shape target_shape(const Shape& prediction, Target target) {
  if (target != Target::class_index) return prediction;
  return Shape(std::span(prediction.begin(), prediction.end() - 1));
}

Index batch_of(const char* where, int batch_size, Index fallback, Index rows) {
  require_at_least(where, "batch_size", batch_size, 0);
  return std::max<Index>(1, std::min<Index>(batch_size == 0 ? fallback : batch_size, rows));
}

// Whether the input is used only as indices: by casts to i64, directly or after operations that only move elements.
bool is_indices(const ModelGraph& model) {
  const Graph& g = *model.graph;
  std::vector<char> shows(g.size());
  shows[model.input.id()] = 1;
  bool any = false;
  for (NodeId id = model.input.id() + 1; id < g.size(); ++id) {
    const Node& node = g.node(id);
    const auto inputs = g.inputs(id);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!shows[inputs[i]] || node.op->shape_only(static_cast<int>(i))) continue;
      const bool casts = node.op == &builtin_op("cast") && node.type.dtype == i64;
      const bool moves =
          !node.op->traits.elementwise && node.op->reference == nullptr && node.type.dtype == model.input.dtype();
      if (!casts && !moves) return false;
      if (casts)
        any = true;
      else
        shows[id] = 1;
    }
  }
  return any && !shows[model.prediction.id()];
}

// Appends _1, _2, ... to duplicate names, because history, logs and files identify metrics by name.
void make_unique(std::vector<Metric>& metrics) {
  std::set<std::string> taken{"loss", "val_loss", "learning_rate"};
  for (Metric& metric : metrics) {
    std::string name = metric.name;
    for (int i = 1; taken.contains(name) || taken.contains("val_" + name); ++i)
      name = fmt::format("{}_{}", metric.name, i);
    taken.insert({name, "val_" + name});
    metric.name = name;
  }
}

// Rejects softmax over a single unit: its output is constantly 1, so the model would learn nothing.
void require_no_lone_softmax(Value prediction, const std::string& where) {
  const Node& node = prediction.node();
  if (node.op != &builtin_op("probabilities")) return;
  const auto axis = static_cast<int>(prediction.graph().attrs(prediction.id()).integer("axis"));
  if (prediction.shape()[axis] != 1) return;
  throw ShapeError(
      fmt::format("{}: the prediction is softmax over a single unit, which is always 1\n  prediction: {}\n  hint: for "
                  "one probability per row use nn::sigmoid and binary_crossentropy",
                  where, prediction.describe()));
}

// Appends loss (with penalties) and metrics to a graph with prediction, target and, optionally, row weights. `where` is
// the prefix of messages.
void add_objective(ModelGraph& out, const CompileOptions& compiled, const std::string& where) {
  Graph& g = *out.graph;
  const auto require_scalar = [&](const char* kind, const std::string& name, Value value) {
    if (value.shape().rank() == 0 && is_floating(value.dtype())) return value;
    throw ShapeError(fmt::format("{}: the {} \"{}\" must be a floating-point scalar\n  got: {}", where, kind, name,
                                 value.describe()));
  };
  require_no_lone_softmax(out.prediction, where);
  const MetricInput batch{.prediction = out.prediction,
                          .target = out.target,
                          .weights = out.weights,
                          .prediction_kind = compiled.loss.prediction,
                          .target_kind = compiled.loss.target};
  {
    const auto scope = g.scope("loss");
    const MetricOutput loss = compiled.loss.measure(batch);
    const Value data_loss = require_scalar("loss", compiled.loss.name, loss.value);
    out.loss = with_penalties(data_loss);
    out.loss_weight = loss.weight;
    if (out.loss_weight.valid() && out.loss != data_loss) out.penalty = out.loss - data_loss;
  }
  if (compiled.metrics.empty()) return;
  const MetricInput seen = compiled.loss.counted(batch);
  for (const Metric& metric : compiled.metrics) {
    const auto scope = g.scope(metric.name);
    const MetricOutput output =
        metric.measure ? metric.measure(seen) : MetricOutput{metric.apply(out.prediction, out.target)};
    out.metrics.push_back(metric.result ? output.value : require_scalar("metric", metric.name, output.value));
    out.metric_weights.push_back(output.weight);
  }
}

}  // namespace

Feeds ModelGraph::feeds(const Dataset& rows) const {
  Feeds out;
  const auto feed = [&](Value to, const Tensor& numbers) {
    if (to.valid() && !numbers.empty()) out.emplace_back(to, numbers);
  };
  feed(input, rows.x);
  feed(target, rows.y);
  feed(weights, rows.weights);
  return out;
}

ModelGraph Model::State::build(Mode mode, Index rows, bool weighted) {
  const std::lock_guard one_at_a_time(building);
  ModelGraph out;
  out.graph = std::make_unique<Graph>(
      GraphOptions{.dtype = options.dtype, .training = mode == Mode::train, .seed = options.seed}, trainable_flags);
  Graph& g = *out.graph;
  const SourceLocationScope made_at = SourceLocationScope::otherwise(line, &g);
  out.input = g.input("x", rows_of(rows, row), input_dtype);
  out.prediction = network(out.input);
  if (out.prediction.shape().rank() < 1 || out.prediction.shape()[0] != rows) {
    throw ShapeError(
        fmt::format("{}: the network must return one row for each of the {} rows of its input\n  prediction: {}",
                    options.name, rows, out.prediction.describe()));
  }
  if (!compiled || mode == Mode::predict) return out;

  const SourceLocationScope compiled_at = SourceLocationScope::otherwise(compile_line, &g);
  const bool class_index = compiled->loss.target == Target::class_index;
  const DType dtype = target_dtype(out.prediction.dtype());
  out.target = g.input("y", target_shape(out.prediction.shape(), compiled->loss.target), class_index ? i64 : dtype);
  if (weighted) out.weights = g.input("weights", {rows}, dtype);
  add_objective(out, *compiled, options.name);
  if (mode != Mode::train) return out;

  Value weight = out.loss_weight;
  if (!weight.valid() && compiled->optimizer.accumulates()) weight = g.constant(static_cast<double>(rows), f64);
  TrainingStep step = compiled->optimizer.minimize(MetricOutput{out.loss, weight}, optimizer_state);
  out.updates = std::move(step.updates);
  out.trained = std::move(step.trained);
  out.unreached = std::move(step.unreached);
  return out;
}

StepPool::Lease Model::State::step(Mode mode, Index rows, bool weighted) {
  const StepKey key{mode, rows, weighted};
  return steps.acquire(key, [&] {
    ModelGraph graph = build(mode, rows, weighted);
    bool separable = true;
    if (mode != Mode::train && has_random(*graph.graph)) {
      separable = mark_row_random(*graph.graph, rows, *build(mode, 2 * rows, weighted).graph, 2 * rows);
    }
    const Rewrites rewrites = mode == Mode::train ? Rewrites::exact : options.rewrites;
    return std::shared_ptr<const StepPlan>(new StepPlan(key, std::move(graph), rewrites, separable));
  });
}

const CompileOptions& Model::State::require_compiled(const char* where) const {
  if (compiled) return *compiled;
  throw GraphError(
      fmt::format("{}: the model \"{}\" has no loss yet\n  hint: call compile() first", where, options.name));
}

Dataset Model::State::checked(const std::string& where, const Dataset& data) const {
  return checked_data(where, data, {input_dtype, row}, {target_dtype(prediction_dtype), prediction_row},
                      compiled->loss);
}

void Model::State::require_idle(const char* where) const {
  if (!training) return;
  throw GraphError(fmt::format(
      "{}: the model \"{}\" is being trained\n  hint: call this after fit() has returned, not in a callback", where,
      options.name));
}

void Model::State::warn_of_unreached(const ModelGraph& graph) const {
  if (graph.unreached.empty()) return;
  const std::string text = fmt::format(
      "compile: the loss \"{}\" does not depend on {} of {} trainable weights, which training leaves unchanged: {}",
      compiled->loss.name, graph.unreached.size(), graph.unreached.size() + graph.trained.size(),
      quoted_names(graph.unreached));
  if (options.warn)
    options.warn(text);
  else
    fmt::print(stderr, "{}: warning: {}\n", options.name, text);
}

std::vector<Parameter> Model::State::changing() const {
  std::vector<Parameter> out = parameters;
  for (const Parameter& p : optimizer_state.parameters()) out.push_back(p);
  return out;
}

void Model::State::run_batches(const std::string& where, Mode mode, const Dataset& data, const EvaluateOptions& how,
                               const std::function<void(const CompiledStep&)>& each) {
  const Index rows = data.size();
  Index batch = batch_of(where.c_str(), how.batch_size, inference_batch_size, rows);
  if (rows == 0) return;
  const bool weighted = !data.weights.empty();
  StepPool::Lease step = this->step(mode, batch, weighted);
  if (!step->plan().separable && batch > 1) {
    batch = 1;
    step = this->step(mode, batch, weighted);
  }
  std::vector<Index> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), Index{0});
  for_each_batch(rows, batch, [&](Index first, Index count) {
    if (count != step->rows()) step = this->step(mode, count, weighted);
    step->load({&data}, std::span(order).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
               how.threads);
    step->run({.threads = how.threads, .step = how.step, .first_row = first});
    each(*step);
  });
}

Means Model::State::evaluate(const std::string& where, const Dataset& data, const EvaluateOptions& how) {
  std::optional<Means> means;
  run_batches(where, Mode::evaluate, data, how, [&](const CompiledStep& step) {
    if (!means) means.emplace(compiled->metrics, step);
    means->add(step);
  });
  return std::move(*means);
}

void Model::State::report(Logs& logs, const Means& means, const std::string& prefix) const {
  logs.add(prefix + "loss", means[0]);
  for (std::size_t i = 0; i < compiled->metrics.size(); ++i) logs.add(prefix + compiled->metrics[i].name, means[i + 1]);
}

void Model::State::fail_out_of_memory(const char* where, Index rows) const {
  throw OutOfMemoryError(rows > 0
                             ? fmt::format("{}: out of memory for {} rows of the model {:?}", where, rows, options.name)
                             : fmt::format("{}: out of memory for the model {:?}", where, options.name));
}

Model::Model(AnyModule network, Shape row, ModelOptions options, SourceLocation at) try
    : state_(std::make_unique<State>(std::move(network), row, std::move(options), at)) {
  const SourceLocationScope line = SourceLocationScope::otherwise(at, nullptr);
  // Build the graphs for two rows: with one row, a network that confuses the batch axis with an axis of extent 1 would
  // not be detected.
  ModelGraph graph = state_->build(Mode::predict, 2), training = state_->build(Mode::train, 2);
  if (!state_->options.input_dtype && is_indices(graph) && is_indices(training)) {
    try {
      state_->input_dtype = i64;
      graph = state_->build(Mode::predict, 2);
      training = state_->build(Mode::train, 2);
    } catch (const DTypeError&) {
      state_->input_dtype = state_->options.dtype;  // the network needs a floating-point input after all
    }
  }
  state_->parameters = graph.graph->parameters();
  // Weights that only the training graph uses belong to the model, too.
  std::set<const void*> known;
  for (const Parameter& p : state_->parameters) known.insert(p.raw());
  for (const Parameter& p : training.graph->parameters()) {
    if (known.insert(p.raw()).second) state_->parameters.push_back(p);
  }
  state_->prediction_row = row_of(graph.prediction.shape());
  state_->prediction_dtype = graph.prediction.dtype();
  std::set<std::string> names;
  for (const Parameter& p : state_->parameters) {
    if (!names.insert(p.name()).second) {
      throw GraphError(
          fmt::format("{}: two weights are named \"{}\"\n  hint: files and optimizers identify weights by "
                      "name; rename one of the modules or weights",
                      state_->options.name, p.name()));
    }
  }
} catch (const std::bad_alloc&) {
  throw OutOfMemoryError("model: out of memory for its weights and the graph of two rows");
}

Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

void Model::compile(CompileOptions options, SourceLocation at) {
  State& s = *state_;
  const SourceLocationScope line = SourceLocationScope::otherwise(at, nullptr);
  const ModelUse::Call changing = s.use.change("compile", s.options.name);
  s.require_idle("compile");
  s.with_memory("compile", 0, [&] {
    const auto require_function = [](bool given, const char* kind, const std::string& name) {
      if (!given) throw UserError(fmt::format("compile: the {} \"{}\" has no function", kind, name));
    };
    require_function(bool(options.loss.apply), "loss", options.loss.name);
    for (const Metric& metric : options.metrics)
      require_function(metric.apply || metric.measure, "metric", metric.name);
    make_unique(options.metrics);
    OptimizerState state_before(options.optimizer.learning_rate());
    std::swap(s.optimizer_state, state_before);
    std::optional<CompileOptions> before = std::exchange(s.compiled, std::move(options));
    const SourceLocation line_before = std::exchange(s.compile_line, at);
    TrainableFlags flags_before = std::exchange(s.trainable_flags, {});
    try {
      // Build the training graph now, so that mismatches throw here and not in fit().
      const ModelGraph graph = s.build(Mode::train, 2);
      for (const Parameter& p : s.parameters) graph.graph->pin_trainable(p);
      s.trainable_flags = graph.graph->trainable_flags();
      s.warn_of_unreached(graph);
    } catch (...) {
      s.compiled = std::move(before);
      s.compile_line = line_before;
      s.optimizer_state = std::move(state_before);
      s.trainable_flags = std::move(flags_before);
      throw;
    }
  });
  s.steps.clear();
}

Logs Model::evaluate(const Dataset& data, const EvaluateOptions& options) const {
  State& s = *state_;
  const ModelUse::Call reading = s.use.read("evaluate", s.options.name);
  (void)s.require_compiled("evaluate");
  return s.with_memory("evaluate", data.size(), [&] {
    const Dataset checked = s.checked("evaluate", data);
    if (data.size() == 0) throw ShapeError("evaluate: there are no rows");
    Logs logs;
    s.report(logs, s.evaluate("evaluate", checked, options), "");
    return logs;
  });
}

Tensor Model::predict(const Tensor& x, const EvaluateOptions& options) const {
  State& s = *state_;
  const ModelUse::Call reading = s.use.read("predict", s.options.name);
  return s.with_memory("predict", x.empty() || x.shape().rank() == 0 ? 0 : x.shape()[0], [&] {
    Dataset rows;
    rows.x = checked_inputs("predict", x, {s.input_dtype, s.row});
    Tensor out(rows_of(rows.size(), s.prediction_row), s.prediction_dtype);
    auto* to = static_cast<char*>(out.mutable_raw());
    s.run_batches("predict", Mode::predict, rows, options, [&](const CompiledStep& step) {
      const Tensor prediction = step.prediction();
      std::memcpy(to, prediction.raw(), prediction.bytes());
      to += prediction.bytes();
    });
    return out;
  });
}

std::size_t Model::kept_bytes() const { return state_->steps.bytes(); }

const std::vector<Parameter>& Model::parameters() const { return state_->parameters; }

Index Model::parameter_count() const {
  Index total = 0;
  for (const Parameter& p : state_->parameters) total += p.shape().elements();
  return total;
}

Index Model::trainable_count() const {
  Index total = 0;
  for (const Parameter& p : state_->parameters)
    total += state_->trainable_flags.trainable(p) ? p.shape().elements() : 0;
  return total;
}

double Model::learning_rate() const {
  const ModelUse::Call reading = state_->use.read("learning_rate", state_->options.name);
  (void)state_->require_compiled("learning_rate");
  return state_->optimizer_state.learning_rate.value().item();
}

void Model::set_learning_rate(double rate) {
  state_->require_compiled("set_learning_rate").optimizer.require_settable_rate("set_learning_rate");
  require_not_negative("set_learning_rate", "rate", rate);
  const ModelUse::Call changing = state_->use.change("set_learning_rate", state_->options.name);
  state_->optimizer_state.learning_rate.set(Tensor(rate));
}

void Model::swap_averages() {
  const ModelUse::Call changing = state_->use.change("swap_averages", state_->options.name);
  (void)state_->require_compiled("swap_averages");
  nn::swap_averages(state_->parameters, state_->optimizer_state);
}

ModelGraph Model::inference_graph(Index rows) const {
  const ModelUse::Call reading = state_->use.read("inference_graph", state_->options.name);
  return state_->with_memory("inference_graph", rows, [&] { return state_->build(Mode::evaluate, rows); });
}

ModelGraph Model::training_graph(Index rows, bool weighted) const {
  const ModelUse::Call reading = state_->use.read("training_graph", state_->options.name);
  (void)state_->require_compiled("training_graph");
  return state_->with_memory("training_graph", rows, [&] { return state_->build(Mode::train, rows, weighted); });
}

void Model::check_gradients(const Dataset& few_rows, const CheckOptions& options) const {
  State& s = *state_;
  const ModelUse::Call reading = s.use.read("check_gradients", s.options.name);
  (void)s.require_compiled("check_gradients");
  const Dataset data = s.checked("check_gradients", few_rows);
  const ModelGraph g = training_graph(data.size(), !data.weights.empty());
  std::vector<Value> weights;
  for (const Parameter& p : g.trained) weights.push_back(g.graph->parameter(p));
  xgrad::check_gradients(g.loss, weights, g.feeds(data), options);
}

Profile Model::profile(const Dataset& data, int batch_size, const ProfileOptions& options) const {
  State& s = *state_;
  const ModelUse::Call changing = s.use.change("profile", s.options.name);  // runs change the weights temporarily
  (void)s.require_compiled("profile");
  require_at_least("profile", "batch_size", batch_size, 1);
  const Dataset checked = s.checked("profile", data);
  if (checked.size() == 0) throw ShapeError("profile: there are no rows");
  const Dataset batch = checked.slice(0, std::min<Index>(batch_size, checked.size()));

  const ModelGraph graph = training_graph(batch.size(), !batch.weights.empty());
  std::vector<Value> outputs{graph.loss};
  outputs.insert(outputs.end(), graph.metrics.begin(), graph.metrics.end());
  const Plan plan(outputs, graph.updates);
  Workspace memory(plan);
  memory.feed(graph.feeds(batch));
  ProfileOptions how = options;
  if (!how.peak) how.peak = measure_peak(how.run.threads);
  return xgrad::profile(plan, memory, how);
}

}  // namespace xgrad::inline v0::nn
