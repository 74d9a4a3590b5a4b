// Constant tensors, computed while the graph is built. An absent dtype means the graph's default dtype.
#pragma once

#include <optional>
#include <vector>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// begin, begin + step, ..., excluding end. Throws UserError if step is 0 or points away from end, DTypeError for i64
// unless begin, end and step are integers.
Value arange(Graph& graph, double begin, double end, double step = 1, DType dtype = i64,
             SourceLocation at = SourceLocation::here());
// `count` evenly spaced values from begin to end, both included.
Value linspace(Graph& graph, double begin, double end, Index count, std::optional<DType> dtype = {},
               SourceLocation at = SourceLocation::here());
// Identity matrix [rows, columns]: 1 on the main diagonal, 0 elsewhere. `columns` defaults to `rows`.
Value eye(Graph& graph, Index rows, std::optional<Index> columns = {}, std::optional<DType> dtype = {},
          SourceLocation at = SourceLocation::here());

// A tensor filled with `value`. The graph stores one element and broadcasts it to `shape`.
Value full(Graph& graph, const Shape& shape, double value, std::optional<DType> dtype = {},
           SourceLocation at = SourceLocation::here());
// A tensor of zeros, like full(graph, shape, 0).
Value zeros(Graph& graph, const Shape& shape, std::optional<DType> dtype = {},
            SourceLocation at = SourceLocation::here());
// A tensor of ones, like full(graph, shape, 1).
Value ones(Graph& graph, const Shape& shape, std::optional<DType> dtype = {},
           SourceLocation at = SourceLocation::here());

// Order of the axes of a grid: `xy` swaps the first two (NumPy's default), `ij` does not (PyTorch's default).
enum class Indexing { ij, xy };
// Coordinate tensors of a grid, one per axis, each with the shape of the grid. `axes` are vectors.
std::vector<Value> meshgrid(const std::vector<Value>& axes, Indexing indexing = Indexing::ij,
                            SourceLocation at = SourceLocation::here());

}  // namespace xgrad::inline v0
