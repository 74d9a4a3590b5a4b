#include <xgrad/nn/training/callbacks.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/args.h>
#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/nn/internal/names.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {
namespace {

namespace fs = std::filesystem;

// Throws unless the logs will contain `name`. Called in on_fit_begin, so that a wrong name does not cost an epoch.
void require_monitored(const char* callback, const Training& t, const std::string& name) {
  const std::vector<std::string>& names = t.log_names();
  const auto known = [&](const std::string& n) { return std::find(names.begin(), names.end(), n) != names.end(); };
  if (known(name)) return;
  const bool lacks_validation = name.starts_with("val_") && known(name.substr(4));
  throw UserError(fmt::format("{}: monitor: {}", callback,
                              lacks_validation
                                  ? fmt::format("\"{}\" needs validation data\n  hint: set FitOptions::validation "
                                                "or validation_split",
                                                name)
                                  : no_such_name(name, names)));
}

// Whether `now` is better than `before` by more than `margin`, or the first value. NaN is never better.
bool is_better(double now, const std::optional<double>& before, MonitorMode mode, const std::string& name,
               double margin) {
  if (std::isnan(now)) return false;
  if (!before) return true;
  const bool larger = mode == MonitorMode::max || (mode == MonitorMode::automatic && larger_is_better(name));
  return larger ? now > *before + margin : now < *before - margin;
}

// ---- callback state as tensors

void keep(NamedTensors& to, const std::string& name, int number) {
  to[name] = Tensor(static_cast<std::int64_t>(number));
}
void keep(NamedTensors& to, const std::string& name, const std::optional<double>& number) {
  if (number) to[name] = Tensor(*number);
}

const Tensor* find(const NamedTensors& from, const char* callback, const std::string& name, const TensorType& type) {
  const auto found = from.find(name);
  if (found == from.end()) return nullptr;
  if (found->second.type() == type) return &found->second;
  throw FormatError(fmt::format("{}: \"{}\" in the checkpoint is {}, expected {}", callback, name,
                                found->second.type().str(), type.str()));
}

int number_of(const NamedTensors& from, const char* callback, const std::string& name) {
  const Tensor* number = find(from, callback, name, {i64, {}});
  if (number == nullptr) throw FormatError(fmt::format("{}: the checkpoint has no \"{}\"", callback, name));
  const std::int64_t value = number->values<std::int64_t>()[0];
  if (value < 0 || value > std::numeric_limits<int>::max())
    throw FormatError(fmt::format("{}: \"{}\" in the checkpoint must be in [0, 2^31), got {}", callback, name, value));
  return static_cast<int>(value);
}

std::optional<double> optional_of(const NamedTensors& from, const char* callback, const std::string& name) {
  const Tensor* number = find(from, callback, name, {f64, {}});
  return number == nullptr ? std::nullopt : std::optional(number->item());
}

// Sets the learning rate to itself, so that an optimizer with a schedule throws now and not after an epoch.
void require_settable_rate(Training& t) { t.model().set_learning_rate(t.model().learning_rate()); }

NamedTensors weights_of(const Model& model) {
  NamedTensors out;
  for (const Parameter& p : model.parameters()) out[p.name()] = p.value();
  return out;
}

std::string path_now(const ModelCheckpoint& c, int epoch, const Logs& logs) {
  fmt::dynamic_format_arg_store<fmt::format_context> numbers;
  numbers.push_back(fmt::arg("epoch", epoch + 1));
  for (const auto& [name, value] : logs.entries()) numbers.push_back(fmt::arg(name.c_str(), value));
  try {
    return fmt::vformat(c.path, numbers);
  } catch (const fmt::format_error& error) {
    throw UserError(fmt::format("{}: the path \"{}\" cannot be formatted: {}\n  available values: epoch, {}", c.name,
                                c.path, error.what(), logs.str()));
  }
}

// Quotes a CSV field (RFC 4180) that contains a separator, a quote or a line break.
std::string field(const std::string& text, char separator) {
  if (text.find_first_of(std::string("\"\r\n") + separator) == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string row(const History& history, int epoch, char separator) {
  std::string out = fmt::format("{}", epoch);
  for (const auto& entry : history.epoch(epoch).entries()) out += separator + number_text(entry.second, 0);
  return out + "\n";
}

std::string table(const History& history, char separator) {
  std::string out = "epoch";
  for (const std::string& name : history.names()) out += separator + field(name, separator);
  out += "\n";
  for (int i = 0; i < history.epochs(); ++i) out += row(history, i, separator);
  return out;
}

}  // namespace

// ---- EarlyStopping

void EarlyStopping::on_fit_begin(Training& t) {
  require_monitored(name, t, monitor);
  require_not_negative(name, "patience", patience);
  require_not_negative(name, "min_delta", min_delta);
  best.reset();
  best_epoch = waited = 0;
  stopped_epoch.reset();
  best_weights.clear();
}

void EarlyStopping::on_epoch_end(Training& t) {
  const double now = t.logs()[monitor];
  if (t.epoch() < start_from_epoch) return;
  ++waited;
  if (is_better(now, best, mode, monitor, min_delta)) {
    best = now;
    best_epoch = t.epoch();
    if (restore_best_weights) best_weights = weights_of(t.model());
    if (!baseline || is_better(now, baseline, mode, monitor, min_delta)) waited = 0;
    return;
  }
  // As in Keras, the first epoch never ends the fit.
  if (waited < patience || t.epoch() == 0) return;
  stopped_epoch = t.epoch();
  t.stop(best ? fmt::format("early stopping: the best {} was {:.6g} in epoch {}", monitor, *best, best_epoch + 1)
              : fmt::format("early stopping: {} was NaN in every epoch", monitor));
}

void EarlyStopping::on_fit_end(Training& t) {
  for (Parameter p : t.model().parameters()) {
    if (const auto found = best_weights.find(p.name()); found != best_weights.end()) p.set(found->second);
  }
}

NamedTensors EarlyStopping::state() const {
  NamedTensors out;
  keep(out, "waited", waited);
  keep(out, "best_epoch", best_epoch);
  keep(out, "best", best);
  if (stopped_epoch) keep(out, "stopped_epoch", *stopped_epoch);
  for (const auto& [weight, numbers] : best_weights) out["weights/" + weight] = numbers;
  return out;
}

void EarlyStopping::set_state(const NamedTensors& state) {
  waited = number_of(state, name, "waited");
  best_epoch = number_of(state, name, "best_epoch");
  best = optional_of(state, name, "best");
  if (state.contains("stopped_epoch")) stopped_epoch = number_of(state, name, "stopped_epoch");
  constexpr std::string_view prefix = "weights/";
  for (const auto& [key, numbers] : state) {
    if (key.starts_with(prefix)) best_weights[key.substr(prefix.size())] = numbers;
  }
}

// ---- ReduceLROnPlateau

void ReduceLROnPlateau::on_fit_begin(Training& t) {
  require_monitored(name, t, monitor);
  require_fraction(name, "factor", factor);
  require_not_negative(name, "patience", patience);
  require_not_negative(name, "min_delta", min_delta);
  require_not_negative(name, "cooldown", cooldown);
  require_not_negative(name, "min_learning_rate", min_learning_rate);
  require_settable_rate(t);
  best.reset();
  waited = cooling = 0;
}

void ReduceLROnPlateau::on_epoch_end(Training& t) {
  const double now = t.logs()[monitor];
  if (cooling > 0) {
    --cooling;
    waited = 0;
  }
  if (is_better(now, best, mode, monitor, min_delta)) {
    best = now;
    waited = 0;
    return;
  }
  if (cooling > 0 || ++waited < patience) return;
  const double rate = t.model().learning_rate();
  if (rate <= min_learning_rate) return;
  t.model().set_learning_rate(std::max(rate * factor, min_learning_rate));
  cooling = cooldown;
  waited = 0;
}

NamedTensors ReduceLROnPlateau::state() const {
  NamedTensors out;
  keep(out, "waited", waited);
  keep(out, "cooling", cooling);
  keep(out, "best", best);
  return out;
}

void ReduceLROnPlateau::set_state(const NamedTensors& state) {
  waited = number_of(state, name, "waited");
  cooling = number_of(state, name, "cooling");
  best = optional_of(state, name, "best");
}

// ---- LearningRateScheduler

void LearningRateScheduler::on_epoch_begin(Training& t) {
  if (!schedule) throw UserError("learning_rate_scheduler: schedule is empty");
  t.model().set_learning_rate(schedule(t.epoch(), t.model().learning_rate()));
}

// ---- ModelCheckpoint

void ModelCheckpoint::on_fit_begin(Training& t) {
  if (path.empty()) throw UserError(fmt::format("{}: the path is empty", name));
  require_not_negative(name, "every_steps", every_steps);
  if (every_steps > 0 && save_best_only) {
    throw UserError(fmt::format(
        "{}: every_steps and save_best_only are both given\n  hint: use two ModelCheckpoint callbacks", name));
  }
  // Check names and path now and not after the first epoch.
  if (save_best_only) require_monitored(name, t, monitor);
  if (every_steps == 0) {
    Logs some;
    for (const std::string& log : t.log_names()) some.add(log, 0);
    (void)path_now(*this, 0, some);
  }
  const fs::path folder = fs::path(path).parent_path();
  std::error_code ignored;
  if (!folder.empty() && !fs::is_directory(folder, ignored))
    throw EnvironmentError(fmt::format("{}: the folder {} of the path {} does not exist", name, folder.string(), path));
  best.reset();
}

void ModelCheckpoint::on_batch_end(Training& t) {
  if (every_steps == 0) return;
  const auto step = static_cast<long long>(t.epoch()) * t.batches() + t.batch();
  if (step % every_steps == 0) t.save(path_now(*this, t.epoch(), t.logs()));
}

void ModelCheckpoint::on_epoch_end(Training& t) {
  if (every_steps > 0) return;
  if (save_best_only) {
    const double now = t.logs()[monitor];
    if (!is_better(now, best, mode, monitor, 0)) return;
    best = now;
  }
  t.save(path_now(*this, t.epoch(), t.logs()));
}

NamedTensors ModelCheckpoint::state() const {
  NamedTensors out;
  keep(out, "best", best);
  return out;
}

void ModelCheckpoint::set_state(const NamedTensors& state) { best = optional_of(state, name, "best"); }

// ---- CSVLogger

void CSVLogger::on_fit_begin(Training& t) {
  if (path.empty()) throw UserError("csv_logger: the path is empty");
  replace_file("csv_logger", path, table(t.history(), separator));
}

void CSVLogger::on_epoch_end(Training& t) {
  const int epochs = t.history().epochs();
  std::error_code ignored;
  // Write the whole table when the column names become known, and when the file was deleted.
  if (epochs == 1 || !fs::exists(path, ignored)) return replace_file("csv_logger", path, table(t.history(), separator));
  append_to_file("csv_logger", path, row(t.history(), epochs - 1, separator));
}

// ---- TerminateOnNaN

void TerminateOnNaN::on_batch_end(Training& t) {
  if (!std::isfinite(t.loss())) {
    t.stop(fmt::format("the loss is {} at batch {} (fit with check_finite = true to find the cause)", t.loss(),
                       t.batch()));
  }
}

}  // namespace xgrad::inline v0::nn
