#include <xgrad/graph/plan/internal/finite_checker.hpp>

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {

FiniteChecker::FiniteChecker(const Program& program) : program_(program), graph_(program.snapshot) {
  if (graph_ != nullptr) return;
  if (program.life.expired())
    throw GraphError(
        "plan: check_finite needs the plan's graph, which was destroyed\n  hint: keep the Graph alive until the first "
        "checked run, or make the plan with PlanOptions::check_finite");
  std::vector<Value> results = program.requested_outputs;
  for (const Update& u : program.updates) results.push_back(u.value);
  for (const Value v : results) program.graph->require(v, "plan: check_finite");
  graph_ = program.graph->snapshot();
}

void FiniteChecker::begin(std::uint64_t step, Index first_row, const std::function<const void*(std::size_t)>& input) {
  now_.step = step;
  now_.first_row = first_row;
  if (now_.parameters.empty() && now_.feeds.empty() && now_.shapes.empty()) {
    for (const PlannedInput& planned : program_.inputs) {
      const Value handle = in_snapshot(planned.handle);
      if (planned.needed) now_.feeds.push_back({handle, Tensor(planned.type)});
      if (handle.shape() != planned.type.shape) now_.shapes.emplace_back(handle, planned.type.shape);
    }
    for (const Parameter& p : program_.parameters) now_.parameters.emplace_back(p, Tensor(p.type()));
  }
  std::size_t fed = 0;
  for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
    if (!program_.inputs[i].needed) continue;
    Tensor& value = now_.feeds[fed++].value;
    std::memcpy(value.mutable_raw(), input(i), value.bytes());
  }
  for (auto& [parameter, value] : now_.parameters) {
    std::memcpy(value.mutable_raw(), parameter.raw(), value.bytes());
  }
}

std::vector<Result> FiniteChecker::results() const {
  std::vector<Result> out;
  for (std::size_t i = 0; i < program_.requested_outputs.size(); ++i) {
    const Value output = in_snapshot(program_.requested_outputs[i]);
    const TensorType& type = program_.values[program_.outputs[i]].type;
    out.push_back({output, fmt::format("output {}, {}", i, graph_->describe(output.id(), type))});
  }
  for (const Update& u : program_.updates) {
    out.push_back({in_snapshot(u.value), fmt::format("the new value of {:?}", u.parameter.name())});
  }
  return out;
}

void FiniteChecker::restore() const {
  for (const Update& u : program_.updates) {
    for (const auto& [parameter, value] : now_.parameters) {
      if (parameter == u.parameter) std::memcpy(parameter.raw(), value.raw(), value.bytes());
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
      const std::vector<Result> checked = results();
      const Interpretation run = interpret(*graph_, checked, now_, threads);
      throw_first_non_finite(*graph_, checked, run, any_good_ ? &last_good_ : nullptr);
    } catch (...) {
      restore();
      throw;
    }
  }
  std::swap(now_, last_good_);
  any_good_ = true;
}

}  // namespace xgrad::inline v0
