// Finds the operation that made the first NaN or infinity.
//
//   evaluate(y, feeds, {.check_finite = true});
//   plan.run(memory, {.step = 1, .check_finite = true});
//   model.fit(data, {.check_finite = true});
//
// Each throws NonFiniteError if a result is NaN or infinite. The error names the first node that computed a non-finite
// element from finite ones, if that element reaches a result; values that `where` or a mask discards do not count.
// Infinities in constants and feeds, and infinities computed from them, are accepted as intended. NaN is never
// accepted, not even in a feed or if it is computed from such infinities.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Summary of the elements of a tensor.
struct Range {
  double low = 0, high = 0, mean = 0;  // of the finite elements; 0 if there are none
  Index count = 0;                     // of all elements
  Index nans = 0, infinities = 0;

  bool finite() const { return nans == 0 && infinities == 0; }
  // For example `from -1 to 2.5, mean 0.3` or `from 0 to 3, mean 1, and 2 of 64 NaN`.
  std::string str() const;
};
// Summarizes the elements of a tensor.
Range range_of(const Tensor& numbers);

// The content of a NonFiniteError.
struct NonFinite {
  struct RangeChange {
    std::string what;  // `output`, or `input 0: %3 sub f32[64, 10]`
    Range now;
    std::optional<Range> before;  // at the last finite step, if there was one
  };
  NodeId node = 0;  // the node that computed the value, or the input or parameter that held it
  std::string op;   // the node's operation
  Role role = Role::forward;
  std::string layer;  // the node's scope
  std::string line;   // `model.cpp:42`; empty if unknown
  RangeChange output;
  std::vector<RangeChange> inputs{};
  std::string reached;  // such as `it reaches the new value of "dense/kernel"`
  std::uint64_t step = 0;
  std::optional<std::uint64_t> last_good_step{};
};

// A run with RunOptions::check_finite computed NaN or infinity.
class NonFiniteError : public ValueError {
 public:
  NonFiniteError(const std::string& message, NonFinite report) : ValueError(message), report_(std::move(report)) {}
  const NonFinite& report() const { return report_; }

 private:
  NonFinite report_;
};

}  // namespace xgrad::inline v0
