// Augmentation: random changes of the training images, drawn anew each epoch.
//
//   nn::Augment augment{nn::shift(0.1), nn::rotate(15), nn::noise(0.05)};
//   Tensor seen = augment(images, seed, epoch);                              // [n, h, w] or [n, h, w, channels]
//   model.fit(train, {.augment = {{nn::rotate(15)}, {.image = {28, 28}}}});  // train.x: [n, 784]
//
// Transforms are applied in order. The result is a function of the seed, the epoch and the row index; it does not
// depend on threads, row order or batch size. Consecutive geometric transforms (shift, rotate, skew, zoom, flips) are
// composed into one map, so that an image is interpolated once, bilinearly. An identity map keeps every bit.
//
// Coordinates are pixels from the image center, x to the right and y down.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include <xgrad/graph/machine/parallel.hpp>
#include <xgrad/graph/tensor.hpp>
#include <xgrad/nn/data/random.hpp>

namespace xgrad::inline v0::nn {

// The pixels outside an image, here of the row abcd.
enum class Fill {
  constant,  // AugmentOptions::fill_value
  nearest,   // aaaa|abcd|dddd
  reflect,   // dcba|abcd|dcba
  wrap,      // abcd|abcd|abcd
};

// A mutable view of one image.
struct Image {
  Index height = 0, width = 0, channels = 1;
  std::span<double> pixels;  // row-major [height, width, channels]
  Fill fill = Fill::constant;
  double fill_value = 0;

  double& at(Index y, Index x, Index channel = 0) const {
    return pixels[static_cast<std::size_t>((y * width + x) * channels + channel)];
  }
  // Bilinear interpolation, with the fill outside the image. Pixel (0, 0) is at y = 0, x = 0.
  double sample(double y, double x, Index channel = 0) const;
};

// Affine map from output to input coordinates: (x, y) -> (xx x + xy y + x0, yx x + yy y + y0).
struct PointMap {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;
};

// One random change of an image. Exactly one of the two functions is set:
//
//   nn::Transform invert{.name = "invert", .change = [](nn::Image& image, nn::HostRandom&) {
//                          for (double& pixel : image.pixels) pixel = 1 - pixel;
//                        }};
struct Transform {
  std::string name;
  std::function<PointMap(const Image& image, HostRandom& random)> move{};  // draws a geometric map
  std::function<void(Image& image, HostRandom& random)> change{};          // changes pixels in place
};

// Bounds of a uniform distribution; a single number means [-most, most].
struct Range {
  double low = 0, high = 0;
  Range(double most) : low(-most), high(most) {}
  Range(double l, double h) : low(l), high(h) {}
};

// Each of these throws UserError, naming the transform, if an argument is out of range.

// Shifts by fractions of the image size, drawn from `both`.
Transform shift(Range both);
// Shifts by a fraction of the width to the right, and by a fraction of the height down.
Transform shift(Range right, Range down);
// Rotates counterclockwise about the center, in degrees.
Transform rotate(Range degrees);
// Shears horizontally, so that verticals lean to the right like italics, in degrees with magnitude below 90.
Transform skew(Range degrees);
// Magnifies about the center by a factor drawn from [1 - most, 1 + most].
Transform zoom(double most);
// Magnifies about the center by a factor > 0 drawn from `factor`.
Transform zoom(Range factor);
// Mirrors the image left to right with the given probability.
Transform flip_left_right(double probability = 0.5);
// Mirrors the image top to bottom with the given probability.
Transform flip_up_down(double probability = 0.5);

// Gaussian blur with a standard deviation, in pixels, drawn from [0, most]. Edges are reflected for every fill mode,
// which preserves the mean of the image.
Transform blur(double most);
// Gaussian blur with a standard deviation drawn from `deviation`.
Transform blur(Range deviation);
// Adds approximately normal noise with the given standard deviation to each element.
Transform noise(double deviation);
// Multiplies the image by a factor drawn from [1 - most, 1 + most].
Transform brightness(double most);
// Multiplies the image by a factor >= 0 drawn from `factor`.
Transform brightness(Range factor);
// Sets a square around a random pixel to `value`, clipped at the edges. `side` is a fraction of the image's shorter
// side. DeVries and Taylor: "Improved regularization of convolutional neural networks with Cutout", 2017.
Transform cutout(double side, double value = 0);
// Elastic distortion: displaces each pixel by a random field, blurred with standard deviation `smoothness` and scaled
// to standard deviation `pixels`, both in pixels. Simard, Steinkraus, Platt: "Best practices for convolutional neural
// networks", 2003.
Transform elastic(double pixels, double smoothness = 4);
// Limits each element to [low, high].
Transform clip(double low = 0, double high = 1);
// Applies the transform with the given probability.
Transform sometimes(double probability, const Transform& transform);

// The image shape, and the pixels outside images.
struct AugmentOptions {
  Shape image{};  // [h, w] or [h, w, channels]; needed if rows are flattened
  Fill fill = Fill::constant;
  double fill_value = 0;
};

// A sequence of random transforms of images.
class Augment {
 public:
  Augment() = default;  // the identity
  Augment(std::initializer_list<Transform> transforms, AugmentOptions options = {});
  Augment(std::vector<Transform> transforms, AugmentOptions options);

  bool empty() const { return transforms_.empty(); }
  const std::vector<Transform>& transforms() const { return transforms_; }

  // Returns augmented images, f32 or f64 [n, ...]; image i has row index i. Throws as `check`.
  Tensor operator()(const Tensor& images, std::uint64_t seed, std::uint64_t epoch = 0, int threads = 0) const;

  // Augments in place: `data` holds rows.size() rows of shape `row`, f32 or f64; `rows` are their row indices.
  void apply(void* data, DType dtype, const Shape& row, std::span<const Index> rows, std::uint64_t seed,
             std::uint64_t epoch, const Parallel& parallel = Parallel(1)) const;
  // Throws ShapeError unless `row` is an image shape or has as many elements as AugmentOptions::image, DTypeError
  // unless dtype is f32 or f64. Messages begin with `where`.
  void check(const std::string& where, const Shape& row, DType dtype) const;

 private:
  std::vector<Transform> transforms_;
  AugmentOptions options_;
};

}  // namespace xgrad::inline v0::nn
