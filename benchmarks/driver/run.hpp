// The measuring: all workers that know a job take turns at it.
#pragma once

#include <string>
#include <vector>

#include "results.hpp"

namespace bench {

struct RunOptions {
  std::string folder;  // of the workers
  std::string filter = ".*";
  std::vector<int> threads{1, 2};
  bool quick = false;
  bool progress = true;
};

// Throws std::runtime_error if our own worker is missing or fails; a peer that fails is left out, with a note.
Results run(const RunOptions& options);

}  // namespace bench
