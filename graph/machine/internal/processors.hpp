// The processors there are for this process.
#pragma once

namespace xgrad {

// The number of processors this process may run on, at least 1.
int usable_processors();

}  // namespace xgrad
