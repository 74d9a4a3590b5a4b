// Augmentation: each transform on a few pixels, and reproducibility by seed, epoch and row.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/augment.hpp>
#include <xgrad/nn/data/digits.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using scratch::contains;
using scratch::message_of;

namespace {

// One image [1, h, w] of the values 1, 2, 3 ...
Tensor counting(Index height, Index width, DType dtype = f32) {
  std::vector<double> numbers(static_cast<std::size_t>(height * width));
  std::iota(numbers.begin(), numbers.end(), 1.0);
  return Tensor::from<double>({1, height, width}, numbers).cast(dtype);
}

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> out;
  for (Index i = 0; i < t.elements(); ++i) out.push_back(t.at(i));
  return out;
}

Tensor changed(const Tensor& images, Transform transform, Fill fill = Fill::constant, double value = 0) {
  return Augment{{std::move(transform)}, {.fill = fill, .fill_value = value}}(images, 1);
}

double mean(const Tensor& t) {
  const auto n = numbers(t);
  return std::accumulate(n.begin(), n.end(), 0.0) / static_cast<double>(n.size());
}

double deviation(const Tensor& t) {
  const double middle = mean(t);
  double sum = 0;
  for (const double n : numbers(t)) sum += (n - middle) * (n - middle);
  return std::sqrt(sum / static_cast<double>(t.elements()));
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double most = 0;
  for (Index i = 0; i < a.elements(); ++i) most = std::max(most, std::abs(a.at(i) - b.at(i)));
  return most;
}

Tensor digits(Index count) { return make_digits(count, 3).x.reshaped({count, 28, 28}); }

// Every transform, with arguments at which it changes the image.
Augment everything(AugmentOptions options = {}) {
  return {{shift(0.1), rotate(20), skew(15), zoom(0.2), flip_left_right(), elastic(1.5), flip_up_down(), blur(1),
           brightness(0.3), noise(0.1), cutout(0.3), sometimes(0.5, blur({1, 1})), clip()},
          options};
}

}  // namespace

TEST_CASE("augment: integer shifts move pixels exactly") {
  const Tensor image = counting(2, 4);
  CHECK(numbers(changed(image, shift({0.25, 0.25}, {0, 0}))) == std::vector<double>{0, 1, 2, 3, 0, 5, 6, 7});
  CHECK(numbers(changed(image, shift({-0.5, -0.5}, {0, 0}))) == std::vector<double>{3, 4, 0, 0, 7, 8, 0, 0});
  CHECK(numbers(changed(image, shift({0, 0}, {0.5, 0.5}))) == std::vector<double>{0, 0, 0, 0, 1, 2, 3, 4});
  CHECK(numbers(changed(image, shift({0.25, 0.25}, {-0.5, -0.5}))) == std::vector<double>{0, 5, 6, 7, 0, 0, 0, 0});
  CHECK(numbers(changed(image, shift({5, 5}, {0, 0}))) == std::vector<double>(8, 0));
}

TEST_CASE("augment: fill modes define pixels outside the image") {
  const Tensor image = counting(1, 4);
  const Transform right = shift({0.5, 0.5}, {0, 0}), far = shift({1.5, 1.5}, {0, 0});
  CHECK(numbers(changed(image, right, Fill::constant, 9)) == std::vector<double>{9, 9, 1, 2});
  CHECK(numbers(changed(image, right, Fill::nearest)) == std::vector<double>{1, 1, 1, 2});
  CHECK(numbers(changed(image, right, Fill::reflect)) == std::vector<double>{2, 1, 1, 2});
  CHECK(numbers(changed(image, right, Fill::wrap)) == std::vector<double>{3, 4, 1, 2});
  CHECK(numbers(changed(image, far, Fill::reflect)) == std::vector<double>{3, 4, 4, 3});
  CHECK(numbers(changed(image, far, Fill::wrap)) == std::vector<double>{3, 4, 1, 2});
}

TEST_CASE("augment: interpolates bilinearly") {
  CHECK(numbers(changed(counting(1, 4, f64), shift({0.0625, 0.0625}, {0, 0}), Fill::nearest)) ==
        std::vector<double>{1, 1.75, 2.75, 3.75});
  const Tensor square = Tensor::from<double>({1, 2, 2}, {0, 4, 8, 16});
  CHECK(changed(square, shift({-0.25, -0.25}, {-0.125, -0.125})).at(0) == 0.75 * 2 + 0.25 * 12);
  // Edges blend with the fill value, not with 0.
  CHECK(numbers(changed(counting(1, 2, f64), shift({0.25, 0.25}, {0, 0}), Fill::constant, 5)) ==
        std::vector<double>{3, 1.5});
}

TEST_CASE("augment: rotation by 90 degrees is exact and counterclockwise") {
  const Tensor square = counting(3, 3);
  CHECK(numbers(changed(square, rotate({90, 90}))) == std::vector<double>{3, 6, 9, 2, 5, 8, 1, 4, 7});
  CHECK(numbers(changed(square, rotate({-90, -90}))) == std::vector<double>{7, 4, 1, 8, 5, 2, 9, 6, 3});
  CHECK(numbers(changed(square, rotate({180, 180}))) == std::vector<double>{9, 8, 7, 6, 5, 4, 3, 2, 1});
  CHECK(bitwise_equal(changed(square, rotate({360, 360})), square));
  const Tensor image = digits(1);
  const Tensor turned = changed(image, rotate({450, 450}));
  for (Index y = 0; y < 28; ++y) {
    for (Index x = 0; x < 28; ++x) CHECK(turned.at(y * 28 + x) == image.at(x * 28 + 27 - y));
  }
  // 45 degrees, four pixels from the center: a bright pixel at the right moves up and to the left.
  Tensor point({1, 15, 15});
  point.mutable_values<float>()[7 * 15 + 7 + 5] = 1;
  const Tensor eighth = changed(point, rotate({45, 45}));
  double x = 0, y = 0, sum = 0;
  for (Index i = 0; i < 225; ++i) {
    x += eighth.at(i) * static_cast<double>(i % 15 - 7);
    y += eighth.at(i) * static_cast<double>(i / 15 - 7);
    sum += eighth.at(i);
  }
  CHECK(x / sum == doctest::Approx(5 / std::numbers::sqrt2).epsilon(0.05));
  CHECK(y / sum == doctest::Approx(-5 / std::numbers::sqrt2).epsilon(0.05));
}

TEST_CASE("augment: skew shifts the upper rows to the right") {
  // tan 45 degrees is 1: each row shifts by its height above the center.
  CHECK(numbers(changed(counting(3, 3, f64), skew({45, 45}))).at(1) == doctest::Approx(1));
  const auto leaned = numbers(changed(counting(3, 3, f64), skew({45, 45})));
  const std::vector<double> expected{0, 1, 2, 4, 5, 6, 8, 9, 0};
  for (std::size_t i = 0; i < 9; ++i) CHECK(leaned[i] == doctest::Approx(expected[i]).epsilon(1e-12));
}

TEST_CASE("augment: zoom enlarges about the center") {
  const Tensor image = Tensor::from<double>({1, 1, 5}, {1, 2, 3, 4, 5});
  CHECK(numbers(changed(image, zoom({2, 2}))) == std::vector<double>{2, 2.5, 3, 3.5, 4});
  CHECK(numbers(changed(image, zoom({0.5, 0.5}))) == std::vector<double>{0, 1, 3, 5, 0});
}

TEST_CASE("augment: flips mirror; two flips are the identity") {
  const Tensor image = counting(2, 3);
  CHECK(numbers(changed(image, flip_left_right(1))) == std::vector<double>{3, 2, 1, 6, 5, 4});
  CHECK(numbers(changed(image, flip_up_down(1))) == std::vector<double>{4, 5, 6, 1, 2, 3});
  const Tensor real = digits(3);
  for (const auto& flip : {flip_left_right, flip_up_down}) {
    CHECK(bitwise_equal(changed(changed(real, flip(1)), flip(1)), real));
    CHECK(bitwise_equal(Augment{flip(1), flip(1)}(real, 1), real));
    CHECK(bitwise_equal(changed(real, flip(0)), real));
    CHECK_FALSE(bitwise_equal(changed(real, flip(1)), real));
  }
  CHECK(bitwise_equal(Augment{flip_left_right(1), flip_up_down(1)}(real, 1), changed(real, rotate({180, 180}))));
}

TEST_CASE("augment: identity transforms are bit-exact") {
  for (const DType dtype : {f32, f64}) {
    const Tensor image = digits(2).cast(dtype);
    const Augment nothing{shift(0),
                          rotate(0),
                          skew(0),
                          zoom(0),
                          flip_left_right(0),
                          blur(0),
                          noise(0),
                          brightness(0),
                          cutout(0),
                          elastic(0),
                          clip(0, 1),
                          zoom({1, 1}),
                          sometimes(0, blur(3)),
                          sometimes(0, rotate(30))};
    CHECK(bitwise_equal(nothing(image, 1), image));
    CHECK(bitwise_equal(Augment()(image, 1), image));
    CHECK(bitwise_equal(Augment{sometimes(1, flip_up_down(1))}(image, 1), changed(image, flip_up_down(1))));
  }
}

TEST_CASE("augment: consecutive geometric transforms are composed") {
  const Tensor image = digits(1);
  CHECK(bitwise_equal(Augment{shift({0.5, 0.5}), shift({-0.5, -0.5})}(image, 1), image));
  CHECK(largest_difference(Augment{rotate({31, 31}), rotate({-31, -31})}(image, 1), image) < 1e-6);
  // Order matters: right, then 90 degrees, equals 90 degrees, then up.
  const Tensor first = Augment{shift({0.25, 0.25}, {0, 0}), rotate({90, 90})}(image, 1);
  CHECK(bitwise_equal(first, Augment{rotate({90, 90}), shift({0, 0}, {-0.25, -0.25})}(image, 1)));
  CHECK_FALSE(bitwise_equal(first, Augment{rotate({90, 90}), shift({0.25, 0.25}, {0, 0})}(image, 1)));
}

TEST_CASE("augment: blur preserves the mean and spreads a point to a Gaussian") {
  const Tensor image = digits(3).cast(f64);
  for (const double sigma : {0.3, 1.0, 5.0, 100.0}) {
    CAPTURE(sigma);
    const Tensor blurred = changed(image, blur({sigma, sigma}), Fill::constant, 7);
    CHECK(mean(blurred) == doctest::Approx(mean(image)).epsilon(1e-12));
    CHECK(deviation(blurred) < deviation(image));
  }
  Tensor point({1, 41, 41}, f64);
  point.mutable_values<double>()[20 * 41 + 20] = 1;
  const Tensor spread = changed(point, blur({2, 2}));
  double variance = 0;
  for (Index i = 0; i < 41 * 41; ++i) variance += spread.at(i) * std::pow(static_cast<double>(i % 41 - 20), 2);
  CHECK(variance == doctest::Approx(4).epsilon(0.01));
  CHECK(spread.at(20 * 41 + 22) / spread.at(20 * 41 + 20) == doctest::Approx(std::exp(-0.5)).epsilon(1e-9));
  CHECK(largest_difference(changed(Tensor::full({1, 9, 9}, 0.3, f64), blur({2, 2})),
                           Tensor::full({1, 9, 9}, 0.3, f64)) < 1e-15);
}

TEST_CASE("augment: noise, brightness and clip change values") {
  const Tensor gray = Tensor::full({4, 60, 60}, 0.5, f64);
  const Tensor noisy = changed(gray, noise(0.1));
  CHECK(mean(noisy) == doctest::Approx(0.5).epsilon(0.01));
  CHECK(deviation(noisy) == doctest::Approx(0.1).epsilon(0.03));
  CHECK(numbers(changed(counting(1, 3), brightness({2, 2}))) == std::vector<double>{2, 4, 6});
  double least = 9, most = 0;
  const Tensor lit = changed(Tensor::full({1000, 1, 1}, 1, f64), brightness(0.25));
  for (const double n : numbers(lit)) least = std::min(least, n), most = std::max(most, n);
  CHECK((least >= 0.75 && least < 0.76));
  CHECK((most <= 1.25 && most > 1.24));
  CHECK(numbers(changed(counting(1, 4), clip(2, 3))) == std::vector<double>{2, 2, 3, 3});
}

TEST_CASE("augment: cutout sets one square, clipped at the edges") {
  const Tensor images = Tensor::full({500, 10, 20}, 1);
  const Tensor cut = changed(images, cutout(0.4, -3));
  std::vector<int> seen(200);
  bool whole = false;
  for (Index i = 0; i < 500; ++i) {
    Index top = 99, bottom = -1, left = 99, right = -1, count = 0;
    for (Index p = 0; p < 200; ++p) {
      const double n = cut.at(i * 200 + p);
      CHECK((n == 1 || n == -3));
      if (n == 1) continue;
      ++count, ++seen[static_cast<std::size_t>(p)];
      top = std::min(top, p / 20), bottom = std::max(bottom, p / 20);
      left = std::min(left, p % 20), right = std::max(right, p % 20);
    }
    CHECK(count == (bottom - top + 1) * (right - left + 1));
    CHECK((count >= 4 && count <= 16));
    whole = whole || count == 16;
  }
  CHECK(whole);
  CHECK(*std::min_element(seen.begin(), seen.end()) > 0);
}

TEST_CASE("augment: elastic displaces pixels by the given standard deviation") {
  // On a ramp the change of a value equals the displacement.
  Tensor ramp({40, 48, 48}, f64);
  for (Index i = 0; i < ramp.elements(); ++i)
    ramp.mutable_values<double>()[static_cast<std::size_t>(i)] = static_cast<double>(i % 48);
  const Tensor moved = changed(ramp, elastic(1.5, 3), Fill::nearest);
  double squares = 0, between = 0;
  int count = 0;
  for (Index i = 0; i < ramp.elements(); ++i) {
    const Index x = i % 48, y = i / 48 % 48;
    if (x < 12 || x >= 36 || y < 12 || y >= 36) continue;
    const double d = moved.at(i) - ramp.at(i), next = moved.at(i + 1) - ramp.at(i + 1);
    squares += d * d, between += (d - next) * (d - next);
    ++count;
  }
  CHECK(std::sqrt(squares / count) == doctest::Approx(1.5).epsilon(0.1));
  // A blurred field has a mean square difference of neighbors near variance / (2 smoothness^2).
  CHECK(between / count == doctest::Approx(1.5 * 1.5 / 18).epsilon(0.2));
}

TEST_CASE("augment: the result depends only on seed, epoch and row") {
  const Tensor images = digits(50);
  const Augment augment = everything();
  const Tensor once = augment(images, 7, 2, 1);
  for (const int threads : {2, 3, 8}) CHECK(bitwise_equal(augment(images, 7, 2, threads), once));
  const Shape row{28, 28};
  // Other batches and another order.
  std::vector<Index> rows(50);
  std::iota(rows.rbegin(), rows.rend(), Index{0});
  for (const std::size_t batch : {1U, 7U, 50U}) {
    for (std::size_t first = 0; first < 50; first += batch) {
      const auto part = std::span(rows).subspan(first, std::min(batch, 50 - first));
      std::vector<float> data;
      for (const Index r : part) {
        const auto pixels = images.rows(r, 1);
        data.insert(data.end(), pixels.values<float>().begin(), pixels.values<float>().end());
      }
      augment.apply(data.data(), f32, row, part, 7, 2);
      for (std::size_t i = 0; i < part.size(); ++i) {
        const Tensor expected = once.rows(part[i], 1);
        CHECK(std::equal(expected.values<float>().begin(), expected.values<float>().end(),
                         data.begin() + static_cast<std::ptrdiff_t>(i * 784)));
      }
    }
  }
  for (const Tensor& other : {augment(images, 8, 2), augment(images, 7, 3), augment(images, 2, 7)}) {
    for (Index i = 0; i < 50; ++i) CHECK_FALSE(bitwise_equal(other.rows(i, 1), once.rows(i, 1)));
  }
  // Equal images in different rows get different results.
  Tensor same({2, 28, 28});
  std::copy_n(images.values<float>().begin(), 784, same.mutable_values<float>().begin());
  std::copy_n(images.values<float>().begin(), 784, same.mutable_values<float>().begin() + 784);
  const Tensor two = augment(same, 7);
  CHECK_FALSE(bitwise_equal(two.rows(0, 1), two.rows(1, 1)));
}

TEST_CASE("augment: each transform has its own random stream") {
  const Tensor gray = Tensor::full({3, 8, 8}, 0.5, f64);
  const Tensor alone = Augment{brightness({1, 1}), noise(0.1)}(gray, 5);
  CHECK(bitwise_equal(Augment{cutout(0), noise(0.1)}(gray, 5), alone));
  CHECK_FALSE(bitwise_equal(Augment{noise(0.1)}(gray, 5), alone));  // another position, another stream
}

TEST_CASE("augment: accepts all image shapes of rows") {
  const Tensor images = digits(6);
  const Augment flat = everything({.image = {28, 28}}), square = everything();
  const Tensor expected = square(images, 1);
  CHECK(bitwise_equal(flat(images.reshaped({6, 784}), 1).reshaped({6, 28, 28}), expected));
  CHECK(bitwise_equal(square(images.reshaped({6, 28, 28, 1}), 1).reshaped({6, 28, 28}), expected));
  CHECK(square(Tensor({0, 28, 28}), 1).shape() == Shape{0, 28, 28});
  CHECK(square(Tensor({2, 0, 28}), 1).shape() == Shape{2, 0, 28});
  for (const Shape& shape : {Shape{3, 1, 1}, Shape{3, 1, 9}, Shape{3, 9, 1}, Shape{2, 5, 4, 3}}) {
    CAPTURE(shape.str());
    const Tensor out = square(Tensor::full(shape, 0.5), 1);
    for (const double n : numbers(out)) CHECK((n >= 0 && n <= 1));
  }
  // Geometric transforms move all channels of a pixel.
  const Tensor colors = Tensor::from<double>({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(numbers(changed(colors, flip_left_right(1))) == std::vector<double>{4, 5, 6, 1, 2, 3});
}

TEST_CASE("augment: f64 and f32 use the same random values") {
  const Tensor images = digits(4);
  CHECK(largest_difference(everything()(images, 1), everything()(images.cast(f64), 1)) < 1e-6);
}

TEST_CASE("augment: custom transforms") {
  const Transform invert{.name = "invert", .change = [](Image& image, HostRandom&) {
                           for (double& pixel : image.pixels) pixel = 1 - pixel;
                         }};
  CHECK(numbers(changed(counting(1, 3), invert)) == std::vector<double>{0, -1, -2});
  const Transform turn{.name = "turn",
                       .move = [](const Image&, HostRandom&) { return PointMap{.xx = 0, .xy = 1, .yx = 1, .yy = 0}; }};
  CHECK(numbers(changed(counting(2, 2), turn)) == std::vector<double>{1, 3, 2, 4});
  const Transform nowhere{.name = "nowhere",
                          .move = [](const Image&, HostRandom&) { return PointMap{.x0 = std::nan("")}; }};
  CHECK(numbers(changed(counting(1, 2), nowhere, Fill::constant, 8)).size() == 2);
}

TEST_CASE("augment: invalid arguments throw and name the transform") {
  const double nan = std::nan(""), infinity = INFINITY;
  const auto refused = [](const char* name, const auto& make) {
    CHECK(contains(message_of<UserError>([&] { (void)make(); }), name));
  };
  for (const double bad : {nan, infinity, -1.0}) {
    refused("shift: ", [&] { return shift(bad); });
    refused("rotate: ", [&] { return rotate(bad); });
    refused("zoom: ", [&] { return zoom(bad); });
    refused("flip_left_right: ", [&] { return flip_left_right(bad); });
    refused("flip_up_down: ", [&] { return flip_up_down(bad); });
    refused("blur: ", [&] { return blur(bad); });
    refused("noise: ", [&] { return noise(bad); });
    refused("brightness: ", [&] { return brightness(bad); });
    refused("cutout: ", [&] { return cutout(bad); });
    refused("elastic: ", [&] { return elastic(bad); });
    refused("elastic: ", [&] { return elastic(1, bad); });
    refused("sometimes: ", [&] { return sometimes(bad, blur(1)); });
  }
  refused("rotate: the range must be ascending", [] { return rotate({10, 5}); });
  refused("skew: the range must be ascending", [] { return skew(90); });
  refused("zoom: ", [] { return zoom({0, 1}); });
  refused("zoom: most must be in [0, 1), got 1", [] { return zoom(1); });
  refused("brightness: ", [] { return brightness({-0.1, 1}); });
  refused("clip: ", [] { return clip(1, 0); });
  refused("flip_left_right: probability must be in [0, 1], got 1.5", [] { return flip_left_right(1.5); });
  refused("transform \"idle\" must set exactly one", [] { return Augment{Transform{.name = "idle"}}; });
  refused("image must be [h, w] or [h, w, channels]", [] { return Augment{{blur(1)}, {.image = {2, 2, 2, 2}}}; });
  refused("fill_value must be finite, got nan", [&] { return Augment{{blur(1)}, {.fill_value = nan}}; });
}

TEST_CASE("augment: rows that are not images throw") {
  const Augment augment{rotate(10)};
  CHECK(contains(message_of<ShapeError>([&] { (void)augment(Tensor({5, 784}), 1); }), "got rows of shape [784]"));
  CHECK(contains(message_of<ShapeError>([&] { (void)augment(Tensor({5, 784}), 1); }), ".image = {28, 28}"));
  CHECK(contains(message_of<ShapeError>([&] {
                   (void)Augment({rotate(10)}, {.image = {28, 27}})(Tensor({5, 784}), 1);
                 }),
                 "image shape [28, 27] and row shape [784] differ"));
  CHECK_THROWS_AS(augment(Tensor(), 1), ShapeError);
  CHECK_THROWS_AS(augment(Tensor(1.0F), 1), ShapeError);
  CHECK_THROWS_AS(augment(Tensor({5, 4, 4}, i64), 1), DTypeError);
}
