// Counts the heap allocations of the test program, and can make one fail. See allocations.cpp.
#pragma once

#include <cstddef>

// Number of operator new calls so far, in all threads. A tensor counts too, since its owner is allocated by new.
std::size_t allocations();

// Makes the call of operator new after the next `count` ones throw std::bad_alloc, once. Negative: none throws.
void fail_allocation_after(long count);
