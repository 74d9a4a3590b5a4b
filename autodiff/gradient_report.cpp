#include <xgrad/autodiff/gradient_report.hpp>

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include <xgrad/autodiff/internal/pullback.hpp>
#include <xgrad/autodiff/saturation.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// Constants have no gradient worth reporting.
bool has_gradient(Value value) { return is_floating(value.dtype()) && value.node().op->traits.leaf != Leaf::constant; }

Index count_true(const Tensor& mask) {
  const auto flags = mask.values<bool>();
  return std::count(flags.begin(), flags.end(), true);
}

LayerReport summary(const std::vector<NodeReport>& nodes, const std::vector<std::size_t>& members) {
  LayerReport out;
  const NodeReport* last = nullptr;
  double weights = 0, gradients = 0;
  for (const std::size_t i : members) {
    const NodeReport& node = nodes[i];
    if (node.operation && (last == nullptr || node.gradient || !last->gradient)) last = &node;
    if (node.operation) {
      out.units += node.units;
      out.saturated += node.saturated;
      out.nans += node.value.nans;
      out.infinities += node.value.infinities;
    }
    if (node.gradient) {
      out.nans += node.gradient->nans;
      out.infinities += node.gradient->infinities;
    }
    if (!node.parameter || !node.gradient) continue;
    out.weights += node.value.count;
    weights += node.value.norm * node.value.norm;
    gradients += node.gradient->norm * node.gradient->norm;
  }
  out.weight_norm = std::sqrt(weights);
  out.gradient_norm = std::sqrt(gradients);
  if (last == nullptr) return out;
  out.layer = last->layer;
  out.output = last->node;
  out.value = last->value;
  out.gradient = last->gradient;
  return out;
}

std::string share(Index part, Index all) {
  if (part == 0) return "0%";
  const double percent = 100 * static_cast<double>(part) / static_cast<double>(all);
  if (percent < 0.1) return "<0.1%";
  return percent < 1 ? fmt::format("{:.1f}%", percent)
                     : fmt::format("{:.0f}%", part == all ? 100 : std::min(percent, 99.4));
}

std::string bad_numbers(Index nans, Index infinities) {
  std::string out;
  if (nans > 0) out += fmt::format("{} NaN", nans);
  if (infinities > 0) out += fmt::format("{}{} Inf", out.empty() ? "" : ", ", infinities);
  return out;
}

// A mean that is zero up to rounding is printed as zero.
double printed_mean(const TensorStats& s) {
  const double typical = s.count == 0 ? 0 : s.norm / std::sqrt(static_cast<double>(s.count));
  return std::abs(s.mean) < 1e-6 * typical ? 0 : s.mean;
}

// For example `value 0.41 \xc2\xb1 0.55 in [0, 3.9]`.
void add_lines(std::vector<std::string>& lines, const char* what, const TensorStats& s) {
  const std::string bad = bad_numbers(s.nans, s.infinities);
  if (s.count == 1 && s.finite()) {
    lines.push_back(fmt::format("{} {:.4g}", what, s.mean));
    return;
  }
  std::string line =
      fmt::format("{} {:.3g} \xc2\xb1 {:.2g} in [{:.3g}, {:.3g}]", what, printed_mean(s), s.std, s.min, s.max);
  if (!bad.empty()) line += ", " + bad;
  lines.push_back(std::move(line));
}

NodeNote note_of(const LayerReport& layer, bool many) {
  NodeNote note;
  add_lines(note.lines, "value", layer.value);
  std::string line;
  const auto add = [&](const std::string& text) { line += (line.empty() ? "" : ", ") + text; };
  if (layer.value.zeros > 0 && layer.value.count > 1) add(share(layer.value.zeros, layer.value.count) + " zeros");
  if (layer.saturated > 0) add(share(layer.saturated, layer.units) + " saturated");
  if (!line.empty()) note.lines.push_back(std::exchange(line, {}));
  if (layer.gradient) {
    const TensorStats& g = *layer.gradient;
    add_lines(note.lines, "grad", g);
    if (g.count > 1) {
      add(fmt::format("norm {:.3g}", g.norm));
      if (g.zeros > 0) add(share(g.zeros, g.count) + " zeros");
      note.lines.push_back(line);
    }
  }
  if (many && layer.weights > 0)
    note.lines.push_back(
        fmt::format("weights' norm {:.3g}, gradient's {:.3g}", layer.weight_norm, layer.gradient_norm));
  if (layer.nans > 0 || layer.infinities > 0) {
    note.number = std::nan("");
  } else if (layer.gradient) {
    note.number = layer.gradient->norm;
  }
  return note;
}

}  // namespace

TensorStats tensor_stats(const Tensor& numbers) {
  if (numbers.empty()) throw ValueError("tensor_stats: the Tensor is empty");
  TensorStats out;
  out.count = numbers.elements();
  Index finite = 0;
  double sum = 0, squares = 0;
  for (Index i = 0; i < out.count; ++i) {
    const double x = numbers.at(i);
    if (!std::isfinite(x)) {
      ++(std::isnan(x) ? out.nans : out.infinities);
      continue;
    }
    out.min = finite == 0 ? x : std::min(out.min, x);
    out.max = finite == 0 ? x : std::max(out.max, x);
    out.zeros += static_cast<Index>(x == 0);
    sum += x;
    squares += x * x;
    ++finite;
  }
  if (finite == 0) return out;
  out.mean = sum / static_cast<double>(finite);
  out.norm = std::sqrt(squares);
  double apart = 0;  // second pass about the mean, to avoid cancellation
  for (Index i = 0; i < out.count; ++i) {
    const double x = numbers.at(i);
    if (std::isfinite(x)) apart += (x - out.mean) * (x - out.mean);
  }
  out.std = std::sqrt(apart / static_cast<double>(finite));
  return out;
}

GradientReport gradient_report(Value loss, const Feeds& feeds, const RunOptions& options) {
  if (!loss.valid()) throw GraphError("gradient_report: the loss is an empty Value");
  Graph& graph = loss.graph();
  graph.require(loss, "gradient_report");
  if (loss.shape().rank() != 0 || !is_floating(loss.dtype()))
    throw GradientError(fmt::format("gradient_report: the loss must be a floating-point scalar: {}", loss.describe()));

  const GraphTransaction transaction(graph);  // never committed
  const std::vector<bool> needed = needed_nodes(graph, std::vector<Value>{loss}, "gradient_report");
  std::vector<Value> values, floating;
  for (NodeId id = 0; id <= loss.id(); ++id) {
    if (!needed[id]) continue;
    values.push_back(graph.value(id));
    if (has_gradient(values.back())) floating.push_back(values.back());
  }
  std::vector<Value> wanted = values;
  std::vector<Value> gradients;
  std::vector<Value> masks;
  {
    const auto role = graph.role(Role::backward, loss);
    gradients = pullback({loss}, {graph.constant(1.0, loss.dtype())}, floating, Unconnected::empty);
    for (const Value value : values) masks.push_back(saturated(value));
  }
  for (const auto* more : {&gradients, &masks}) {
    for (const Value value : *more) {
      if (value.valid()) wanted.push_back(value);
    }
  }
  const std::vector<Tensor> numbers = evaluate(wanted, feeds, options);

  auto nodes = std::make_shared<std::vector<NodeReport>>();
  std::size_t next = values.size(), of_gradient = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Node& node = values[i].node();
    NodeReport report;
    report.node = values[i].id();
    report.layer = graph.scope_of(report.node);
    report.value = tensor_stats(numbers[i]);
    report.operation = node.op->traits.leaf == Leaf::none;
    report.parameter = node.op->traits.leaf == Leaf::parameter && graph.trainable(graph.parameter_of(report.node));
    if (has_gradient(values[i]) && gradients[of_gradient++].valid()) report.gradient = tensor_stats(numbers[next++]);
    nodes->push_back(std::move(report));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!masks[i].valid()) continue;
    NodeReport& report = (*nodes)[i];
    report.units = report.value.count;
    report.saturated = count_true(numbers[next++]);
  }

  GradientReport out;
  out.loss_ = nodes->back().value.mean;
  if (!nodes->back().value.finite()) out.loss_ = numbers[values.size() - 1].item();
  std::vector<std::vector<std::size_t>> layers;
  std::map<std::string, std::size_t> at;
  for (std::size_t i = 0; i < nodes->size(); ++i) {
    const auto [found, fresh] = at.try_emplace((*nodes)[i].layer, layers.size());
    if (fresh) layers.emplace_back();
    layers[found->second].push_back(i);
  }
  const auto first_operation = [&](const std::vector<std::size_t>& members) {
    return std::find_if(members.begin(), members.end(), [&](std::size_t i) { return (*nodes)[i].operation; });
  };
  std::erase_if(layers, [&](const auto& members) { return first_operation(members) == members.end(); });
  std::sort(layers.begin(), layers.end(),
            [&](const auto& a, const auto& b) { return *first_operation(a) < *first_operation(b); });
  for (const auto& members : layers) out.layers_.push_back(summary(*nodes, members));
  out.nodes_ = std::move(nodes);
  return out;
}

std::string GradientReport::str() const {
  std::size_t width = 5;
  for (const LayerReport& layer : layers_) width = std::max(width, layer.layer.size());
  std::string out = fmt::format("gradients of the loss, {}\n", number_text(loss_));
  out += fmt::format("  {:<{}}  {:-^56}  {:-^27}  {:-^20}\n", "", width, " output ", " its gradient ", " weights ");
  out += fmt::format("  {:<{}}  {:>9} {:>9} {:>9} {:>9} {:>6} {:>9}  {:>9} {:>9} {:>7}  {:>9} {:>10}\n", "layer", width,
                     "mean", "std", "min", "max", "zeros", "saturated", "norm", "std", "zeros", "norm", "gradient");
  for (const LayerReport& l : layers_) {
    const TensorStats& v = l.value;
    std::string line =
        fmt::format("  {:<{}}  {:>9.3g} {:>9.3g} {:>9.3g} {:>9.3g} {:>6} {:>9}", l.layer, width, printed_mean(v), v.std,
                    v.min, v.max, share(v.zeros, v.count), l.units > 0 ? share(l.saturated, l.units) : "");
    line += l.gradient ? fmt::format("  {:>9.3g} {:>9.3g} {:>7}", l.gradient->norm, l.gradient->std,
                                     share(l.gradient->zeros, l.gradient->count))
                       : fmt::format("  {:>9} {:>9} {:>7}", "none", "", "");
    if (l.weights > 0) line += fmt::format("  {:>9.3g} {:>10.3g}", l.weight_norm, l.gradient_norm);
    if (const std::string bad = bad_numbers(l.nans, l.infinities); !bad.empty()) line += "  <- " + bad;
    while (line.ends_with(' ')) line.pop_back();
    out += line + '\n';
  }
  return out;
}

Annotations GradientReport::annotations() const {
  std::map<NodeId, std::size_t> at;
  for (std::size_t i = 0; i < nodes_->size(); ++i) at[(*nodes_)[i].node] = i;
  return {.note = [nodes = nodes_, at = std::move(at)](std::span<const NodeId> box) -> NodeNote {
            std::vector<std::size_t> members;
            for (const NodeId id : box) {
              if (const auto found = at.find(id); found != at.end()) members.push_back(found->second);
            }
            if (members.empty()) return {};
            if (box.size() > 1) {
              const LayerReport layer = summary(*nodes, members);
              return layer.layer.empty() && layer.value.count == 0 ? NodeNote{} : note_of(layer, true);
            }
            const NodeReport& node = (*nodes)[members[0]];
            LayerReport one;
            one.value = node.value;
            one.gradient = node.gradient;
            one.units = node.units;
            one.saturated = node.saturated;
            if (node.operation || node.gradient) {
              one.nans = node.value.nans + (node.gradient ? node.gradient->nans : 0);
              one.infinities = node.value.infinities + (node.gradient ? node.gradient->infinities : 0);
            }
            return note_of(one, false);
          },
          .legend = "norm of the gradient",
          .colors = ColorScale::cold_hot,
          .logarithmic = true};
}

}  // namespace xgrad::inline v0
