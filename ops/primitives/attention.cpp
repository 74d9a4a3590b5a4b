// Scaled dot-product attention, and its gradients in one operation. Second derivatives are composed of matrix products.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/leaves.hpp>
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

// ---- operands: query, key, value, for gradients the cotangent, then a mask and i64 seeds, both optional

// Positions of the optional operands, -1 if absent.
struct Optional {
  int mask = -1, seeds = -1;
};
template <class DTypeOf>
Optional find_optional(int first, int count, const DTypeOf& dtype_of) {
  Optional out;
  for (int i = first; i < count; ++i) (dtype_of(i) == i64 ? out.seeds : out.mask) = i;
  return out;
}

Shape joined(Shape batch, std::initializer_list<Index> last) {
  for (const Index extent : last) batch.push_back(extent);
  return batch;
}
Shape scores_shape(const Shape& query, const Shape& key) {
  return joined(without_last(query, 2), {query[query.rank() - 2], key[key.rank() - 2]});
}
Shape result_shape(const Shape& query, const Shape& value) {
  return joined(without_last(query, 2), {query[query.rank() - 2], value.back()});
}

void require_operands(const Infer& in, int first_optional) {
  in.require_dtype(0, {f32, f64});
  for (int i = 0; i < first_optional; ++i) {
    in.require_same_dtype(0, i);
    if (in.shape(i).rank() < 2)
      in.fail_shape(fmt::format("input {} must have at least 2 axes, got {}", i, in.shape(i).rank()));
  }
  const Shape& query = in.shape(0);
  const Shape& key = in.shape(1);
  const Shape& value = in.shape(2);
  const Shape batch = without_last(query, 2);
  if (without_last(key, 2) != batch || without_last(value, 2) != batch) {
    in.fail_shape(
        fmt::format("the leading axes of query {}, key {} and value {} differ", query.str(), key.str(), value.str()));
  }
  if (query.back() != key.back())
    in.fail_shape(fmt::format("query {} and key {} differ in depth, their last axis", query.str(), key.str()));
  if (key[key.rank() - 2] != value[value.rank() - 2])
    in.fail_shape(fmt::format("key {} and value {} differ in the number of keys", key.str(), value.str()));
  const Shape scores = scores_shape(query, key);
  const Optional more = find_optional(first_optional, in.count(), [&](int i) { return in.dtype(i); });
  if (more.mask >= 0) {
    const Shape& mask = in.shape(more.mask);
    if (in.dtype(more.mask) != boolean) in.require_same_dtype(0, more.mask);
    if (broadcast(mask, scores) != scores || mask.rank() == 0 || mask.back() != scores.back())
      in.fail_shape(fmt::format("the mask {} does not broadcast to the scores {}", mask.str(), scores.str()));
  }
  if (more.seeds >= 0 && in.shape(more.seeds) != joined(batch, {2}))
    in.fail_shape(fmt::format("the seeds must be {}, got {}", joined(batch, {2}).str(), in.shape(more.seeds).str()));
  const double scale = in.attrs().number("scale"), dropout = in.attrs().number("dropout");
  in.attrs().flag("causal");
  if (!(std::abs(scale) <= (in.dtype(0) == f32 ? FLT_MAX : DBL_MAX)))
    throw UserError(in.message(fmt::format("scale must be finite in {}, got {}", name_of(in.dtype(0)), scale)));
  if (!(dropout >= 0 && dropout < 1))
    throw UserError(in.message(fmt::format("dropout must be in [0, 1), got {}", dropout)));
  if (dropout > 0 && more.seeds < 0) in.fail_shape("dropout needs an input of seeds");
}

AttentionArgs args_of(std::span<const TensorType> in, const Attrs& attrs, int first_optional) {
  const Shape& query = in[0].shape;
  const Shape& key = in[1].shape;
  AttentionArgs out;
  out.batch = without_last(query, 2);
  out.heads = out.batch.elements();
  out.rows = query[query.rank() - 2];
  out.keys = key[key.rank() - 2];
  out.depth = query.back();
  out.value_depth = in[2].shape.back();
  out.scale = attrs.number("scale");
  out.causal = attrs.flag("causal");
  out.dropout = attrs.number("dropout");
  const Optional more = find_optional(first_optional, static_cast<int>(in.size()),
                                      [&](int i) { return in[static_cast<std::size_t>(i)].dtype; });
  if (more.mask >= 0) {
    const TensorType& mask = in[static_cast<std::size_t>(more.mask)];
    out.keep_mask = mask.dtype == boolean;
    out.mask_batch = broadcast_strides(mask.shape, scores_shape(query, key));
    out.mask_row = out.mask_batch[static_cast<std::size_t>(out.batch.rank())];
  }
  return out;
}
AttentionArgs args_of(const KernelCall& call, int first_optional) {
  TensorType types[6];
  for (std::size_t i = 0; i < call.inputs.size(); ++i) types[i] = call.inputs[i].type;
  AttentionArgs out = args_of(std::span(types, call.inputs.size()), *call.attrs, first_optional);
  out.query = call.inputs[0].data;
  out.key = call.inputs[1].data;
  out.value = call.inputs[2].data;
  if (first_optional == 4) out.cotangent = call.inputs[3].data;
  for (std::size_t i = static_cast<std::size_t>(first_optional); i < call.inputs.size(); ++i) {
    if (types[i].dtype != i64)
      out.mask = call.inputs[i].data;
    else if (out.dropout > 0)
      out.seeds = call.inputs[i].as<std::int64_t>();
  }
  out.out = call.output.data;
  return out;
}

double products(std::span<const TensorType> in, double of_depth, double of_value) {
  const Shape scores = scores_shape(in[0].shape, in[1].shape);
  return 2 * static_cast<double>(scores.elements()) *
         (of_depth * static_cast<double>(in[0].shape.back()) + of_value * static_cast<double>(in[2].shape.back()));
}

// ---- the oracle: loops in f64

struct Loops {
  const AttentionArgs& a;
  std::vector<double> weights = std::vector<double>(static_cast<std::size_t>(a.keys)), factors = weights;

  const double* row(const void* data, Index head, Index rows, Index i, Index n) const {
    return static_cast<const double*>(data) + (head * rows + i) * n;
  }
  static double dot(const double* x, const double* y, Index n) {
    double sum = 0;
    for (Index i = 0; i < n; ++i) sum += x[i] * y[i];
    return sum;
  }
  // Computes the weights, and the factors of dropout, of one row.
  void set_row(Index head, Index i) {
    Index mask = i * a.mask_row, rest = head;
    for (int axis = a.batch.rank() - 1; axis >= 0; rest /= a.batch[axis--])
      mask += rest % a.batch[axis] * a.mask_batch[static_cast<std::size_t>(axis)];
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (Index j = 0; j < a.keys; ++j) {
      double s = dot(row(a.query, head, a.rows, i, a.depth), row(a.key, head, a.keys, j, a.depth), a.depth) * a.scale;
      const bool keep = a.mask == nullptr || !a.keep_mask || static_cast<const bool*>(a.mask)[mask + j];
      if (a.mask != nullptr && !a.keep_mask) s += static_cast<const double*>(a.mask)[mask + j];
      if (!keep || (a.causal && j > i)) s = -std::numeric_limits<double>::infinity();
      weights[static_cast<std::size_t>(j)] = s;
      largest = std::max(largest, s);
    }
    for (double& w : weights) sum += w = std::exp(w - largest);
    for (double& w : weights) w /= sum;
    std::fill(factors.begin(), factors.end(), 1.0);
    if (a.seeds == nullptr) return;
    kernels().bernoulli[static_cast<std::size_t>(f64)](
        dropout_args(a.seeds + 2 * head, a.dropout, i * a.keys, a.keys, factors.data()), Parallel(1));
    for (double& f : factors) f /= 1 - a.dropout;
  }
  // Calls f(head, row, key, weight, factor) for all scores.
  template <class F>
  void each(F f) {
    for (Index head = 0; head < a.heads; ++head) {
      for (Index i = 0; i < a.rows; ++i) {
        set_row(head, i);
        for (Index j = 0; j < a.keys; ++j)
          f(head, i, j, weights[static_cast<std::size_t>(j)], factors[static_cast<std::size_t>(j)]);
      }
    }
  }
};

void add(double* to, const double* from, Index n, double factor) {
  for (Index i = 0; i < n; ++i) to[i] += from[i] * factor;
}

// ---- nodes

// The gradients of query, key and value in one node; part i is that of operand i.
Value part_of(Value gradients, Value query, Value key, Value value, Index i) {
  const Value like[] = {query, key, value};
  const Value flat = apply("concat_part", {gradients, flatten(query, 0), flatten(key, 0), flatten(value, 0)},
                           {{"axis", Index{0}}, {"part", i}});
  return reshape_like(flat, like[i]);
}

// Attention as a composition of matrix products.
struct Composed {
  Value query, key, value, mask, seeds;
  const Attrs& attrs;

  Composed(const Vjp& r, int first_optional) : query(r.input(0)), key(r.input(1)), value(r.input(2)), attrs(r.attrs()) {
    const Optional more = find_optional(first_optional, r.count(), [&](int i) { return r.input(i).dtype(); });
    if (more.mask >= 0) mask = r.input(more.mask);
    if (more.seeds >= 0) seeds = r.input(more.seeds);
  }
  double scale() const { return attrs.number("scale"); }
  Value weights() const {
    const double excluded = -std::numeric_limits<double>::infinity();
    Value scores = matmul(query, key, false, true) * scale();
    if (mask.valid()) scores = mask.dtype() == boolean ? where(mask, scores, excluded) : scores + mask;
    if (attrs.flag("causal")) scores = where(greater(tril(ones_like(scores)), 0), scores, excluded);
    return softmax(scores);
  }
  // x times the factors of dropout.
  Value dropped(Value x) const {
    if (!seeds.valid()) return x;
    return x * apply("attention_dropout", {x, seeds}, {{"dropout", attrs.number("dropout")}});
  }
};
// The cotangent of softmax's input, for weights p.
Value softmax_cotangent(Value p, Value c) { return p * (c - sum(p * c, {-1}, true)); }

std::vector<Value> with_optional(const Vjp& r, int first_optional, std::initializer_list<Value> values) {
  std::vector<Value> out(values);
  for (int i = first_optional; i < r.count(); ++i) out.push_back(r.input(i));
  return out;
}

// The inputs of a batched node, with a leading axis where they have one.
std::vector<Value> batched_inputs(const Batch& b, int first_optional) {
  std::vector<Value> out;
  const int rank = b.input(0).shape().rank() + (b.batched(0) ? 0 : 1);
  for (int i = 0; i < b.count(); ++i) {
    const Value x = b.input(i);
    if (i < first_optional || x.dtype() == i64) {
      out.push_back(batch_input(b, i));
    } else if (!b.batched(i) || x.shape().rank() == rank) {
      out.push_back(x);
    } else {
      std::vector<Index> extents(static_cast<std::size_t>(rank), 1);
      std::copy(x.shape().begin() + 1, x.shape().end(), extents.end() - (x.shape().rank() - 1));
      extents[0] = x.shape()[0];
      out.push_back(reshape(x, extents));
    }
  }
  return out;
}

// ---- samples

Attrs settings(double scale, bool causal = false, double dropout = 0) {
  return {{"scale", scale}, {"causal", causal}, {"dropout", dropout}};
}
struct Case {
  const char* label;
  Shape query, key, value;
  Attrs attrs;
  std::vector<SampleInput> more{};
};
std::vector<Case> cases() {
  const SampleInput seeds{{2, 2}, domain::integers(0, 1 << 24)};
  return {{"one element", {1, 1}, {2, 1}, {2, 1}, settings(0.5)},
          {"one head", {3, 4}, {5, 4}, {5, 2}, settings(0.5)},
          {"vectors and more", {2, 3, 17}, {2, 19, 17}, {2, 19, 18}, settings(0.2)},
          {"one row", {2, 1, 3}, {2, 4, 3}, {2, 4, 3}, settings(0.5)},
          {"causal", {2, 5, 3}, {2, 5, 3}, {2, 5, 3}, settings(0.5, true)},
          {"causal, more keys", {3, 2}, {5, 2}, {5, 2}, settings(0.5, true)},
          {"causal, fewer keys", {5, 2}, {3, 2}, {3, 2}, settings(0.5, true)},
          {"a mask for all heads", {2, 2, 3, 2}, {2, 2, 4, 2}, {2, 2, 4, 3}, settings(0.5), {{{3, 4}}}},
          {"a mask for all rows", {2, 2, 3, 2}, {2, 2, 4, 2}, {2, 2, 4, 3}, settings(0.5), {{{2, 1, 1, 4}}}},
          {"keys that take part", {2, 2, 2}, {2, 17, 2}, {2, 17, 3}, settings(0.5), {{{1, 17}, domain::booleans()}}},
          {"dropout", {2, 3, 2}, {2, 4, 2}, {2, 4, 3}, settings(0.5, false, 0.25), {seeds}},
          {"mask and dropout", {2, 3, 2}, {2, 4, 2}, {2, 4, 3}, settings(0.5, true, 0.25), {{{3, 4}}, seeds}},
          {"no rows", {2, 0, 3}, {2, 4, 3}, {2, 4, 3}, settings(0.5)},
          {"no keys", {2, 3, 3}, {2, 0, 3}, {2, 0, 3}, settings(0.5)}};
}
std::vector<Sample> samples_with(bool cotangent) {
  std::vector<Sample> out;
  for (const Case& c : cases()) {
    Sample sample{.label = c.label, .inputs = {{c.query}, {c.key}, {c.value}}, .attrs = c.attrs};
    if (cotangent) sample.inputs.push_back({result_shape(c.query, c.value)});
    sample.inputs.insert(sample.inputs.end(), c.more.begin(), c.more.end());
    sample.zero_gradient = scores_shape(c.query, c.key).elements() == 0;
    out.push_back(std::move(sample));
  }
  return out;
}
std::vector<BadSample> bad_samples_with(bool cotangent) {
  const Tensor query({2, 3, 4}), key({2, 5, 4}), value({2, 5, 6}), result({2, 3, 6});
  const auto operands = [&](Tensor q, Tensor k, Tensor v, std::vector<Tensor> more = {}) {
    std::vector<Tensor> out{std::move(q), std::move(k), std::move(v)};
    if (cotangent) out.push_back(result);
    out.insert(out.end(), more.begin(), more.end());
    return out;
  };
  const Attrs plain = settings(0.5);
  return {
      {"rank", operands(Tensor::zeros({4}), key, value), plain, "input 0 must have at least 2 axes, got 1"},
      {"leading axes", operands(query, Tensor({3, 5, 4}), value), plain, "the leading axes of query [2, 3, 4], key"},
      {"depth", operands(query, Tensor({2, 5, 3}), value), plain, "differ in depth"},
      {"keys", operands(query, key, Tensor({2, 4, 6})), plain, "differ in the number of keys"},
      {"mask", operands(query, key, value, {Tensor({3, 4})}), plain,
       "the mask [3, 4] does not broadcast to the scores [2, 3, 5]"},
      {"narrow mask", operands(query, key, value, {Tensor({3, 1})}), plain, "the mask [3, 1] does not broadcast"},
      {"seeds", operands(query, key, value, {Tensor({2}, i64)}), settings(0.5, false, 0.5),
       "the seeds must be [2, 2], got [2]"},
      {"scale", operands(query, key, value), settings(INFINITY), "scale must be finite in f32, got inf"},
      {"dropout", operands(query, key, value), settings(0.5, false, 1), "dropout must be in [0, 1), got 1"},
      {"two dtypes", operands(query, Tensor({2, 5, 4}, f64), value), plain, "differ in dtype"},
      {"integers", operands(Tensor({2, 3, 4}, i64), key, value), plain, "i64"}};
}

// ---- the operations

template <int first_optional>
struct AttentionOperation : Operation {
  static constexpr int min_inputs = first_optional, max_inputs = first_optional + 2;
  static std::size_t scratch_bytes(std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
    return kernels().attention_scratch(out.dtype, args_of(in, attrs, first_optional), first_optional == 4);
  }
  static void kernel(const KernelCall& call) {
    kernels().attend[static_cast<std::size_t>(call.output.type.dtype)](args_of(call, first_optional), call.scratch,
                                                                       call.parallel);
  }
  static std::vector<Sample> samples() { return samples_with(first_optional == 4); }
};

struct Attention : AttentionOperation<3> {
  static constexpr const char* name = "scaled_dot_product_attention";
  static constexpr const char* doc =
      "softmax(query key^T * scale + mask) value, for query [..., rows, depth], key [..., keys, depth] and value "
      "[..., keys, value depth]. A fourth input of bools or numbers is a mask, which broadcasts to the scores [..., "
      "rows, keys]; one of i64 [..., 2] has the seeds of dropout. With `causal`, row i reads keys 0 to i.";
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) { return products(in, 1, 1); }
  static TensorType infer(const Infer& in) {
    require_operands(in, 3);
    return {in.dtype(0), result_shape(in.shape(0), in.shape(2))};
  }
  static void reference(const KernelCall& call) {
    const AttentionArgs a = args_of(call, 3);
    std::fill_n(call.output.as<double>(), call.output.type.shape.elements(), 0.0);
    Loops loops{a};
    loops.each([&](Index head, Index i, Index j, double weight, double factor) {
      add(call.output.as<double>() + (head * a.rows + i) * a.value_depth,
          loops.row(a.value, head, a.keys, j, a.value_depth), a.value_depth, weight * factor);
    });
  }
  static Cotangents vjp(const Vjp& r) {
    const Composed of(r, 3);
    const Value q = of.query, k = of.key, v = of.value, c = r.cotangent();
    const Value all = apply("attention_gradient", with_optional(r, 3, {q, k, v, c}), r.attrs());
    std::vector<Value> out{part_of(all, q, k, v, 0), part_of(all, q, k, v, 1), part_of(all, q, k, v, 2)};
    out.resize(static_cast<std::size_t>(r.count()));
    if (of.mask.valid() && of.mask.dtype() != boolean)
      out[3] = softmax_cotangent(of.weights(), of.dropped(matmul(c, v, false, true)));
    return Cotangents(std::move(out));
  }
  static Value batch(const Batch& b) { return apply(name, batched_inputs(b, 3), b.attrs()); }
  static std::vector<BadSample> bad_samples() { return bad_samples_with(false); }
};

struct AttentionGradient : AttentionOperation<4> {
  static constexpr const char* name = "attention_gradient";
  static constexpr const char* doc =
      "The derivatives of `scaled_dot_product_attention` with respect to query, key and value, one after another in a "
      "vector. The fourth input is the cotangent.";
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) { return products(in, 3, 2); }
  static TensorType infer(const Infer& in) {
    require_operands(in, 4);
    const Shape expected = result_shape(in.shape(0), in.shape(2));
    if (in.shape(3) != expected)
      in.fail_shape(fmt::format("the cotangent must be {}, got {}", expected.str(), in.shape(3).str()));
    return {in.dtype(0), {in.shape(0).elements() + in.shape(1).elements() + in.shape(2).elements()}};
  }
  static void reference(const KernelCall& call) {
    const AttentionArgs a = args_of(call, 4);
    double* const of_query = call.output.as<double>();
    double* const of_key = of_query + a.heads * a.rows * a.depth;
    double* const of_value = of_key + a.heads * a.keys * a.depth;
    std::fill_n(of_query, call.output.type.shape.elements(), 0.0);
    Loops loops{a};
    const auto product = [&](Index head, Index i, Index j) {  // the cotangent of a weight with dropout
      return Loops::dot(loops.row(a.cotangent, head, a.rows, i, a.value_depth),
                        loops.row(a.value, head, a.keys, j, a.value_depth), a.value_depth);
    };
    loops.each([&](Index head, Index i, Index j, double weight, double factor) {
      double mean = 0;
      for (Index other = 0; other < a.keys; ++other) {
        const auto at = static_cast<std::size_t>(other);
        mean += loops.weights[at] * loops.factors[at] * product(head, i, other);
      }
      const double score = weight * (factor * product(head, i, j) - mean) * a.scale;
      add(of_query + (head * a.rows + i) * a.depth, loops.row(a.key, head, a.keys, j, a.depth), a.depth, score);
      add(of_key + (head * a.keys + j) * a.depth, loops.row(a.query, head, a.rows, i, a.depth), a.depth, score);
      add(of_value + (head * a.keys + j) * a.value_depth, loops.row(a.cotangent, head, a.rows, i, a.value_depth),
          a.value_depth, weight * factor);
    });
  }
  // The loss is linear in the directions (a, b, d) of query, key and value: <cotangent, jvp(a, b, d)>, where the jvp is
  // dropped(dp) v + dropped(p) d with dp = p * (ds - sum(p * ds)) and ds = (a k^T + q b^T) * scale.
  static Cotangents vjp(const Vjp& r) {
    const Composed of(r, 4);
    const Value q = of.query, k = of.key, v = of.value, c = r.input(3);
    const Value a = part_of(r.cotangent(), q, k, v, 0), b = part_of(r.cotangent(), q, k, v, 1);
    const Value d = part_of(r.cotangent(), q, k, v, 2);
    const Value p = of.weights();
    const Value ds = (matmul(a, k, false, true) + matmul(q, b, false, true)) * of.scale();
    const Value centered = ds - sum(p * ds, {-1}, true);
    const Value dp = of.dropped(p * centered);
    const Value of_c = matmul(dp, v) + matmul(of.dropped(p), d);
    const Value u = of.dropped(matmul(c, v, false, true)), of_ds = softmax_cotangent(p, u) * of.scale();
    const Value of_p = of.dropped(matmul(c, d, false, true)) + u * centered - ds * sum(p * u, {-1}, true);
    const Value of_mask = softmax_cotangent(p, of_p), of_s = of_mask * of.scale();
    std::vector<Value> out{matmul(of_s, k) + matmul(of_ds, b), matmul(of_s, q, true) + matmul(of_ds, a, true),
                           matmul(dp, c, true), of_c};
    out.resize(static_cast<std::size_t>(r.count()));
    if (of.mask.valid() && of.mask.dtype() != boolean) out[4] = of_mask;
    return Cotangents(std::move(out));
  }
  static Value batch(const Batch& b) {
    const std::vector<Value> in = batched_inputs(b, 4);
    const Value all = apply(name, in, b.attrs());
    std::vector<Value> parts;
    for (Index i = 0; i < 3; ++i) parts.push_back(flatten(part_of(all, in[0], in[1], in[2], i)));
    return concat(parts, 1);
  }
  static std::vector<BadSample> bad_samples() {
    std::vector<BadSample> out = bad_samples_with(true);
    out.push_back({"cotangent",
                   {Tensor({3, 4}), Tensor({5, 4}), Tensor({5, 2}), Tensor({3, 3})},
                   settings(0.5),
                   "the cotangent must be [3, 2], got [3, 3]"});
    return out;
  }
};

struct AttentionDropout : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "attention_dropout";
  static constexpr const char* doc =
      "The factors by which dropout in `scaled_dot_product_attention` multiplies the weights: 0 with probability "
      "`dropout`, else 1 / (1 - dropout), in the shape of the first input. The second input, i64 [..., 2], has the "
      "seeds of each matrix.";
  static constexpr const char* no_gradient = "random factors depend on no floating-point input";
  static Traits traits() { return {.shape_only = 1}; }
  static double flops(std::span<const TensorType>, const TensorType& out, const Attrs&) {
    return flops_of(out.shape.elements(), out.dtype);
  }
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    in.require_dtype(1, {i64});
    if (in.shape(0).rank() < 2) in.fail_shape(fmt::format("the weights must be matrices, got {}", in.shape(0).str()));
    const Shape expected = joined(without_last(in.shape(0), 2), {2});
    if (in.shape(1) != expected)
      in.fail_shape(fmt::format("the seeds must be {}, got {}", expected.str(), in.shape(1).str()));
    const double dropout = in.attrs().number("dropout");
    if (!(dropout >= 0 && dropout < 1))
      throw UserError(in.message(fmt::format("dropout must be in [0, 1), got {}", dropout)));
    return in.type(0);
  }
  static void kernel(const KernelCall& call) {
    const TensorType& type = call.output.type;
    const double dropout = call.attrs->number("dropout");
    const Index matrix = type.shape[type.shape.rank() - 2] * type.shape.back();
    with_floating(type.dtype, [&](auto zero) {
      using T = decltype(zero);
      for (Index i = 0; i < call.inputs[1].type.shape.elements() / 2; ++i) {
        T* const to = call.output.as<T>() + i * matrix;
        kernels().bernoulli[static_cast<std::size_t>(type.dtype)](
            dropout_args(call.inputs[1].as<std::int64_t>() + 2 * i, dropout, 0, matrix, to), call.parallel);
        for (Index j = 0; j < matrix; ++j) to[j] *= static_cast<T>(1 / (1 - dropout));
      }
    });
  }
  static Value batch(const Batch& b) {
    const Value like = b.batched(0) ? b.input(0) : batch_input(b, 0);
    return apply(name, {like, batch_input(b, 1)}, b.attrs());
  }
  static std::vector<Sample> samples() {
    const auto sample = [](const char* label, Shape shape, Shape seeds) {
      return zero_gradient(
          {label, {{std::move(shape)}, {std::move(seeds), domain::integers(0, 1 << 24)}}, {{"dropout", 0.25}}});
    };
    return {sample("a matrix", {3, 17}, {2}), sample("one element", {1, 1}, {2}), sample("matrices", {2, 3, 5}, {2, 2}),
            sample("empty", {0, 3}, {2})};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs half{{"dropout", 0.5}};
    return {{"seeds", {Tensor({2, 3, 4}), Tensor({2}, i64)}, half, "the seeds must be [2, 2], got [2]"},
            {"vector", {Tensor::zeros({3}), Tensor({2}, i64)}, half, "the weights must be matrices, got [3]"},
            {"rate", {Tensor({3, 4}), Tensor({2}, i64)}, {{"dropout", -0.5}}, "dropout must be in [0, 1), got -0.5"},
            {"dtype", {Tensor({3, 4}), Tensor::zeros({2})}, half, "f32"}};
  }
};

}  // namespace

void register_attention(OpRegistry& registry) {
  add_operations<Attention, AttentionGradient, AttentionDropout>(registry);
}

Value scaled_dot_product_attention(Operand query, Operand key, Operand value, const AttentionOptions& options) {
  return floating_composite(query, [&] {
    // The leading axes that query, key and value broadcast to. If they do not fit, the operation reports it.
    std::vector<Value> inputs{query, key, value};
    std::optional<Shape> batch = Shape{};
    for (const Value x : inputs) {
      if (x.shape().rank() >= 2 && batch) batch = broadcast(*batch, without_last(x.shape(), 2));
    }
    for (Value& x : inputs) {
      if (!batch || x.shape().rank() < 2 || without_last(x.shape(), 2) == *batch) continue;
      x = broadcast_to(x, joined(*batch, {x.shape()[x.shape().rank() - 2], x.shape().back()}));
    }
    if (Value mask = options.mask; mask.valid()) {
      const Index keys = key.shape().rank() < 2 ? 1 : key.shape()[key.shape().rank() - 2];
      if (mask.shape().rank() == 0) mask = expand_dims(mask, 0);
      if (mask.shape().back() == 1 && keys != 1) mask = stretch(mask, -1, keys);
      if (mask.dtype() == i64) {
        throw DTypeError(fmt::format("{}: the mask must be bool or {}, got i64\n  {}",
                                     SourceLocationScope::function_or("scaled_dot_product_attention"),
                                     name_of(query.dtype()), mask.describe()));
      }
      inputs.push_back(mask);
    }
    if (options.dropout > 0 && query.shape().rank() >= 2) {
      const Value heads = sum(inputs[0], {-2, -1});  // only its shape is read
      inputs.push_back(cast(stack({uniform_like(heads), uniform_like(heads)}, -1) * 0x1p24, i64));
    }
    const double depth = query.shape().rank() == 0 ? 1 : static_cast<double>(query.shape().back());
    return apply(
        Attention::name, inputs,
        settings(options.scale.value_or(1 / std::sqrt(std::max(depth, 1.0))), options.causal, options.dropout));
  });
}

}  // namespace xgrad::inline v0
