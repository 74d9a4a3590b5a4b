#include <xgrad/graph/plan/internal/finite_checker.hpp>

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {

FiniteChecker::FiniteChecker(const Program& program) : program_(program) { require_graph(); }

void FiniteChecker::require_graph() const {
  if (program_.life.expired()) throw GraphError("plan: check_finite needs the plan's graph, which has ended");
  for (const Value v : program_.requested_outputs) program_.graph->require(v, "plan: check_finite: output");
  for (const Update& u : program_.updates) program_.graph->require(u.value, "plan: check_finite: update");
}

void FiniteChecker::begin(std::uint64_t step, Index first_row, const std::function<const void*(std::size_t)>& input) {
  require_graph();
  now_.step = step;
  now_.first_row = first_row;
  if (now_.parameters.empty() && now_.feeds.empty() && now_.shapes.empty()) {
    for (const PlannedInput& planned : program_.inputs) {
      if (planned.needed) now_.feeds.push_back({planned.handle, Tensor(planned.type)});
      if (planned.handle.shape() != planned.type.shape) now_.shapes.emplace_back(planned.handle, planned.type.shape);
    }
    for (const Parameter& p : program_.parameters) now_.parameters.emplace_back(p, Tensor(p.type()));
  }
  std::size_t fed = 0;
  for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
    if (!program_.inputs[i].needed) continue;
    Tensor& numbers = now_.feeds[fed++].value;
    std::memcpy(numbers.mutable_raw(), input(i), numbers.bytes());
  }
  for (auto& [parameter, numbers] : now_.parameters) {
    std::memcpy(numbers.mutable_raw(), parameter.raw(), numbers.bytes());
  }
}

std::vector<Result> FiniteChecker::results() const {
  std::vector<Result> out;
  for (std::size_t i = 0; i < program_.requested_outputs.size(); ++i) {
    const Value wanted = program_.requested_outputs[i];
    const TensorType& type = program_.values[program_.outputs[i]].type;
    out.push_back({wanted, fmt::format("output {}, {}", i, program_.graph->describe(wanted.id(), type))});
  }
  for (const Update& u : program_.updates) {
    out.push_back({u.value, fmt::format("the new value of {:?}", u.parameter.name())});
  }
  return out;
}

void FiniteChecker::restore() const {
  for (const Update& u : program_.updates) {
    for (const auto& [parameter, numbers] : now_.parameters) {
      if (parameter == u.parameter) std::memcpy(parameter.raw(), numbers.raw(), numbers.bytes());
    }
  }
}

void FiniteChecker::end(const std::function<Tensor(std::size_t)>& output, int threads) {
  bool finite = true;
  for (std::size_t i = 0; finite && i < program_.requested_outputs.size(); ++i) finite = all_finite(output(i));
  for (std::size_t i = 0; finite && i < program_.updates.size(); ++i) {
    finite = all_finite(program_.updates[i].parameter.view());
  }
  if (!finite) {
    try {
      const std::vector<Result> wanted = results();
      const Interpretation run = interpret(*program_.graph, wanted, now_, threads);
      throw_first_non_finite(*program_.graph, wanted, run, any_good_ ? &last_good_ : nullptr);
    } catch (...) {
      restore();
      throw;
    }
  }
  std::swap(now_, last_good_);
  any_good_ = true;
}

}  // namespace xgrad::inline v0
