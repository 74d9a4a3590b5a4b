// Augmentation: images changed a little, anew in each epoch, so that a network sees more than there is.
//
//   nn::Augment augment{nn::shift(0.1), nn::rotate(15), nn::noise(0.05)};
//   Tensor seen = augment(images, seed, epoch);                              // [n, h, w] or [n, h, w, channels]
//   model.fit(train, {.augment = {{nn::rotate(15)}, {.image = {28, 28}}}});  // train.x: [n, 784]
//
// Transforms are applied in their order. What an image becomes is a function of the seed, the epoch and the number of
// its row: neither the number of threads, nor the order of the rows, nor the size of a batch has a part in it.
// Transforms of points that follow one another (shift, rotate, skew, zoom, the flips) are joined into one map, so that
// an image is interpolated once, bilinearly; a map that moves nothing leaves every bit as it was.
//
// Points are measured in pixels from the middle of the image, x to the right and y down.
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

// What lies beyond the edge of an image abcd: a value; aaaa|abcd|dddd; dcba|abcd|dcba; abcd|abcd|abcd.
enum class Fill { constant, nearest, reflect, wrap };

// An image at work.
struct Image {
  Index height = 0, width = 0, channels = 1;
  std::span<double> pixels;  // row after row, the channels of a pixel together
  Fill fill = Fill::constant;
  double fill_value = 0;

  double& at(Index y, Index x, Index channel = 0) const {
    return pixels[static_cast<std::size_t>((y * width + x) * channels + channel)];
  }
  // Between pixels and beyond the edge: bilinear. Pixel (0, 0) is at y = 0, x = 0.
  double sample(double y, double x, Index channel = 0) const;
};

// Where the pixel of the new image at (x, y) is found in the old one: at (xx x + xy y + x0, yx x + yy y + y0).
struct PointMap {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;
};

// One change of an image, by numbers drawn from `random`. One of the two functions is set:
//
//   nn::Transform invert{.name = "invert", .change = [](nn::Image& image, nn::HostRandom&) {
//                          for (double& pixel : image.pixels) pixel = 1 - pixel;
//                        }};
struct Transform {
  std::string name;
  std::function<PointMap(const Image& image, HostRandom& random)> move{};  // draws where pixels come from
  std::function<void(Image& image, HostRandom& random)> change{};          // changes pixels in place
};

// Where a number is drawn from, each as likely as any other; one number is short for as much to both sides of 0.
struct Range {
  double low = 0, high = 0;
  Range(double most) : low(-most), high(most) {}
  Range(double l, double h) : low(l), high(h) {}
};

// All of these throw UserError, naming the transform, for numbers that make no sense.

// By a part of the width to the right and of the height down.
Transform shift(Range both);
Transform shift(Range right, Range down);
// By degrees counterclockwise about the middle.
Transform rotate(Range degrees);
// The upper part to the right and the lower to the left, as italics lean: verticals lean by degrees, less than 90.
Transform skew(Range degrees);
// Larger by a factor above 0, about the middle: drawn from [1 - most, 1 + most], or as given.
Transform zoom(double most);
Transform zoom(Range factor);
// Mirrored with that probability.
Transform flip_left_right(double probability = 0.5);
Transform flip_up_down(double probability = 0.5);

// A Gaussian blur with a deviation in pixels drawn from [0, most], or as given. Beyond the edge the image is reflected,
// whatever the fill, so that its mean stays as it is.
Transform blur(double most);
Transform blur(Range deviation);
// To each number is added one of its own, nearly normal with that deviation.
Transform noise(double deviation);
// Times a factor drawn from [1 - most, 1 + most], or as given; at least 0.
Transform brightness(double most);
Transform brightness(Range factor);
// A square about a pixel drawn from all of them, its side that part of the shorter side of the image, becomes `value`;
// what of it lies beyond the edge is lost. DeVries and Taylor: "Improved regularization of convolutional neural
// networks with Cutout", 2017.
Transform cutout(double side, double value = 0);
// Each pixel comes from a place near by: displacements drawn for each pixel, blurred with the deviation `smoothness`,
// and scaled to a deviation of `pixels`, both in pixels. Simard, Steinkraus, Platt: "Best practices for convolutional
// neural networks", 2003.
Transform elastic(double pixels, double smoothness = 4);
// Numbers below `low` become it, and those above `high` that.
Transform clip(double low = 0, double high = 1);
// That transform with that probability, otherwise none.
Transform sometimes(double probability, const Transform& transform);

struct AugmentOptions {
  Shape image{};  // [h, w] or [h, w, channels] of rows that have another shape, such as [h w]
  Fill fill = Fill::constant;
  double fill_value = 0;
};

class Augment {
 public:
  Augment() = default;  // changes nothing
  Augment(std::initializer_list<Transform> transforms, AugmentOptions options = {});
  Augment(std::vector<Transform> transforms, AugmentOptions options);

  bool empty() const { return transforms_.empty(); }
  const std::vector<Transform>& transforms() const { return transforms_; }

  // The images, f32 or f64 [n, ...], each changed: image i as row i. Throws as `check`.
  Tensor operator()(const Tensor& images, std::uint64_t seed, std::uint64_t epoch = 0, int threads = 0) const;

  // Changes rows in place: `data` holds rows.size() rows of that shape, f32 or f64, with the numbers `rows`.
  void apply(void* data, DType dtype, const Shape& row, std::span<const Index> rows, std::uint64_t seed,
             std::uint64_t epoch, const Parallel& parallel = Parallel(1)) const;
  // Throws ShapeError unless rows of that shape are images for it, DTypeError for integers; `where` in front.
  void check(const std::string& where, const Shape& row, DType dtype) const;

 private:
  std::vector<Transform> transforms_;
  AugmentOptions options_;
};

}  // namespace xgrad::inline v0::nn
