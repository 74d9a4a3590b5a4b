// Results of a run of the driver, and their JSON format.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bench {

// The name of this library's worker.
inline constexpr const char* ours = "xgrad";

// Measurements of one worker at one job: the median of each round.
struct Entry {
  std::string who;
  std::vector<double> rounds;
  double least = 0;   // minimum over all samples of all rounds
  std::string how{};  // the fastest setting and implementation, if the worker has several

  double middle() const;
  // Whether rounds differ so much that another process probably ran: the median exceeds 1.5 times the minimum.
  bool noisy() const;
};

enum class Unit { nanoseconds, bytes };

struct Result {
  std::string job;
  int threads = 1;
  Unit unit = Unit::nanoseconds;
  std::vector<Entry> entries;  // the first is `ours`

  const Entry* find(const std::string& who) const;
  // The time or memory of `who` divided by that of xgrad; NaN if either was not measured.
  double ratio(const std::string& who) const;
};

struct Results {
  std::string command, date, processor, memory, system, compiler, load;
  std::vector<std::pair<std::string, std::string>> workers;  // name and description
  std::vector<std::string> notes;                            // omitted workers, with reasons
  std::vector<std::string> mismatches;                       // pairs that were not timed since their results differ
  std::vector<Result> results;

  const Result* find(const std::string& job, int threads) const;
  // The measured thread counts, ascending.
  std::vector<int> thread_counts() const;
};

std::string to_json(const Results& results);
// Throws std::runtime_error unless the text was written by to_json.
Results from_json(const std::string& text);
// Merges the results of another run, which replace those of the same job. Commands are concatenated, one per line.
void merge(Results& into, const Results& other);

}  // namespace bench
