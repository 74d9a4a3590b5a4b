// Rearranging tensors: functions made of operations that move numbers.
#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// The axis, which becomes `times` as long: each of its elements, or all of them, repeated so often.
Value multiply_axis(Value x, int axis, Index times, bool each) {
  if (times == 1) return x;
  const int added = each ? axis + 1 : axis;
  return flatten(stretch(expand_dims(x, added), added, times), axis, axis + 1);
}

void require_count(const char* function, Index count, Value x) {
  if (count < 0) throw ShapeError(fmt::format("{}: {} times\n  {}", function, count, x.describe()));
}

constexpr Index most_pieces = 1 << 20;  // more nodes for one call can only be a slip

std::vector<Value> cut(Value x, int axis, const std::vector<Index>& sizes) {
  std::vector<Value> out;
  Index begin = 0;
  for (Index size : sizes) {
    out.push_back(slice(x, axis, begin, begin + size));
    begin += size;
  }
  return out;
}

}  // namespace

Value flip(Operand x, const Axes& axes) {
  const SourceLocationScope line(x);
  for (Index axis : normalize_axes(axes, x.shape().rank(), "flip")) x = slice(x, axis, -1, {}, -1);
  return x;
}

Value roll(Operand x, Index shift, Index axis) {
  const SourceLocationScope line(x);
  const int along = axis_index(axis, x.shape().rank(), "roll");
  const Index extent = x.shape()[along];
  const Index places = extent == 0 ? 0 : shift % extent;
  if (places == 0) return x;
  return concat({slice(x, along, -places), slice(x, along, 0, -places)}, along);
}

Value roll(Operand x, const std::vector<Index>& shifts, const Axes& axes) {
  const SourceLocationScope line(x);
  if (shifts.size() != axes.size()) {
    throw ShapeError(fmt::format("roll: {} shifts for {} axes\n  {}", shifts.size(), axes.size(), x.describe()));
  }
  for (Index axis : axes) axis_index(axis, x.shape().rank(), "roll");
  for (std::size_t i = 0; i < axes.size(); ++i) x = roll(x, shifts[i], axes[i]);
  return x;
}

Value roll(Operand x, Index shift) {
  const SourceLocationScope line(x);
  return reshape_like(roll(flatten(x, 0), shift, 0), x);
}

Value expand(Operand x, const std::vector<Index>& extents) {
  const SourceLocationScope line(x);
  const auto added = static_cast<int>(extents.size()) - x.shape().rank();
  const auto fail = [&](const char* why) {
    throw ShapeError(fmt::format("expand: {} does not expand to [{}]: {}\n  {}", x.shape().str(), list_text(extents),
                                 why, x.describe()));
  };
  if (added < 0) fail("there are more axes than extents");
  Axes out;
  for (int i = 0; i < static_cast<int>(extents.size()); ++i) {
    const Index extent = extents[static_cast<std::size_t>(i)];
    if (extent == -1 && i < added) fail("a new axis has no extent to keep");
    out.push_back(extent == -1 ? x.shape()[i - added] : extent);
  }
  return apply("broadcast_to", {x}, {{"shape", out}});
}

Value tile(Operand x, const std::vector<Index>& times) {
  const SourceLocationScope line(x);
  for (Index t : times) require_count("tile", t, x);
  const auto count = static_cast<int>(times.size());
  while (x.shape().rank() < count) x = expand_dims(x, 0);
  for (int i = 0; i < count; ++i) {
    x = multiply_axis(x, x.shape().rank() - count + i, times[static_cast<std::size_t>(i)], false);
  }
  return x;
}

Value repeat(Operand x, Index times, Index axis) {
  const SourceLocationScope line(x);
  require_count("repeat", times, x);
  return multiply_axis(x, axis_index(axis, x.shape().rank(), "repeat"), times, true);
}

Value stack(const std::vector<Value>& values, Index axis, SourceLocation at) {
  const SourceLocationScope line(at, values.empty() ? Value() : values[0], "stack");
  if (values.empty()) throw ShapeError("stack: there is nothing to join");
  const Shape& shape = values[0].shape();
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i].shape() == shape) continue;
    throw ShapeError(fmt::format("stack: shapes differ: {} and {}\n  value 0: {}\n  value {}: {}", shape.str(),
                                 values[i].shape().str(), values[0].describe(), i, values[i].describe()));
  }
  const int added = axis_index(axis, shape.rank() + 1, "stack");
  std::vector<Value> parts;
  for (const Value v : values) parts.push_back(expand_dims(v, added));
  return concat(parts, added);
}

std::vector<Value> split(Operand x, const std::vector<Index>& sizes, Index axis) {
  const SourceLocationScope line(x);
  const int along = axis_index(axis, x.shape().rank(), "split");
  Index total = 0;
  bool fits = true;
  for (Index size : sizes) {
    fits = fits && size >= 0 && size <= x.shape()[along] - total;
    total += fits ? size : 0;
  }
  if (!fits || total != x.shape()[along]) {
    throw ShapeError(fmt::format("split: the sizes [{}] do not make up axis {} of extent {}\n  {}", list_text(sizes),
                                 along, x.shape()[along], x.describe()));
  }
  return cut(x, along, sizes);
}

std::vector<Value> split(Operand x, Index size, Index axis) {
  const SourceLocationScope line(x);
  const int along = axis_index(axis, x.shape().rank(), "split");
  if (size < 1) throw ShapeError(fmt::format("split: pieces of size {}\n  {}", size, x.describe()));
  if (x.shape()[along] / size > most_pieces) {
    throw ShapeError(fmt::format("split: axis {} of extent {} gives more than {} pieces of size {}\n  {}", along,
                                 x.shape()[along], most_pieces, size, x.describe()));
  }
  std::vector<Index> sizes;
  for (Index rest = x.shape()[along]; rest > 0; rest -= size) sizes.push_back(std::min(rest, size));
  if (sizes.empty()) sizes.push_back(0);  // of nothing there is one empty piece
  return cut(x, along, sizes);
}

std::vector<Value> chunk(Operand x, Index chunks, Index axis) {
  const SourceLocationScope line(x);
  const int along = axis_index(axis, x.shape().rank(), "chunk");
  if (chunks < 1) throw ShapeError(fmt::format("chunk: {} pieces\n  {}", chunks, x.describe()));
  return split(x, std::max<Index>(1, x.shape()[along] / chunks + (x.shape()[along] % chunks != 0 ? 1 : 0)), along);
}

Value masked_fill(Operand x, Operand mask, double value) {
  const SourceLocationScope line(x);
  if (broadcast(x.shape(), mask.shape()) != x.shape()) {
    throw ShapeError(fmt::format("masked_fill: the mask {} does not broadcast to {}\n  x: {}\n  mask: {}",
                                 mask.shape().str(), x.shape().str(), x.describe(), mask.describe()));
  }
  return where(mask, value, x);
}

}  // namespace xgrad::inline v0
