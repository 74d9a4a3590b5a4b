#include "targets.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

namespace bench {
namespace {

struct Ratio {
  std::string_view job;  // one that ends in "/" stands for all jobs that begin with it and have no entry of their own
  const char* who;
  double one, more;  // with one thread, with several
};

constexpr Ratio ratios[] = {
    {"train/mnist/step", "torch", 2.2, 2.7},
    {"train/mnist/in-order", "torch", 2.2, 2.7},
    {"train/mnist/shuffled", "torch", 2.2, 2.7},
    {"train/wide", "torch", 1.15, 1.25},
    {"train/boston", "torch", 40, 40},
    {"infer/mnist/1", "torch", 10, 10},
    {"infer/mnist/128", "torch", 1.2, 2},
    {"infer/mnist/1024", "torch", 1.3, 1.8},
    {"tanh-net/input-penalty", "torch", 2.5, 2.5},
    {"batch-norm/128x64", "torch", 1.5, 1.5},
    {"batch-norm/4096x256", "torch", 1.5, 1.5},
    {"softmax/128x10", "torch", 4, 4},
    {"softmax/4096x1024", "torch", 1.5, 1.5},
    {"train/lenet/128", "torch", 1.8, 1.8},
    {"train/resnet-20/32", "torch", 1.35, 1.35},
    {"train/transformer-12/16", "torch", 1.2, 1.2},
    {"infer/lenet/", "torch", 1.3, 1.3},
    {"infer/lenet/", "onnxruntime", 1, 1},
    {"infer/resnet-20/", "torch", 1.3, 1.3},
    {"infer/resnet-20/", "onnxruntime", 1, 1},
    {"conv/14x32-64/3x3/b32", "torch", 1.3, 1.3},
    {"conv/14x32-64/3x3/b32/backward", "torch", 1.5, 1.5},
    {"conv/32x64-64/3x3/b16", "torch", 1.3, 1.3},
    {"conv/32x64-64/3x3/b16/backward", "torch", 1.5, 1.5},
    {"conv/56x64-64/3x3/b8", "torch", 1.3, 1.3},
    {"conv/56x64-64/3x3/b8/backward", "torch", 1.5, 1.5},
    {"conv/28x128-128/3x3/depthwise/b16", "torch", 1.1, 1.1},
    {"conv/28x128-128/3x3/depthwise/b16/backward", "torch", 1.1, 1.1},
    {"conv/28x128-128/3x3/g32/b16", "torch", 2.5, 2.5},
    {"conv/28x128-128/3x3/g32/b16/backward", "torch", 2.5, 2.5},
    {"conv/", "torch", 1, 1},
    {"conv1d/", "torch", 1, 1},
    {"conv-transpose/", "torch", 1, 1},
    {"max-pool/", "torch", 1.8, 1.8},
    {"average-pool/", "torch", 1.8, 1.8},
    {"batch-norm/32x32x32x64", "torch", 1.3, 1.3},
    {"layer-norm/2048x512/backward", "torch", 1.8, 1.8},
    {"softmax/8192x128/backward", "torch", 1.2, 1.2},
    {"gelu/", "torch", 1.2, 1.2},
    {"cross-entropy/", "torch", 1.2, 1.2},
    {"attention/causal/8x8x128x64/backward", "torch", 1.5, 1.5},
    {"lstm/64x32x128/backward", "torch", 1.5, 1.5},
    {"split-and-stack/", "torch", 1, 1},
    {"concat/", "torch", 1, 1},
    {"slice/", "torch", 1, 1},
    {"pad/", "torch", 1, 1},
    {"flip/", "torch", 1, 1},
    {"gather/", "torch", 1, 1},
    {"take-along/", "torch", 1, 1},
    {"scatter-add/", "torch", 1, 1},
    {"scatter-add-along/", "torch", 1, 1},
    {"sort/", "torch", 1, 1},
    {"argsort/", "torch", 1, 1},
    {"top-10/", "torch", 1, 1},
    {"cumsum/", "torch", 1, 1},
    {"count/", "torch", 1, 1},
    {"sum/axis-1/64x256x256", "torch", 1, 1},
    {"max/axis-1/64x256x256", "torch", 1, 1},
    {"var/axis-1/64x256x256", "torch", 1, 1},
    {"add/", "torch", 1, 1},
    // A sum at 85% of the read bandwidth; a chain in 1.25 times the time of a copy.
    {"sum/all", "hardware", 0.85, 0.85},
    {"sum/axis-0", "hardware", 0.85, 0.85},
    {"sum/axis-1", "hardware", 0.85, 0.85},
    {"chain-of-eight/16M", "hardware", 0.8, 0.8},
};

}  // namespace

std::optional<double> target_ratio(const std::string& job, const std::string& who, int threads) {
  const Ratio* found = nullptr;
  for (const Ratio& r : ratios) {
    if (r.who != who || !(r.job == job || (r.job.ends_with('/') && job.starts_with(r.job)))) continue;
    if (found == nullptr || r.job.size() > found->job.size()) found = &r;
  }
  if (found == nullptr) return {};
  return threads == 1 ? found->one : found->more;
}

std::optional<double> target_limit(const std::string& job) {
  if (job == "plan/mnist") return target_planning;
  if (job == "start/first-step") return 50e6;
  if (job == "start/memory") return 40.0 * 1024 * 1024;
  return {};
}

double fraction_of_best(const Result& product) {
  double best = std::numeric_limits<double>::quiet_NaN();
  for (const char* who : product_peers) {
    const double ratio = product.ratio(who);
    if (!(best <= ratio)) best = ratio == ratio ? ratio : best;
  }
  return best;
}

}  // namespace bench
