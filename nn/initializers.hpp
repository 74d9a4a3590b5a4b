// Initializers: where the first numbers of a weight come from.
//
//   nn::Dense(64, nn::relu, {.kernel_initializer = nn::he_normal})
//   nn::Dense(64, nn::relu, {.bias_initializer = nn::constant(0.1)})
//   Tensor w = nn::glorot_uniform({784, 64}, f32, 1);
//
// The numbers are a function of the seed, the same on every machine up to the last bit of its log and cos.
//
// Fans: a kernel [..., in, out] has fan_in = in and fan_out = out, each times the extents before them (the receptive
// field of a convolution); a vector [n] has n for both. Formulas are those of Keras; "truncated" numbers are drawn anew
// while they lie beyond two deviations, and where a formula says so the deviation is enlarged by 1 / 0.8796 so that
// what remains has the deviation asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/nn/data/random.hpp>

namespace xgrad::nn {

struct Fans {
  double in = 1, out = 1;
};
Fans fans_of(const Shape& shape);

class Initializer {
 public:
  using Draw = std::function<double(HostRandom&)>;

  // `draw_for` gives, for the fans of a weight, the function that draws its numbers one by one.
  Initializer(std::string name, std::function<Draw(const Fans&)> draw_for)
      : name_(std::move(name)), draw_for_(std::move(draw_for)) {}

  const std::string& name() const { return name_; }
  Tensor operator()(const Shape& shape, DType dtype, std::uint64_t seed) const;

 private:
  std::string name_;
  std::function<Draw(const Fans&)> draw_for_;
};

Initializer constant(double value);
Initializer uniform(double low = -0.05, double high = 0.05);
Initializer normal(double mean = 0, double stddev = 0.05);
// Drawn anew while more than two deviations from the mean; the deviation of what remains is 0.8796 * stddev.
Initializer truncated_normal(double mean = 0, double stddev = 0.05);

extern const Initializer zeros;
extern const Initializer ones;
// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
extern const Initializer glorot_uniform;  // within +-sqrt(6 / (in + out))
extern const Initializer glorot_normal;   // truncated, deviation sqrt(2 / (in + out))
// He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015.
extern const Initializer he_uniform;  // within +-sqrt(6 / in)
extern const Initializer he_normal;   // truncated, deviation sqrt(2 / in)
// LeCun, Bottou, Orr and Mueller, "Efficient backprop", 1998.
extern const Initializer lecun_uniform;  // within +-sqrt(3 / in)
extern const Initializer lecun_normal;   // truncated, deviation sqrt(1 / in)
// What PyTorch gives the kernel and the bias of a linear layer: within +-1 / sqrt(in). For the bias, whose own shape does
// not say how many inputs the layer has, see DenseOptions.
Initializer torch_linear(double inputs);

}  // namespace xgrad::nn
