// Random operations: functions of the graph's seed, the run's step, the node's stream and the element.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/kernels/kernels.hpp>
#include <xgrad/ops/kernels/philox.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr const char* depends_on_nothing = "random values depend on no input";
constexpr double root_2 = 1.4142135623730950488;

RandomArgs random_args(const Attrs& attrs, const RandomState& random, Index first, Index n, void* out, double a = 0,
                       double b = 0) {
  return {out, n, random.seed, random.step, static_cast<std::uint32_t>(attrs.integer("stream")), first, a, b};
}

// Base of random operations. The output type is that of the input or, without one, is given by attributes.
struct Source : Operation {
  static constexpr int min_inputs = 0, max_inputs = 1;
  static constexpr const char* no_gradient = depends_on_nothing;
  static Traits traits() { return {.random = true, .shape_only = 1}; }
  static void check_stream(const Infer& in) {
    const Index stream = in.attrs().integer("stream");
    if (stream < 0 || stream > UINT32_MAX) refuse(in, fmt::format("stream must be in [0, 2^32), got {}", stream));
  }
  static TensorType type_of(const Infer& in) {
    check_stream(in);
    return in.count() == 1 ? in.type(0) : TensorType{in.attrs().dtype("dtype"), Shape(in.attrs().ints("shape"))};
  }
  static TensorType floating_type_of(const Infer& in) {
    const TensorType type = type_of(in);
    if (!is_floating(type.dtype)) in.fail_dtype(fmt::format("{} is not a floating dtype", name_of(type.dtype)));
    return type;
  }
  [[noreturn]] static void refuse(const Infer& in, const std::string& what) { throw UserError(in.message(what)); }
};

// Base of operations with kernels by dtype. `Op::parameters` are their two numbers, from attributes.
template <class Op, Kernels::Random (RandomKernels::*table)[dtype_count]>
struct Drawn : Source {
  static void draw(DType dtype, const Attrs& attrs, const RandomState& random, Index first, Index n, void* out,
                   const Parallel& parallel) {
    const auto [a, b] = Op::parameters(attrs);
    (kernels().*table)[static_cast<int>(dtype)](random_args(attrs, random, first, n, out, a, b), parallel);
  }
  static void kernel(const KernelCall& call) {
    const TensorType& type = call.output.type;
    draw(type.dtype, *call.attrs, call.random, call.first, type.shape.elements(), call.output.data, call.parallel);
  }
  template <DType dtype>
  static void block(const Attrs& attrs, const RandomState& random, Index first, Index n, void* out) {
    draw(dtype, attrs, random, first, n, out, Parallel(1));
  }
};

// Samples with the type in attributes, and with an input.
std::vector<Sample> both_ways(const Attrs& attrs) {
  Attrs typed = attrs;
  typed.set("shape", Axes{3, 33});
  typed.set("dtype", f32);
  return {zero_gradient({"matrix", {}, typed}), zero_gradient({"like a matrix", {{{3, 33}}}, attrs}),
          zero_gradient({"one element", {{{1}}}, attrs}), zero_gradient({"empty", {{{0}}}, attrs})};
}

struct RandomUniform : Drawn<RandomUniform, &Kernels::uniform> {
  static constexpr const char* name = "random_uniform";
  static constexpr const char* doc = "Uniformly distributed values in [low, high).";
  static TensorType infer(const Infer& in) {
    const double low = in.attrs().number("low"), high = in.attrs().number("high");
    if (!(low <= high) || !std::isfinite(high - low))
      refuse(in, fmt::format("low and high must be finite and low <= high, got {} and {}", low, high));
    const TensorType type = floating_type_of(in);
    const double largest = type.dtype == f32 ? FLT_MAX : DBL_MAX;
    if (std::max({std::abs(low), std::abs(high), high - low}) > largest)
      refuse(in, fmt::format("the bounds {} and {} are too large for {}", low, high, name_of(type.dtype)));
    return type;
  }
  static std::pair<double, double> parameters(const Attrs& a) { return {a.number("low"), a.number("high")}; }
  static constexpr RandomBlockKernels random_block = {block<f32>, block<f64>, nullptr, nullptr};
  static Attrs attrs(double low, double high, Index stream) {
    return {{"low", low}, {"high", high}, {"stream", stream}};
  }
  static std::vector<Sample> samples() { return both_ways(attrs(-1, 2, 7)); }
  static std::vector<BadSample> bad_samples() {
    return {{"integers", {Tensor({3}, i64)}, attrs(0, 1, 0), "i64 is not a floating dtype"},
            {"bounds", {Tensor::zeros({3})}, attrs(2, 1, 0), "low <= high, got 2 and 1"},
            {"no end", {Tensor::zeros({3})}, attrs(0, INFINITY, 0), "must be finite"},
            {"too far apart", {Tensor::zeros({3})}, attrs(-3e38, 3e38, 0), "too large for f32"},
            {"stream", {Tensor::zeros({3})}, attrs(0, 1, -1), "got -1"}};
  }
};

struct RandomNormal : Drawn<RandomNormal, &Kernels::normal> {
  static constexpr const char* name = "random_normal";
  static constexpr const char* doc =
      "Normally distributed values with a mean and a standard deviation (Box and Muller, 1958).";
  static TensorType infer(const Infer& in) {
    const double mean = in.attrs().number("mean"), stddev = in.attrs().number("stddev");
    if (!std::isfinite(mean)) refuse(in, fmt::format("mean must be finite, got {}", mean));
    if (!(stddev >= 0) || !std::isfinite(stddev))
      refuse(in, fmt::format("stddev must be finite and >= 0, got {}", stddev));
    return floating_type_of(in);
  }
  static std::pair<double, double> parameters(const Attrs& a) { return {a.number("mean"), a.number("stddev")}; }
  static constexpr RandomBlockKernels random_block = {block<f32>, block<f64>, nullptr, nullptr};
  static Attrs attrs(double mean, double stddev, Index stream) {
    return {{"mean", mean}, {"stddev", stddev}, {"stream", stream}};
  }
  static std::vector<Sample> samples() { return both_ways(attrs(1, 2, 7)); }
  static std::vector<BadSample> bad_samples() {
    return {{"integers", {Tensor({3}, i64)}, attrs(0, 1, 0), "i64 is not a floating dtype"},
            {"deviation", {Tensor::zeros({3})}, attrs(0, -1, 0), "stddev must be finite and >= 0, got -1"},
            {"infinite stddev", {Tensor::zeros({3})}, attrs(0, INFINITY, 0), "stddev must be finite and >= 0, got inf"},
            {"mean", {Tensor::zeros({3})}, attrs(std::nan(""), 1, 0), "mean must be finite, got nan"}};
  }
};

struct RandomBernoulli : Drawn<RandomBernoulli, &Kernels::bernoulli> {
  static constexpr const char* name = "random_bernoulli";
  static constexpr const char* doc = "1 with the given probability, else 0. The choices do not depend on the dtype.";
  static TensorType infer(const Infer& in) {
    const double p = in.attrs().number("probability");
    if (!(p >= 0 && p <= 1)) refuse(in, fmt::format("probability must be in [0, 1], got {}", p));
    const TensorType type = type_of(in);
    if (type.dtype == i64) in.fail_dtype("i64 is neither a floating dtype nor bool");
    return type;
  }
  static std::pair<double, double> parameters(const Attrs& a) { return {a.number("probability"), 0}; }
  static constexpr RandomBlockKernels random_block = {block<f32>, block<f64>, nullptr, block<boolean>};
  static Attrs attrs(double probability, Index stream) { return {{"probability", probability}, {"stream", stream}}; }
  static std::vector<Sample> samples() {
    auto out = both_ways(attrs(0.3, 3));
    out.push_back(zero_gradient({"like booleans", {{{3, 33}, domain::booleans()}}, attrs(0.5, 3)}));
    return out;
  }
  static std::vector<BadSample> bad_samples() {
    return {{"probability", {Tensor::zeros({3})}, attrs(1.5, 0), "probability must be in [0, 1], got 1.5"},
            {"integers", {Tensor({3}, i64)}, attrs(0.5, 0), "i64"}};
  }
};

// Maps 64 random bits to [0, count): the high half of the product, uniform up to a bias of count / 2^64.
Index scaled(std::uint64_t random, Index count) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<Index>(static_cast<Wide>(random) * static_cast<std::uint64_t>(count) >> 64);
}

struct RandomPermutation : Source {
  static constexpr const char* name = "random_permutation";
  static constexpr const char* doc =
      "A uniformly random permutation of 0, ..., n - 1, i64 (Fisher and Yates). n is an attribute or the extent of the "
      "input's axis.";
  static TensorType infer(const Infer& in) {
    check_stream(in);
    if (in.count() == 0) {
      const Index n = in.attrs().integer("n");
      if (n < 0) in.fail_shape(fmt::format("n must be non-negative, got {}", n));
      return {i64, {n}};
    }
    return {i64, {in.shape(0)[axis_of(in)]}};
  }
  // The random numbers of consecutive swaps. One counter value is used for two swaps.
  static constexpr int lanes = 32;
  static void draw(const RandomArgs& args, Index first_counter, std::uint64_t* out) {
    std::uint32_t x[4][lanes];
    for (int i = 0; i < lanes; ++i) {
      const auto counter = static_cast<std::uint64_t>(first_counter + i);
      x[0][i] = static_cast<std::uint32_t>(counter);
      x[1][i] = args.stream;
      x[2][i] = static_cast<std::uint32_t>(args.step);
      x[3][i] = static_cast<std::uint32_t>(args.step >> 32) ^ static_cast<std::uint32_t>(counter >> 32 << 16);
    }
    Philox::generate(x, static_cast<std::uint32_t>(args.seed), static_cast<std::uint32_t>(args.seed >> 32));
    for (int i = 0; i < lanes; ++i) {
      out[2 * i] = std::uint64_t{x[0][i]} << 32 | x[1][i];
      out[2 * i + 1] = std::uint64_t{x[2][i]} << 32 | x[3][i];
    }
  }
  // Shuffles serially, since each swap depends on the previous ones. The elements of the next swaps are prefetched.
  template <class T>
  static void shuffle(const RandomArgs& args, T* out) {
    std::iota(out, out + args.count, T{0});
    std::uint64_t random[2 * lanes];
    Index other[2 * lanes];
    for (Index i = args.count - 1, drawn = args.first; i > 0;) {
      const Index skipped = drawn % 2, swaps = std::min(i, 2 * lanes - skipped);
      draw(args, drawn / 2, random);
      for (Index k = 0; k < swaps; ++k) {
        other[k] = scaled(random[skipped + k], i - k + 1);
        __builtin_prefetch(out + other[k], 1);
      }
      for (Index k = 0; k < swaps; ++k) std::swap(out[i - k], out[other[k]]);
      i -= swaps;
      drawn += swaps;
    }
  }
  static void kernel(const KernelCall& call) {
    auto* out = call.output.as<std::int64_t>();
    const RandomArgs args = random_args(*call.attrs, call.random, call.first, call.output.type.shape.elements(), out);
    if (args.count > std::numeric_limits<std::uint32_t>::max()) return shuffle(args, out);
    // Shuffle short integers, which need half of the cache, in the second half of the output. Then widen them.
    auto* last = reinterpret_cast<std::uint32_t*>(out) + args.count;
    shuffle(args, last);
    for (Index i = 0; i < args.count; ++i) {
      std::uint32_t x;
      std::memcpy(&x, last + i, sizeof x);
      const auto wide = static_cast<std::int64_t>(x);
      std::memcpy(out + i, &wide, sizeof wide);
    }
  }
  static Attrs attrs(const char* which, Index number, Index stream) { return {{which, number}, {"stream", stream}}; }
  static std::vector<Sample> samples() {
    return {zero_gradient({"sequence", {}, attrs("n", 33, 3)}), zero_gradient({"one element", {}, attrs("n", 1, 3)}),
            zero_gradient({"empty", {}, attrs("n", 0, 3)}), zero_gradient({"rows", {{{17, 3}}}, attrs("axis", 0, 3)}),
            zero_gradient({"columns of integers", {{{2, 40}, domain::integers(0, 9)}}, attrs("axis", 1, 3)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"axis", {Tensor::zeros({3})}, attrs("axis", 1, 0), "axis 1 is out of range"}};
  }
};

// Appends a node with the type of `like`.
Value draw(const char* op, Value like, const Attrs& attrs) { return apply(op, {like}, attrs); }
// Appends a node with the given type.
Value draw(const char* op, Graph& graph, const Shape& shape, DType dtype, Attrs attrs) {
  attrs.set("shape", std::vector<Index>(shape.begin(), shape.end()));
  attrs.set("dtype", dtype);
  return graph.apply(builtin_op(op), {}, attrs);
}

// Inverse CDF of the normal distribution; `uniform` is 2 CDF - 1.
Value inverse_cdf(Value uniform, double mean, double stddev, double low, double high) {
  const Value z = clip(root_2 * erfinv(uniform), low, high);
  return mean + stddev * z;
}

// The bounds between which inverse_cdf maps uniform values to [low, high].
struct Cut {
  double low, high;
};
Cut cut_of(const char* function, double mean, double stddev, double low, double high) {
  const auto refuse = [=](const std::string& what) { throw UserError(fmt::format("{}: {}", function, what)); };
  if (!std::isfinite(mean)) refuse(fmt::format("mean must be finite, got {}", mean));
  if (!(stddev >= 0) || !std::isfinite(stddev)) refuse(fmt::format("stddev must be finite and >= 0, got {}", stddev));
  if (!(low < high)) refuse(fmt::format("low must be < high, got {} and {}", low, high));
  const Cut out{std::erf(low / root_2), std::erf(high / root_2)};
  // Uniform f32 values have 2^24 levels; the interval must contain enough of them.
  if (out.high - out.low < 1e-4 * std::max(std::abs(out.low), std::abs(out.high)))
    refuse(fmt::format("the interval from {} to {} standard deviations has almost no probability", low, high));
  return out;
}

}  // namespace

void register_random(OpRegistry& registry) {
  add_operations<RandomUniform, RandomNormal, RandomBernoulli, RandomPermutation>(registry);
}

Value random_uniform(Graph& graph, const Shape& shape, DType dtype, double low, double high, SourceLocation at) {
  return composite(at, graph, [&] {
    return draw("random_uniform", graph, shape, dtype, RandomUniform::attrs(low, high, graph.next_stream()));
  });
}
Value uniform_like(Operand like, double low, double high) {
  return composite(
      like, [&] { return draw("random_uniform", like, RandomUniform::attrs(low, high, like.graph().next_stream())); });
}

Value random_normal(Graph& graph, const Shape& shape, DType dtype, double mean, double stddev, SourceLocation at) {
  return composite(at, graph, [&] {
    return draw("random_normal", graph, shape, dtype, RandomNormal::attrs(mean, stddev, graph.next_stream()));
  });
}
Value normal_like(Operand like, double mean, double stddev) {
  return composite(
      like, [&] { return draw("random_normal", like, RandomNormal::attrs(mean, stddev, like.graph().next_stream())); });
}

Value random_truncated_normal(Graph& graph, const Shape& shape, DType dtype, double mean, double stddev, double low,
                              double high, SourceLocation at) {
  return composite(at, graph, [&] {
    if (!is_floating(dtype))
      throw DTypeError(fmt::format("random_truncated_normal: {} is not a floating dtype", name_of(dtype)));
    const Cut cut = cut_of("random_truncated_normal", mean, stddev, low, high);
    return inverse_cdf(random_uniform(graph, shape, dtype, cut.low, cut.high), mean, stddev, low, high);
  });
}
Value truncated_normal_like(Operand like, double mean, double stddev, double low, double high) {
  return composite(like, [&] {
    const Cut cut = cut_of("truncated_normal_like", mean, stddev, low, high);
    return inverse_cdf(uniform_like(like, cut.low, cut.high), mean, stddev, low, high);
  });
}

Value random_bernoulli(Graph& graph, const Shape& shape, DType dtype, double probability, SourceLocation at) {
  return composite(at, graph, [&] {
    return draw("random_bernoulli", graph, shape, dtype, RandomBernoulli::attrs(probability, graph.next_stream()));
  });
}
Value bernoulli_like(Operand like, double probability) {
  return composite(like, [&] {
    return draw("random_bernoulli", like, RandomBernoulli::attrs(probability, like.graph().next_stream()));
  });
}
Value bernoulli(Operand probability) {
  return floating_composite(probability,
                            [&] { return cast(uniform_like(probability) < probability, probability.dtype()); });
}

Value dropout_mask(Operand like, double rate) {
  return floating_composite(like, [&] {
    if (!(rate >= 0 && rate <= 1)) {
      throw UserError(fmt::format("dropout_mask: rate must be in [0, 1], got {}\n  {}", rate, like.describe()));
    }
    if (rate == 0) return ones_like(like);
    if (rate == 1) return zeros_like(like);
    return bernoulli_like(like, 1 - rate) * (1 / (1 - rate));
  });
}

Value random_permutation(Graph& graph, Index n, SourceLocation at) {
  return composite(at, graph, [&] {
    return graph.apply(builtin_op("random_permutation"), {}, RandomPermutation::attrs("n", n, graph.next_stream()));
  });
}
Value permutation(Operand x, Index axis) {
  return composite(x, [&] {
    const Index a = axis_index(axis, x.shape().rank(), "permutation");
    const Value order = draw("random_permutation", x, RandomPermutation::attrs("axis", a, x.graph().next_stream()));
    return apply("gather", {x, order}, axis_attrs(a));
  });
}

// ---- samples

namespace {

std::vector<Sample> no_derivative(const Domain& domain = domain::any()) {
  return {zero_gradient({"row", {{{33}, domain}}}), zero_gradient({"matrix", {{{3, 5}, domain}}}),
          zero_gradient({"one element", {{{1}, domain}}}), zero_gradient({"empty", {{{0}, domain}}})};
}

std::vector<BadSample> integers(const char* name) {
  return {{"integers", {Tensor({3}, i64)}, {}, std::string(name) + ": needs a floating dtype"}};
}

}  // namespace

std::vector<Composite> random_composites() {
  std::vector<Sample> with_other_bounds = no_derivative();
  with_other_bounds.push_back(zero_gradient({"above the mean", {{{9}}}, {{"stddev", 1.0}, {"high", 3.0}}}));
  return {
      {"truncated_normal_like",
       "Normal distribution truncated to two standard deviations.",
       [](Inputs x, const Attrs& a) {
         return a.empty() ? truncated_normal_like(x[0], 0.5, 2)
                          : truncated_normal_like(x[0], 0, a.number("stddev"), 1, a.number("high"));
       },
       with_other_bounds,
       {{"integers", {Tensor({3}, i64)}, {}, "i64"},
        {"bounds",
         {Tensor::zeros({3})},
         {{"stddev", 1.0}, {"high", 1.0}},
         "truncated_normal_like: low must be < high, got 1 and 1"},
        {"deviation", {Tensor::zeros({3})}, {{"stddev", -1.0}, {"high", 2.0}}, "truncated_normal_like: stddev must be"},
        {"tiny interval", {Tensor::zeros({3})}, {{"stddev", 1.0}, {"high", 1.00001}}, "has almost no probability"}}},
      {"bernoulli", "1 with probability x, else 0.", [](Inputs x, const Attrs&) { return bernoulli(x[0]); },
       no_derivative(domain::between(0, 1)), integers("bernoulli")},
      {"dropout_mask",
       "0 with probability `rate`, else 1 / (1 - rate).",
       [](Inputs x, const Attrs& a) { return dropout_mask(x[0], a.has("rate") ? a.number("rate") : 0.25); },
       no_derivative(),
       {{"rate", {Tensor::zeros({3})}, {{"rate", -0.5}}, "dropout_mask: rate must be in [0, 1], got -0.5"},
        integers("dropout_mask")[0]}},
      {"permutation",
       "Slices in random order.",
       [](Inputs x, const Attrs&) { return permutation(x[0]); },
       {zero_second({"rows", {{{9, 3}}}}), zero_second({"row", {{{33}}}}), zero_second({"one row", {{{1, 3}}}}),
        zero_second({"one element", {{{1}}}}), zero_gradient({"empty", {{{0, 3}}}})},
       {{"scalar", {Tensor(1.0F)}, {}, "permutation: axis 0 is out of range"}}}};
}

}  // namespace xgrad::inline v0
