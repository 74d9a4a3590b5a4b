#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include <xgrad/nn/plots/plot.hpp>
#include <xgrad/nn/training/history.hpp>

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
