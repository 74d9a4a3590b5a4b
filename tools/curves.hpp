// Curves of several runs as tables and pictures.
#pragma once

#include <regex>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/nn/events/runs.hpp>

namespace xgrad::inline v0::nn::tool {

// One row a tag: how many steps, the last number and the best one, and where it was; then how many histograms, images
// and others there are, or all their tags. Names are shown without what a terminal would act on.
std::string summary(const std::vector<EventRun>& runs, bool all_tags);

// A regular expression as ECMAScript has them. Names in files are searched for it in time and memory that grow with
// their length, and without recursion.
class Pattern {
 public:
  // Throws UserError for what is no regular expression.
  explicit Pattern(const std::string& text);
  bool is_in(const std::string& name) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::regex regex_;
};

// A curve of one tag.
struct Curve {
  std::string run;
  std::vector<ScalarPoint> points;
};
struct Chart {
  std::string tag;
  std::vector<Curve> curves;  // of the runs that have the tag
};
// The charts of the tags that a regular expression finds, by tag. Throws UserError, listing the tags there are, if it
// finds none.
std::vector<Chart> charts(const std::vector<EventRun>& runs, const Pattern& pattern);

// Steps down, runs across, and the best of each run below; of more steps than `rows`, that many at equal distances.
std::string comparison(const Chart& chart, std::size_t rows);
// All steps, with commas.
std::string comparison_csv(const Chart& chart);

// Exponential means as TensorBoard's slider makes them, of weight `smoothing`, corrected for their beginning.
std::vector<double> smoothed(const std::vector<ScalarPoint>& points, double smoothing);

// Whether the best number of a tag is the largest or the smallest; `none` for rates, for which there is none.
enum class Best { none, smallest, largest };
Best best_of(const std::string& tag);

}  // namespace xgrad::inline v0::nn::tool
