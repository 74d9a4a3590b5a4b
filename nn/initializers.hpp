// Initializers: generate the initial weights.
//
//   nn::Dense(64, nn::relu, {.kernel_initializer = nn::he_normal})
//   nn::Dense(64, nn::relu, {.bias_initializer = nn::constant(0.1)})
//   nn::Dense(64, nn::relu, {.kernel_initializer = nn::orthogonal().with_seed(7)})
//   Tensor w = nn::glorot_uniform({784, 64}, f32, 1);
//
// Weights are a function of the seed, bit-identical on every machine up to the last bit of log and cos. By default the
// seed derives from the graph's seed and the name of the weight. An initializer with its own seed gives equal weights
// for equal shapes.
//
// Fans: a kernel [..., in, out] has fan_in = in and fan_out = out, each times the product of the leading extents (the
// receptive field of a convolution); a vector [n] has n for both. Formulas are those of Keras. Truncated normal values
// are redrawn beyond two standard deviations; he_normal, glorot_normal and lecun_normal divide the standard deviation
// by 0.8796, so that the truncated values have the requested one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/nn/data/random.hpp>
#include <xgrad/nn/defaults.hpp>

namespace xgrad::inline v0::nn {

// Number of inputs and outputs of a unit that a weight connects.
struct Fans {
  double in = 1, out = 1;
};
// The fans of a weight, by its shape.
Fans fans_of(const Shape& shape);

// A named function that generates the initial values of a weight.
class Initializer {
 public:
  using Draw = std::function<double(HostRandom&)>;
  using Fill = std::function<void(const Shape&, HostRandom&, std::span<double> values)>;

  // `values` is either a function of the weight's fans that returns a Draw, which draws one element; or a Fill, which
  // writes all elements in row-major order.
  template <class F>
  Initializer(std::string name, F values) : name_(std::move(name)) {
    constexpr bool draws = std::is_invocable_r_v<Draw, F&, const Fans&>;
    constexpr bool fills = std::is_invocable_r_v<void, F&, const Shape&, HostRandom&, std::span<double>>;
    static_assert(draws || fills,
                  "an initializer is a function [](const Shape&, HostRandom&, std::span<double> values) {...}, or "
                  "[](const Fans&) -> Initializer::Draw {...}");
    if constexpr (fills)
      fill_ = std::move(values);
    else if constexpr (draws)
      fill_ = filled_by(std::move(values));
  }

  const std::string& name() const { return name_; }
  // A copy with a fixed seed, which overrides the seed of each weight.
  Initializer with_seed(std::uint64_t seed) const;
  // Returns a tensor of initial weights. Throws DTypeError for integer dtypes, ShapeError if the initializer does not
  // support the shape.
  Tensor operator()(const Shape& shape, DType dtype, std::uint64_t seed) const;

 private:
  static Fill filled_by(std::function<Draw(const Fans&)> draw_for);

  std::string name_;
  Fill fill_;
  std::optional<std::uint64_t> seed_;
};

// Sets all elements to `value`.
Initializer constant(double value);
// Uniform distribution on [low, high). Throws UserError if low > high.
Initializer uniform(double low = -default_initial_bound, double high = default_initial_bound);
// Normal distribution. Throws UserError if stddev < 0.
Initializer normal(double mean = 0, double stddev = default_initial_stddev);
// Normal distribution whose values beyond two standard deviations are redrawn, so that the standard deviation of the
// result is 0.8796 * stddev.
Initializer truncated_normal(double mean = 0, double stddev = default_initial_stddev);

// The number of connections by which variance_scaling divides: fan_in, fan_out, or their mean.
enum class Fan { in, out, average };
// A distribution with mean 0.
enum class Distribution { uniform, normal, truncated_normal };
// Random values with mean 0 and variance scale / fan. Throws UserError unless scale > 0.
Initializer variance_scaling(double scale, Fan fan, Distribution distribution, std::string name = "variance_scaling");

// `gain` times a random matrix [product of all extents except the last, last] with orthonormal rows or columns,
// whichever are fewer: Q of the QR decomposition of a normal matrix, with a positive diagonal of R (Saxe, McClelland
// and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2013). Needs at
// least 2 axes.
Initializer orthogonal(double gain = 1);
// `gain` on the main diagonal of a matrix, 0 elsewhere. Needs exactly 2 axes.
Initializer identity(double gain = 1);

inline const Initializer zeros = constant(0);
inline const Initializer ones = constant(1);
// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
inline const Initializer glorot_uniform = variance_scaling(1, Fan::average, Distribution::uniform, "glorot_uniform");
inline const Initializer glorot_normal =
    variance_scaling(1, Fan::average, Distribution::truncated_normal, "glorot_normal");
// He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015.
inline const Initializer he_uniform = variance_scaling(2, Fan::in, Distribution::uniform, "he_uniform");
inline const Initializer he_normal = variance_scaling(2, Fan::in, Distribution::truncated_normal, "he_normal");
// LeCun, Bottou, Orr and Mueller, "Efficient backprop", 1998.
inline const Initializer lecun_uniform = variance_scaling(1, Fan::in, Distribution::uniform, "lecun_uniform");
inline const Initializer lecun_normal = variance_scaling(1, Fan::in, Distribution::truncated_normal, "lecun_normal");
// The initializer of kernel and bias of torch.nn.Linear: uniform on [-1, 1] / sqrt(inputs). `inputs` is an argument,
// since it cannot be inferred from the shape of a bias; DenseOptions::preset sets it.
Initializer torch_linear(double inputs);

}  // namespace xgrad::inline v0::nn
