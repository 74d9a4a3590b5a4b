// Writes docs/performance.md.
#pragma once

#include <string>

#include "results.hpp"

namespace bench {

// The page as Markdown.
std::string page(const Results& results);

}  // namespace bench
