// Index: what counts elements, axes and positions.
#pragma once

#include <cstdint>

namespace xgrad::inline v0 {

using Index = std::int64_t;

}  // namespace xgrad::inline v0
