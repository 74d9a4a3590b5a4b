// Counts heap allocations of the whole test program, and lets one of them fail. See allocations.cpp.
#pragma once

#include <cstddef>

// The number of calls of operator new so far, in all threads. The memory of a tensor counts too: its owner is made by
// new.
std::size_t allocations();

// The call of operator new behind the next `count` ones throws std::bad_alloc, once. A negative count lets all succeed.
void fail_allocation_after(long count);
