// Indices of gathers and scatters: checks, attributes and loops that their operations share.
#pragma once

#include <algorithm>
#include <atomic>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/axis.hpp>

namespace xgrad::inline v0 {

// No index is valid on an axis of extent 0. Check here: for an empty result no kernel runs.
inline void require_elements(const Infer& in, int x, int axis) {
  if (in.shape(x)[axis] == 0 && in.shape(1).elements() > 0)
    in.fail_shape(fmt::format("every index is outside axis {} of extent 0", axis));
}

// Names the function that the user called, which may differ from the operation's. `where` says what the index names,
// for instance "axis 0 of extent 4".
[[noreturn]] inline void fail_index(const KernelCall& call, Index index, Index position, const std::string& where) {
  const std::string& function = call.attrs->has("function") ? call.attrs->text("function") : call.op->name;
  throw ValueError(fmt::format("{}: index {} at position {} is outside {}", function, index, position, where));
}

inline int axis_attr(const KernelCall& call) { return static_cast<int>(call.attrs->integer("axis")); }

// Whether n indices are in [0, extent). An index outside sets the sign bit of itself or of extent - 1 - index.
inline bool all_inside(const std::int64_t* index, Index n, Index extent) {
  const auto last = static_cast<std::uint64_t>(extent) - 1;
  std::uint64_t signs = 0;
  for (Index i = 0; i < n; ++i) {
    const auto place = static_cast<std::uint64_t>(index[i]);
    signs |= place | (last - place);
  }
  return signs >> 63 == 0;
}

// Throws ValueError for the first index (second input) outside [0, extent).
inline void check_indices(const KernelCall& call, Index extent) {
  const Index n = call.inputs[1].type.shape.elements();
  const auto* index = call.inputs[1].as<std::int64_t>();
  if (all_inside(index, n, extent)) return;
  const auto* bad = std::find_if(index, index + n, [&](std::int64_t i) { return i < 0 || i >= extent; });
  fail_index(call, *bad, bad - index, fmt::format("axis {} of extent {}", axis_attr(call), extent));
}

// Calls task(first, last) in parallel for ranges of [0, rows), once the indices of the range, `row` for each, are known
// to be in [0, extent). Throws ValueError as check_indices.
template <class F>
void for_checked_rows(const KernelCall& call, Index extent, Index rows, Index row, Index size, const F& task) {
  const auto* index = call.inputs[1].as<std::int64_t>();
  std::atomic<bool> inside = true;
  for_stretches(call.parallel, rows, size, [&](Index first, Index last) {
    if (all_inside(index + first * row, (last - first) * row, extent))
      task(first, last);
    else
      inside = false;
  });
  if (!inside) check_indices(call, extent);
}

// Adds the attribute "function", by which a kernel names the called function in errors, if that name differs from the
// operation's.
inline Attrs with_function(Attrs attrs, const char* op) {
  const std::string function = SourceLocationScope::function_or(op);
  if (function != op) attrs.set("function", function);
  return attrs;
}

inline Attrs along(Value x, Index axis, const char* op) {
  return with_function({{"axis", Index{axis_index(axis, x.shape().rank(), op)}}}, op);
}

}  // namespace xgrad::inline v0
