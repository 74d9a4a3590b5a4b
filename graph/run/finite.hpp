// Which operation made the first number that is NaN or infinite.
//
//   evaluate(y, feeds, {.check_finite = true});
//   plan.run(memory, {.step = 1, .check_finite = true});
//   model.fit(data, {.check_finite = true});
//
// All throw NonFiniteError if a result is NaN or infinite. It names the node that made the first such number out of
// finite ones, among those from which one leads on to a result: what `where` or a mask keeps away from every result is
// no matter. Infinities that the program gives, in constants and feeds, are taken as meant, and so is what carries them
// on; NaN never is, neither in constants and feeds nor if it is made from such infinities.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// What the numbers of a tensor are like.
struct Range {
  double low = 0, high = 0, mean = 0;  // of those that are finite; 0 if none is
  Index count = 0;                     // of all
  Index nans = 0, infinities = 0;

  bool finite() const { return nans == 0 && infinities == 0; }
  // For instance `from -1 to 2.5, mean 0.3` or `from 0 to 3, mean 1, and 2 of 64 NaN`.
  std::string str() const;
};
Range range_of(const Tensor& numbers);

// What a NonFiniteError says, part by part.
struct NonFinite {
  struct Part {
    std::string what;  // `output`, or `input 0: %3 sub f32[64, 10]`
    Range now;
    std::optional<Range> before;  // at the last good step, if there was one
  };
  NodeId node = 0;  // that made it; or the input or parameter that held it
  std::string op;   // its operation
  Role role = Role::forward;
  std::string layer;  // its scope
  std::string line;   // `model.cpp:42`; empty if it is not known
  Part output;
  std::vector<Part> inputs{};
  std::string reached;  // such as `it reaches the new value of "dense/kernel"`
  std::uint64_t step = 0;
  std::optional<std::uint64_t> last_good_step{};
};

class NonFiniteError : public ValueError {
 public:
  NonFiniteError(const std::string& message, NonFinite report) : ValueError(message), report_(std::move(report)) {}
  const NonFinite& report() const { return report_; }

 private:
  NonFinite report_;
};

}  // namespace xgrad::inline v0
