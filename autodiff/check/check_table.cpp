#include <xgrad/autodiff/check/check_table.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include <xgrad/autodiff/check/internal/compare.hpp>
#include <xgrad/autodiff/check/internal/reproducer.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/print.hpp>

namespace xgrad::inline v0 {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string top_of(const std::string& scope) { return scope.substr(0, scope.find('/')); }
std::string last_of(const std::string& name) { return name.substr(name.find_last_of('/') + 1); }

void merge(CheckReport& all, const CheckReport& one) {
  if (all.passed && !one.passed) all.why = one.why;
  all.passed = all.passed && one.passed;
  all.failures.insert(all.failures.end(), one.failures.begin(), one.failures.end());
  all.not_judged.insert(all.not_judged.end(), one.not_judged.begin(), one.not_judged.end());
  all.kinks.insert(all.kinks.end(), one.kinks.begin(), one.kinks.end());
  all.near_kinks += one.near_kinks;
  all.comparisons += one.comparisons;
  all.largest = std::max(all.largest, one.largest);
  if (one.worst.input.empty()) return;
  if (all.worst.input.empty() || !(one.worst.ratio() <= all.worst.ratio())) all.worst = one.worst;
}

class Checker {
 public:
  Checker(Value y, std::vector<Value> wrt, const Feeds& feeds, const CheckOptions& options)
      : y_(y), wrt_(std::move(wrt)), feeds_(feeds), options_(options) {
    options_.only.clear();
    options_.allow_zero = options_.allow_zero_second = true;
  }

  CheckTable run() {
    const InF64 wide = in_f64({y_}, {}, feeds_, options_);
    Graph& graph = *wide.graph;
    std::vector<Value> all;
    for (NodeId id = 0; id < graph.size(); ++id) all.push_back(graph.value(id));
    const auto numbers = evaluate(all, wide.feeds, {.threads = 1, .step = options_.run_step});
    for (NodeId id = 0; id < graph.size(); ++id) check_alone(graph, id, numbers);
    for (const Value w : wrt_) check_whole(w);
    // Group the rows of each layer, operations and weights; layers are in the order of their first row.
    std::stable_sort(rows_.begin(), rows_.end(),
                     [&](const CheckRow& a, const CheckRow& b) { return rank(a.layer) < rank(b.layer); });
    return {fmt::format("y = {}", y_.describe()), std::move(rows_)};
  }

 private:
  void check_alone(const Graph& graph, NodeId id, const std::vector<Tensor>& numbers) {
    const OpDef& op = *graph.node(id).op;
    if (op.vjp == nullptr || op.traits.segment || !is_floating(graph.node(id).type.dtype)) return;
    NodeCase node{&op, graph.attrs(id), {}};
    for (const NodeId i : graph.inputs(id)) node.inputs.push_back(numbers[i]);
    const Stopwatch watch;
    const CheckReport report = check_node(node, options_);
    if (report.comparisons == 0 && report.passed) return;
    CheckRow& row = row_of(top_of(graph.scope_of(id)), op.name);
    row.seconds += watch.seconds();
    merge(row.report, report);
    if (report.passed || !row.node.empty()) return;
    row.node = graph.describe(id);
    const auto& shown = report.failures.empty() ? report.not_judged : report.failures;
    row.reproducer = reproducer(node, shown.empty() ? CheckFinding{} : shown[0], options_);
  }

  void check_whole(Value w) {
    const Graph& graph = y_.graph();
    const std::string name = graph.name(w.id());
    const std::string whole = graph.name(y_.id()).empty() ? "y" : graph.name(y_.id());
    const Stopwatch watch;
    const CheckReport report = compare_gradients(y_, {w}, feeds_, options_);
    CheckRow& row = row_of(top_of(graph.scope_of(w.id())), fmt::format("{} wrt {}", whole, last_of(name)));
    row.seconds += watch.seconds();
    merge(row.report, report);
    if (!report.passed) row.node = w.describe();
  }

  CheckRow& row_of(const std::string& layer, const std::string& what) {
    if (std::find(layers_.begin(), layers_.end(), layer) == layers_.end()) layers_.push_back(layer);
    const auto found =
        std::find_if(rows_.begin(), rows_.end(), [&](const CheckRow& r) { return r.layer == layer && r.what == what; });
    if (found != rows_.end()) return *found;
    rows_.emplace_back();
    rows_.back().layer = layer;
    rows_.back().what = what;
    return rows_.back();
  }

  std::ptrdiff_t rank(const std::string& layer) const {
    return std::find(layers_.begin(), layers_.end(), layer) - layers_.begin();
  }

  Value y_;
  std::vector<Value> wrt_;
  const Feeds& feeds_;
  CheckOptions options_;
  std::vector<std::string> layers_;
  std::vector<CheckRow> rows_;
};

// ---- printing

std::string time_text(double seconds) {
  if (seconds < 0.00995) return fmt::format("{:.1f} ms", seconds * 1e3);
  return seconds < 0.9995 ? fmt::format("{:.0f} ms", seconds * 1e3) : fmt::format("{:.1f} s", seconds);
}

bool only_not_judged(const CheckReport& r) { return !r.passed && r.failures.empty() && !r.not_judged.empty(); }

std::string verdict(const CheckReport& r) {
  if (only_not_judged(r)) return "NOT JUDGED";
  if (!r.passed) return "WRONG";
  if (!r.not_judged.empty()) return "not judged";
  if (!r.kinks.empty()) return "kink";
  return r.largest == 0 ? "zero" : "ok";
}

std::string element_text(const CheckRow& row) {
  const CheckFinding& w = row.report.worst;
  if (w.input.empty()) return "";
  std::string at = w.element < 0 ? "along a line" : w.shape.rank() == 0 ? "" : position_text(w.shape, w.element);
  if (!w.input.starts_with("input")) return at;  // the row already names the parameter
  return w.input + (at.empty() ? "" : " " + at);
}

using Cells = std::vector<std::string>;

Cells cells_of(const CheckRow& row, bool new_layer) {
  const CheckFinding& w = row.report.worst;
  const double error = std::abs(w.analytic - w.numeric);
  return {new_layer ? (row.layer.empty() ? "(no layer)" : row.layer) : "",
          row.what,
          element_text(row),
          w.input.empty() ? "" : fmt::format("{}", w.order),
          w.input.empty() ? "" : number_text(w.analytic, 7),
          w.input.empty() ? "" : number_text(w.numeric, 7),
          w.input.empty()        ? ""
          : std::isfinite(error) ? fmt::format("{:.1e}", error)
                                 : "",
          verdict(row.report),
          time_text(row.seconds)};
}

// Aligns columns; numbers to the right.
std::string table(const std::vector<Cells>& lines) {
  const std::string alignment = "<<<^>>><>";
  std::vector<std::size_t> width(alignment.size(), 0);
  for (const Cells& cells : lines) {
    for (std::size_t c = 0; c < cells.size(); ++c) width[c] = std::max(width[c], cells[c].size());
  }
  std::size_t total = 0;
  for (const std::size_t w : width) total += w + 2;
  const std::string rule = fmt::format("  {:-<{}}\n", "", total - 2);
  std::string out = rule;
  for (std::size_t l = 0; l < lines.size(); ++l) {
    std::string line;
    for (std::size_t c = 0; c < width.size(); ++c) {
      const std::string& text = lines[l][c];
      line += "  ";
      line += alignment[c] == '<'   ? fmt::format("{:<{}}", text, width[c])
              : alignment[c] == '^' ? fmt::format("{:^{}}", text, width[c])
                                    : fmt::format("{:>{}}", text, width[c]);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    if (l == 0) out += rule;
  }
  return out + rule;
}

std::string indented(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += (end == at ? "" : "    " + text.substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return out;
}

std::string failure_text(const CheckRow& row) {
  const CheckReport& report = row.report;
  const auto& shown = report.failures.empty() ? report.not_judged : report.failures;
  std::string out =
      fmt::format("\n{}: {}{}{}: {}", verdict(report), row.layer, row.layer.empty() ? "" : ", ", row.node, report.why);
  if (!shown.empty())
    out += fmt::format(": {} of {} comparisons ({})", shown.size(), report.comparisons, report.counts());
  out += "\n";
  constexpr std::size_t most = 3;
  for (std::size_t i = 0; i < std::min(most, shown.size()); ++i) out += "  " + shown[i].str() + "\n";
  if (shown.size() > most) out += fmt::format("  and {} more\n", shown.size() - most);
  if (!row.reproducer.empty()) out += "  to reproduce:\n\n" + indented(row.reproducer);
  return out;
}

}  // namespace

bool CheckTable::passed() const {
  return std::all_of(rows.begin(), rows.end(), [](const CheckRow& row) { return row.report.passed; });
}

std::string CheckTable::str() const {
  std::vector<Cells> lines{
      {"layer", "operation", "worst element", "order", "analytic", "numeric", "error", "verdict", "time"}};
  CheckReport all;
  Index wrong = 0;
  Index open = 0;
  double seconds = 0;
  std::string failures;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    lines.push_back(cells_of(rows[i], i == 0 || rows[i].layer != rows[i - 1].layer));
    merge(all, rows[i].report);
    seconds += rows[i].seconds;
    if (rows[i].report.passed) continue;
    ++(only_not_judged(rows[i].report) ? open : wrong);
    failures += failure_text(rows[i]);
  }
  std::string verdicts;
  if (wrong + open == 0) verdicts = all.not_judged.empty() ? "all agree" : "none is wrong";
  if (wrong > 0) verdicts = fmt::format("{} of {} rows are WRONG", wrong, rows.size());
  if (open > 0) {
    verdicts += fmt::format("{}{} of {} rows are NOT JUDGED", wrong > 0 ? ", " : "", open, rows.size());
  }
  return fmt::format("check: {}\n{}  {} derivatives compared in {} ({}): {}\n{}", title, table(lines), all.comparisons,
                     time_text(seconds), all.counts(), verdicts, failures);
}

CheckTable check_graph(Value y, const std::vector<Value>& wrt, const Feeds& feeds, const CheckOptions& options) {
  if (!y.valid()) throw GraphError("check_graph: y is an empty Value");
  for (const Value w : wrt) y.graph().require(w, "check_graph: wrt");
  return Checker(y, chosen_by_name(y.graph(), wrt, options.only), feeds, options).run();
}

}  // namespace xgrad::inline v0
