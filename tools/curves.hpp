// Curves of several runs as tables.
#pragma once

#include <regex>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/nn/events/runs.hpp>

namespace xgrad::inline v0::nn::tool {

// A table per run with a row per scalar tag: number of steps, last value, best value (the maximum
// or minimum) and its step. Then the number of histograms, images and other values, or all their tags. Control
// characters in names are removed.
std::string summary(const std::vector<EventRun>& runs, bool all_tags);

// An ECMAScript regular expression. Matching takes time and memory linear in the length of a name, without recursion,
// since names come from files.
class Pattern {
 public:
  // Throws UserError if `text` is not a regular expression.
  explicit Pattern(const std::string& text);
  bool is_in(const std::string& name) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::regex regex_;
};

// The points of one tag in one run.
struct Curve {
  std::string run;
  std::vector<ScalarPoint> points;
};
struct Chart {
  std::string tag;
  std::vector<Curve> curves;  // one per run that has the tag
};
// The charts of all tags that match, sorted by tag. Throws UserError, which lists the valid tags, if none matches.
std::vector<Chart> charts(const std::vector<EventRun>& runs, const Pattern& pattern);

// A table with a row per step and a column per run, then the best value (maximum or minimum) of each run. Shows
// at most `rows` steps, evenly spaced.
std::string comparison(const Chart& chart, std::size_t rows);
// All steps as CSV.
std::string comparison_csv(const Chart& chart);

// Bias-corrected exponential moving average of weight `smoothing`, like TensorBoard's slider.
std::vector<double> smoothed(const std::vector<ScalarPoint>& points, double smoothing);

// Whether the best value of a tag is its largest or smallest; `none` for tags such as learning rates.
enum class Best { none, smallest, largest };
Best best_of(const std::string& tag);

}  // namespace xgrad::inline v0::nn::tool
