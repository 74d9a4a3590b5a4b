#include "curves.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/base/internal/text_width.hpp>
#include <xgrad/nn/training/history.hpp>
#include <xgrad/nn/training/progress.hpp>

namespace xgrad::inline v0::nn::tool {
namespace {

// A text table with columns as wide as their widest cell.
class Table {
 public:
  // The first `left` columns are left-aligned, the others right-aligned.
  explicit Table(std::size_t left) : left_(left) {}

  void add(std::vector<std::string> row) {
    for (std::string& cell : row) cell = without_controls(cell);
    rows_.push_back(std::move(row));
  }
  void add_line() { rows_.emplace_back(); }

  std::string str() const {
    std::vector<int> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
    }
    int total = 0;
    for (const int width : widths) total += width + 2;
    std::string out;
    for (const auto& row : rows_) {
      std::string line = row.empty() ? "  " + std::string(static_cast<std::size_t>(std::max(total - 2, 0)), '-') : "";
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string gap(static_cast<std::size_t>(widths[i] - text_width(row[i])), ' ');
        line += "  " + (i < left_ ? row[i] + gap : gap + row[i]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
    return out;
  }

 private:
  std::size_t left_;
  std::vector<std::vector<std::string>> rows_;
};

const ScalarPoint* best_point(const std::string& tag, const std::vector<ScalarPoint>& points) {
  const Best best = best_of(tag);
  const ScalarPoint* out = nullptr;
  for (const ScalarPoint& p : points) {
    if (best == Best::none || std::isnan(p.value)) continue;
    if (out == nullptr || (best == Best::largest ? p.value > out->value : p.value < out->value)) out = &p;
  }
  return out;
}

// The direction in which a tag improves, as "max" or "min".
const char* direction(const std::string& tag) { return best_of(tag) == Best::largest ? "max" : "min"; }

std::string time_text(double seconds) {
  const auto whole = static_cast<std::time_t>(std::clamp(std::isnan(seconds) ? 0.0 : seconds, 0.0, 1e11));
  std::tm parts{};
  std::array<char, 40> text{};
  if (::localtime_r(&whole, &parts) == nullptr) return "?";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts)};
}

// The start time and duration of a run.
std::string period(const EventRun& run) {
  double first = std::numeric_limits<double>::infinity(), last = -first;
  for (const auto& [tag, points] : run.scalars) {
    for (const ScalarPoint& p : points) {
      if (!std::isfinite(p.wall_time)) continue;
      first = std::min(first, p.wall_time);
      last = std::max(last, p.wall_time);
    }
  }
  if (first > last) return "";
  return fmt::format(", from {} for {}", time_text(first), duration(std::min(last - first, 1e9)));
}

std::string count_text(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// A line per plugin for values other than scalars.
std::string others_text(const EventRun& run, bool all_tags) {
  const std::map<std::string, std::string> words{{"graph_keras_model", "conceptual graph"}, {"", "other"}};
  std::map<std::string, std::vector<std::string>> kinds;
  for (const auto& [tag, other] : run.others) {
    if (other.plugin == "hparams") continue;  // the caller prints them
    const auto word = words.find(other.plugin);
    kinds[word == words.end() ? other.plugin : word->second].push_back(tag);
  }
  std::string out;
  if (run.graphs > 0) out += "  graph of operations\n";
  for (const auto& [kind, tags] : kinds) {
    out += fmt::format("  {}: {}", without_controls(kind), count_text(tags.size(), "tag"));
    std::size_t most = 0;
    for (const std::string& tag : tags) most = std::max(most, run.others.at(tag).count);
    out += fmt::format("{}\n", most > 1 ? fmt::format(", up to {} values each", most) : "");
    for (const std::string& tag : tags) {
      if (all_tags) out += fmt::format("    {}, last at {}\n", without_controls(tag), run.others.at(tag).last_step);
    }
  }
  return out;
}

}  // namespace

namespace {

// By default, libstdc++ backtracks with one recursion per character of the name; this flag selects breadth-first
// search.
#ifdef __GLIBCXX__
constexpr auto syntax = std::regex::ECMAScript | std::regex_constants::__polynomial;
#else
constexpr auto syntax = std::regex::ECMAScript;
#endif

}  // namespace

Pattern::Pattern(const std::string& text) : text_(text) {
  try {
    regex_.assign(text, syntax);
  } catch (const std::regex_error& error) {
    throw UserError(fmt::format("\"{}\" is not a regular expression: {}", text, error.what()));
  }
}

bool Pattern::is_in(const std::string& name) const { return std::regex_search(name, regex_); }

Best best_of(const std::string& tag) {
  std::string name = tag;
  constexpr std::string_view by_steps = "_vs_iterations";
  if (name.ends_with(by_steps)) name.resize(name.size() - by_steps.size());
  if (name.ends_with("learning_rate") || name.ends_with("per_second") || name.ends_with("/not_finite"))
    return Best::none;
  return larger_is_better(name) ? Best::largest : Best::smallest;
}

std::string summary(const std::vector<EventRun>& runs, bool all_tags) {
  std::string out;
  for (const EventRun& run : runs) {
    out += fmt::format("{}{}: {}{}\n", out.empty() ? "" : "\n", without_controls(run.name),
                       count_text(run.files.size(), "file"), period(run));
    Table table(1);
    if (!run.scalars.empty()) table.add({"scalars", "steps", "last", "best", "at step"});
    for (const auto& [tag, points] : run.scalars) {
      const ScalarPoint* best = best_point(tag, points);
      table.add({tag, fmt::format("{}", points.size()), number_text(points.back().value),
                 best == nullptr ? "" : fmt::format("{} {}", direction(tag), number_text(best->value)),
                 best == nullptr ? "" : fmt::format("{}", best->step)});
    }
    out += table.str();
    for (const auto& [name, chosen] : run.hyper_parameters)
      out += fmt::format("  {} = {}\n", without_controls(name), without_controls(chosen));
    out += others_text(run, all_tags);
  }
  return out;
}

std::vector<Chart> charts(const std::vector<EventRun>& runs, const Pattern& pattern) {
  std::set<std::string> all;
  for (const EventRun& run : runs) {
    for (const auto& entry : run.scalars) all.insert(entry.first);
  }
  std::vector<Chart> out;
  for (const std::string& tag : all) {
    if (!pattern.is_in(tag)) continue;
    out.push_back({tag, {}});
    for (const EventRun& run : runs) {
      if (const auto found = run.scalars.find(tag); found != run.scalars.end())
        out.back().curves.push_back({run.name, found->second});
    }
  }
  if (!out.empty()) return out;
  std::string names;
  for (const std::string& tag : all) names += "\n  " + without_controls(tag);
  throw UserError(
      fmt::format("no scalar tag matches \"{}\"; the tags are: {}", pattern.text(), all.empty() ? "none" : names));
}

namespace {

// The values of each curve by step.
std::map<std::int64_t, std::vector<std::optional<double>>> by_step(const Chart& chart) {
  std::map<std::int64_t, std::vector<std::optional<double>>> out;
  for (std::size_t i = 0; i < chart.curves.size(); ++i) {
    for (const ScalarPoint& p : chart.curves[i].points) {
      auto& row = out[p.step];
      row.resize(chart.curves.size());
      row[i] = p.value;
    }
  }
  return out;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace

std::string comparison(const Chart& chart, std::size_t rows) {
  const auto steps = by_step(chart);
  Table table(0);
  std::vector<std::string> head{"step"};
  for (const Curve& curve : chart.curves) head.push_back(curve.run);
  table.add(std::move(head));
  std::size_t i = 0, shown = 0;
  for (const auto& [step, numbers] : steps) {
    // Row k of n is at the fraction (k - 1) / (n - 1) of the steps, so the first and last steps are included.
    const bool wanted = steps.size() <= rows || i * (rows - 1) >= shown * (steps.size() - 1);
    ++i;
    if (!wanted) continue;
    ++shown;
    std::vector<std::string> row{fmt::format("{}", step)};
    for (const auto& x : numbers) row.push_back(x ? number_text(*x) : "");
    table.add(std::move(row));
  }
  if (best_of(chart.tag) != Best::none) {
    std::vector<std::string> best{direction(chart.tag)}, at{"at step"};
    for (const Curve& curve : chart.curves) {
      const ScalarPoint* p = best_point(chart.tag, curve.points);
      best.push_back(p == nullptr ? "" : number_text(p->value));
      at.push_back(p == nullptr ? "" : fmt::format("{}", p->step));
    }
    table.add_line();
    table.add(std::move(best));
    table.add(std::move(at));
  }
  return fmt::format("{}\n{}", without_controls(chart.tag), table.str());
}

std::string comparison_csv(const Chart& chart) {
  std::string out = "step";
  for (const Curve& curve : chart.curves) out += "," + csv_field(curve.run + "/" + chart.tag);
  out += "\n";
  for (const auto& [step, numbers] : by_step(chart)) {
    out += fmt::format("{}", step);
    // Most values are f32; print them with the fewest digits that identify them.
    for (const auto& x : numbers) {
      const auto single = static_cast<float>(x.value_or(0));
      out += !x ? "," : static_cast<double>(single) == *x ? fmt::format(",{}", single) : "," + number_text(*x, 0);
    }
    out += "\n";
  }
  return out;
}

std::vector<double> smoothed(const std::vector<ScalarPoint>& points, double smoothing) {
  std::vector<double> out;
  double mean = 0, weight = 0;
  for (const ScalarPoint& p : points) {
    if (!std::isfinite(p.value)) {
      out.push_back(p.value);
      continue;
    }
    mean = smoothing * mean + (1 - smoothing) * p.value;
    weight = smoothing * weight + (1 - smoothing);
    out.push_back(mean / weight);
  }
  return out;
}

}  // namespace xgrad::inline v0::nn::tool
