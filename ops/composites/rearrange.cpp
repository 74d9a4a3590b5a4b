// Composite functions that rearrange elements.
#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// Repeats an axis `times` times: each element (`each`) or the axis as a whole.
Value multiply_axis(Value x, int axis, Index times, bool each) {
  if (times == 1) return x;
  const int added = each ? axis + 1 : axis;
  return flatten(stretch(expand_dims(x, added), added, times), axis, axis + 1);
}

void require_count(const char* function, Index count, Value x) {
  if (count < 0)
    throw ShapeError(fmt::format("{}: count must be non-negative, got {}\n  {}", function, count, x.describe()));
}

constexpr Index most_pieces = 1 << 20;  // a larger count is assumed to be a mistake

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
  return composite(x, [&] {
    for (Index axis : normalize_axes(axes, x.shape().rank(), "flip")) x = slice(x, axis, -1, {}, -1);
    return x;
  });
}

Value roll(Operand x, Index shift, Index axis) {
  return composite(x, [&]() -> Value {
    const int along = axis_index(axis, x.shape().rank(), "roll");
    const Index extent = x.shape()[along];
    const Index places = extent == 0 ? 0 : shift % extent;
    if (places == 0) return x;
    return concat({slice(x, along, -places), slice(x, along, 0, -places)}, along);
  });
}

Value roll(Operand x, const std::vector<Index>& shifts, const Axes& axes) {
  return composite(x, [&] {
    if (shifts.size() != axes.size()) {
      throw ShapeError(fmt::format("roll: {} shifts for {} axes\n  {}", shifts.size(), axes.size(), x.describe()));
    }
    for (Index axis : axes) axis_index(axis, x.shape().rank(), "roll");
    for (std::size_t i = 0; i < axes.size(); ++i) x = roll(x, shifts[i], axes[i]);
    return x;
  });
}

Value roll(Operand x, Index shift) {
  return composite(x, [&] { return reshape_like(roll(flatten(x, 0), shift, 0), x); });
}

Value expand(Operand x, const std::vector<Index>& extents) {
  return composite(x, [&] {
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
  });
}

Value tile(Operand x, const std::vector<Index>& times) {
  return composite(x, [&] {
    for (Index t : times) require_count("tile", t, x);
    const auto count = static_cast<int>(times.size());
    while (x.shape().rank() < count) x = expand_dims(x, 0);
    for (int i = 0; i < count; ++i) {
      x = multiply_axis(x, x.shape().rank() - count + i, times[static_cast<std::size_t>(i)], false);
    }
    return x;
  });
}

Value repeat(Operand x, Index times, Index axis) {
  return composite(x, [&] {
    require_count("repeat", times, x);
    return multiply_axis(x, axis_index(axis, x.shape().rank(), "repeat"), times, true);
  });
}

Value stack(const std::vector<Value>& values, Index axis, SourceLocation at) {
  return composite(at, values, [&] {
    if (values.empty()) throw ShapeError("stack: needs at least one value");
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
  });
}

std::vector<Value> split(Operand x, const std::vector<Index>& sizes, Index axis) {
  return composite(x, [&] {
    const int along = axis_index(axis, x.shape().rank(), "split");
    Index total = 0;
    bool fits = true;
    for (Index size : sizes) {
      fits = fits && size >= 0 && size <= x.shape()[along] - total;
      total += fits ? size : 0;
    }
    if (!fits || total != x.shape()[along]) {
      throw ShapeError(fmt::format("split: the sizes [{}] do not add up to axis {} of extent {}\n  {}",
                                   list_text(sizes), along, x.shape()[along], x.describe()));
    }
    return cut(x, along, sizes);
  });
}

std::vector<Value> split(Operand x, Index size, Index axis) {
  return composite(x, [&] {
    const int along = axis_index(axis, x.shape().rank(), "split");
    if (size < 1) throw ShapeError(fmt::format("split: size must be at least 1, got {}\n  {}", size, x.describe()));
    if (x.shape()[along] / size > most_pieces) {
      throw ShapeError(fmt::format("split: axis {} of extent {} gives more than {} pieces of size {}\n  {}", along,
                                   x.shape()[along], most_pieces, size, x.describe()));
    }
    std::vector<Index> sizes;
    for (Index rest = x.shape()[along]; rest > 0; rest -= size) sizes.push_back(std::min(rest, size));
    if (sizes.empty()) sizes.push_back(0);  // an empty axis gives one empty piece
    return cut(x, along, sizes);
  });
}

std::vector<Value> chunk(Operand x, Index chunks, Index axis) {
  return composite(x, [&] {
    const int along = axis_index(axis, x.shape().rank(), "chunk");
    if (chunks < 1)
      throw ShapeError(fmt::format("chunk: chunks must be at least 1, got {}\n  {}", chunks, x.describe()));
    return split(x, std::max<Index>(1, x.shape()[along] / chunks + (x.shape()[along] % chunks != 0 ? 1 : 0)), along);
  });
}

Value masked_fill(Operand x, Operand mask, double value) {
  return composite(x, [&] {
    if (broadcast(x.shape(), mask.shape()) != x.shape()) {
      throw ShapeError(fmt::format("masked_fill: the mask {} does not broadcast to {}\n  x: {}\n  mask: {}",
                                   mask.shape().str(), x.shape().str(), x.describe(), mask.describe()));
    }
    return where(mask, value, x);
  });
}

// ---- samples

std::vector<Composite> rearrange_composites() {
  return {
      {"expand",
       "broadcast_to, where -1 keeps an extent.",
       [](Inputs x, const Attrs& a) { return expand(x[0], a.ints("n")); },
       {zero_second({"rows", {{{1, 5}}}, list_attrs({3, -1})}), zero_second({"new axis", {{{5}}}, list_attrs({2, -1})}),
        zero_second({"one element", {{{1}}}, list_attrs({-1})}),
        zero_second({"longer rows", {{{1, 17}}}, list_attrs({3, -1})}),
        zero_gradient({"empty", {{{1, 2}}}, list_attrs({0, -1})})},
       {{"new axis", {Tensor::zeros({5})}, list_attrs({-1, 5}), "a new axis has no extent to keep"},
        {"too few", {Tensor({2, 5})}, list_attrs({5}), "expand: [2, 5] does not expand to [5]"},
        {"other extent", {Tensor({2, 5})}, list_attrs({2, 4}), "does not broadcast"},
        {"too large", {Tensor::zeros({5})}, list_attrs({INT64_MAX, 5}), "expand: shape: too many elements"}}},
      {"tile",
       "Repeats the whole tensor along each axis.",
       [](Inputs x, const Attrs& a) { return tile(x[0], a.ints("n")); },
       {zero_second({"both axes", {{{2, 3}}}, list_attrs({2, 3})}),
        zero_second({"last axis", {{{2, 3}}}, list_attrs({2})}), zero_second({"new axis", {{{3}}}, list_attrs({2, 1})}),
        zero_second({"scalar", {{{}}}, list_attrs({9})}), zero_second({"once", {{{3}}}, list_attrs({1})}),
        zero_gradient({"never", {{{3}}}, list_attrs({0})}),
        zero_second({"longer rows", {{{3, 9}}}, list_attrs({2, 1})}),
        zero_gradient({"empty", {{{0, 2}}}, list_attrs({2, 2})})},
       {{"negative", {Tensor::zeros({3})}, list_attrs({-1}), "tile: count must be non-negative, got -1"}}},
      {"repeat",
       "Repeats each element along an axis.",
       [](Inputs x, const Attrs& a) { return repeat(x[0], a.integer("n"), a.integer("axis")); },
       {zero_second({"rows", {{{2, 3}}}, count_attrs(3, 0)}),
        zero_second({"negative axis", {{{2, 3}}}, count_attrs(2, -1)}),
        zero_second({"one element", {{{1}}}, count_attrs(1, 0)}),
        zero_second({"longer rows", {{{3, 17}}}, count_attrs(2, 1)}),
        zero_gradient({"empty", {{{0, 2}}}, count_attrs(2, 1)}), zero_gradient({"never", {{{3}}}, count_attrs(0, 0)})},
       {{"negative", {Tensor::zeros({3})}, count_attrs(-2, 0), "repeat: count must be non-negative, got -2"},
        {"axis", {Tensor::zeros({3})}, count_attrs(2, 1), "repeat: axis 1 is out of range"}}},
      {"flip",
       "Reverses the order along axes.",
       [](Inputs x, const Attrs& a) { return flip(x[0], a.ints("n")); },
       {zero_second({"all", {{{2, 9}}}, list_attrs({})}), zero_second({"negative axis", {{{3, 2}}}, list_attrs({-2})}),
        zero_second({"one element", {{{1}}}, list_attrs({0})}), zero_gradient({"empty", {{{0, 2}}}, list_attrs({})})},
       {{"axis", {Tensor::zeros({2})}, list_attrs({1}), "flip: axis 1"}}},
      {"roll",
       "Shifts elements along an axis; elements shifted out re-enter at the other end.",
       [](Inputs x, const Attrs& a) { return roll(x[0], a.integer("n"), a.integer("axis")); },
       {zero_second({"forward", {{{5}}}, count_attrs(2, 0)}),
        zero_second({"backward", {{{2, 7}}}, count_attrs(-3, -1)}),
        zero_second({"more than once around", {{{3, 2}}}, count_attrs(7, 0)}),
        zero_second({"all around", {{{3}}}, count_attrs(-3, 0)}),
        zero_second({"one element", {{{1}}}, count_attrs(1, 0)}),
        zero_second({"longer rows", {{{3, 17}}}, count_attrs(-5, 1)}),
        zero_gradient({"empty", {{{0}}}, count_attrs(1, 0)})},
       {{"axis", {Tensor::zeros({2})}, count_attrs(1, 1), "roll: axis 1"}}},
      {"roll of several axes",
       "Rolls one axis after the other.",
       [](Inputs x, const Attrs& a) {
         return roll(x[0], a.ints("n"), {0, -1});
       },
       {zero_second({"matrix", {{{3, 4}}}, list_attrs({1, -1})})},
       {{"counts", {Tensor({2, 2})}, list_attrs({1}), "roll: 1 shifts for 2 axes"}}},
      {"roll of all elements",
       "Rolls all elements in row-major order.",
       [](Inputs x, const Attrs& a) { return roll(x[0], a.integer("n")); },
       {zero_second({"matrix", {{{3, 4}}}, {{"n", Index{5}}}})}},
      {"stack",
       "Joins along a new axis.",
       [](Inputs x, const Attrs& a) {
         return stack({x.begin(), x.end()}, a.integer("axis"));
       },
       {zero_second({"rows", {{{3}}, {{3}}}, axis_attrs(0)}),
        zero_second({"last axis", {{{2, 3}}, {{2, 3}}, {{2, 3}}}, axis_attrs(-1)}),
        zero_second({"scalars", {{{}}, {{}}}, axis_attrs(0)}),
        zero_second({"longer rows", {{{17}}, {{17}}}, axis_attrs(-2)}),
        zero_gradient({"empty", {{{0}}, {{0}}}, axis_attrs(0)})},
       {{"shapes", {Tensor::zeros({3}), Tensor::zeros({4})}, axis_attrs(0), "stack: shapes differ: [3] and [4]"},
        {"axis", {Tensor::zeros({3})}, axis_attrs(2), "stack: axis 2"}}},
      {"split of one size",
       "Splits an axis into pieces of one size; here joined in reverse order.",
       [](Inputs x, const Attrs& a) {
         auto pieces = split(x[0], a.integer("n"), a.integer("axis"));
         return concat({pieces.rbegin(), pieces.rend()}, a.integer("axis"));
       },
       {zero_second({"uneven", {{{7}}}, count_attrs(3, 0)}),
        zero_second({"negative axis", {{{2, 4}}}, count_attrs(2, -1)}),
        zero_second({"one element", {{{1}}}, count_attrs(2, 0)}),
        zero_second({"longer rows", {{{3, 17}}}, count_attrs(8, 1)}),
        zero_gradient({"empty", {{{0}}}, count_attrs(2, 0)})},
       {{"size", {Tensor::zeros({3})}, count_attrs(0, 0), "split: size must be at least 1, got 0"}}},
      {"split of sizes",
       "Splits an axis into pieces of given sizes; here the second piece.",
       [](Inputs x, const Attrs& a) { return split(x[0], a.ints("n"), -1)[1]; },
       {zero_second({"three", {{{2, 6}}}, list_attrs({1, 3, 2})})},
       {{"sum",
         {Tensor::zeros({5})},
         list_attrs({2, 2}),
         "split: the sizes [2, 2] do not add up to axis 0 of extent 5"},
        {"negative", {Tensor::zeros({5})}, list_attrs({6, -1}), "split: the sizes"}}},
      {"chunk",
       "Splits an axis into equal pieces; here the last piece.",
       [](Inputs x, const Attrs& a) { return chunk(x[0], a.integer("n"), a.integer("axis")).back(); },
       {zero_second({"uneven", {{{7}}}, count_attrs(3, 0)}),
        zero_second({"fewer than asked", {{{2, 3}}}, count_attrs(5, -1)}),
        zero_second({"one element", {{{1}}}, count_attrs(1, 0)}),
        zero_second({"longer rows", {{{3, 17}}}, count_attrs(2, 1)}),
        zero_gradient({"empty", {{{0, 4}}}, count_attrs(2, 1)})},
       {{"none", {Tensor::zeros({3})}, count_attrs(0, 0), "chunk: chunks must be at least 1, got 0"}}},
      {"masked_fill",
       "A constant where the mask is true, x elsewhere.",
       [](Inputs x, const Attrs&) { return masked_fill(x[0], x[1], -1.5); },
       {zero_second({"matrix", {{{3, 17}}, {{3, 17}, domain::booleans()}}}),
        zero_second({"a mask for all rows", {{{3, 9}}, {{9}, domain::booleans()}}}),
        zero_gradient({"one element", {{{1}}, {{}, domain::booleans()}}}),
        zero_gradient({"empty", {{{0}}, {{0}, domain::booleans()}}})},
       {{"mask",
         {Tensor::zeros({3}), Tensor({2, 3}, boolean)},
         {},
         "masked_fill: the mask [2, 3] does not broadcast to [3]"},
        {"mask of f32", {Tensor::zeros({3}), Tensor::zeros({3})}, {}, "bool"}}},
  };
}

}  // namespace xgrad::inline v0
