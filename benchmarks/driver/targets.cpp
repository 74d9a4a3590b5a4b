#include "targets.hpp"

#include <algorithm>
#include <limits>

namespace bench {
namespace {

struct Ratio {
  const char* job;
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
    // A sum at 85% of the read bandwidth; a chain in 1.25 times the time of a copy.
    {"sum/all", "hardware", 0.85, 0.85},
    {"sum/axis-0", "hardware", 0.85, 0.85},
    {"sum/axis-1", "hardware", 0.85, 0.85},
    {"chain-of-eight/16M", "hardware", 0.8, 0.8},
};

}  // namespace

std::optional<double> target_ratio(const std::string& job, const std::string& who, int threads) {
  for (const Ratio& r : ratios) {
    if (r.job == job && r.who == who) return threads == 1 ? r.one : r.more;
  }
  return {};
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
