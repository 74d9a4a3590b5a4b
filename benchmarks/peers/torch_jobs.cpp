#include "torch_jobs.hpp"

namespace bench::peer {

Tensor made(const Input& rule, at::IntArrayRef shape, std::size_t seed) {
  const bool integer = rule.kind == Kind::indices || rule.kind == Kind::labels;
  const auto dtype = integer                   ? torch::kLong
                     : rule.kind == Kind::mask ? torch::kBool
                     : rule.wide               ? torch::kDouble
                                               : torch::kFloat;
  Tensor out = torch::empty(shape, dtype);
  if (integer)
    fill_indices(out.data_ptr<std::int64_t>(), out.numel(), rule, seed);
  else if (rule.kind == Kind::mask)
    fill_mask(out.data_ptr<bool>(), out.numel(), seed);
  else if (rule.wide)
    fill(out.data_ptr<double>(), rule.kind, shape.vec(), seed);
  else
    fill(out.data_ptr<float>(), rule.kind, shape.vec(), seed);
  return out;
}

Tensor made_up(at::IntArrayRef shape, std::size_t seed) { return made({}, shape, seed); }

Digest digest_of(const Tensor& result, bool random) {
  const Tensor flat = result.detach().to(torch::kDouble).contiguous();
  const auto* data = flat.data_ptr<double>();
  return random ? digest_random(data, flat.numel()) : digest(data, flat.numel());
}

Adam::Adam(Tensors parameters) : parameters_(std::move(parameters)) {
  for (const Tensor& p : parameters_) {
    means_.push_back(torch::zeros_like(p));
    squares_.push_back(torch::zeros_like(p));
    divisors_.push_back(torch::empty_like(p));
  }
}

void Adam::zero_grad() {
  for (Tensor& p : parameters_) p.mutable_grad().reset();
}

void Adam::step() {
  const torch::NoGradGuard no_grad;
  ++steps_;
  const double rate = 0.001 * std::sqrt(1 - std::pow(0.999, steps_)) / (1 - std::pow(0.9, steps_));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& gradient = parameters_[i].grad();
    means_[i].lerp_(gradient, 0.1);
    squares_[i].mul_(0.999).addcmul_(gradient, gradient, 0.001);
    at::sqrt_out(divisors_[i], squares_[i]).add_(1e-7);
    parameters_[i].addcdiv_(means_[i], divisors_[i], -rate);
  }
}

void share_weights(torch::nn::Module& net) {
  const torch::NoGradGuard no_grad;
  std::size_t position = 0;
  for (const auto& named : net.named_parameters()) {
    Tensor p = named.value();
    if (p.dim() == 1 && named.key().ends_with("bias")) p.zero_();
    if (p.dim() > 1) {
      // libtorch has [out, in, ...], this library [..., in, out].
      std::vector<std::int64_t> shape(p.sizes().begin() + 2, p.sizes().end());
      shape.insert(shape.end(), {p.size(1), p.size(0)});
      const Input rule{Kind::weight, {}, 1, false, p.scalar_type() == torch::kDouble};
      p.copy_(made(rule, shape, weight_seed(position)).movedim({-1, -2}, {0, 1}));
    }
    ++position;
  }
}

}  // namespace bench::peer
