// A profile in the Trace Event Format (Duan et al., "Trace Event Format", Google): nested complete events on one
// thread, times in microseconds.
#include <algorithm>

#include <nlohmann/json.hpp>

#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/graph/profile/profile.hpp>

namespace xgrad::inline v0 {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t named_ops = 3;  // at most, in the name of a fusion group's span

const char* word(Role role) {
  return role == Role::forward ? "forward" : role == Role::backward ? "backward" : "update";
}

// The node with the largest fraction of the step's time.
const ProfileNode* main_node(const ProfileStep& step) {
  const auto smaller = [](const ProfileNode& a, const ProfileNode& b) { return a.fraction < b.fraction; };
  const auto found = std::max_element(step.nodes.begin(), step.nodes.end(), smaller);
  return found == step.nodes.end() ? nullptr : &*found;
}

// Name of the layer span that contains a step.
std::string layer_of(const ProfileStep& step) {
  const ProfileNode* node = main_node(step);
  if (node == nullptr) return step.label;
  const std::string layer = node->scope.substr(0, node->scope.find('/'));
  return (layer.empty() ? "(no layer)" : layer) +
         (node->role == Role::forward ? "" : std::string(", ") + word(node->role));
}

std::string name_of_span(const ProfileStep& step) {
  if (step.nodes.empty()) return step.label;
  std::string out;
  for (std::size_t i = 0; i < std::min(step.nodes.size(), named_ops); ++i) out += (i > 0 ? " " : "") + step.nodes[i].op;
  if (step.nodes.size() > named_ops) out += " + " + std::to_string(step.nodes.size() - named_ops);
  return out;
}

ordered_json span(const std::string& name, const char* category, double first, double last) {
  return {{"name", name}, {"cat", category}, {"ph", "X"}, {"ts", first * 1e6}, {"dur", (last - first) * 1e6},
          {"pid", 1},     {"tid", 1}};
}

ordered_json label(const char* what, const std::string& name) {
  return {{"name", what}, {"ph", "M"}, {"pid", 1}, {"tid", 1}, {"args", {{"name", name}}}};
}

ordered_json facts(std::size_t number, const ProfileStep& step, double seconds) {
  ordered_json ops = ordered_json::array();
  for (const ProfileNode& node : step.nodes) {
    ops.push_back("%" + std::to_string(node.id) + " " + node.op + (node.scope.empty() ? "" : " in " + node.scope));
  }
  ordered_json out{
      {"step", number}, {"what", step.label}, {"operations", ops}, {"bytes", step.bytes}, {"FLOP", step.flops}};
  if (seconds > 0) {
    out["GFLOP/s"] = step.flops / seconds * 1e-9;
    out["GB/s"] = step.bytes / seconds * 1e-9;
  }
  return out;
}

}  // namespace

std::string Profile::trace() const {
  ordered_json events = ordered_json::array();
  events.push_back(label("process_name", "xgrad"));
  events.push_back(label("thread_name", "plan"));
  if (starts.size() > 1) events.push_back(span("run", "run", starts.front(), starts.back()));
  for (std::size_t s = 0; s < steps.size();) {
    const std::string layer = layer_of(steps[s]);
    std::size_t last = s + 1;
    while (last < steps.size() && layer_of(steps[last]) == layer) ++last;
    events.push_back(span(layer, "layer", starts[s], starts[last]));
    for (; s < last; ++s) {
      const ProfileNode* node = main_node(steps[s]);
      ordered_json event =
          span(name_of_span(steps[s]), node == nullptr ? "copies" : word(node->role), starts[s], starts[s + 1]);
      event["args"] = facts(s, steps[s], starts[s + 1] - starts[s]);
      events.push_back(std::move(event));
    }
  }
  const ordered_json all{{"displayTimeUnit", "ns"}, {"traceEvents", std::move(events)}};
  // Escape to ASCII: names may hold any bytes.
  return all.dump(1, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

void Profile::save_trace(const std::filesystem::path& path) const { replace_file("save_trace", path, trace()); }

}  // namespace xgrad::inline v0
