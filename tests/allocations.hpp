// Counts heap allocations of the whole test program. See allocations.cpp.
#pragma once

#include <cstddef>

// The number of calls of operator new so far, in all threads. The memory of a tensor counts too: its owner is made by
// new.
std::size_t allocations();
