// Counts heap allocations of the whole test program. See allocations.cpp.
#pragma once

#include <cstddef>

// The number of calls of operator new and of the aligned allocation of tensors so far, in all threads.
std::size_t allocations();
