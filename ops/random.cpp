// Random numbers: functions of the graph's seed, the run's step, the node's stream and the element.
#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/ops/define.hpp>
#include <xgrad/ops/kernels/kernels.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/registry.hpp>

namespace xgrad {
namespace {

constexpr const char* depends_on_nothing = "random numbers depend on no input";

RandomArgs random_args(const KernelCall& call, double a, double b) {
  return {call.output.data,
          call.output.type.shape.elements(),
          call.random.seed,
          call.random.step,
          static_cast<std::uint32_t>(call.attrs->integer("stream")),
          0,
          a,
          b};
}

// The same within a block program.
RandomArgs block_args(const Attrs& attrs, const RandomState& random, Index first, Index n, void* out, double a,
                      double b) {
  return {out, n, random.seed, random.step, static_cast<std::uint32_t>(attrs.integer("stream")), first, a, b};
}

struct Source : Operation {
  static constexpr int min_inputs = 0, max_inputs = 0;
  static constexpr const char* no_gradient = depends_on_nothing;
  static Traits traits() { return {.random = true}; }
  static TensorType infer(const Infer& in) {
    const DType dtype = in.attrs().dtype("dtype");
    if (!is_floating(dtype)) in.fail_dtype(fmt::format("{} is not a floating dtype", name_of(dtype)));
    return {dtype, Shape(in.attrs().ints("shape"))};
  }
};

struct RandomUniform : Source {
  static constexpr const char* name = "random_uniform";
  static constexpr const char* doc = "Numbers in [low, high), each as likely as another.";
  static void kernel(const KernelCall& call) {
    kernels().uniform[static_cast<int>(call.output.type.dtype)](
        random_args(call, call.attrs->number("low"), call.attrs->number("high")), call.parallel);
  }
  template <DType dtype>
  static void block(const Attrs& attrs, const RandomState& random, Index first, Index n, void* out) {
    kernels().uniform[static_cast<int>(dtype)](
        block_args(attrs, random, first, n, out, attrs.number("low"), attrs.number("high")), Parallel(1));
  }
  static constexpr RandomBlockKernels random_block = {block<f32>, block<f64>, nullptr, nullptr};
  static Attrs attrs(const Axes& shape, DType dtype, double low, double high, Index stream) {
    return {{"shape", shape}, {"dtype", dtype}, {"low", low}, {"high", high}, {"stream", stream}};
  }
  static std::vector<Sample> samples() { return {{"matrix", {}, attrs({3, 33}, f32, -1, 2, 7), 0, true, true}}; }
  static std::vector<BadSample> bad_samples() {
    return {{"integers", {}, attrs({3}, i64, 0, 1, 0), "not a floating dtype"}};
  }
};

struct RandomNormal : Source {
  static constexpr const char* name = "random_normal";
  static constexpr const char* doc = "Normal numbers of a mean and a standard deviation (Box and Muller, 1958).";
  static void kernel(const KernelCall& call) {
    kernels().normal[static_cast<int>(call.output.type.dtype)](
        random_args(call, call.attrs->number("mean"), call.attrs->number("stddev")), call.parallel);
  }
  template <DType dtype>
  static void block(const Attrs& attrs, const RandomState& random, Index first, Index n, void* out) {
    kernels().normal[static_cast<int>(dtype)](
        block_args(attrs, random, first, n, out, attrs.number("mean"), attrs.number("stddev")), Parallel(1));
  }
  static constexpr RandomBlockKernels random_block = {block<f32>, block<f64>, nullptr, nullptr};
  static Attrs attrs(const Axes& shape, DType dtype, double mean, double stddev, Index stream) {
    return {{"shape", shape}, {"dtype", dtype}, {"mean", mean}, {"stddev", stddev}, {"stream", stream}};
  }
  static std::vector<Sample> samples() { return {{"matrix", {}, attrs({3, 33}, f32, 1, 2, 7), 0, true, true}}; }
  static std::vector<BadSample> bad_samples() {
    return {{"integers", {}, attrs({3}, i64, 0, 1, 0), "not a floating dtype"}};
  }
};

struct BernoulliLike : Operation {
  static constexpr const char* name = "bernoulli_like";
  static constexpr const char* doc =
      "1 with the given probability, else 0, in the shape and dtype of the input, of which nothing else matters. The "
      "same "
      "choices for every dtype.";
  static constexpr const char* no_gradient = depends_on_nothing;
  static Traits traits() { return {.random = true, .shape_only = 1}; }
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64, boolean});
    const double p = in.attrs().number("probability");
    if (!(p >= 0 && p <= 1)) in.fail_shape(fmt::format("probability {} is not in [0, 1]", p));
    return in.type(0);
  }
  static void kernel(const KernelCall& call) {
    kernels().bernoulli[static_cast<int>(call.output.type.dtype)](
        random_args(call, call.attrs->number("probability"), 0), call.parallel);
  }
  template <DType dtype>
  static void block(const Attrs& attrs, const RandomState& random, Index first, Index n, void* out) {
    kernels().bernoulli[static_cast<int>(dtype)](
        block_args(attrs, random, first, n, out, attrs.number("probability"), 0), Parallel(1));
  }
  static constexpr RandomBlockKernels random_block = {block<f32>, block<f64>, nullptr, block<boolean>};
  static std::vector<Sample> samples() {
    return {{"matrix", {{{3, 33}}}, {{"probability", 0.3}, {"stream", Index{3}}}, 0, true, true}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"probability", {Tensor({3})}, {{"probability", 1.5}, {"stream", Index{0}}}, "1.5 is not in [0, 1]"},
            {"integers", {Tensor({3}, i64)}, {{"probability", 0.5}, {"stream", Index{0}}}, "i64"}};
  }
};

}  // namespace

void register_random(OpRegistry& registry) {
  registry.add(define<RandomUniform>());
  registry.add(define<RandomNormal>());
  registry.add(define<BernoulliLike>());
}

Value random_uniform(Graph& graph, const Shape& shape, DType dtype, double low, double high) {
  const Axes extents(shape.begin(), shape.end());
  return graph.apply(builtin_op("random_uniform"), {},
                     RandomUniform::attrs(extents, dtype, low, high, graph.next_stream()));
}

Value random_normal(Graph& graph, const Shape& shape, DType dtype, double mean, double stddev) {
  const Axes extents(shape.begin(), shape.end());
  return graph.apply(builtin_op("random_normal"), {},
                     RandomNormal::attrs(extents, dtype, mean, stddev, graph.next_stream()));
}

Value bernoulli_like(Value like, double probability) {
  return apply("bernoulli_like", {like}, {{"probability", probability}, {"stream", like.graph().next_stream()}});
}

}  // namespace xgrad
