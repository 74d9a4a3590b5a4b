// What a run of the driver found, as memory and as JSON.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bench {

// Our own name among the workers.
inline constexpr const char* ours = "xgrad";

// One worker at one job: a number for each round, the median of what it measured there.
struct Entry {
  std::string who;
  std::vector<double> rounds;
  double least = 0;  // of all samples of all rounds

  double middle() const;
  // Whether the rounds differ so much that something else was running: the middle one took 1.5 times the best.
  bool noisy() const;
};

enum class Unit { nanoseconds, bytes };

struct Result {
  std::string job;
  int threads = 1;
  Unit unit = Unit::nanoseconds;
  std::vector<Entry> entries;  // ours first

  const Entry* find(const std::string& who) const;
  // How many times as much `who` needs as we do; NaN if either was not measured.
  double ratio(const std::string& who) const;
};

struct Results {
  std::string command, date, processor, memory, system, compiler, load;
  std::vector<std::pair<std::string, std::string>> workers;  // name, and what it says of itself
  std::vector<std::string> notes;                            // what was left out, and why
  std::vector<Result> results;

  const Result* find(const std::string& job, int threads) const;
  // The thread counts that were measured, in order.
  std::vector<int> thread_counts() const;
};

std::string to_json(const Results& results);
// Throws std::runtime_error if the text is not such JSON.
Results from_json(const std::string& text);
// Adds what another run found; where both did the same job, the other counts. The command becomes that of both, one a
// line.
void merge(Results& into, const Results& other);

}  // namespace bench
