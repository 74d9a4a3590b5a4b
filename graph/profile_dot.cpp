// A profile as colours on a picture.
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/profile.hpp>

namespace xgrad {
namespace {

// Where the time of a node is.
struct Spent {
  std::size_t step = 0;
  std::size_t nodes = 0;      // of the step
  double whole = 0, own = 0;  // seconds: of the step, and the node's part of them
};

std::string time_text(double seconds, double all) {
  return fmt::format("{:.1f} us, {:.1f} %", seconds * 1e6, all > 0 ? 100 * seconds / all : 0);
}

// From no time to the most that is drawn.
Annotations colours() {
  Annotations out;
  out.legend = "time of a run, us";
  out.low = 0;
  return out;
}

}  // namespace

Annotations Profile::step_annotations() const {
  const auto notes = std::make_shared<std::vector<NodeNote>>();
  for (const ProfileStep& step : steps) {
    NodeNote note;
    note.number = step.seconds * 1e6;
    note.lines.push_back(time_text(step.seconds, seconds));
    if (step.seconds > 0) {
      note.lines.push_back(fmt::format("{:.1f} GB/s", step.bytes / step.seconds * 1e-9));
      if (step.flops > 0)
        note.lines.back() = fmt::format("{:.1f} GFLOP/s, ", step.flops / step.seconds * 1e-9) + note.lines.back();
    }
    notes->push_back(std::move(note));
  }
  Annotations out = colours();
  out.note = [notes](std::span<const NodeId> numbers) {
    return numbers.size() == 1 && numbers[0] < notes->size() ? (*notes)[numbers[0]] : NodeNote();
  };
  return out;
}

Annotations Profile::annotations() const {
  const auto spent = std::make_shared<std::map<NodeId, Spent>>();
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (const ProfileNode& node : steps[s].nodes) {
      (*spent)[node.id] = {s, steps[s].nodes.size(), steps[s].seconds, node.part * steps[s].seconds};
    }
  }
  Annotations out = colours();
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

}  // namespace xgrad
