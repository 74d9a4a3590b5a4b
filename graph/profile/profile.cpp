#include <xgrad/graph/profile/profile.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/internal/program.hpp>

namespace xgrad::inline v0 {
namespace {

// Saves the values of parameters and restores them at the end.
class SavedParameters {
 public:
  explicit SavedParameters(const std::vector<Parameter>& parameters) : parameters_(parameters) {
    for (const Parameter& p : parameters) values_.push_back(p.value());
  }
  SavedParameters(const SavedParameters&) = delete;
  SavedParameters& operator=(const SavedParameters&) = delete;
  ~SavedParameters() {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (values_[i].bytes() > 0) std::memcpy(parameters_[i].raw(), values_[i].raw(), values_[i].bytes());
    }
  }

 private:
  const std::vector<Parameter>& parameters_;
  std::vector<Tensor> values_;
};

// The weight by which a step's time is divided among its nodes: FLOPs, or the number of elements if there are none.
double work(const StepPart& part) {
  return part.flops > 0 ? part.flops : std::max(1.0, static_cast<double>(part.type.shape.elements()));
}

}  // namespace

class Profiler {
 public:
  Profiler(const Plan& plan, Workspace& memory, const ProfileOptions& options)
      : plan_(plan), program_(*plan.program_), memory_(memory), options_(options) {}

  Profile run() {
    if (options_.runs < 1) throw UserError(fmt::format("profile: runs must be at least 1, got {}", options_.runs));
    {
      const SavedParameters saved(program_.parameters);
      for (int i = 0; i < options_.warm_up; ++i) plan_.run_watched(memory_, options_.run, [](Index) {});
      measure();
    }
    Profile out;
    out.runs = options_.runs;
    out.threads = options_.run.threads > 0 ? options_.run.threads : default_threads();
    out.peak = options_.peak;
    describe(out);
    take_times(out);
    return out;
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Records when each run began and when each of its steps ended.
  void measure() {
    const std::size_t marks = program_.steps.size() + 2;
    ends_.resize(static_cast<std::size_t>(options_.runs) * marks);
    for (std::size_t r = 0; r < static_cast<std::size_t>(options_.runs); ++r) {
      Clock::time_point* marks_of_run = ends_.data() + r * marks;
      const auto done = [&](Index step) { marks_of_run[step + 1] = Clock::now(); };
      marks_of_run[0] = Clock::now();
      plan_.run_watched(memory_, options_.run, done);
    }
  }

  double between(std::size_t run, std::size_t first, std::size_t last) const {
    const std::size_t at = run * (program_.steps.size() + 2);
    return std::chrono::duration<double>(ends_[at + last] - ends_[at + first]).count();
  }

  void take_times(Profile& out) const {
    const std::size_t steps = out.steps.size();
    std::vector<std::size_t> order(static_cast<std::size_t>(options_.runs));
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return between(a, 0, steps) < between(b, 0, steps); });
    const std::size_t faster = (order.size() + 1) / 2;
    for (std::size_t s = 0; s < steps; ++s) {
      for (std::size_t i = 0; i < faster; ++i) out.steps[s].seconds += between(order[i], s, s + 1);
      out.steps[s].seconds /= static_cast<double>(faster);
      out.seconds += out.steps[s].seconds;
    }
    for (std::size_t s = 0; s <= steps; ++s) out.starts.push_back(between(order[faster - 1], 0, s));
  }

  void describe(Profile& out) const {
    for (std::size_t s = 0; s < program_.steps.size(); ++s) {
      const Step& step = program_.steps[s];
      ProfileStep described;
      described.label = step.label.str();
      described.bytes = bytes_of(step);
      double all = 0;
      for (const StepPart& part : step.parts) all += work(part);
      double most = -1;
      for (const StepPart& part : step.parts) {
        described.nodes.push_back({part.node, part.op->name, part.scope, part.role, part.flops, work(part) / all});
        described.flops += part.flops;
        if (is_floating(part.type.dtype) && part.flops > most) {
          most = part.flops;
          described.dtype = part.type.dtype;
        }
      }
      out.steps.push_back(std::move(described));
    }
    double copied = 0;
    for (const auto* copies : {&program_.saves, &program_.commits}) {
      for (const Copy& copy : *copies) copied += 2 * static_cast<double>(program_.values[copy.to].type.bytes());
    }
    if (copied > 0) {
      ProfileStep& step = out.steps.emplace_back();
      step.label = "copies at the end";
      step.bytes = copied;
    }
    for (const ProfileStep& step : out.steps) {
      out.bytes += step.bytes;
      out.flops += step.flops;
    }
  }

  double bytes_of(const Step& step) const {
    // Count each storage once: two values may share it.
    std::set<std::tuple<Storage::Kind, std::uint32_t, std::size_t>> read;
    double out = 0;
    const auto add = [&](std::uint32_t value) { out += static_cast<double>(program_.values[value].type.bytes()); };
    for (const auto* values : {&step.operands, &step.inputs}) {
      for (const std::uint32_t value : *values) {
        const Storage& storage = program_.values[value].storage;
        const bool made_here = step.op != nullptr && value == step.result;
        if (storage.kind == Storage::Kind::none || made_here) continue;
        if (read.emplace(storage.kind, storage.index, storage.offset).second) add(value);
      }
    }
    if (step.op != nullptr) add(step.result);
    for (const std::uint32_t value : step.outputs) add(value);
    return out;
  }

  const Plan& plan_;
  const xgrad::Program& program_;
  Workspace& memory_;
  const ProfileOptions& options_;
  std::vector<Clock::time_point> ends_;
};

Profile profile(const Plan& plan, Workspace& memory, const ProfileOptions& options) {
  return Profiler(plan, memory, options).run();
}

ProfileCost ProfileLayer::total() const {
  ProfileCost out;
  for (const ProfileCost* part : {&forward, &backward, &update}) {
    out.seconds += part->seconds;
    out.bytes += part->bytes;
    out.flops += part->flops;
    out.calls += part->calls;
  }
  return out;
}

std::vector<ProfileLayer> Profile::layers(int depth) const {
  if (depth < 1) throw UserError(fmt::format("profile: depth must be at least 1, got {}", depth));
  const auto cut = [&](const std::string& scope) {
    std::size_t end = 0;
    for (int words = 0; words < depth && end != std::string::npos; ++words) {
      end = scope.find('/', end == 0 ? 0 : end + 1);
    }
    return scope.substr(0, end);
  };
  std::map<std::string, std::pair<NodeId, ProfileLayer>> found;
  for (const ProfileStep& step : steps) {
    for (const ProfileNode& node : step.nodes) {
      const std::string name = cut(node.scope);
      auto& [first, layer] = found.try_emplace(name, node.id, ProfileLayer()).first->second;
      layer.name = name;
      first = std::min(first, node.id);
      ProfileCost& part = node.role == Role::forward    ? layer.forward
                          : node.role == Role::backward ? layer.backward
                                                        : layer.update;
      part.seconds += node.fraction * step.seconds;
      part.bytes += node.fraction * step.bytes;
      part.flops += node.flops;
      ++part.calls;
    }
  }
  std::vector<std::pair<NodeId, ProfileLayer>> ordered;
  for (auto& [name, entry] : found) ordered.push_back(std::move(entry));
  std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<ProfileLayer> out;
  for (auto& [first, layer] : ordered) out.push_back(std::move(layer));
  return out;
}

namespace {

// Steps of at most this many bytes are compared with the cache bandwidth; they fit into most last-level caches.
constexpr double cached_bytes = 4 * 1024 * 1024;

// The shortest times this machine needs for a step's FLOPs and for its bytes.
std::pair<double, double> best_times(const ProfileStep& step, const MachinePeak& peak) {
  const double speed = step.dtype == f64 ? peak.f64 : peak.f32;
  const double stream = step.bytes <= cached_bytes ? peak.cache : peak.memory;
  return {speed > 0 ? step.flops / speed : 0, stream > 0 ? step.bytes / stream : 0};
}

}  // namespace

double Profile::efficiency(const ProfileStep& step) const {
  if (!peak || step.seconds <= 0) return 0;
  const auto [computing, moving] = best_times(step, *peak);
  return std::max(computing, moving) / step.seconds;
}

bool Profile::bound_by_memory(const ProfileStep& step) const {
  if (!peak) return false;
  const auto [computing, moving] = best_times(step, *peak);
  return moving > computing;
}

}  // namespace xgrad::inline v0
