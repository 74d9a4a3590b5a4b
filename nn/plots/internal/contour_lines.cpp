#include <xgrad/nn/plots/internal/contour_lines.hpp>

#include <array>
#include <cmath>
#include <limits>

namespace xgrad::inline v0::nn::plots {
namespace {

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

// Marching squares: links the crossings of grid edges to contour lines. Edge 2 p goes from grid point p to the next
// column, edge 2 p + 1 to the next row.
class Crossings {
 public:
  Crossings(const Matrix& heights, double level)
      : heights_(heights), level_(level), next_(2 * heights.numbers.size(), {none, none}) {
    for (std::size_t row = 0; row + 1 < heights.rows; ++row) {
      for (std::size_t column = 0; column + 1 < heights.columns; ++column) visit(row, column);
    }
  }

  std::vector<ContourLine> lines() {
    std::vector<ContourLine> out;
    // First follow the lines that end at the border, from their ends. The remaining lines are closed.
    for (std::size_t edge = 0; edge < next_.size(); ++edge) {
      if (next_[edge][0] != none && next_[edge][1] == none) out.push_back(follow(edge));
    }
    for (std::size_t edge = 0; edge < next_.size(); ++edge) {
      if (next_[edge][0] == none) continue;
      out.push_back(follow(edge));
      out.back().push_back(out.back().front());
    }
    return out;
  }

 private:
  void visit(std::size_t row, std::size_t column) {
    const std::size_t p = row * heights_.columns + column;
    // Edge i lies between corner i and the next corner.
    const std::array<double, 4> h{heights_.at(row, column), heights_.at(row, column + 1),
                                  heights_.at(row + 1, column + 1), heights_.at(row + 1, column)};
    const std::array<std::size_t, 4> edges{2 * p, 2 * (p + 1) + 1, 2 * (p + heights_.columns), 2 * p + 1};
    std::array<std::size_t, 4> crossed{};
    std::size_t count = 0;
    double mean = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      if (!std::isfinite(h[i])) return;
      mean += h[i] / 4;
      if ((h[i] >= level_) != (h[(i + 1) % 4] >= level_)) crossed[count++] = edges[i];
    }
    if (count == 2) connect(crossed[0], crossed[1]);
    if (count < 4) return;
    // At a saddle point, corner 0 is separated if it is on the other side of the level than the mean.
    const bool alone = (h[0] >= level_) != (mean >= level_);
    connect(crossed[0], crossed[alone ? 3 : 1]);
    connect(crossed[2], crossed[alone ? 1 : 3]);
  }

  void connect(std::size_t a, std::size_t b) {
    next_[a][next_[a][0] == none ? 0 : 1] = b;
    next_[b][next_[b][0] == none ? 0 : 1] = a;
  }

  std::pair<double, double> place(std::size_t edge) const {
    const std::size_t p = edge / 2, row = p / heights_.columns, column = p % heights_.columns;
    const bool down = edge % 2 == 1;
    const double a = heights_.numbers[p], b = heights_.numbers[down ? p + heights_.columns : p + 1];
    const double t = (level_ - a) / (b - a);
    return {static_cast<double>(column) + (down ? 0 : t), static_cast<double>(row) + (down ? t : 0)};
  }

  // Follows a line from crossing to crossing and removes its crossings.
  ContourLine follow(std::size_t edge) {
    ContourLine line;
    std::size_t from = none;
    while (edge != none && next_[edge][0] != none) {
      line.push_back(place(edge));
      const std::size_t on = next_[edge][0] != from ? next_[edge][0] : next_[edge][1];
      next_[edge] = {none, none};
      from = edge;
      edge = on;
    }
    return line;
  }

  const Matrix& heights_;
  double level_;
  std::vector<std::array<std::size_t, 2>> next_;
};

}  // namespace

ContourLevel contour_lines(const Matrix& heights, double level) {
  if (heights.rows < 2 || heights.columns < 2) return {level, {}};
  return {level, Crossings(heights, level).lines()};
}

}  // namespace xgrad::inline v0::nn::plots
