// Runs benchmarks: all workers that implement a job take turns.
#pragma once

#include <string>
#include <vector>

#include "results.hpp"

namespace bench {

struct RunOptions {
  std::string folder;  // folder of the worker programs
  std::string filter = ".*";
  std::vector<int> threads{1, 2};
  bool quick = false;
  bool progress = true;
};

// Throws std::runtime_error if this library's worker is missing or fails; peers that fail are omitted with a note.
Results run(const RunOptions& options);

}  // namespace bench
