#include "results.hpp"

#include <algorithm>
#include <limits>

#include "statistics.hpp"

namespace bench {

double Entry::middle() const { return median(rounds); }

bool Entry::noisy() const {
  return !rounds.empty() && middle() > 1.5 * *std::min_element(rounds.begin(), rounds.end());
}

const Entry* Result::find(const std::string& who) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.who == who; });
  return found == entries.end() ? nullptr : &*found;
}

double Result::ratio(const std::string& who) const {
  const Entry* us = find(ours);
  const Entry* they = find(who);
  if (us == nullptr || they == nullptr) return std::numeric_limits<double>::quiet_NaN();
  return median_ratio(they->rounds, us->rounds);
}

const Result* Results::find(const std::string& job, int threads) const {
  const auto found = std::find_if(results.begin(), results.end(),
                                  [&](const Result& r) { return r.job == job && r.threads == threads; });
  return found == results.end() ? nullptr : &*found;
}

std::vector<int> Results::thread_counts() const {
  std::vector<int> out;
  for (const Result& r : results) out.push_back(r.threads);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void merge(Results& into, const Results& other) {
  into.command += "\n" + other.command;
  for (const Result& r : other.results) {
    const auto same = std::find_if(into.results.begin(), into.results.end(),
                                   [&](const Result& i) { return i.job == r.job && i.threads == r.threads; });
    if (same == into.results.end())
      into.results.push_back(r);
    else
      *same = r;
  }
  for (const auto& worker : other.workers) {
    if (std::find(into.workers.begin(), into.workers.end(), worker) == into.workers.end())
      into.workers.push_back(worker);
  }
  const auto add_new = [](std::vector<std::string>& to, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      if (std::find(to.begin(), to.end(), line) == to.end()) to.push_back(line);
    }
  };
  add_new(into.notes, other.notes);
  add_new(into.mismatches, other.mismatches);
}

}  // namespace bench
