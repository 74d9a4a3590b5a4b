#include <xgrad/nn/plots/internal/decimate.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <xgrad/nn/plots/internal/svg.hpp>

namespace xgrad::inline v0::nn::plots {
namespace {

// Appends the first, last, lowest and highest point of a pixel column, in the order of the line.
void add_column(std::vector<Pixel>& out, const Pixel* first, const Pixel* end) {
  const auto lower = [](const Pixel& a, const Pixel& b) { return a.y < b.y; };
  auto [least, most] = std::minmax_element(first, end, lower);
  if (most < least) std::swap(least, most);
  const Pixel* last = nullptr;
  for (const Pixel* p : {first, least, most, end - 1}) {
    if (p != last) out.push_back(*p);
    last = p;
  }
}

// Clips the segment a-b to the box: returns its begin and end as fractions of the length, begin > end if it is outside
// (Liang and Barsky, 1984).
std::pair<double, double> clip_segment(const Pixel& a, const Pixel& b, const Pixel& low, const Pixel& high) {
  double from = 0, to = 1;
  const double along[] = {a.x - b.x, b.x - a.x, a.y - b.y, b.y - a.y};
  const double room[] = {a.x - low.x, high.x - a.x, a.y - low.y, high.y - a.y};
  for (int side = 0; side < 4; ++side) {
    if (along[side] == 0 && room[side] < 0) return {1, 0};
    if (along[side] < 0) from = std::max(from, room[side] / along[side]);
    if (along[side] > 0) to = std::min(to, room[side] / along[side]);
  }
  return {from, to};
}

// The distance of p from the infinite line through a and b.
double distance(const Pixel& p, const Pixel& a, const Pixel& b) {
  const double x = b.x - a.x, y = b.y - a.y, length = std::hypot(x, y);
  if (length == 0) return std::hypot(p.x - a.x, p.y - a.y);
  return std::abs((p.x - a.x) * y - (p.y - a.y) * x) / length;
}

}  // namespace

std::vector<Pixel> simplified(const std::vector<Pixel>& curve) {
  std::vector<Pixel> out;
  std::size_t kept = 0;  // index of the last kept point
  for (std::size_t i = 0; i < curve.size(); ++i) {
    bool needed = i == 0 || i + 1 == curve.size() || i - kept >= 40;
    // Keep the point if any point is far from the line between the last kept point and the next one.
    for (std::size_t k = kept + 1; k <= i && !needed; ++k) needed = distance(curve[k], curve[kept], curve[i + 1]) > 0.1;
    if (!needed) continue;
    out.push_back(curve[i]);
    kept = i;
  }
  return out;
}

std::vector<Pixel> decimate(const std::vector<Pixel>& line) {
  std::vector<Pixel> out;
  const bool right = std::is_sorted(line.begin(), line.end(), [](auto& a, auto& b) { return a.x < b.x; });
  const bool left = std::is_sorted(line.begin(), line.end(), [](auto& a, auto& b) { return a.x > b.x; });
  if (right || left) {
    const Pixel* const end = line.data() + line.size();
    for (const Pixel* first = line.data(); first != end;) {
      const double column = std::floor(first->x);
      const Pixel* const next = std::find_if(first, end, [&](auto& p) { return std::floor(p.x) != column; });
      add_column(out, first, next);
      first = next;
    }
    return out;
  }
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool end = i == 0 || i + 1 == line.size();
    if (end || std::hypot(line[i].x - out.back().x, line[i].y - out.back().y) > 1.0 / 3) out.push_back(line[i]);
  }
  return out;
}

std::string path_of(const std::vector<Pixel>& line, double width, double height) {
  const double beyond = 20;
  const Pixel low{-beyond, -beyond}, high{width + beyond, height + beyond};
  std::string out;
  bool drawing = false;
  const auto add = [&](char command, double x, double y) {
    out += command;
    out += coordinate(x);
    out += ' ';
    out += coordinate(y);
  };
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    const Pixel &a = line[i], &b = line[i + 1];
    const auto [from, to] = clip_segment(a, b, low, high);
    if (from > to) {
      drawing = false;
      continue;
    }
    if (!drawing || from > 0) add('M', a.x + from * (b.x - a.x), a.y + from * (b.y - a.y));
    add('L', a.x + to * (b.x - a.x), a.y + to * (b.y - a.y));
    drawing = to == 1;
  }
  return out;
}

}  // namespace xgrad::inline v0::nn::plots
