// What runs of a plan with check_finite remember: enough to do a run again node by node.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <xgrad/graph/plan/internal/program.hpp>
#include <xgrad/graph/run/internal/finite_check.hpp>

namespace xgrad::inline v0 {

class FiniteChecker {
 public:
  // Throws GraphError if the graph of the program has ended.
  explicit FiniteChecker(const Program& program);

  // Before a run: copies all that it reads. `input` gives the memory of planned input i.
  void begin(std::uint64_t step, Index first_row, const std::function<const void*(std::size_t)>& input);
  // After it: throws NonFiniteError, with the parameters as they were before, if an output or a parameter's new numbers
  // are not finite and not meant so.
  void end(const std::function<Tensor(std::size_t)>& output, int threads);

 private:
  void require_graph() const;
  std::vector<Result> results() const;
  void restore() const;

  const Program& program_;
  RunInputs now_, last_good_;
  bool any_good_ = false;
};

}  // namespace xgrad::inline v0
