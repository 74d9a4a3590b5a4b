#include <xgrad/nn/internal/names.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/list_text.hpp>

namespace xgrad::inline v0::nn {
namespace {

// Levenshtein distance: the minimum number of characters to insert, delete or replace.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string quoted_names(const std::vector<Parameter>& parameters) {
  constexpr std::size_t most = 8;
  std::string out;
  for (std::size_t i = 0; i < std::min(most, parameters.size()); ++i)
    out += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", parameters[i].name());
  if (parameters.size() > most) out += fmt::format(" and {} more", parameters.size() - most);
  return out;
}

std::string no_such_name(const std::string& name, const std::vector<std::string>& names) {
  std::string out = fmt::format("there is no \"{}\"; there are: {}", name, list_text(names));
  // Suggest completions ("acc" for "accuracy"), and names that differ by at most a third of the letters.
  const auto unlikeness = [&](const std::string& other) {
    return name.size() > 2 && other.starts_with(name) ? 0 : distance(name, other);
  };
  const auto nearest = std::min_element(names.begin(), names.end(),
                                        [&](const auto& a, const auto& b) { return unlikeness(a) < unlikeness(b); });
  if (nearest != names.end() && 3 * unlikeness(*nearest) <= name.size())
    out += fmt::format("\n  hint: did you mean \"{}\"?", *nearest);
  return out;
}

}  // namespace xgrad::inline v0::nn
