// Index: what counts elements, axes and positions.
#pragma once

#include <cstdint>

namespace xgrad {

using Index = std::int64_t;

}  // namespace xgrad
