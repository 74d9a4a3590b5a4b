// The worker programs, and the settings with which each library is fastest.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "../digest.hpp"

namespace bench {

// Environment variables; an empty value removes the variable.
using Environment = std::vector<std::pair<std::string, std::string>>;

// What the settings depend on.
struct Processor {
  bool avx2 = false;
  bool avx512 = false;  // with the extensions DQ, BW and VL
  bool amd = false;
};
Processor this_processor();

// An alternative for a library. If it has several, all are tried at each job and the fastest counts.
struct Setting {
  std::string name;  // as the page shows it; empty for the only one
  Environment environment{};
};

struct Peer {
  std::string name;
  std::string package;            // Debian packages needed to build the worker
  std::vector<Setting> settings;  // at least one
};

// This library's worker, then those of the peers.
std::vector<Peer> peers(const Processor& processor);

// What all workers get.
Environment environment(const Processor& processor, int threads);

// A worker's name of a job, such as "conv/14x32@channels-last": the job and the implementation, which may be empty.
std::pair<std::string, std::string> job_and_implementation(const std::string& name);

// Parses a worker's answer to `results`. Throws std::runtime_error for other text.
std::vector<Digest> parse_results(const std::string& answer);
// What differs between our results and theirs; empty if they are equal within the tolerance or if either has none.
std::string difference(const std::vector<Digest>& us, const std::vector<Digest>& they, double tolerance);

}  // namespace bench
