// Implements the files of save_graph, save_plan and save_diff, and runs Graphviz.
#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/graph/pictures/dot.hpp>
#include <xgrad/graph/pictures/graph_diff.hpp>
#include <xgrad/graph/pictures/internal/run_dot.hpp>

namespace xgrad::inline v0 {
namespace {

namespace fs = std::filesystem;

bool is_text(const fs::path& path) { return path.extension() == ".dot" || path.extension() == ".gv"; }

// Draws with less and less effort until Graphviz finishes in time. `dot_of` returns the text for the options.
template <class Options, class DotOf>
void draw(const char* where, const fs::path& path, Options options, DotOf dot_of) {
  const fs::path extension = path.extension();
  if (!is_text(path) && extension != ".svg" && extension != ".png" && extension != ".pdf")
    throw GraphError(fmt::format("{}: {:?} must end in .svg, .png, .pdf, .dot or .gv", where, path.string()));
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  const std::string whole = dot_of(options);
  if (is_text(path)) return replace_file(where, path, whole);
  const auto left = [&] { return options.time_limit - std::chrono::duration<double>(Clock::now() - begin).count(); };
  const std::string format = extension.string().substr(1);
  dot::Outcome outcome;
  std::string text = whole;
  for (const double share : {0.5, 0.25, 0.0}) {  // fraction of the time reserved for coarser diagrams
    outcome = dot::run_dot(text, format, std::max(left() - share * options.time_limit, 0.01));
    if (outcome.succeeded) return replace_file(where, path, outcome.image);
    if (!outcome.timed_out || share == 0) break;
    options.effort = std::min(options.effort, 1.0) / 4;
    text = dot_of(options);
  }
  // Keep the text for use with Graphviz elsewhere, but never overwrite an existing file.
  fs::path beside = path;
  beside.replace_extension(".dot");
  std::error_code ignored;
  const bool free = fs::symlink_status(beside, ignored).type() == fs::file_type::not_found;
  if (free) replace_file(where, beside, whole);
  const std::string why = outcome.timed_out ? fmt::format("took longer than {} seconds", options.time_limit)
                          : outcome.started ? "failed: " + outcome.complaint
                                            : "could not be started: " + outcome.complaint;
  const std::string rest = free ? fmt::format("the DOT text is in {:?}", beside.string())
                                : fmt::format("the DOT text was not written: {:?} exists", beside.string());
  const char* hint = outcome.timed_out ? "\n  hint: use a larger time_limit"
                     : outcome.started ? ""
                                       : "\n  hint: install Graphviz, for instance with `apt install graphviz`";
  throw EnvironmentError(
      fmt::format("{}: {:?} was not drawn: the program dot {}\n  {}{}", where, path.string(), why, rest, hint));
}

}  // namespace

void save_graph(const Graph& graph, const fs::path& path, const DotOptions& options) {
  draw("save_graph", path, options, [&](const DotOptions& now) { return to_dot(graph, now); });
}

void save_plan(const Plan& plan, const fs::path& path, const PlanDotOptions& options) {
  draw("save_plan", path, options, [&](const PlanDotOptions& now) { return to_dot(plan, now); });
}

void save_diff(const Graph& before, const Graph& after, const fs::path& path, const DiffDotOptions& options) {
  draw("save_diff", path, options, [&](const DiffDotOptions& now) { return diff_to_dot(before, after, now); });
}

}  // namespace xgrad::inline v0
