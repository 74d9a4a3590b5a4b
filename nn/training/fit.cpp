// The training loop.
#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/nn/training/batch_feeder.hpp>
#include <xgrad/nn/training/data_checks.hpp>
#include <xgrad/nn/training/model_state.hpp>

namespace xgrad::nn {
namespace {

// The numbers of parameters as they are now, to be put back unless all goes well.
class Snapshot {
 public:
  explicit Snapshot(std::vector<Parameter> parameters) : parameters_(std::move(parameters)) {
    for (const Parameter& p : parameters_) values_.push_back(p.value());
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot() {
    if (!kept_) return;
    for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].set(values_[i]);
  }
  void forget() { kept_ = false; }

 private:
  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_;
  bool kept_ = true;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void check(const FitOptions& options) {
  if (options.batch_size < 1)
    throw UserError(fmt::format("fit: a batch of {} rows has no meaning", options.batch_size));
  if (options.epochs < 0) throw UserError(fmt::format("fit: {} epochs have no meaning", options.epochs));
  if (options.validation.size() > 0 && options.validation_split != 0) {
    throw UserError("fit: validation and validation_split are both given\n  hint: use one of them");
  }
}

}  // namespace

History Model::fit(const Dataset& all, const FitOptions& options) {
  State& s = *state_;
  const CompileOptions& compiled = s.require_compiled("fit");
  check(options);
  const auto checked = [&](const std::string& where, const Dataset& data) {
    return checked_data(where, data, s.row, s.prediction_row, s.options.dtype, compiled.loss);
  };
  Split parts{all, options.validation};
  if (options.validation_split != 0) parts = split(all, options.validation_split);
  const Dataset train = checked("fit", parts.train);
  if (train.size() == 0) throw ShapeError("fit: there are no rows");
  const bool validate = parts.valid.size() > 0;
  const Dataset valid = validate ? checked("fit, validation", parts.valid) : Dataset{};
  options.augment.check("fit, augment", s.row, s.options.dtype);

  // Everything is planned and allocated before the first step.
  const Index batch = std::min<Index>(options.batch_size, train.size());
  const Index last = train.size() % batch;
  const bool weighted = !train.weights.empty();
  CompiledStep& whole = s.step(Mode::train, batch, weighted);
  CompiledStep& rest = last == 0 ? whole : s.step(Mode::train, last, weighted);
  std::vector<Parameter> changing = s.parameters;
  for (const Parameter& p : s.optimizer_state.parameters()) changing.push_back(p);
  Snapshot before(changing);

  History history;
  Means means(whole.numbers());
  std::vector<Index> order(static_cast<std::size_t>(train.size()));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
  BatchFeeder feeder(options.threads);
  const int steps = static_cast<int>((train.size() + batch - 1) / batch);
  Progress progress(options.verbose, options.epochs, steps);
  std::uint64_t step_number = s.training_steps;
  std::uint64_t epoch_number = s.epochs;
  for (int epoch = 0; epoch < options.epochs; ++epoch, ++epoch_number) {
    const auto start = std::chrono::steady_clock::now();
    progress.begin_epoch(epoch);
    if (options.shuffle) shuffle_indices(order, s.options.seed, epoch_number);
    means.clear();
    int done = 0;
    const auto step_at = [&](Index first) -> CompiledStep& { return train.size() - first < batch ? rest : whole; };
    const auto feed = [&](Index first) {
      if (first >= train.size()) return;
      const Index count = std::min(batch, train.size() - first);
      feeder.begin(step_at(first),
                   {&train, options.augment.empty() ? nullptr : &options.augment, s.options.seed, epoch_number},
                   std::span(order).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
    };
    feed(0);
    for_each_batch(train.size(), batch, [&](Index first, Index count) {
      CompiledStep& step = step_at(first);
      feeder.finish();
      feed(first + count);
      step.run({.threads = options.threads, .step = step_number++});
      means.add(step);
      ++done;
      if (progress.wants_update()) {
        Logs so_far;
        s.report(so_far, means, "");
        progress.update(done, so_far);
      }
    });
    const double training_seconds = seconds_since(start);
    Logs logs;
    s.report(logs, means, "");
    if (validate) s.report(logs, s.judge("fit", valid, {.threads = options.threads}), "val_");
    progress.end_epoch(logs);
    history.add(std::move(logs), seconds_since(start), training_seconds);
  }
  before.forget();
  s.training_steps = step_number;
  s.epochs = epoch_number;
  return history;
}

}  // namespace xgrad::nn
