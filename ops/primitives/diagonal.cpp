// Diagonals and triangles of matrices. The k-th diagonal holds the elements whose column is k more than their row.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/internal/strided_copy.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index most = Index{1} << 56;  // no shape has more elements

Attrs diagonal_attrs(Index k) { return {{"k", k}}; }

void require_matrix(const Infer& in, const Shape& shape) {
  if (shape.rank() < 2) in.fail_shape(fmt::format("{} must have at least 2 axes", shape.str()));
}

// The k-th diagonal of a matrix: its length, and the row-major index of its first element.
struct Diagonal {
  Index length, first;
  Diagonal(const Shape& matrix, Index k) {
    const Index rows = matrix[matrix.rank() - 2];
    const Index columns = matrix.back();
    const Index right = std::clamp<Index>(k, 0, columns);
    const Index down = std::clamp<Index>(k, -rows, 0);
    length = std::min(rows + down, columns - right);
    first = length == 0 ? 0 : right - down * columns;
  }
};

// The shape of the diagonals of all matrices.
Shape diagonal_shape(const Shape& matrices, Index k) {
  Shape out = without_last(matrices, 2);
  out.push_back(Diagonal(matrices, k).length);
  return out;
}

// Strides that step through a tensor of matrices along its diagonals.
Strides diagonal_strides(const Shape& matrices) {
  Strides out = matrices.strides();
  out[static_cast<std::size_t>(matrices.rank() - 2)] = matrices.back() + 1;
  return out;
}

BadSample bad_vector() { return {"vector", {Tensor::zeros({3})}, diagonal_attrs(0), "[3] must have at least 2 axes"}; }

struct DiagonalOf : Operation {
  static constexpr const char* name = "diagonal";
  static constexpr const char* doc =
      "Diagonal k of the matrices in the last two axes, [..., m, n] to [..., length]; k > 0 lies above the main "
      "diagonal. Empty for k outside the matrix.";
  static TensorType infer(const Infer& in) {
    require_matrix(in, in.shape(0));
    return {in.dtype(0), diagonal_shape(in.shape(0), in.attrs().integer("k"))};
  }
  static void kernel(const KernelCall& call) {
    const TensorType& from = call.inputs[0].type;
    const Diagonal diagonal(from.shape, call.attrs->integer("k"));
    const Shape& shape = call.output.type.shape;
    strided_copy(shape, at(call.inputs[0].data, diagonal.first, from.dtype), diagonal_strides(from.shape),
                 call.output.data, shape.strides(), size_of(from.dtype), call.parallel);
  }
  static constexpr auto batch = batch_broadcast;
  static Cotangents vjp(const Vjp& r) { return apply("from_diagonal", {r.cotangent(), r.input(0)}, r.attrs()); }
  static std::vector<Sample> samples() {
    return {zero_second({"square", {{{4, 4}}}, diagonal_attrs(0)}),
            zero_second({"above", {{{3, 5}}}, diagonal_attrs(2)}),
            zero_second({"below", {{{5, 3}}}, diagonal_attrs(-1)}),
            zero_second({"batch", {{{2, 17, 17}}}, diagonal_attrs(0)}),
            zero_second({"one element", {{{1, 1}}}, diagonal_attrs(0)}),
            zero_gradient({"outside", {{{2, 3}}}, diagonal_attrs(3)}),
            zero_gradient({"far outside", {{{2, 3}}}, diagonal_attrs(INT64_MIN)}),
            zero_gradient({"empty", {{{0, 3}}}, diagonal_attrs(0)})};
  }
  static std::vector<BadSample> bad_samples() { return {bad_vector()}; }
};

struct FromDiagonal : Operation {
  static constexpr int min_inputs = 1, max_inputs = 2;
  static constexpr const char* name = "from_diagonal";
  static constexpr const char* doc =
      "Matrices with the vectors in the last axis on diagonal k and zeros elsewhere. The matrices are square and as "
      "small as possible, or have the shape of the second input. Reverse of diagonal.";
  static Traits traits() { return {.shape_only = 2}; }
  static TensorType infer(const Infer& in) {
    const Index k = in.attrs().integer("k");
    const Shape& from = in.shape(0);
    if (in.count() == 2) {
      require_matrix(in, in.shape(1));
      const Shape expected = diagonal_shape(in.shape(1), k);
      if (from != expected)
        in.fail_shape(fmt::format("the diagonal of {} is {}, not {}", in.shape(1).str(), expected.str(), from.str()));
      return {in.dtype(0), in.shape(1)};
    }
    if (from.rank() == 0) in.fail_shape("the input must have at least 1 axis");
    if (k > most || k < -most) in.fail_shape(fmt::format("k = {} is out of range", k));
    Shape out = from;
    out.set(out.rank() - 1, out.back() + std::abs(k));
    out.push_back(out.back());
    return {in.dtype(0), out};
  }
  static void kernel(const KernelCall& call) {
    const TensorType& to = call.output.type;
    const Diagonal diagonal(to.shape, call.attrs->integer("k"));
    const Shape& shape = call.inputs[0].type.shape;
    std::memset(call.output.data, 0, to.bytes());
    strided_copy(shape, call.inputs[0].data, shape.strides(), at(call.output.data, diagonal.first, to.dtype),
                 diagonal_strides(to.shape), size_of(to.dtype), call.parallel);
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    const Value c = apply("diagonal", {r.cotangent()}, r.attrs());
    return r.count() == 2 ? Cotangents{c, Value{}} : Cotangents(c);
  }
  static std::vector<Sample> samples() {
    return {zero_second({"square", {{{3}}}, diagonal_attrs(0)}),
            zero_second({"above", {{{2, 3}}}, diagonal_attrs(2)}),
            zero_second({"below", {{{9}}}, diagonal_attrs(-1)}),
            zero_second({"one element", {{{1}}}, diagonal_attrs(0)}),
            zero_second({"rectangle", {{{3}}, {{3, 5}}}, diagonal_attrs(1)}),
            zero_second({"batch", {{{2, 2}}, {{2, 4, 3}}}, diagonal_attrs(-2)}),
            zero_gradient({"no element", {{{0}}}, diagonal_attrs(2)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"scalar", {Tensor(1.0F)}, diagonal_attrs(0), "the input must have at least 1 axis"},
            {"too far out", {Tensor::zeros({2})}, diagonal_attrs(INT64_MIN), "is out of range"},
            {"other length",
             {Tensor::zeros({2}), Tensor({3, 3})},
             diagonal_attrs(0),
             "the diagonal of [3, 3] is [3], not [2]"}};
  }
};

// tril and triu are linear: the vjp applies the same operation to the cotangent.
template <bool upper>
struct Triangle : Operation {
  static TensorType infer(const Infer& in) {
    require_matrix(in, in.shape(0));
    static_cast<void>(in.attrs().integer("k"));
    return same_type(in);
  }
  static void kernel(const KernelCall& call) {
    const Shape& shape = call.output.type.shape;
    const Index rows = shape[shape.rank() - 2];
    const Index columns = shape.back();
    const Index k = std::clamp(call.attrs->integer("k"), -rows - 1, columns + 1);
    const DType dtype = call.output.type.dtype;
    const auto bytes = [&](Index count) { return static_cast<std::size_t>(count) * size_of(dtype); };
    for_each_in_stretches(call.parallel, shape.elements() / columns, (1 << 15) / columns, [&](Index row) {
      // The diagonal belongs to both triangles.
      const Index edge = std::clamp<Index>(row % rows + k + (upper ? 0 : 1), 0, columns);
      const char* in = at(call.inputs[0].data, row * columns, dtype);
      char* out = at(call.output.data, row * columns, dtype);
      const std::size_t left = bytes(edge);
      const std::size_t right = bytes(columns - edge);
      if (upper) {
        std::memset(out, 0, left);
        std::memcpy(out + left, in + left, right);
      } else {
        std::memcpy(out, in, left);
        std::memset(out + left, 0, right);
      }
    });
  }
  static constexpr auto batch = batch_broadcast;
  static Cotangents vjp(const Vjp& r) { return apply(upper ? "triu" : "tril", {r.cotangent()}, r.attrs()); }
  static std::vector<Sample> samples() {
    return {zero_second({"square", {{{4, 4}}}, diagonal_attrs(0)}),
            zero_second({"wide", {{{3, 17}}}, diagonal_attrs(2)}),
            zero_second({"tall", {{{9, 2}}}, diagonal_attrs(-1)}),
            zero_second({"batch", {{{2, 3, 3}}}, diagonal_attrs(0)}),
            zero_second({"many rows", {{{3, 200, 150}}}, diagonal_attrs(-7)}),
            zero_second({"one element", {{{1, 1}}}, diagonal_attrs(0)}),
            zero_gradient({"empty", {{{0, 3}}}, diagonal_attrs(0)})};
  }
  static std::vector<BadSample> bad_samples() { return {bad_vector()}; }
};

struct Tril : Triangle<false> {
  static constexpr const char* name = "tril";
  static constexpr const char* doc =
      "Lower triangle: keeps the elements on and below diagonal k of the matrices in the last two axes, zeros "
      "elsewhere.";
};

struct Triu : Triangle<true> {
  static constexpr const char* name = "triu";
  static constexpr const char* doc =
      "Upper triangle: keeps the elements on and above diagonal k of the matrices in the last two axes, zeros "
      "elsewhere.";
};

}  // namespace

void register_diagonal(OpRegistry& registry) { add_operations<DiagonalOf, FromDiagonal, Tril, Triu>(registry); }

Value diagonal(Operand x, Index k) { return apply("diagonal", {x}, diagonal_attrs(k)); }
Value tril(Operand x, Index k) { return apply("tril", {x}, diagonal_attrs(k)); }
Value triu(Operand x, Index k) { return apply("triu", {x}, diagonal_attrs(k)); }

Value diag(Operand x, Index k) {
  return composite(x, [&] {
    const int rank = x.shape().rank();
    if (rank != 1 && rank != 2) {
      throw ShapeError(
          fmt::format("diag: needs a vector or a matrix, not rank {}\n  {}\n  hint: diagonal(x) takes "
                      "batches of matrices",
                      rank, x.describe()));
    }
    return rank == 2 ? diagonal(x, k) : apply("from_diagonal", {x}, diagonal_attrs(k));
  });
}

Value trace(Operand x) {
  return composite(x, [&] { return sum(diagonal(x), {-1}); });
}

// ---- samples

namespace {

Sample linear(const char* label, Shape x, Index k) { return zero_second({label, {{x}}, {{"k", k}}}); }
Sample nothing(const char* label, Shape x) { return zero_gradient({label, {{x}}, diagonal_attrs(0)}); }

}  // namespace

std::vector<Composite> diagonal_composites() {
  return {
      {"diag",
       "Matrix to its diagonal, or vector to a matrix with that diagonal.",
       [](Inputs x, const Attrs& a) { return diag(x[0], a.integer("k")); },
       {linear("matrix", {3, 4}, 1), linear("vector", {3}, -1), linear("one element", {1, 1}, 0),
        linear("longer vector", {17}, 2), nothing("no rows", {0, 3}), nothing("empty", {0})},
       {{"batch", {Tensor({2, 2, 2})}, diagonal_attrs(0), "diag: needs a vector or a matrix, not rank 3"}}},
      {"trace",
       "The sum of the diagonal.",
       [](Inputs x, const Attrs&) { return trace(x[0]); },
       {linear("matrix", {4, 3}, 0), linear("batch", {2, 3, 3}, 0), linear("one element", {1, 1}, 0),
        linear("larger matrix", {17, 19}, 0), nothing("no rows", {0, 3})},
       {bad_vector()}},
  };
}

}  // namespace xgrad::inline v0
