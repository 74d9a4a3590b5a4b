// Operations that this library and libtorch are compared at. Each worker has a function for each family, which builds
// the operation from inputs of these shapes; the shapes are written down here only.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "inputs.hpp"

namespace bench {

enum class Passes {
  forward,
  both,  // a job for the forward pass, and one for forward and backward from a given cotangent
  own,   // the function differentiates by itself
};

struct Window {
  std::int64_t stride = 1, padding = 0, groups = 1;
};

struct Operation {
  std::string family;
  Passes passes = Passes::forward;
  std::vector<Input> inputs{};
  std::string detail{};  // the shape of the first input if empty
  Window window{};

  std::string name() const { return family + "/" + (detail.empty() ? text(inputs.front().shape) : detail); }
  // Whether the channels of the first input are an axis that libtorch wants second.
  bool on_images() const { return !inputs.empty() && inputs.front().kind == Kind::image; }
  // Random results have equal statistics only.
  bool random() const { return family.starts_with("random/"); }
};

inline const std::string backward_suffix = "/backward";

// How much results may differ, relative to their norm.
inline double tolerance(const std::string& job) {
  if (job.starts_with("random/")) return 1e-2;
  // The loss after optimizer steps, which amplify rounding errors.
  if (job.starts_with("train/")) return 5e-3;
  // libtorch adds up the 32,768 rows of an image batch in f32.
  if (job.starts_with("batch-norm/")) return 1e-3;
  return 1e-4;
}

struct Convolution {
  std::int64_t batch, height, channels, filters, size, stride, padding, groups;
  bool first_layer = false;  // the image needs no gradient
};

inline Operation convolution(const Convolution& c) {
  Operation out{"conv", Passes::both, {}, {}, {c.stride, c.padding, c.groups}};
  out.inputs = {{Kind::image, {c.batch, c.height, c.height, c.channels}},
                {Kind::kernel, {c.size, c.size, c.channels / c.groups, c.filters}},
                {Kind::values, {c.filters}}};
  out.inputs[0].fixed = c.first_layer;
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  out.detail = number(c.height) + "x" + number(c.channels) + "-" + number(c.filters) + "/" + number(c.size) + "x" +
               number(c.size);
  if (c.stride != 1) out.detail += "/s" + number(c.stride);
  if (c.groups != 1) out.detail += c.groups == c.channels ? "/depthwise" : "/g" + number(c.groups);
  out.detail += "/b" + number(c.batch);
  return out;
}

inline std::vector<Operation> convolutions() {
  std::vector<Operation> out;
  for (const Convolution& c : {Convolution{32, 28, 1, 32, 3, 1, 1, 1, true},
                               {32, 14, 32, 64, 3, 1, 1, 1},
                               {16, 32, 64, 64, 3, 1, 1, 1},
                               {8, 56, 64, 64, 3, 1, 1, 1},
                               {16, 28, 128, 128, 1, 1, 0, 1},
                               {16, 32, 64, 128, 3, 2, 1, 1},
                               {16, 28, 32, 64, 5, 1, 2, 1},
                               {16, 28, 128, 128, 3, 1, 1, 32},
                               {16, 28, 128, 128, 3, 1, 1, 128}}) {
    out.push_back(convolution(c));
  }
  out.push_back({"conv-transpose",
                 Passes::both,
                 {{Kind::image, {16, 16, 16, 64}}, {Kind::kernel, {4, 4, 64, 64}}},
                 "16x64-64/4x4/s2/b16",
                 {2, 1, 1}});
  out.push_back({"conv1d",
                 Passes::both,
                 {{Kind::image, {8, 4096, 32}}, {Kind::kernel, {9, 32, 64}}, {Kind::values, {64}}},
                 "4096x32-64/9/b8",
                 {1, 4, 1}});
  for (const char* pool : {"max-pool", "average-pool"}) {
    out.push_back({pool, Passes::both, {{Kind::image, {32, 32, 32, 64}}}, {}, {2, 0, 1}});
  }
  return out;
}

// Normalization, activations, attention, recurrence and embedding.
inline std::vector<Operation> layers() {
  const auto values = [](Extents shape) { return Input{Kind::values, std::move(shape)}; };
  const auto weight = [](Extents shape) { return Input{Kind::weight, std::move(shape)}; };
  const auto fixed = [](Input input) {
    input.fixed = true;
    return input;
  };
  const std::int64_t steps = 64, batch = 32, units = 128;
  const std::vector<Input> cell{weight({units, 4 * units}), weight({units, 4 * units}), values({4 * units})};
  std::vector<Operation> out{
      {"layer-norm", Passes::both, {values({2048, 512}), values({512}), values({512})}},
      {"gelu", Passes::both, {values({2048, 512})}},
      {"gelu-tanh", Passes::both, {values({2048, 512})}},
      {"softmax", Passes::both, {values({8192, 128})}},
      {"cross-entropy", Passes::own, {values({256, 10000}), {Kind::indices, {256}, 10000}}},
      {"attention/causal",
       Passes::both,
       {values({8, 8, 128, 64}),
        values({8, 8, 128, 64}),
        values({8, 8, 128, 64}),
        {Kind::causal, {128, 128}, 1, true}}},
      {"embedding", Passes::both, {values({10000, 128}), {Kind::indices, {4096}, 10000}}, "10000x128/4096"},
      {"lstm", Passes::both, {values({steps, batch, units}), cell[0], cell[1], cell[2]}},
      // The same with an input for each step, none of which needs a gradient.
      {"lstm-steps", Passes::both, cell, text({steps, batch, units})},
  };
  for (std::int64_t t = 0; t < steps; ++t) out.back().inputs.push_back(fixed(values({batch, units})));

  const std::vector<Input> net{weight({784, 64}), values({64}), weight({64, 10}), values({10})};
  Operation product{"hvp", Passes::own, {fixed(values({32, 784})), {Kind::indices, {32}, 10}}, "784-64-10/b32"};
  Operation by_input{"jacobian/input", Passes::own, {values({1, 784})}, "784-64-10"};
  Operation by_weights{"jacobian/weights", Passes::own, {fixed(values({1, 784}))}, "784-64-10"};
  for (const Input& input : net) {
    product.inputs.push_back(input);
    by_input.inputs.push_back(fixed(input));
    by_weights.inputs.push_back(input);
  }
  for (const Input& input : net) product.inputs.push_back(fixed(input));  // the tangents
  out.insert(out.end(), {product, by_input, by_weights});
  return out;
}

// Moving, selecting and ordering elements.
inline std::vector<Operation> movements() {
  const auto values = [](Extents shape) { return Input{Kind::values, std::move(shape)}; };
  return {
      {"permute/nchw-nhwc", Passes::forward, {values({32, 64, 32, 32})}},
      {"permute/nhwc-nchw", Passes::forward, {values({32, 32, 32, 64})}},
      {"permute/bthd-bhtd", Passes::forward, {values({16, 128, 8, 64})}},
      {"transpose", Passes::forward, {values({2048, 2048})}},
      {"concat/axis-0", Passes::forward, {values({2048, 512}), values({2048, 512})}},
      {"concat/axis-1", Passes::forward, {values({2048, 512}), values({2048, 512})}},
      {"slice/half", Passes::forward, {values({2048, 1024})}},
      {"slice/every-second", Passes::forward, {values({2048, 1024})}},
      {"pad", Passes::forward, {values({32, 32, 32, 64})}},
      {"flip", Passes::forward, {values({2048, 1024})}},
      {"split-and-stack", Passes::both, {values({64, 32, 512})}},
      {"gather/axis-1", Passes::forward, {values({2048, 512}), {Kind::indices, {256}, 512}}},
      {"take-along", Passes::forward, {values({2048, 512}), {Kind::indices, {2048, 512}, 512}}},
      {"scatter-add",
       Passes::forward,
       {values({10000, 128}), {Kind::indices, {4096}, 10000}, values({4096, 128})},
       "10000x128/4096"},
      {"scatter-add-along",
       Passes::forward,
       {values({2048, 512}), {Kind::indices, {2048, 512}, 512}, values({2048, 512})}},
      {"sort", Passes::forward, {values({256, 4096})}},
      {"sort", Passes::forward, {values({1 << 20})}},
      {"argsort", Passes::forward, {values({256, 4096})}},
      {"top-10", Passes::forward, {values({256, 10000})}},
      {"cumsum/axis-0", Passes::forward, {values({2048, 1024})}},
      {"cumsum/axis-1", Passes::forward, {values({2048, 1024})}},
  };
}

// Reductions, comparisons, broadcasting, products of batches, f64 and random numbers.
inline std::vector<Operation> further_operations() {
  const auto values = [](Extents shape) { return Input{Kind::values, std::move(shape)}; };
  const auto doubles = [](Extents shape) { return Input{Kind::values, std::move(shape), 1, false, true}; };
  const Input mask{Kind::mask, {2048, 2048}};
  std::vector<Operation> out{
      {"sum/axis-1", Passes::forward, {values({64, 256, 256})}},
      {"max/axis-1", Passes::forward, {values({64, 256, 256})}},
      {"var/axis-1", Passes::forward, {values({64, 256, 256})}},
      {"max/axis-1", Passes::forward, {values({4096, 1024})}},
      {"argmax/axis-1", Passes::forward, {values({256, 10000})}},
      {"argmax/axis-0", Passes::forward, {values({4096, 1024})}},
      {"logsumexp", Passes::forward, {values({4096, 1024})}},
      {"any/axis-1", Passes::forward, {mask}},
      {"count", Passes::forward, {mask}},
      {"all-positive", Passes::forward, {{Kind::positive, {2048, 2048}}}},
      {"where", Passes::forward, {mask, values({2048, 2048}), values({2048, 2048})}},
      {"masked-fill", Passes::forward, {values({2048, 2048}), mask}},
      {"less", Passes::forward, {values({2048, 2048}), values({2048, 2048})}},
      {"add/middle", Passes::forward, {values({64, 256, 256}), values({64, 1, 256})}},
      {"batch-matmul", Passes::forward, {values({512, 16, 16}), values({512, 16, 16})}},
      {"batch-matmul", Passes::forward, {values({4096, 4, 4}), values({4096, 4, 4})}},
      {"batch-matmul", Passes::forward, {values({64, 64, 64}), values({64, 64, 64})}},
      {"batch-matmul/tb", Passes::forward, {values({64, 128, 64}), values({64, 128, 64})}},
      {"einsum/bthd,bshd-bhts", Passes::both, {values({8, 128, 8, 64}), values({8, 128, 8, 64})}},
      {"matrix-vector", Passes::forward, {values({4096, 4096}), values({4096, 1})}},
      {"vector-matrix", Passes::forward, {values({4096, 4096}), values({1, 4096})}},
      {"f64/exp", Passes::forward, {doubles({1 << 18})}},
      {"f64/tanh", Passes::forward, {doubles({1 << 18})}},
  };
  for (const std::int64_t n : {128, 512, 1024}) {
    out.push_back({"f64/matmul", Passes::forward, {doubles({n, n}), doubles({n, n})}});
  }
  // The input gives the shape; dropout also reads it.
  for (const char* kind : {"normal", "uniform", "bernoulli", "dropout"}) {
    out.push_back({std::string("random/") + kind, Passes::forward, {values({1 << 22})}});
  }
  out.push_back({"random/permutation", Passes::forward, {values({1 << 20})}});
  return out;
}

inline std::vector<Operation> operations() {
  std::vector<Operation> out;
  for (const auto& part : {convolutions(), layers(), movements(), further_operations()}) {
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

}  // namespace bench
