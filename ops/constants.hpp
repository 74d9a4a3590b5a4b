// Tensors of known numbers, made while the graph is built.
#pragma once

#include <optional>
#include <vector>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// begin, begin + step, ... up to, not including, end. Throws UserError if step is 0 or leads away from the end,
// DTypeError for i64 unless all three are whole numbers.
Value arange(Graph& graph, double begin, double end, double step = 1, DType dtype = i64,
             SourceLocation at = SourceLocation::here());
// `count` numbers from begin to end, both included, at equal distances. Without a dtype in the graph's own.
Value linspace(Graph& graph, double begin, double end, Index count, std::optional<DType> dtype = {},
               SourceLocation at = SourceLocation::here());
// 1 on the diagonal, 0 elsewhere; square if no columns are given. Without a dtype in the graph's own.
Value eye(Graph& graph, Index rows, std::optional<Index> columns = {}, std::optional<DType> dtype = {},
          SourceLocation at = SourceLocation::here());

// The number in every element. Without a dtype in the graph's own. One number is stored, whatever the shape.
Value full(Graph& graph, const Shape& shape, double value, std::optional<DType> dtype = {},
           SourceLocation at = SourceLocation::here());
Value zeros(Graph& graph, const Shape& shape, std::optional<DType> dtype = {},
            SourceLocation at = SourceLocation::here());
Value ones(Graph& graph, const Shape& shape, std::optional<DType> dtype = {},
           SourceLocation at = SourceLocation::here());

// Coordinates of a grid from its axes, which are vectors: one tensor an axis, each of the shape of the grid. With `xy`
// the first two axes are exchanged, which is NumPy's default; `ij` is PyTorch's.
enum class Indexing { ij, xy };
std::vector<Value> meshgrid(const std::vector<Value>& axes, Indexing indexing = Indexing::ij,
                            SourceLocation at = SourceLocation::here());

}  // namespace xgrad::inline v0
