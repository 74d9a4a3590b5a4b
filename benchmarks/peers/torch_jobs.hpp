// Jobs of the worker for libtorch, one list per file, and what they share.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include "../inputs.hpp"
#include "../worker.hpp"

namespace bench::peer {

using torch::Tensor;
using Tensors = std::vector<Tensor>;

std::vector<Job> table_jobs();
std::vector<Job> network_jobs();

// A new tensor filled as the `seed`-th input of a job, in the layout of this library: channels last.
Tensor made(const Input& rule, at::IntArrayRef shape, std::size_t seed);
// Positive values.
Tensor made_up(at::IntArrayRef shape, std::size_t seed = 0);

// The digest in the order of this library's results.
Digest digest_of(const Tensor& result, bool random = false);

// A job that calls `once`, which returns Tensors. They are compared; the timed calls drop them.
template <class F>
Prepared prepared(F once, bool random = false) {
  return {timed([once]() mutable { (void)once(); }), [once, random]() mutable {
            (void)once();
            (void)once();
            std::vector<Digest> out;
            for (const Tensor& t : Tensors(once())) out.push_back(digest_of(t, random));
            return out;
          }};
}

// Adam in the fewest passes that library functions allow, without new tensors.
class Adam {
 public:
  explicit Adam(Tensors parameters);
  void zero_grad();
  void step();
  const Tensors& parameters() const { return parameters_; }

 private:
  Tensors parameters_, means_, squares_, divisors_;
  int steps_ = 0;
};

// Gives the network the weights with which all workers start.
void share_weights(torch::nn::Module& net);

}  // namespace bench::peer
