// The training loop.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/graph/run/finite.hpp>
#include <xgrad/nn/training/internal/data_checks.hpp>
#include <xgrad/nn/training/internal/fit.hpp>

namespace xgrad::inline v0::nn {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void check(const FitOptions& options) {
  require_at_least("fit", "batch_size", options.batch_size, 1);
  require_at_least("fit", "epochs", options.epochs, 0);
  if (options.validation.size() > 0 && options.validation_split != 0) {
    throw UserError("fit: validation and validation_split are both given\n  hint: use one of them");
  }
}

// Scope guard: copies parameter values and two counts, and restores them unless `dismiss()` was called.
class Snapshot {
 public:
  Snapshot(std::vector<Parameter> parameters, std::uint64_t& steps, std::uint64_t& epochs)
      : parameters_(std::move(parameters)), counts_{{&steps, steps}, {&epochs, epochs}} {
    for (const Parameter& p : parameters_) values_.push_back(p.value());
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot() {
    if (!active_) return;
    for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].set(values_[i]);
    for (const auto& [count, before] : counts_) *count = before;
  }
  void dismiss() { active_ = false; }

 private:
  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_;
  std::pair<std::uint64_t*, std::uint64_t> counts_[2];
  bool active_ = true;
};

}  // namespace

const Logs& Training::logs() {
  if (!logs_up_to_date_) {
    logs_ = gather_logs_();
    logs_up_to_date_ = true;
  }
  return logs_;
}

void Training::stop(std::string reason) {
  if (stopping_) return;  // keep the first reason
  stopping_ = true;
  history_.set_stopped(std::move(reason));
}

Model::Fit::Fit(Model& model, const Dataset& all, const FitOptions& options)
    : s_(*model.state_),
      changing_(s_.use.change("fit", s_.options.name)),
      options_(options),
      training_(model),
      has_batch_callbacks_(std::any_of(options.callbacks.begin(), options.callbacks.end(),
                                       [](const Callback& c) { return c.on_batch_end != nullptr; })),
      progress_(Verbose::silent, 0, 0),
      prefetcher_(options.threads) {
  const CompileOptions& compiled = s_.require_compiled("fit");
  s_.require_idle("fit");
  check(options);
  Split data{all, options.validation};
  if (options.validation_split != 0) data = split(all, options.validation_split);
  train_ = s_.checked("fit", data.train);
  if (train_.size() == 0) throw ShapeError("fit: there are no rows");
  if (data.valid.size() > 0) valid_ = s_.checked("fit, validation", data.valid);
  options.augment.check("fit, augment", s_.row, s_.input_dtype);

  // Plan and allocate everything before the first training step.
  batch_ = std::min<Index>(options.batch_size, train_.size());
  if (options.drop_last && batch_ < options.batch_size) {
    throw UserError(
        fmt::format("fit: drop_last needs at least one full batch: batch_size is {}, but there are only {} rows",
                    options.batch_size, train_.size()));
  }
  rows_ = options.drop_last ? train_.size() / batch_ * batch_ : train_.size();
  const Index last = rows_ % batch_;
  const bool weighted = !train_.weights.empty();
  full_step_ = s_.step(Mode::train, batch_, weighted);
  if (last > 0) partial_step_ = s_.step(Mode::train, last, weighted);
  means_ = Means(compiled.metrics, *full_step_);
  order_.resize(static_cast<std::size_t>(train_.size()));
  std::iota(order_.begin(), order_.end(), Index{0});
  training_.data_ = &train_;
  training_.batch_size_ = batch_;
  training_.epochs_ = options.epochs;
  training_.batches_ = static_cast<int>((rows_ + batch_ - 1) / batch_);
  training_.gather_logs_ = [this] {
    Logs logs;
    if (training_.batch_ > 0) s_.report(logs, means_, "");
    return logs;
  };
  training_.log_names_ = expected_logs().names();
  progress_ = Progress(options.verbose, options.epochs, training_.batches_);
}

Logs Model::Fit::expected_logs() const {
  Logs out;
  s_.report(out, means_, "");
  if (valid_.size() > 0) s_.report(out, means_, "val_");
  out.add("learning_rate", 0);
  return out;
}

History Model::Fit::run() {
  Snapshot before(s_.changing(), s_.training_steps, s_.epochs);
  const std::unique_ptr<bool, void (*)(bool*)> mark(&s_.training, [](bool* training) { *training = false; });
  s_.training = true;
  std::error_code ignored;
  if (!options_.resume.empty() && std::filesystem::exists(options_.resume, ignored)) resume(options_.resume);
  notify(&Callback::on_fit_begin);
  resume_callbacks();
  while (epoch_begun_ || (epoch_ < options_.epochs && !training_.stopping_)) train_epoch();
  training_.epoch_ = epoch_;
  notify(&Callback::on_fit_end);
  if (!training_.history_.stop_reason().empty()) progress_.say("stopped: " + training_.history_.stop_reason());
  before.dismiss();
  return training_.history_;
}

void Model::Fit::notify(std::function<void(Training&)> Callback::*event) {
  for (const Callback& callback : options_.callbacks) {
    if (callback.*event) (callback.*event)(training_);
  }
  for (const auto& path : std::exchange(training_.saves_, {})) save_safetensors(path, checkpoint());
}

void Model::Fit::train_epoch() {
  progress_.begin_epoch(epoch_, seconds_before_);
  epoch_start_ =
      Clock::now() - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds_before_));
  training_.epoch_ = epoch_;
  training_.logs_up_to_date_ = false;
  if (!std::exchange(epoch_begun_, true)) {
    notify(&Callback::on_epoch_begin);
    if (training_.stopping_) {
      epoch_begun_ = false;
      return;
    }
  }
  train_batches();
  const double training_seconds = seconds_since(epoch_start_);

  Logs logs;
  s_.report(logs, means_, "");
  warn_if_unweighted(means_, "training");
  if (valid_.size() > 0) {
    const Means valid = s_.evaluate("fit", valid_, {.threads = options_.threads});
    warn_if_unweighted(valid, "validation");
    s_.report(logs, valid, "val_");
  }
  progress_.end_epoch(training_.batch_, logs);
  logs.add("learning_rate", s_.optimizer_state.learning_rate.value().item());
  training_.logs_ = logs;
  training_.logs_up_to_date_ = true;
  training_.history_.add(std::move(logs), seconds_since(epoch_start_), training_seconds);

  ++s_.epochs;
  ++epoch_;
  epoch_begun_ = false;
  training_.batch_ = 0;
  seconds_before_ = 0;
  means_.clear();
  notify(&Callback::on_epoch_end);
}

void Model::Fit::warn_if_unweighted(const Means& means, const char* data) {
  if (means.counted() || epoch_ > 0) return;
  progress_.say(
      fmt::format("fit: the total weight of the {} data is 0, since all rows have weight 0 or ignored labels: "
                  "loss and metrics are 0",
                  data));
}

void Model::Fit::feed(Index first) {
  if (first >= rows_) return;
  const Index count = std::min(batch_, train_.size() - first);
  prefetcher_.begin(step_at(first),
                    {&train_, options_.augment.empty() ? nullptr : &options_.augment, s_.options.seed, s_.epochs},
                    std::span(order_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
}

void Model::Fit::run(CompiledStep& step) {
  if (s_.compiled->optimizer.applies_rest())
    s_.optimizer_state.apply_rest.set(Tensor(training_.batch_ + 1 == training_.batches_));
  try {
    step.run({.threads = options_.threads, .step = s_.training_steps++, .check_finite = options_.check_finite});
  } catch (const NonFiniteError& error) {
    const SourceLocationScope line = SourceLocationScope::of(step.graph(), error.report().node);
    throw NonFiniteError(fmt::format("fit, epoch {} of {}, batch {} of {}: {}", epoch_ + 1, training_.epochs_,
                                     training_.batch_ + 1, training_.batches_, error.message()),
                         error.report());
  }
}

void Model::Fit::train_batches() {
  if (options_.shuffle) shuffle_indices(order_, s_.options.seed, s_.epochs);
  const Index begin = training_.batch_ * batch_;
  feed(begin);
  for (Index first = begin; first < rows_ && !training_.stopping_; first += batch_) {
    CompiledStep& step = step_at(first);
    prefetcher_.finish();
    feed(first + batch_);
    run(step);
    means_.add(step);
    ++training_.batch_;
    if (has_batch_callbacks_) {
      training_.loss_ = step.loss();
      training_.logs_up_to_date_ = false;
      notify(&Callback::on_batch_end);
    }
    if (progress_.wants_update()) progress_.update(training_.batch_, training_.gather_logs_());
  }
}

History Model::fit(const Dataset& data, const FitOptions& options) {
  return state_->with_memory("fit", data.size(), [&] { return Fit(*this, data, options).run(); });
}

Logs Model::train_on_batch(const Dataset& rows, int threads) {
  State& s = *state_;
  const ModelUse::Call changing = s.use.change("train_on_batch", s.options.name);
  const CompileOptions& compiled = s.require_compiled("train_on_batch");
  s.require_idle("train_on_batch");
  return s.with_memory("train_on_batch", rows.size(), [&] {
    const Dataset batch = s.checked("train_on_batch", rows);
    if (batch.size() == 0) throw ShapeError("train_on_batch: there are no rows");
    const StepPool::Lease step = s.step(Mode::train, batch.size(), !batch.weights.empty());
    std::vector<Index> order(static_cast<std::size_t>(batch.size()));
    std::iota(order.begin(), order.end(), Index{0});
    step->load({&batch}, order, threads);
    Means means(compiled.metrics, *step);
    Logs logs;
    s.report(logs, means, "");  // allocate now, so that no allocation can fail after the weights have changed
    s.optimizer_state.apply_rest.set(Tensor(false));
    // Metric::result is a user function, which may throw after the weights have changed.
    const bool may_throw = std::any_of(compiled.metrics.begin(), compiled.metrics.end(),
                                       [](const Metric& metric) { return metric.result != nullptr; });
    Snapshot before(may_throw ? s.changing() : std::vector<Parameter>(), s.training_steps, s.epochs);
    step->run({.threads = threads, .step = s.training_steps++});
    means.add(*step);
    for (std::size_t i = 0; i < logs.entries().size(); ++i) logs.set(i, means[i]);
    before.dismiss();
    return logs;
  });
}

}  // namespace xgrad::inline v0::nn
