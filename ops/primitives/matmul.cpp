// The matrix product.
#include <algorithm>
#include <memory>
#include <string>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/kernels/kernels.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// Note [Long sums]. The kernels add terms in order, by blocks. Sums of more than `most_terms` terms are split into
// products of nearly equal length, which are added pairwise. Rounding errors then grow with log k, as those of `sum`.
constexpr Index most_terms = 1 << 11;

// The sizes of one matrix product, and the extents of the batch axes.
struct Sizes {
  Index m, n, k_of_a, k_of_b;
  Shape batch_a, batch_b;
};

Sizes sizes_of(const Shape& a, const Shape& b, bool transpose_a, bool transpose_b) {
  const int ra = a.rank();
  const int rb = b.rank();
  Sizes out{a[ra - 2], b[rb - 1], a[ra - 1], b[rb - 2], without_last(a, 2), without_last(b, 2)};
  if (transpose_a) std::swap(out.m, out.k_of_a);
  if (transpose_b) std::swap(out.n, out.k_of_b);
  return out;
}

Attrs turned(bool a, bool b) { return {{"transpose_a", a}, {"transpose_b", b}}; }

// For samples.
Sample product(const char* label, Shape a, Shape b, Attrs attrs = turned(false, false)) {
  const bool nothing = a.elements() == 0 || b.elements() == 0;
  return {.label = label, .inputs = {{a}, {b}}, .attrs = std::move(attrs), .zero_gradient = nothing};
}

struct Matmul : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "matmul";
  static constexpr const char* doc =
      "Matrix product over the last two axes, [..., m, k] by [..., k, n] to [..., m, n]; batch axes broadcast. "
      "transpose_a and transpose_b swap an operand's last two axes.";
  static Traits traits() { return {.supports_epilogue = true}; }

  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    in.require_same_dtype(0, 1);
    for (int i : {0, 1}) {
      if (in.shape(i).rank() < 2) {
        in.fail_shape(fmt::format("input {} must have at least 2 axes, got {}", i, in.shape(i).rank()),
                      "reshape a vector to a row [1, n] or a column [n, 1]");
      }
    }
    const bool ta = in.attrs().flag("transpose_a");
    const bool tb = in.attrs().flag("transpose_b");
    const Sizes s = sizes_of(in.shape(0), in.shape(1), ta, tb);
    if (s.k_of_a != s.k_of_b) {
      std::string hint;
      if (s.k_of_a == s.n)
        hint = fmt::format("with transpose_b = {} they would fit", !tb);
      else if (s.m == s.k_of_b)
        hint = fmt::format("with transpose_a = {} they would fit", !ta);
      in.fail_shape(
          fmt::format("inner dimensions differ: {}{} x {}{} ({} vs {})", in.shape(0).str(), ta ? " transposed" : "",
                      in.shape(1).str(), tb ? " transposed" : "", s.k_of_a, s.k_of_b),
          hint);
    }
    const auto outer = broadcast(s.batch_a, s.batch_b);
    if (!outer)
      in.fail_shape(
          fmt::format("the axes before the matrices do not broadcast: {} and {}", s.batch_a.str(), s.batch_b.str()));
    Shape out = *outer;
    out.push_back(s.m);
    out.push_back(s.n);
    return {in.dtype(0), out};
  }

  // The sizes and strides of one matrix product, without pointers.
  static MatmulArgs args_of(const Shape& a, const Shape& b, const Attrs& attrs) {
    const Index a_rows = a[a.rank() - 2], a_columns = a.back();
    const Index b_rows = b[b.rank() - 2], b_columns = b.back();
    MatmulArgs args;
    args.transpose_a = attrs.flag("transpose_a");
    args.transpose_b = attrs.flag("transpose_b");
    args.m = args.transpose_a ? a_columns : a_rows;
    args.k = args.transpose_a ? a_rows : a_columns;
    args.n = args.transpose_b ? b_rows : b_columns;
    args.a_stride = a_columns;
    args.b_stride = b_columns;
    args.c_stride = args.n;
    return args;
  }

  // The prepared products: one per batch element; or a single one if b is one matrix and a is not transposed, since the
  // rows of all batch elements then form one matrix.
  struct Job {
    PreparedMatmul product;  // the product of one part of k
    PreparedMatmul last;     // the product of the last part, which may be shorter, if there are several
    Index parts = 1;         // see Note [Long sums]
    Index batches = 1;
    std::array<Index, Shape::max_rank> strides_a{}, strides_b{};  // by batch axis, in matrices
    Shape batch;
  };
  static Job job_of(const TensorType& a, const TensorType& b, const TensorType& out, const Attrs& attrs) {
    Job job;
    MatmulArgs args = args_of(a.shape, b.shape, attrs);
    const Sizes s = sizes_of(a.shape, b.shape, args.transpose_a, args.transpose_b);
    job.batch = without_last(out.shape, 2);
    job.batches = job.batch.elements();
    if (s.batch_b.elements() == 1 && !args.transpose_a && s.batch_a.elements() == job.batches) {
      args.m *= job.batches;
      job.batches = 1;
      job.batch = {};
    }
    job.strides_a = broadcast_strides(job.batches == 1 ? Shape{} : s.batch_a, job.batch);
    job.strides_b = broadcast_strides(job.batches == 1 ? Shape{} : s.batch_b, job.batch);
    const Index k = args.k;
    if (k > most_terms && args.m > 0 && args.n > 0) {
      args.k = (k + (k + most_terms - 1) / most_terms - 1) / ((k + most_terms - 1) / most_terms);
      job.parts = (k + args.k - 1) / args.k;
    }
    job.product = kernels().prepare_matmul(out.dtype, args);
    if (job.parts == 1) return job;
    args.k = k - (job.parts - 1) * args.k;
    job.last = kernels().prepare_matmul(out.dtype, args);
    return job;
  }

  static std::size_t scratch_bytes(std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
    const Job job = job_of(in[0], in[1], out, attrs);
    std::size_t sums = 0;
    for (Index parts = job.parts; parts > 1; parts = (parts + 1) / 2) sums += sum_bytes(job);
    return sums + std::max(job.product.scratch_bytes, job.last.scratch_bytes);
  }
  // Bytes of a partial sum, rounded up so that the next buffer is aligned.
  static std::size_t sum_bytes(const Job& job) {
    const MatmulArgs& sizes = job.product.sizes;
    return static_cast<std::size_t>(sizes.m * sizes.n) * sizeof(double) / 64 * 64 + 64;
  }
  static std::shared_ptr<const void> prepare(std::span<const TensorType> in, const TensorType& out,
                                             const Attrs& attrs) {
    return std::make_shared<const Job>(job_of(in[0], in[1], out, attrs));
  }

  static double flops(std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
    const Shape& a = in[0].shape;
    return 2 * static_cast<double>(out.shape.elements()) *
           static_cast<double>(a[a.rank() - (attrs.flag("transpose_a") ? 2 : 1)]);
  }

  static void kernel(const KernelCall& call) {
    if (call.prepared != nullptr) return run(*static_cast<const Job*>(call.prepared), call);
    run(job_of(call.inputs[0].type, call.inputs[1].type, call.output.type, *call.attrs), call);
  }
  static void run(const Job& job, const KernelCall& call) {
    const PreparedMatmul& product = job.product;
    if (job.parts > 1) return run_parts(job, call);
    if (job.batches == 1) {  // skip the loop below, whose overhead matters for small products
      return product(call.inputs[0].data, call.inputs[1].data, call.output.data, call.scratch, call.parallel,
                     call.on_rows_ready);
    }
    const Index m = product.sizes.m;
    each_batch(job, product.sizes.k, call, [&](Index i, const char* a, const char* b, char* c) {
      const auto on_rows_ready = [&](Index first, Index last) { (*call.on_rows_ready)(i * m + first, i * m + last); };
      const RangeRef done = on_rows_ready;
      product(a, b, c, call.scratch, call.parallel, call.on_rows_ready == nullptr ? nullptr : &done);
    });
  }
  // Calls f(i, a, b, c) with the matrices of each product i.
  template <class F>
  static void each_batch(const Job& job, Index k, const KernelCall& call, F f) {
    const Index m = job.product.sizes.m, n = job.product.sizes.n;
    const auto bytes = static_cast<Index>(size_of(call.output.type.dtype));
    for (Index i = 0; i < job.batches; ++i) {
      Index at_a = 0, at_b = 0, rest = i;
      for (int axis = job.batch.rank() - 1; axis >= 0; --axis) {
        const auto x = static_cast<std::size_t>(axis);
        at_a += rest % job.batch[axis] * job.strides_a[x];
        at_b += rest % job.batch[axis] * job.strides_b[x];
        rest /= job.batch[axis];
      }
      f(i, call.inputs[0].as<char>() + at_a * m * k * bytes, call.inputs[1].as<char>() + at_b * n * k * bytes,
        call.output.as<char>() + i * m * n * bytes);
    }
  }
  static void run_parts(const Job& job, const KernelCall& call) {
    const Index k = (job.parts - 1) * job.product.sizes.k + job.last.sizes.k;
    const Index m = job.product.sizes.m;
    each_batch(job, k, call, [&](Index i, const char* a, const char* b, char* c) {
      with_floating(call.output.type.dtype, [&](auto zero) {
        add_parts<decltype(zero)>(job, call, a, b, {0, job.parts}, c, static_cast<char*>(call.scratch));
      });
      if (call.on_rows_ready != nullptr) (*call.on_rows_ready)(i * m, (i + 1) * m);
    });
  }
  struct PartRange {
    Index first, last;
  };
  // Sums the products of the parts pairwise into c. `scratch` holds one sum per level of the recursion, then the
  // scratch memory of the products.
  template <class T>
  static void add_parts(const Job& job, const KernelCall& call, const char* a, const char* b, PartRange parts, char* c,
                        char* scratch) {
    const MatmulArgs& sizes = job.product.sizes;
    if (parts.last - parts.first == 1) {
      const Index at = parts.first * sizes.k * static_cast<Index>(sizeof(T));
      const PreparedMatmul& product = parts.last == job.parts ? job.last : job.product;
      product(a + (sizes.transpose_a ? at * sizes.a_stride : at), b + (sizes.transpose_b ? at : at * sizes.b_stride), c,
              scratch, call.parallel);
      return;
    }
    const Index middle = (parts.first + parts.last + 1) / 2;
    char* const deeper = scratch + sum_bytes(job);
    add_parts<T>(job, call, a, b, {parts.first, middle}, c, deeper);
    add_parts<T>(job, call, a, b, {middle, parts.last}, scratch, deeper);
    T* const sum = reinterpret_cast<T*>(c);
    const T* const other = reinterpret_cast<const T*>(scratch);
    for_stretches(call.parallel, sizes.m * sizes.n, Index{1} << 15, [&](Index first, Index last) {
      for (Index i = first; i < last; ++i) sum[i] += other[i];
    });
  }

  static void reference(const KernelCall& call) {
    const bool ta = call.attrs->flag("transpose_a");
    const bool tb = call.attrs->flag("transpose_b");
    const Shape& sa = call.inputs[0].type.shape;
    const Shape& sb = call.inputs[1].type.shape;
    const Shape& so = call.output.type.shape;
    const Sizes s = sizes_of(sa, sb, ta, tb);
    const Shape outer = without_last(so, 2);
    const auto to_a = broadcast_strides(s.batch_a, outer);
    const auto to_b = broadcast_strides(s.batch_b, outer);
    const auto outer_strides = outer.strides();
    for (Index flat = 0; flat < so.elements(); ++flat) {
      const Index i = flat / s.n % s.m;
      const Index j = flat % s.n;
      const Index which = flat / (s.m * s.n);
      Index at_a = 0, at_b = 0;
      for (int axis = 0; axis < outer.rank(); ++axis) {
        const auto x = static_cast<std::size_t>(axis);
        const Index at = which / outer_strides[x] % outer[axis];
        at_a += at * to_a[x];
        at_b += at * to_b[x];
      }
      const double* a = call.inputs[0].as<double>() + at_a * s.m * s.k_of_a;
      const double* b = call.inputs[1].as<double>() + at_b * s.n * s.k_of_a;
      double sum = 0;
      for (Index k = 0; k < s.k_of_a; ++k)
        sum += a[ta ? k * s.m + i : i * s.k_of_a + k] * b[tb ? j * s.k_of_a + k : k * s.n + j];
      call.output.as<double>()[flat] = sum;
    }
  }

  static constexpr auto batch = batch_broadcast;
  // For c = a b: da = dc b^T and db = a^T dc; for a transposed operand, the transpose of its rule.
  static Cotangents vjp(const Vjp& r) {
    const bool ta = r.attrs().flag("transpose_a");
    const bool tb = r.attrs().flag("transpose_b");
    const Value a = r.input(0);
    const Value b = r.input(1);
    const Value c = r.cotangent();
    const Value da = ta ? matmul(b, c, tb, true) : matmul(c, b, false, !tb);
    Value rows = a;
    Value row_cotangents = c;
    if (!ta && b.shape().rank() == 2 && a.shape().rank() > 2) {
      // All batch elements share b: one product over all rows replaces a sum of products.
      rows = flatten(a, 0, -2);
      row_cotangents = flatten(c, 0, -2);
    }
    return {da, tb ? matmul(row_cotangents, rows, true, ta) : matmul(rows, row_cotangents, !ta, false)};
  }

  static std::vector<Sample> samples() {
    return {product("one by one", {1, 1}, {1, 1}),
            product("small", {2, 3}, {3, 4}),
            product("left transposed", {3, 2}, {3, 4}, turned(true, false)),
            product("right transposed", {2, 3}, {4, 3}, turned(false, true)),
            product("both transposed", {3, 2}, {4, 3}, turned(true, true)),
            product("row by matrix", {1, 9}, {9, 17}),
            product("matrix by column", {7, 9}, {9, 1}),
            product("odd sizes", {7, 5}, {5, 19}),
            product("batch", {2, 3, 4}, {2, 4, 5}),
            product("batch, transposed", {2, 4, 3}, {2, 5, 4}, turned(true, true)),
            product("one matrix for a batch", {2, 3, 4}, {4, 5}),
            product("one transposed matrix for a batch", {2, 4, 3}, {4, 5}, turned(true, false)),
            product("batches that broadcast", {2, 1, 3, 4}, {3, 4, 2}),
            product("inner dimension 0", {2, 0}, {0, 3}),
            product("no rows", {0, 3}, {3, 2})};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs plain = turned(false, false);
    return {{"inner dimensions", {Tensor({32, 64}), Tensor({10, 64})}, plain, "[32, 64] x [10, 64] (64 vs 10)"},
            {"vector", {Tensor::zeros({3}), Tensor({3, 2})}, plain, "at least 2 axes, got 1"},
            {"batches", {Tensor({2, 3, 4}), Tensor({3, 4, 5})}, plain, "do not broadcast"},
            {"integers", {Tensor({2, 2}, i64), Tensor({2, 2}, i64)}, plain, "i64"},
            {"two dtypes", {Tensor({2, 2}), Tensor({2, 2}, f64)}, plain, "dtype"}};
  }
};

// ---- rewrite rules

bool is_transposed(Value product, const char* which) { return product.graph().attrs(product.id()).flag(which); }
bool is_matrix(Value v) { return v.shape().rank() == 2; }

// For one row or column, a transposed operand selects another kernel with another reduction order: no rewrite.
template <bool left>
Value without_transpose(const Match& m) {
  const Shape& shape = m.root.shape();
  if (shape[0] <= 1 || shape[1] <= 1) return {};
  return matmul(m["a"], m["b"], is_transposed(m.root, "transpose_a") != left,
                is_transposed(m.root, "transpose_b") == left);
}

// Whether v has one element per column of the matrix: [columns] or [1, columns].
bool is_row_of(Value v, Value matrix) {
  return v.shape().elements() == matrix.shape().back() && v.shape().back() == matrix.shape().back() &&
         v.shape().rank() >= 1 && v.shape().rank() <= matrix.shape().rank() && v.dtype() == matrix.dtype();
}

// v * scale, with the scale multiplied into the right operand of a matrix product. Empty unless v is such a product,
// possibly followed by per-column terms and factors.
Value scaled(Value v, Value scale) {
  Graph& graph = v.graph();
  const OpDef* op = v.node().op;
  if (graph.inputs(v.id()).size() != 2) return {};
  const Value a = graph.value(graph.inputs(v.id())[0]);
  const Value b = graph.value(graph.inputs(v.id())[1]);
  if (op == &builtin_op("matmul")) {
    const bool plain = is_matrix(a) && is_matrix(b) && !is_transposed(v, "transpose_b");
    if (!plain || v.shape().elements() < b.shape().elements()) return {};
    return matmul(a, b * scale, is_transposed(v, "transpose_a"));
  }
  if (!is_matrix(v) || a.type() != v.type() || !is_row_of(b, v)) return {};
  if (op == &builtin_op("mul")) return scaled(a, b * scale);
  const bool sum = op == &builtin_op("add");
  if (!sum && op != &builtin_op("sub")) return {};
  const Value product = scaled(a, scale);
  if (!product.valid()) return {};
  return sum ? product + b * scale : product - b * scale;
}

Value scale_into_product(const Match& m) {
  if (!is_matrix(m.root) || m["v"].type() != m.root.type() || !is_row_of(m["scale"], m.root)) return {};
  return scaled(m["v"], m["scale"]);
}

// [m, k] by [k, n], where the left or the right operand is a transposition.
template <bool left, Index m, Index k, Index n>
Value product_sample(Graph& graph) {
  const Value x = graph.input("a", left ? Shape{k, m} : Shape{m, k});
  const Value y = graph.input("b", left ? Shape{k, n} : Shape{n, k});
  return left ? matmul(transpose(x), y) : matmul(x, transpose(y));
}

// A dense layer at inference: matrix product, bias, and batch normalization by moving statistics.
Value normalized_sample(Graph& graph, Index rows) {
  const Value x = graph.input("x", {rows, 5});
  const auto row = [&](const char* name) { return graph.input(name, {7}); };
  const Value sums = matmul(x, graph.input("w", {5, 7})) + row("bias");
  return (sums - row("mean")) * rsqrt(square(row("deviation")) + 0.1) * row("gamma") + row("beta");
}

}  // namespace

void register_matmul(OpRegistry& registry) { add_operations<Matmul>(registry); }

void add_matmul_rules(OpRegistry& registry) {
  const OpDef& product = *registry.find("matmul");
  const auto transposed = [&](const char* name) {
    return pattern::op(*registry.find("transpose"), {pattern::any(name)}).with([](Value v) {
      return v.graph().attrs(v.id()).ints("order") == Axes{1, 0};
    });
  };
  registry.add_rule(
      {.name = "transpose into product, left",
       .from = pattern::op(product, {transposed("a"), pattern::any("b").with(is_matrix)}),
       .to = without_transpose<true>,
       .samples = {{"matrices", product_sample<true, 3, 5, 4>}, {"one row", product_sample<true, 1, 5, 4>, false}}});
  registry.add_rule({.name = "transpose into product, right",
                     .from = pattern::op(product, {pattern::any("a").with(is_matrix), transposed("b")}),
                     .to = without_transpose<false>,
                     .samples = {{"matrices", product_sample<false, 3, 5, 4>},
                                 {"one column", product_sample<false, 3, 5, 1>, false}}});
  registry.add_rule(
      {.name = "scale into product",
       .from = pattern::op(*registry.find("mul"), {pattern::any("v"), pattern::any("scale")}),
       .to = scale_into_product,
       .bound = 1e-5,
       .samples = {{"a normalized layer", [](Graph& g) { return normalized_sample(g, 20); }},
                   {"fewer rows than weights", [](Graph& g) { return normalized_sample(g, 2); }, false}}});
}

Value matmul(Operand a, Operand b, bool transpose_a, bool transpose_b) {
  return composite(a, [&] {
    const int rank_a = a.shape().rank();
    const int rank_b = b.shape().rank();
    const auto fail = [&](const std::string& what) {
      throw ShapeError(fmt::format("matmul: {}\n  input 0: {}\n  input 1: {}", what, a.describe(), b.describe()));
    };
    if (rank_a == 0 || rank_b == 0) fail("operands must have at least 1 axis");
    if ((rank_a == 1 && transpose_a) || (rank_b == 1 && transpose_b)) fail("a vector cannot be transposed");
    if (rank_a == 1 && rank_b == 1) return dot(a, b);
    const auto inner = [](const Shape& shape, int axis) { return shape[shape.rank() == 1 ? 0 : shape.rank() - axis]; };
    if ((rank_a == 1 || rank_b == 1) &&
        inner(a.shape(), transpose_a ? 2 : 1) != inner(b.shape(), transpose_b ? 1 : 2)) {
      fail(fmt::format("inner dimensions differ: {} x {}", a.shape().str(), b.shape().str()));
    }
    const Value product = apply("matmul", {rank_a == 1 ? expand_dims(a, 0) : a, rank_b == 1 ? expand_dims(b, 1) : b},
                                {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}});
    return rank_a == 1 ? squeeze(product, {-2}) : rank_b == 1 ? squeeze(product, {-1}) : product;
  });
}

Value dot(Operand a, Operand b) {
  return composite(a, [&] {
    if (a.shape().rank() != 1 || a.shape() != b.shape()) {
      throw ShapeError(fmt::format("{}: needs two vectors of equal length, got {} and {}\n  input 0: {}\n  input 1: {}",
                                   SourceLocationScope::function_or("dot"), a.shape().str(), b.shape().str(),
                                   a.describe(), b.describe()));
    }
    return sum(a * b);
  });
}

Value outer(Operand a, Operand b) {
  return composite(a, [&] {
    if (a.shape().rank() != 1 || b.shape().rank() != 1) {
      throw ShapeError(fmt::format("outer: needs two vectors, got {} and {}\n  input 0: {}\n  input 1: {}",
                                   a.shape().str(), b.shape().str(), a.describe(), b.describe()));
    }
    return expand_dims(a, 1) * expand_dims(b, 0);
  });
}

// ---- samples

namespace {

Composite matmul_of_vectors() {
  return {"matmul of vectors",
          "A vector on the left is a row, one on the right a column.",
          [](Inputs x, const Attrs& a) { return matmul(x[0], x[1], a.flag("transpose_a"), a.flag("transpose_b")); },
          {product("vector by vector", {9}, {9}), product("vector by matrix", {4}, {4, 3}),
           product("vector by transposed matrix", {4}, {3, 4}, turned(false, true)),
           product("matrix by vector", {3, 17}, {17}),
           product("transposed matrix by vector", {5, 3}, {5}, turned(true, false)),
           product("vector by batch", {4}, {2, 4, 3}), product("batch by vector", {2, 3, 4}, {4}),
           product("one element", {1}, {1}), product("empty", {0}, {0, 2})},
          {{"lengths",
            {Tensor::zeros({3}), Tensor({4, 3})},
            turned(false, false),
            "matmul: inner dimensions differ: [3] x [4, 3]"},
           {"lengths of vectors",
            {Tensor::zeros({3}), Tensor::zeros({4})},
            turned(false, false),
            "matmul: needs two vectors of equal length"},
           {"scalar",
            {Tensor(1.0F), Tensor::zeros({4})},
            turned(false, false),
            "matmul: operands must have at least 1 axis"},
           {"transposed vector",
            {Tensor::zeros({3}), Tensor({3, 1})},
            turned(true, false),
            "a vector cannot be transposed"},
           {"two dtypes", {Tensor::zeros({3}), Tensor({3, 2}, f64)}, turned(false, false), "dtype"}}};
}

}  // namespace

std::vector<Composite> matmul_composites() {
  return {
      matmul_of_vectors(),
      {"dot",
       "Dot product.",
       [](Inputs x, const Attrs&) { return dot(x[0], x[1]); },
       {product("vectors", {19}, {19}), product("one element", {1}, {1}), product("empty", {0}, {0})},
       {{"lengths",
         {Tensor::zeros({3}), Tensor::zeros({1})},
         {},
         "dot: needs two vectors of equal length, got [3] and [1]"},
        {"matrices", {Tensor({2, 2}), Tensor({2, 2})}, {}, "dot: needs two vectors"}}},
      {"outer",
       "Outer product.",
       [](Inputs x, const Attrs&) { return outer(x[0], x[1]); },
       {product("vectors", {3}, {17}), product("one element", {1}, {1}), product("empty", {0}, {2})},
       {{"matrix", {Tensor::zeros({3}), Tensor({1, 3})}, {}, "outer: needs two vectors, got [3] and [1, 3]"}}},
  };
}

}  // namespace xgrad::inline v0
