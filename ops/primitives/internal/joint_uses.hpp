// Groups of nodes that read one tensor, for vjps of operations with the trait `joint_vjp`.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// Splits uses into groups of equal kind, in order; alike(a, b) is an equivalence relation.
template <class F>
std::vector<std::vector<Vjp>> grouped(std::span<const Vjp> uses, F alike) {
  std::vector<std::vector<Vjp>> out;
  for (const Vjp& use : uses) {
    auto group = std::find_if(out.begin(), out.end(), [&](const auto& known) { return alike(known[0], use); });
    if (group == out.end()) group = out.insert(out.end(), std::vector<Vjp>());
    group->push_back(use);
  }
  return out;
}

inline bool along_one_axis(const Vjp& a, const Vjp& b) {
  return a.attrs().integer("axis") == b.attrs().integer("axis");
}

}  // namespace xgrad::inline v0
