// Measures the machine's peak throughput, for comparison with a profile.
#pragma once

#include <xgrad/graph/profile/profile.hpp>

namespace xgrad::inline v0 {

// Runs products of 384 x 384 matrices in f32 and f64, and a + 2 b on arrays of 192 kB and 96 MB including the result.
// Returns the best of several runs of each, with `threads` threads (0: default_threads()). Takes about a third of a
// second.
MachinePeak measure_peak(int threads = 0);

}  // namespace xgrad::inline v0
