// Convolution, pooling and normalization against reference loops over many window geometries, and against results
// computed by hand.
#include <algorithm>
#include <cmath>
#include <limits>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>

#include "support/dice.hpp"
#include "support/known_answers.hpp"

using namespace xgrad;
using testing::check_answer;
using testing::counting;
using testing::Dice;
using testing::numbers;

namespace {

Tensor random_tensor(Dice& dice, const Shape& shape, DType dtype = f64) {
  Tensor out(shape, f64);
  for (double& x : out.mutable_values<double>()) x = dice.real(-1, 1);
  return out.cast(dtype);
}

// Window geometry along one axis.
struct AxisWindow {
  Index extent, window, stride, dilation, before, after;
  Index count() const {
    Index n = 0;  // windows that fit
    while (n * stride + dilation * (window - 1) + 1 <= extent + before + after) ++n;
    return n;
  }
};

double pixel(const Tensor& x, Index n, Index y, Index z, Index c) {
  const Shape& s = x.shape();
  if (y < 0 || y >= s[1] || z < 0 || z >= s[2]) return 0;
  return x.at(((n * s[1] + y) * s[2] + z) * s[3] + c);
}

// The convolution by its definition.
Tensor naive_conv(const Tensor& x, const Tensor& kernel, const AxisWindow& rows, const AxisWindow& columns,
                  Index groups) {
  const Shape& k = kernel.shape();
  Tensor out({x.shape()[0], rows.count(), columns.count(), k[3]}, f64);
  std::size_t at = 0;
  for (Index n = 0; n < x.shape()[0]; ++n) {
    for (Index i = 0; i < rows.count(); ++i) {
      for (Index j = 0; j < columns.count(); ++j) {
        for (Index f = 0; f < k[3]; ++f) {
          const Index first_channel = f / (k[3] / groups) * k[2];
          double sum = 0;
          for (Index a = 0; a < k[0]; ++a) {
            for (Index b = 0; b < k[1]; ++b) {
              for (Index c = 0; c < k[2]; ++c) {
                sum += pixel(x, n, i * rows.stride - rows.before + a * rows.dilation,
                             j * columns.stride - columns.before + b * columns.dilation, first_channel + c) *
                       kernel.at(((a * k[1] + b) * k[2] + c) * k[3] + f);
              }
            }
          }
          out.mutable_values<double>()[at++] = sum;
        }
      }
    }
  }
  return out;
}

void check_near(const Tensor& got, const Tensor& expected) {
  REQUIRE(got.shape() == expected.shape());
  double worst = 0;
  for (Index i = 0; i < got.elements(); ++i) worst = std::max(worst, std::abs(got.at(i) - expected.at(i)));
  CHECK(worst < 1e-12);
}

// The geometry of a convolution, drawn at random.
struct Geometry {
  AxisWindow rows, columns;
  Index groups, channels, filters;

  explicit Geometry(Dice& dice) {
    const auto draw_axis = [&] {
      AxisWindow out{dice.between(1, 7), dice.between(1, 3), dice.between(1, 3),
                     dice.between(1, 3), dice.below(3),      dice.below(3)};
      out.extent = std::max(out.extent, out.dilation * (out.window - 1) + 1 - out.before - out.after);
      return out;
    };
    rows = draw_axis();
    columns = draw_axis();
    groups = dice.between(1, 3);
    channels = groups * dice.between(1, 3);
    filters = groups * dice.between(1, 3);
  }
  ConvWindow2D options() const {
    return {.strides = {rows.stride, columns.stride},
            .padding = {rows.before, rows.after, columns.before, columns.after},
            .dilation = {rows.dilation, columns.dilation},
            .groups = groups};
  }
  Shape images(Index batch) const { return {batch, rows.extent, columns.extent, channels}; }
  Shape kernel() const { return {rows.window, columns.window, channels / groups, filters}; }
};

}  // namespace

TEST_CASE("conv2d: agrees with the definition for random window geometries") {
  Dice dice(11);
  for (int round = 0; round < 200; ++round) {
    const Geometry geometry(dice);
    Graph g({.dtype = f64});
    const Tensor x = random_tensor(dice, geometry.images(dice.between(1, 2)));
    const Tensor k = random_tensor(dice, geometry.kernel());
    CAPTURE(round);
    CAPTURE(x.shape().str());
    CAPTURE(k.shape().str());
    CAPTURE(geometry.groups);
    const Value y = conv2d(g.constant(x), g.constant(k), geometry.options());
    check_near(evaluate(y, {}), naive_conv(x, k, geometry.rows, geometry.columns, geometry.groups));
  }
}

TEST_CASE("conv2d: same padding gives ceil(extent / stride) windows, with an odd zero at the end") {
  Dice dice(12);
  for (Index extent = 1; extent < 9; ++extent) {
    for (Index window = 1; window < 5; ++window) {
      for (Index stride = 1; stride < 4; ++stride) {
        for (Index dilation = 1; dilation < 3; ++dilation) {
          const Index count = (extent + stride - 1) / stride;
          const Index zeros = std::max<Index>(0, (count - 1) * stride + dilation * (window - 1) + 1 - extent);
          const AxisWindow line{extent, window, stride, dilation, zeros / 2, zeros - zeros / 2};
          Graph g({.dtype = f64});
          const Tensor x = random_tensor(dice, {1, extent, extent, 2});
          const Tensor k = random_tensor(dice, {window, window, 2, 3});
          const Value y =
              conv2d(g.constant(x), g.constant(k), {.strides = stride, .padding = "same", .dilation = dilation});
          REQUIRE(y.shape() == Shape{1, count, count, 3});
          check_near(evaluate(y, {}), naive_conv(x, k, line, line, 1));
        }
      }
    }
  }
}

TEST_CASE("conv2d_transpose: is the derivative of conv2d") {
  Dice dice(13);
  for (int round = 0; round < 100; ++round) {
    const Geometry geometry(dice);
    CAPTURE(round);
    Graph g({.dtype = f64});
    const Value x = g.input("x", geometry.images(2));
    const Value k = g.constant(random_tensor(dice, geometry.kernel()));
    const Value y = conv2d(x, k, geometry.options());
    const Value c = g.constant(random_tensor(dice, y.shape()));
    const Value dx = gradients(y, x, {.cotangent = c});
    // The pixels at the end of x that no window reaches, which the shape of y does not determine.
    const auto output_padding = [](const AxisWindow& line) {
      return (line.extent + line.before + line.after - line.dilation * (line.window - 1) - 1) % line.stride;
    };
    const Value back =
        conv2d_transpose(c, k, geometry.options(), {output_padding(geometry.rows), output_padding(geometry.columns)});
    check_near(evaluate(back, {}), evaluate(dx, {{x, Tensor(x.shape(), f64)}}));
  }
}

TEST_CASE("conv: known results") {
  Graph g({.dtype = f64});
  const Value x = numbers(g, {1, 4, 1}, {1, 2, 3, 4});
  const Value k = numbers(g, {3, 1, 1}, {1, 0, -1});
  check_answer(conv1d(x, k), {1, 2, 1}, {-2, -2});
  check_answer(conv1d(x, k, {.padding = "same"}), {1, 4, 1}, {-2, -2, -2, 3});
  check_answer(conv1d(x, k, {.padding = {2, 0}}), {1, 4, 1}, {-1, -2, -2, -2});
  check_answer(conv1d(x, k, {.padding = 1}), {1, 4, 1}, {-2, -2, -2, 3});
  check_answer(conv1d(x, k, {.stride = 2, .padding = "same"}), {1, 2, 1}, {-2, 3});  // pads 0 before, 1 after
  check_answer(conv1d(x, numbers(g, {2, 1, 1}, {1, 10}), {.dilation = 2}), {1, 2, 1}, {31, 42});
  check_answer(conv1d_transpose(x, numbers(g, {2, 1, 1}, {1, 10})), {1, 5, 1}, {1, 12, 23, 34, 40});
  check_answer(conv1d_transpose(x, numbers(g, {2, 1, 1}, {1, 10}), {.stride = 2}), {1, 8, 1},
               {1, 10, 2, 20, 3, 30, 4, 40});
  check_answer(conv1d_transpose(x, numbers(g, {3, 1, 1}, {1, 10, 100}), {.stride = 2, .padding = "same"}), {1, 8, 1},
               {1, 10, 102, 20, 203, 30, 304, 40});
  CHECK(conv1d_transpose(x, k, {.stride = 3, .padding = 1}, 2).shape() == Shape{1, 12, 1});
  const Value image = counting(g, {1, 3, 3, 1});
  const Value square = numbers(g, {2, 2, 1, 2}, {1, 0, 0, 0, 0, 0, 0, 1});  // the first and the last pixel
  check_answer(conv2d(image, square), {1, 2, 2, 2}, {0, 4, 1, 5, 3, 7, 4, 8});
  check_answer(conv2d_transpose(numbers(g, {1, 1, 1, 2}, {5, 7}), square), {1, 2, 2, 1}, {5, 0, 0, 7});
  // PyTorch's layouts: [batch, channels, height, width] and [filters, channels, height, width].
  const Value torch_x = counting(g, {1, 2, 2, 2});
  const Value torch_k = numbers(g, {1, 2, 1, 2}, {1, 2, 3, 4});
  const Value y = conv2d(transpose(torch_x, {0, 2, 3, 1}), transpose(torch_k, {2, 3, 1, 0}));
  check_answer(transpose(y, {0, 3, 1, 2}), {1, 1, 2, 1}, {2 + 12 + 20, 2 + 6 + 18 + 28});
  CHECK_THROWS_WITH_AS(conv2d(image, square, {.padding = "some"}),
                       doctest::Contains("must be \"valid\" or \"same\", got \"some\""), UserError);
}

TEST_CASE("conv: an invalid call leaves no nodes behind") {
  Graph g;
  const Value x = g.input("x", {1, 4, 2});
  const Value k = g.input("k", {9, 2, 3});
  const NodeId size = g.size();
  CHECK_THROWS_AS(conv1d(x, k), ShapeError);
  CHECK_THROWS_AS(conv1d_transpose(x, k), ShapeError);
  CHECK_THROWS_AS(max_pool1d(x, 5), ShapeError);
  CHECK(g.size() == size);
}

TEST_CASE("pooling: known results") {
  Graph g({.dtype = f64});
  const Value x = numbers(g, {1, 3, 4, 1}, {1, 5, 2, 0, 3, 4, 8, 7, 6, 9, 1, 1});
  check_answer(max_pool2d(x, 2), {1, 1, 2, 1}, {5, 8});
  check_answer(max_pool2d(x, 2, {.strides = 1}), {1, 2, 3, 1}, {5, 8, 8, 9, 9, 8});
  check_answer(max_pool2d(x, 2, {.padding = "same"}), {1, 2, 2, 1}, {5, 8, 9, 1});
  check_answer(max_pool2d(-x, 2, {.padding = "same"}), {1, 2, 2, 1}, {-1, 0, -6, -1});  // padding is never the maximum
  check_answer(max_pool2d(x, {1, 2}), {1, 3, 2, 1}, {5, 2, 4, 8, 9, 1});
  check_answer(average_pool2d(x, 2), {1, 1, 2, 1}, {13 / 4.0, 17 / 4.0});
  check_answer(average_pool2d(x, 2, {.padding = "same", .count_padding = true}), {1, 2, 2, 1},
               {13 / 4.0, 17 / 4.0, 15 / 4.0, 2 / 4.0});
  check_answer(average_pool2d(x, 2, {.padding = "same"}), {1, 2, 2, 1}, {13 / 4.0, 17 / 4.0, 15 / 2.0, 2 / 2.0});
  check_answer(global_max_pool(x), {1, 1}, {9});
  check_answer(global_average_pool(x, true), {1, 1, 1, 1}, {47 / 12.0});
  check_answer(max_pool1d(numbers(g, {1, 4, 1}, {4, 1, 2, 3}), 2), {1, 2, 1}, {4, 3});
  check_answer(average_pool1d(numbers(g, {1, 4, 1}, {4, 1, 2, 3}), 2, {.stride = 1}), {1, 3, 1}, {2.5, 1.5, 2.5});
  check_answer(max_pool2d(counting(g, {1, 2, 2, 2}, i64), 2), {1, 1, 1, 2}, {6, 7});
  check_answer(max_pool1d(numbers(g, {1, 4, 1}, {1, NAN, 5, INFINITY}), 2), {1, 2, 1}, {NAN, INFINITY});
  check_answer(max_pool1d(numbers(g, {1, 2, 1}, {-INFINITY, -INFINITY}), 2), {1, 1, 1}, {-INFINITY});
}

TEST_CASE("max_pool: the first of equal maxima gets the gradient") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {1, 4, 1});
  const Tensor at = Tensor::from<double>({1, 4, 1}, {3, 3, 1, 3});
  CHECK(evaluate(reshape(gradients(sum(max_pool1d(x, 4)), x), {4}), {{x, at}}).str() == "[1, 0, 0, 0]");
  // In overlapping windows an element may be the maximum more than once.
  CHECK(evaluate(reshape(gradients(sum(max_pool1d(x, 2, {.stride = 1})), x), {4}), {{x, at}}).str() == "[1, 1, 0, 1]");
}

TEST_CASE("pooling: agrees with reference loops") {
  Dice dice(14);
  for (int round = 0; round < 60; ++round) {
    AxisWindow lines[2];
    for (AxisWindow& line : lines) {
      line = {dice.between(3, 8), dice.between(1, 4), dice.between(1, 3), 1, 0, 0};
      line.window = std::min(line.window, line.extent);
      line.before = dice.below(line.window);
      line.after = dice.below(line.window);
    }
    const auto& [rows, columns] = lines;
    const Index channels = dice.between(1, 20);
    Graph g({.dtype = f64});
    const Tensor x = random_tensor(dice, {2, rows.extent, columns.extent, channels});
    const PoolWindow2D options{.strides = HeightWidth(rows.stride, columns.stride),
                               .padding = {rows.before, rows.after, columns.before, columns.after},
                               .count_padding = dice.chance(0.5)};
    Tensor largest({2, rows.count(), columns.count(), channels}, f64);
    Tensor average(largest.shape(), f64);
    for (Index flat = 0; flat < largest.elements(); ++flat) {
      const Index c = flat % channels, j = flat / channels % columns.count();
      const Index i = flat / channels / columns.count() % rows.count(),
                  n = flat / channels / columns.count() / rows.count();
      double most = -INFINITY, sum = 0;
      Index pixels = 0;
      for (Index a = 0; a < rows.window; ++a) {
        for (Index b = 0; b < columns.window; ++b) {
          const Index y = i * rows.stride - rows.before + a, z = j * columns.stride - columns.before + b;
          if (y < 0 || y >= rows.extent || z < 0 || z >= columns.extent) continue;
          most = std::max(most, pixel(x, n, y, z, c));
          sum += pixel(x, n, y, z, c);
          ++pixels;
        }
      }
      largest.mutable_values<double>()[static_cast<std::size_t>(flat)] = most;
      average.mutable_values<double>()[static_cast<std::size_t>(flat)] =
          sum / static_cast<double>(options.count_padding ? rows.window * columns.window : pixels);
    }
    CAPTURE(round);
    const HeightWidth window(rows.window, columns.window);
    CHECK(bitwise_equal(evaluate(max_pool2d(g.constant(x), window, options), {}), largest));
    check_near(evaluate(average_pool2d(g.constant(x), window, options), {}), average);
  }
}

TEST_CASE("pooling: values and gradients equal loops over windows, with ties, NaN and zeros of both signs") {
  Dice dice(15);
  const double drawn[] = {-2, -1, -0.0, 0.0, 1, 2, INFINITY, -INFINITY, NAN};
  for (int round = 0; round < 80; ++round) {
    const DType dtype = dice.chance(0.5) ? f32 : f64;
    AxisWindow lines[2];
    for (AxisWindow& line : lines) {
      line = {dice.between(1, 40), dice.between(1, 5), dice.between(1, 4), 1, 0, 0};
      line.window = std::min(line.window, line.extent);
      line.before = dice.below(line.window);
      line.after = dice.below(line.window);
    }
    const auto& [rows, columns] = lines;
    const Index channels = dice.chance(0.5) ? dice.between(1, 20) : dice.between(60, 140);
    const Index few = dice.chance(0.3) ? 9 : 6;  // with infinities and NaN, or without
    Graph g({.dtype = dtype});
    const auto filled = [&](const Shape& shape, const auto& number) {
      Tensor out(shape, f64);
      for (double& x : out.mutable_values<double>()) x = number();
      return out.cast(dtype);
    };
    const Tensor x = filled({2, rows.extent, columns.extent, channels},
                            [&] { return drawn[static_cast<std::size_t>(dice.below(few))]; });
    const Tensor c =
        filled({2, rows.count(), columns.count(), channels}, [&] { return static_cast<double>(dice.between(-8, 8)); });
    const PoolWindow2D options{.strides = HeightWidth(rows.stride, columns.stride),
                               .padding = {rows.before, rows.after, columns.before, columns.after},
                               .count_padding = true};
    Tensor largest(c.shape(), f64), by_max(x.shape(), f64), by_mean(x.shape(), f64);
    for (Index flat = 0; flat < c.elements(); ++flat) {
      const Index k = flat % channels, j = flat / channels % columns.count();
      const Index i = flat / channels / columns.count() % rows.count(),
                  n = flat / channels / columns.count() / rows.count();
      Index best = -1;
      for (Index a = 0; a < rows.window; ++a) {
        for (Index b = 0; b < columns.window; ++b) {
          const Index y = i * rows.stride - rows.before + a, z = j * columns.stride - columns.before + b;
          if (y < 0 || y >= rows.extent || z < 0 || z >= columns.extent) continue;
          const Index at = ((n * rows.extent + y) * columns.extent + z) * channels + k;
          const bool first_nan = best >= 0 && std::isnan(x.at(at)) && !std::isnan(x.at(best));
          if (best < 0 || x.at(at) > x.at(best) || first_nan) best = at;
          by_mean.mutable_values<double>()[static_cast<std::size_t>(at)] +=
              c.at(flat) / static_cast<double>(rows.window * columns.window);
        }
      }
      largest.mutable_values<double>()[static_cast<std::size_t>(flat)] = x.at(best);
      by_max.mutable_values<double>()[static_cast<std::size_t>(best)] += c.at(flat);
    }
    CAPTURE(round);
    const HeightWidth window(rows.window, columns.window);
    const Value image = g.input("x", x.shape());
    const Feeds feeds{{image, x}};
    const Value maxima = max_pool2d(image, window, options), means = average_pool2d(image, window, options);
    CHECK(bitwise_equal(evaluate(maxima, feeds), largest.cast(dtype)));
    CHECK(bitwise_equal(evaluate(gradients(maxima, image, {.cotangent = g.constant(c)}), feeds), by_max.cast(dtype)));
    const Tensor mean_gradient = evaluate(gradients(means, image, {.cotangent = g.constant(c)}), feeds);
    for (Index i = 0; i < x.elements(); ++i) {
      if (std::abs(mean_gradient.at(i) - by_mean.at(i)) > 1e-5 * (1 + std::abs(by_mean.at(i)))) {
        FAIL_CHECK("element ", i, ": ", mean_gradient.at(i), " and not ", by_mean.at(i));
        break;
      }
    }
  }
}

TEST_CASE("unfold: every dtype, contiguous runs of many lengths") {
  for (const DType dtype : {f32, f64, i64, boolean}) {
    for (const Index channels : {1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 33, 70}) {
      Graph g({.dtype = f64});
      Tensor t({1, 3, 5, channels}, dtype);
      std::vector<double> all;
      for (Index i = 0; i < t.elements(); ++i)
        all.push_back(static_cast<double>(dtype == boolean ? (i * 7 % 3) / 2 : i + 1));
      const Value x = numbers(g, t.shape(), all, dtype);
      const Tensor windows = evaluate(unfold(x, {2, 3}, {.padding = {1, 0, 0, 1}}), {});
      REQUIRE(windows.shape() == Shape{1, 3, 4, 6, channels});
      Index wrong = 0;
      for (Index flat = 0; flat < windows.elements(); ++flat) {
        const Index c = flat % channels, e = flat / channels % 6, j = flat / channels / 6 % 4, i = flat / channels / 24;
        const Index y = i - 1 + e / 3, z = j + e % 3;
        const bool inside = y >= 0 && y < 3 && z >= 0 && z < 5;
        const double expected = inside ? all[static_cast<std::size_t>((y * 5 + z) * channels + c)] : 0;
        if (windows.at(flat) != expected) ++wrong;
      }
      CAPTURE(name_of(dtype));
      CAPTURE(channels);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("conv: outputs and gradients equal those of unfolded windows") {
  Dice dice(11);
  const auto pick = [&](Index low, Index high) { return dice.between(low, high); };
  for (int round = 0; round < 150; ++round) {
    const DType dtype = round % 3 == 0 ? f64 : f32;
    const bool by_lanes = round % 8 == 7;  // small groups of equal size
    const Index groups = by_lanes ? pick(2, 20) : round % 4 == 3 ? pick(2, 4) : 1;
    const Index in_group = by_lanes ? Index{1} << pick(0, 3) : pick(1, 21),
                out_group = by_lanes ? in_group : pick(1, 40);
    const HeightWidth window(pick(1, 5), pick(1, 5)), dilation(pick(1, 2), pick(1, 3));
    const ConvWindow2D options{.strides = {pick(1, 3), pick(1, 3)},
                               .padding = {pick(0, 4), pick(0, 4), pick(0, 4), pick(0, 4)},
                               .dilation = dilation,
                               .groups = groups};
    Graph g({.dtype = dtype});
    const Value x = g.input("x", {pick(1, 5), dilation.height * (window.height - 1) + pick(1, 30),
                                  dilation.width * (window.width - 1) + pick(1, 30), in_group * groups});
    const Value kernel = g.input("kernel", {window.height, window.width, in_group, out_group * groups});
    ConvWindow2D of_window = options;
    of_window.groups = 1;
    const auto by_windows = [&] {
      std::vector<Value> parts;
      for (Index i = 0; i < groups; ++i) {
        const Value windows = unfold(slice(x, 3, i * in_group, (i + 1) * in_group), window, of_window);
        const Value filters = slice(kernel, 3, i * out_group, (i + 1) * out_group);
        parts.push_back(matmul(flatten(windows, 3, 4), flatten(filters, 0, 2)));
      }
      return concat(parts, 3);
    };
    const Value y = conv2d(x, kernel, options), expected = by_windows();
    const Value c = g.input("c", y.shape());
    REQUIRE(y.shape() == expected.shape());
    std::vector<Value> all{y, expected};
    for (const Value v : {y, expected}) {
      for (const Value gradient : gradients(sum(v * c), std::vector<Value>{x, kernel})) all.push_back(gradient);
    }
    const Feeds feeds{{x, random_tensor(dice, x.shape(), dtype)},
                      {kernel, random_tensor(dice, kernel.shape(), dtype)},
                      {c, random_tensor(dice, c.shape(), dtype)}};
    const auto results = evaluate(all, feeds, {.threads = 1});
    const auto threads = Plan(all).run(feeds, {.threads = 3});
    CAPTURE(round);
    // A bound of the rounding errors of sums of this many terms in [-1, 1].
    const double precision = dtype == f32 ? 0x1p-23 : 0x1p-52;
    const Index terms[] = {window.height * window.width * in_group, window.height * window.width * out_group,
                           c.shape().elements() / c.shape()[3]};
    const std::size_t pairs[][2] = {{0, 1}, {2, 4}, {3, 5}};
    for (std::size_t k = 0; k < 3; ++k) {
      const Tensor& got = results[pairs[k][0]];
      const Tensor& want = results[pairs[k][1]];
      double difference = 0;
      for (Index i = 0; i < got.elements(); ++i) difference = std::max(difference, std::abs(got.at(i) - want.at(i)));
      CAPTURE(k);
      CHECK(difference <= 16 * precision * std::sqrt(static_cast<double>(terms[k])));
    }
    for (std::size_t i = 0; i < all.size(); ++i) CHECK(bitwise_equal(results[i], threads[i]));
  }
}

TEST_CASE("conv: Winograd's products have no larger errors than direct sums, and are exact for small integers") {
  Dice dice(5);
  for (const bool integers : {false, true}) {
    for (const Index channels : {32, 45, 96}) {
      for (const Index extent : {4, 7, 12}) {
        const auto random = [&](const Shape& shape) {
          Tensor out = random_tensor(dice, shape);
          for (double& v : out.mutable_values<double>()) v = integers ? std::round(3 * v) : v;
          return out.cast(f32);
        };
        const Index filters = channels == 45 ? 33 : 64, padding = dice.between(0, 2);
        const Tensor x = random({2, extent + 2, extent + 3, channels}), w = random({3, 3, channels, filters});
        const auto run = [&](DType dtype, int threads) {
          Graph g({.dtype = dtype});
          const Value a = g.constant(x.cast(dtype)), b = g.constant(w.cast(dtype));
          const Value y = conv2d(a, b, {.padding = {padding, 1}});
          std::vector<Value> all = gradients(sum(square(y)), std::vector<Value>{a, b});
          all.push_back(y);
          return evaluate(all, {}, {.threads = threads});
        };
        const auto got = run(f32, 1), parallel = run(f32, 3), expected = run(f64, 1);
        for (std::size_t k = 0; k < 3; ++k) {
          CHECK(bitwise_equal(got[k], parallel[k]));
          double squares = 0, largest = 0;
          for (Index i = 0; i < got[k].elements(); ++i) {
            squares += expected[k].at(i) * expected[k].at(i);
            largest = std::max(largest, std::abs(got[k].at(i) - expected[k].at(i)));
          }
          CAPTURE(channels);
          CAPTURE(extent);
          CHECK(largest <= (integers ? 0 : 4e-6) * std::sqrt(squares / static_cast<double>(got[k].elements())));
        }
      }
    }
  }
}

TEST_CASE("conv: taps in the padding are skipped, so infinite weights there do not give NaN") {
  Graph g({.dtype = f64});
  const Value x = numbers(g, {1, 1, 3, 1}, {1, 2, 3});
  const Value weights = numbers(g, {1, 3, 1, 1}, {std::numeric_limits<double>::infinity(), 1, 0});
  const Tensor y = evaluate(conv2d(x, weights, {.padding = "same"}), {});
  CHECK(y.at(0) == 1);  // not NaN: the first tap lies in the padding
  CHECK(std::isinf(y.at(1)));
  CHECK(std::isinf(y.at(2)));
}

TEST_CASE("conv, pooling: Jacobians are computed with all rows at once") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2, 3, 4, 2});
  const Value w = g.input("w", {2, 2, 2, 3});
  Dice dice(3);
  const Feeds feeds{{x, random_tensor(dice, x.shape())}, {w, random_tensor(dice, w.shape())}};
  for (const Value y : {conv2d(x, w, {.padding = 1}), conv2d_transpose(conv2d(x, w), w, {.strides = 2}),
                        max_pool2d(x, 2, {.strides = 1}), average_pool2d(x, 2, {.padding = "same"}),
                        group_norm(x, 2) * global_max_pool(x, true)}) {
    const Value row = flatten(y, 0);
    for (const Value wrt : {x, w}) {
      if (wrt == w && !y.node().op->name.starts_with("convolution")) continue;
      CHECK(batching_obstacle(row, wrt, {.direction = Direction::reverse}) == "");
      const auto by = [&](Rows rows) { return jacobian(row, wrt, {.rows = rows, .direction = Direction::reverse}); };
      const auto found = evaluate({by(Rows::one_by_one), by(Rows::at_once)}, feeds);
      double difference = 0;
      for (Index i = 0; i < found[0].elements(); ++i)
        difference = std::max(difference, std::abs(found[0].at(i) - found[1].at(i)));
      CHECK(difference < 1e-13);
    }
    const Value loss = sum(square(y));
    CHECK(batching_obstacle(gradients(loss, x), x, {.direction = Direction::reverse}) == "");
  }
}

TEST_CASE("layer_norm, group_norm: known results") {
  Graph g({.dtype = f64});
  const double r = std::sqrt(1.5);
  check_answer(layer_norm(numbers(g, {2, 3}, {1, 2, 3, 10, 20, 30}), {-1}, 0), {2, 3}, {-r, 0, r, -r, 0, r}, 1e-15);
  check_answer(layer_norm(numbers(g, {2, 2}, {5, 5, 7, 7})), {2, 2}, {0, 0, 0, 0});  // equal values: 0, not NaN
  check_answer(layer_norm(numbers(g, {3}, {1, 2, 3}), numbers(g, {1, 10, 2}), numbers(g, {0, 1, 2}), 0), {3},
               {-r, 1, 2 * r + 2}, 1e-15);
  check_answer(group_norm(numbers(g, {1, 2, 4}, {1, 3, 0, 0, 1, 3, 8, 8}), 2, 0), {1, 2, 4},
               {-1, 1, -1, -1, -1, 1, 1, 1}, 1e-15);
  check_answer(group_norm(numbers(g, {1, 4}, {1, 3, 0, 2}), 2, numbers(g, {1, 2, 3, 4}), numbers(g, {0, 0, 1, 1}), 0),
               {1, 4}, {-1, 2, -2, 5}, 1e-15);
}

TEST_CASE(
    "conv: a small net gives bitwise equal results in plans, at other batch sizes and with any number of threads") {
  Dice dice(15);
  Graph g;
  const Value x = g.input("x", {4, 12, 11, 3});
  const Value k1 = g.constant(random_tensor(dice, {3, 3, 3, 8}, f32));
  const Value k2 = g.constant(random_tensor(dice, {3, 2, 4, 6}, f32));
  const Value k3 = g.constant(random_tensor(dice, {3, 3, 1, 12}, f32));
  Value y = max_pool2d(relu(conv2d(x, k1, {.padding = "same"})), 2);
  y = average_pool2d(conv2d(y, k2, {.strides = 2, .padding = 1, .groups = 2}), 2,
                     {.strides = 1, .padding = "same", .count_padding = false});
  y = group_norm(conv2d(y, k3, {.padding = "same", .groups = 6}), 3);
  const Value z = global_average_pool(y);
  const Value dx = gradients(sum(z * z), x);
  const Tensor at = random_tensor(dice, {9, 12, 11, 3}, f32);
  const Plan plan({z, dx}, {}, {.shapes = {{x, {9, 12, 11, 3}}}});
  const auto expected = plan.run({{x, at}}, {.threads = 1});
  for (const int threads : {2, 3, 8}) {
    const auto got = plan.run({{x, at}}, {.threads = threads});
    CHECK(bitwise_equal(got[0], expected[0]));
    CHECK(bitwise_equal(got[1], expected[1]));
  }
  const Tensor part = at.rows(3, 4).clone();
  check_answer(
      g.constant(evaluate(z, {{x, part}})), {4, 12},
      [&] {
        std::vector<double> rows;
        for (Index i = 36; i < 84; ++i) rows.push_back(expected[0].at(i));
        return rows;
      }(),
      1e-5);
  CHECK(bitwise_equal(Plan({dx}, {}).run({{x, part}})[0], evaluate(dx, {{x, part}})));
}
