// The page of the documentation that says how fast the library is.
#pragma once

#include <string>

#include "results.hpp"

namespace bench {

// Markdown.
std::string page(const Results& results);

}  // namespace bench
