#include <xgrad/ops/constants.hpp>

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr double most = 0x1p40;  // maximum number of elements, far above any memory

// Throws UserError, prefixed by `where`, if the number overflows the dtype.
void require_in_range(const std::string& where, double number, DType dtype) {
  if (dtype == f32 && std::abs(number) > FLT_MAX)
    throw UserError(fmt::format("{}: {} is out of range for f32", where, number));
}

// Constant vector of `count` elements, computed in f64 from their positions.
template <class F>
Value row(Graph& graph, Index count, DType dtype, F number) {
  Tensor out({count}, dtype);
  with_dtype(dtype, [&](auto zero) {
    const auto numbers = out.mutable_values<decltype(zero)>();
    for (Index i = 0; i < count; ++i) numbers[static_cast<std::size_t>(i)] = static_cast<decltype(zero)>(number(i));
  });
  return graph.constant(out);
}

}  // namespace

Value full(Graph& graph, const Shape& shape, double value, std::optional<DType> dtype, SourceLocation at) {
  return composite(at, graph,
                   [&] { return broadcast_to(graph.constant(value, dtype.value_or(graph.options().dtype)), shape); });
}
Value zeros(Graph& graph, const Shape& shape, std::optional<DType> dtype, SourceLocation at) {
  return full(graph, shape, 0, dtype, at);
}
Value ones(Graph& graph, const Shape& shape, std::optional<DType> dtype, SourceLocation at) {
  return full(graph, shape, 1, dtype, at);
}

Value arange(Graph& graph, double begin, double end, double step, DType dtype, SourceLocation at) {
  return composite(at, graph, [&] {
    const auto text = [&] { return fmt::format("arange: from {} to {} by {}", begin, end, step); };
    if (dtype == boolean) throw DTypeError(text() + ": dtype must not be bool");
    if (!std::isfinite(begin) || !std::isfinite(end) || !std::isfinite(step))
      throw UserError(text() + ": begin, end and step must be finite");
    if (step == 0 || (end - begin) * step < 0)
      throw UserError(text() + ": step must be nonzero and point from begin to end");
    if (dtype == i64) {
      for (const double x : {begin, end, step}) {
        if (x != std::trunc(x))
          throw DTypeError(text() +
                           fmt::format(": {} is not an integer\n  hint: pass the dtype f32 or f64 for fractions", x));
      }
    }
    require_in_range(text(), begin, dtype);
    require_in_range(text(), end, dtype);
    const double count = std::ceil((end - begin) / step);
    if (!(count <= most))
      throw UserError(text() + fmt::format(": at most {1} elements are allowed, got {0}", count, most));
    for (const double x : {begin, end, step}) {
      if (dtype == i64 && std::abs(x) > 0x1p53)
        throw UserError(text() +
                        fmt::format(": {} is above 2^53, beyond which f64 does not represent all integers", x));
    }
    return row(graph, static_cast<Index>(count), dtype, [&](Index i) { return begin + static_cast<double>(i) * step; });
  });
}

Value linspace(Graph& graph, double begin, double end, Index count, std::optional<DType> dtype, SourceLocation at) {
  return composite(at, graph, [&] {
    const DType type = dtype.value_or(graph.options().dtype);
    if (!is_floating(type)) throw DTypeError(fmt::format("linspace: needs a floating dtype, not {}", name_of(type)));
    if (count < 0 || static_cast<double>(count) > most)
      throw UserError(fmt::format("linspace: count must be from 0 to {}, got {}", most, count));
    if (!std::isfinite(begin) || !std::isfinite(end))
      throw UserError(fmt::format("linspace: begin and end must be finite, got {} and {}", begin, end));
    require_in_range("linspace", begin, type);
    require_in_range("linspace", end, type);
    const auto steps = static_cast<double>(count - 1);
    const double span = end - begin;
    // end - begin may overflow.
    const double step = count < 2 ? 0 : std::isfinite(span) ? span / steps : end / steps - begin / steps;
    // Step from the nearer end, so that both ends are exact and the values symmetric.
    return row(graph, count, type, [&](Index i) {
      return i < (count + 1) / 2 ? begin + static_cast<double>(i) * step
                                 : end - static_cast<double>(count - 1 - i) * step;
    });
  });
}

Value eye(Graph& graph, Index rows, std::optional<Index> columns, std::optional<DType> dtype, SourceLocation at) {
  return composite(at, graph, [&] {
    const Index width = columns.value_or(rows);
    if (rows < 0 || width < 0)
      throw ShapeError(fmt::format("eye: rows and columns must be non-negative, got {} and {}", rows, width));
    Tensor out({rows, width}, dtype.value_or(graph.options().dtype));
    with_dtype(out.dtype(), [&](auto one) {
      one = 1;
      const auto numbers = out.mutable_values<decltype(one)>();
      for (Index i = 0; i < std::min(rows, width); ++i) numbers[static_cast<std::size_t>(i * width + i)] = one;
    });
    return graph.constant(out);
  });
}

std::vector<Value> meshgrid(const std::vector<Value>& axes, Indexing indexing, SourceLocation at) {
  return composite(at, axes, [&] {
    if (axes.empty()) throw ShapeError("meshgrid: needs at least one axis");
    const auto count = static_cast<Index>(axes.size());
    // The position of axis i in the grid.
    const auto place = [&](Index i) { return indexing == Indexing::xy && count > 1 && i < 2 ? 1 - i : i; };
    Shape grid;
    for (Index i = 0; i < count; ++i) {
      const Value axis = axes[static_cast<std::size_t>(place(i))];
      if (axis.shape().rank() != 1) {
        throw ShapeError(fmt::format("meshgrid: axis {} must be a vector\n  {}", place(i), axis.describe()));
      }
      grid.push_back(axis.shape()[0]);
    }
    std::vector<Value> out;
    for (Index i = 0; i < count; ++i) {
      std::vector<Index> extents(axes.size(), 1);
      extents[static_cast<std::size_t>(place(i))] = -1;
      out.push_back(broadcast_to(reshape(axes[static_cast<std::size_t>(i)], extents), grid));
    }
    return out;
  });
}

// ---- samples

std::vector<Composite> constants_composites() {
  return {
      {"meshgrid",
       "Coordinate tensors of a grid; here their weighted sum.",
       [](Inputs x, const Attrs& a) {
         const auto grid = meshgrid({x.begin(), x.end()}, a.flag("xy") ? Indexing::xy : Indexing::ij);
         Value total = grid[0];
         for (std::size_t i = 1; i < grid.size(); ++i) total = total * 2 + grid[i];
         return total;
       },
       {zero_second({"rows first", {{{3}}, {{5}}}, {{"xy", false}}}),
        zero_second({"columns first", {{{3}}, {{5}}}, {{"xy", true}}}),
        zero_second({"three axes", {{{2}}, {{3}}, {{2}}}, {{"xy", true}}}),
        zero_second({"one axis", {{{9}}}, {{"xy", false}}}),
        zero_second({"one element", {{{1}}, {{1}}}, {{"xy", false}}}),
        zero_gradient({"empty", {{{0}}, {{2}}}, {{"xy", false}}})},
       {{"matrix", {Tensor({2, 2}), Tensor::zeros({2})}, {{"xy", false}}, "meshgrid: axis 0 must be a vector"}}},
  };
}

}  // namespace xgrad::inline v0
