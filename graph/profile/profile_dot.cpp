// Colors and notes of a profile for diagrams.
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/profile/profile.hpp>

namespace xgrad::inline v0 {
namespace {

// The time of a node and of its step.
struct Spent {
  std::size_t step = 0;
  std::size_t nodes = 0;      // number of nodes of the step
  double whole = 0, own = 0;  // seconds of the step, and of the node
};

std::string time_text(double seconds, double all) {
  return fmt::format("{:.1f} us, {:.1f}%", seconds * 1e6, all > 0 ? 100 * seconds / all : 0);
}

// The color scale starts at 0.
Annotations colors() {
  Annotations out;
  out.legend = "time of a run, us";
  out.low = 0;
  return out;
}

}  // namespace

Annotations Profile::step_annotations() const {
  struct Cost {
    double seconds = 0, bytes = 0, flops = 0;
  };
  const auto costs = std::make_shared<std::vector<Cost>>();
  for (const ProfileStep& step : steps) costs->push_back({step.seconds, step.bytes, step.flops});
  Annotations out = colors();
  out.note = [costs, all = seconds](std::span<const NodeId> numbers) {
    Cost sum;
    NodeNote note;
    for (const NodeId number : numbers) {
      if (number >= costs->size()) return note;
      const Cost& cost = (*costs)[number];
      sum = {sum.seconds + cost.seconds, sum.bytes + cost.bytes, sum.flops + cost.flops};
    }
    note.number = sum.seconds * 1e6;
    note.lines.push_back(time_text(sum.seconds, all));
    if (sum.seconds > 0) {
      note.lines.push_back(fmt::format("{:.1f} GB/s", sum.bytes / sum.seconds * 1e-9));
      if (sum.flops > 0)
        note.lines.back() = fmt::format("{:.1f} GFLOP/s, ", sum.flops / sum.seconds * 1e-9) + note.lines.back();
    }
    return note;
  };
  return out;
}

Annotations Profile::annotations() const {
  const auto spent = std::make_shared<std::map<NodeId, Spent>>();
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (const ProfileNode& node : steps[s].nodes) {
      (*spent)[node.id] = {s, steps[s].nodes.size(), steps[s].seconds, node.fraction * steps[s].seconds};
    }
  }
  Annotations out = colors();
  out.note = [spent, all = seconds](std::span<const NodeId> nodes) {
    NodeNote note;
    double own = 0;
    const Spent* one = nullptr;
    for (const NodeId id : nodes) {
      const auto found = spent->find(id);
      if (found == spent->end()) continue;
      one = &found->second;
      own += one->own;
    }
    if (one == nullptr) return note;
    if (nodes.size() > 1) {
      note.number = own * 1e6;
      note.lines = {time_text(own, all)};
      return note;
    }
    note.number = one->whole * 1e6;
    note.lines = {one->nodes > 1 ? fmt::format("step {}, with {} others:", one->step, one->nodes - 1)
                                 : fmt::format("step {}:", one->step),
                  time_text(one->whole, all)};
    return note;
  };
  return out;
}

}  // namespace xgrad::inline v0
