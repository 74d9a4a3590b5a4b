// Processor count of this process.
#pragma once

namespace xgrad::inline v0 {

// The number of processors this process may run on, at least 1.
int usable_processors();

}  // namespace xgrad::inline v0
