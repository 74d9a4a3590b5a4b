#include <xgrad/nn/training/history.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/nn/internal/names.hpp>
#include <xgrad/nn/plots/plot.hpp>

namespace xgrad::inline v0::nn {

namespace {

// Index of the best finite value, or -1.
std::ptrdiff_t best_epoch(const std::vector<double>& numbers, bool larger) {
  std::ptrdiff_t best = -1;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (!std::isfinite(numbers[i])) continue;
    const double best_value = best < 0 ? 0 : numbers[static_cast<std::size_t>(best)];
    if (best < 0 || (larger ? numbers[i] > best_value : numbers[i] < best_value)) best = static_cast<std::ptrdiff_t>(i);
  }
  return best;
}

Plot plot_of(const History& history, const std::string& name, bool validated) {
  Plot plot({.x = "epoch", .y = name, .width = 560, .height = 360});
  plot.line("training", history[name]);
  const std::string monitored = validated ? "val_" + name : name;
  if (validated) plot.line("validation", history[monitored]);
  const std::vector<double> numbers = history[monitored];
  if (const std::ptrdiff_t best = best_epoch(numbers, larger_is_better(name)); best >= 0) {
    plot.vertical(fmt::format("best: {:.4g} in epoch {}", numbers[static_cast<std::size_t>(best)], best + 1),
                  static_cast<double>(best + 1));
  }
  return plot;
}

}  // namespace

bool Logs::has(const std::string& name) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& e) { return e.first == name; });
}

double Logs::operator[](const std::string& name) const {
  for (const auto& [key, value] : entries_) {
    if (key == name) return value;
  }
  throw UserError(fmt::format("logs: {}", no_such_name(name, names())));
}

std::vector<std::string> Logs::names() const {
  std::vector<std::string> out;
  for (const auto& entry : entries_) out.push_back(entry.first);
  return out;
}

std::string Logs::str() const {
  std::string out;
  for (const auto& [name, value] : entries_) {
    // Print four decimals, as Keras does, but small values in scientific notation.
    const bool small = value != 0 && value < 1e-3 && value > -1e-3;
    out += fmt::format(fmt::runtime(small ? "{}{}: {:.4e}" : "{}{}: {:.4f}"), out.empty() ? "" : " - ", name,
                       printable(value));
  }
  return out;
}

bool larger_is_better(const std::string& name) {
  constexpr std::string_view words[] = {"accuracy", "precision", "recall", "f1", "auc", "r2"};
  // Strip the suffix of duplicate names, as in precision_1.
  std::string_view bare = name;
  const auto digits = bare.find_last_not_of("0123456789");
  if (digits != std::string_view::npos && digits + 1 < bare.size() && bare[digits] == '_')
    bare = bare.substr(0, digits);
  return std::any_of(std::begin(words), std::end(words), [&](std::string_view word) { return bare.ends_with(word); });
}

void History::add(Logs logs, double seconds, double training_seconds) {
  logs_.push_back(std::move(logs));
  seconds_.push_back(seconds);
  training_seconds_.push_back(training_seconds);
}

const Logs& History::epoch(int i) const {
  if (i < 0 || i >= epochs()) throw UserError(fmt::format("history: there is no epoch {} of {}", i, epochs()));
  return logs_[static_cast<std::size_t>(i)];
}

std::vector<std::string> History::names() const {
  return logs_.empty() ? std::vector<std::string>() : logs_.front().names();
}

std::vector<double> History::operator[](const std::string& name) const {
  if (logs_.empty()) throw UserError(fmt::format("history: there is no \"{}\", because no epoch was trained", name));
  if (!logs_.front().has(name)) throw UserError(fmt::format("history: {}", no_such_name(name, names())));
  std::vector<double> out;
  for (const Logs& logs : logs_) out.push_back(logs[name]);
  return out;
}

double History::best(const std::string& name) const {
  const std::vector<double> all = (*this)[name];
  return larger_is_better(name) ? *std::max_element(all.begin(), all.end()) : *std::min_element(all.begin(), all.end());
}

void History::set_stopped(std::string reason) {
  stopped_ = true;
  stop_reason_ = std::move(reason);
}

void History::plot(const std::filesystem::path& path) const {
  std::vector<Plot> plots;
  const std::vector<std::string> all = names();
  for (const std::string& name : all) {
    if (name == "learning_rate") {
      const std::vector<double> rates = (*this)[name];
      if (std::any_of(rates.begin(), rates.end(), [&](double rate) { return rate != rates.front(); }))
        plots.push_back(Plot({.x = "epoch", .y = "learning rate", .width = 560, .height = 360}).line("", rates));
    } else if (!name.starts_with("val_")) {
      plots.push_back(plot_of(*this, name, std::find(all.begin(), all.end(), "val_" + name) != all.end()));
    }
  }
  if (plots.empty()) plots.emplace_back(PlotOptions{.x = "epoch", .y = "loss", .width = 560, .height = 360});
  save_plots(path, plots, {.columns = 2});
}

}  // namespace xgrad::inline v0::nn
