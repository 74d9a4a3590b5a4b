#include <xgrad/nn/data/digits.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <vector>

#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/nn/data/random.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr int side = 28;
constexpr std::size_t pixels = std::size_t{side} * side;
constexpr int classes = 10;

struct Point {
  double x, y;
};
// A stroke passes smoothly through its points; sharp corners are two strokes that meet.
using Stroke = std::vector<Point>;
using Skeleton = std::vector<Stroke>;

struct Drawing {
  std::size_t digit;
  const char* strokes;
};
// The variants of each digit. Points are x,y in percent of a box, from its upper left corner; `;` ends a stroke.
constexpr Drawing drawings[] = {
    {0, "52,2 20,16 10,50 22,86 52,98 80,84 90,50 78,14 50,3"},
    {0, "62,5 30,10 12,45 18,82 45,97 75,80 86,42 74,12 46,4"},
    {1, "52,2 50,35 49,65 48,98"},
    {1, "28,24 42,14 54,2; 54,2 53,50 52,98"},
    {1, "30,22 44,12 54,2; 54,2 53,50 52,96; 28,97 52,96 76,97"},
    {2, "15,24 30,6 58,2 80,18 76,42 50,66 14,95; 14,95 50,94 90,93"},
    {2, "16,22 34,5 62,4 80,22 70,48 42,76 20,90 14,78 30,74 55,90 76,96 92,86"},
    {3, "16,12 42,2 74,12 72,34 42,46; 42,46 74,54 84,76 60,96 30,97 10,86"},
    {3, "14,6 48,4 80,5; 80,5 62,24 44,42; 44,42 74,50 84,72 62,95 30,97 12,86"},
    {4, "66,2 40,32 10,66; 10,66 50,65 94,64; 66,2 66,50 66,98"},
    {4, "18,4 16,28 20,48 46,54 78,48; 80,2 76,50 72,98"},
    {5, "80,4 50,4 24,5; 24,5 21,24 19,42; 19,42 48,36 80,50 84,76 58,96 28,97 10,86"},
    {5, "84,8 56,6 32,6; 32,6 26,26 30,44 58,48 80,66 68,90 40,97 14,90"},
    {6, "70,3 40,22 18,54 20,84 48,98 76,86 80,66 56,52 30,60 20,76"},
    {6, "50,2 28,30 16,64 28,92 56,97 78,80 66,58 38,58 22,72"},
    {7, "12,6 48,5 86,6; 86,6 62,46 40,98"},
    {7, "12,8 48,6 86,6; 86,6 62,46 42,98; 34,52 56,50 80,48"},
    {7, "14,20 18,8 50,7 84,6; 84,6 60,44 50,98"},
    {8, "72,14 48,2 24,16 34,38 64,56 82,78 54,98 22,84 34,58 62,40 76,20 68,10"},
    {8, "50,48 24,34 28,10 52,2 76,14 72,36 50,48 22,64 22,88 52,98 80,86 78,62 50,48"},
    {9, "78,18 54,3 24,14 22,40 48,50 74,34 79,16; 79,16 76,50 70,98"},
    {9, "76,24 56,4 26,12 20,38 44,50 70,36 78,14; 78,14 80,54 66,90 36,98 18,88"},
};

Skeleton skeleton_of(const char* strokes) {
  Skeleton out(1);
  for (char* end = nullptr; *strokes != '\0'; strokes = end) {
    const double x = static_cast<double>(std::strtol(strokes, &end, 10)) / 100;
    const double y = static_cast<double>(std::strtol(end + 1, &end, 10)) / 100;
    out.back().push_back({x, y});
    if (*end != ';') continue;
    out.emplace_back();
    ++end;
  }
  return out;
}

const std::array<std::vector<Skeleton>, classes>& skeletons() {
  static const auto all = [] {
    std::array<std::vector<Skeleton>, classes> out;
    for (const auto& [digit, strokes] : drawings) out[digit].push_back(skeleton_of(strokes));
    return out;
  }();
  return all;
}

// Appends line segments that approximate a Catmull-Rom spline through the stroke.
void flatten(const Stroke& stroke, std::vector<std::array<Point, 2>>& pieces) {
  constexpr int steps = 6;
  const auto at = [&](std::ptrdiff_t i) {
    return stroke[static_cast<std::size_t>(
        std::clamp<std::ptrdiff_t>(i, 0, static_cast<std::ptrdiff_t>(stroke.size()) - 1))];
  };
  Point before = stroke.front();
  for (std::ptrdiff_t i = 0; i + 1 < static_cast<std::ptrdiff_t>(stroke.size()); ++i) {
    const Point a = at(i - 1), b = at(i), c = at(i + 1), d = at(i + 2);
    for (int s = 1; s <= steps; ++s) {
      const double t = static_cast<double>(s) / steps;
      const auto curve = [t](double p, double q, double r, double u) {
        return 0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - u) * t * t + (3 * q - p - 3 * r + u) * t * t * t);
      };
      const Point now{curve(a.x, b.x, c.x, d.x), curve(a.y, b.y, c.y, d.y)};
      pieces.push_back({before, now});
      before = now;
    }
  }
}

double distance(Point p, const std::array<Point, 2>& piece) {
  const double dx = piece[1].x - piece[0].x, dy = piece[1].y - piece[0].y;
  const double length = dx * dx + dy * dy;
  const double t =
      length > 0 ? std::clamp(((p.x - piece[0].x) * dx + (p.y - piece[0].y) * dy) / length, 0.0, 1.0) : 0.0;
  const double ex = p.x - piece[0].x - t * dx, ey = p.y - piece[0].y - t * dy;
  return std::sqrt(ex * ex + ey * ey);
}

void draw(int digit, HostRandom& random, float* image) {
  const auto& ways = skeletons()[static_cast<std::size_t>(digit)];
  Skeleton skeleton = ways[random.below(ways.size())];

  // Handwriting: jitter each point; slant, rotate, scale and shift the digit.
  const double wobble = random.between(0.015, 0.05);
  for (Stroke& stroke : skeleton) {
    for (Point& p : stroke) p = {p.x + wobble * random.near_normal(), p.y + wobble * random.near_normal()};
  }
  const double angle = 0.12 * random.near_normal();
  const double slant = 0.18 * random.near_normal() + 0.08;
  const double width = random.between(10.5, 17.0);
  const double height = random.between(16.5, 21.0);
  const double left = 14 + 1.0 * random.near_normal();
  const double top = 14 + 1.0 * random.near_normal();
  const double sine = std::sin(angle), cosine = std::cos(angle);
  std::vector<std::array<Point, 2>> pieces;
  for (Stroke& stroke : skeleton) {
    for (Point& p : stroke) {
      const double y = (p.y - 0.5) * height;
      const double x = (p.x - 0.5) * width - slant * y;
      p = {left + cosine * x - sine * y, top + sine * x + cosine * y};
    }
    flatten(stroke, pieces);
  }

  // Pen: full ink within the radius, fading over `softness` pixels.
  const double radius = std::clamp(1.15 + 0.4 * random.near_normal(), 0.55, 2.3);
  const double softness = random.between(0.6, 1.3);
  const double ink = random.between(0.82, 1.0);
  std::array<double, pixels> nearest;
  nearest.fill(1e9);
  const double reach = radius + softness;
  for (const auto& piece : pieces) {
    const auto lower = [&](double a, double b) {
      return std::clamp(static_cast<int>(std::min(a, b) - reach), 0, side);
    };
    const auto upper = [&](double a, double b) {
      return std::clamp(static_cast<int>(std::max(a, b) + reach) + 1, 0, side);
    };
    for (int y = lower(piece[0].y, piece[1].y); y < upper(piece[0].y, piece[1].y); ++y) {
      for (int x = lower(piece[0].x, piece[1].x); x < upper(piece[0].x, piece[1].x); ++x) {
        double& near = nearest[static_cast<std::size_t>(y) * side + static_cast<std::size_t>(x)];
        near = std::min(near, distance({x + 0.5, y + 0.5}, piece));
      }
    }
  }
  const double grain = random.between(0.0, 0.10);
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    const double fade = std::clamp((nearest[i] - radius + softness / 2) / softness, 0.0, 1.0);
    const double covered = 1 - fade * fade * (3 - 2 * fade);
    // Vary the ink along the stroke, and add occasional faint specks to the paper.
    double value = covered * (ink + grain * random.near_normal());
    if (covered == 0 && random.uniform() < 0.004) value = random.between(0.02, 0.3);
    image[i] = static_cast<float>(std::clamp(value, 0.0, 1.0));
  }
}

}  // namespace

Dataset make_digits(Index count, std::uint64_t seed) {
  require_at_least("make_digits", "count", count, 0);
  Tensor x({count, Index{pixels}});
  Tensor y({count}, i64);
  const auto labels = y.mutable_values<std::int64_t>();
  std::array<Index, classes> order{};  // ten consecutive images show the ten digits, shuffled
  float* images = x.mutable_values<float>().data();
  for (Index i = 0; i < count; ++i) {
    if (i % classes == 0) shuffle_indices(order, ~seed, static_cast<std::uint64_t>(i / classes));
    HostRandom random(seed, static_cast<std::uint64_t>(i) + 1);
    const int digit = static_cast<int>(order[static_cast<std::size_t>(i % classes)]);
    labels[static_cast<std::size_t>(i)] = digit;
    draw(digit, random, images + i * side * side);
  }
  return {std::move(x), std::move(y)};
}

}  // namespace xgrad::inline v0::nn
