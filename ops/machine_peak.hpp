// Measures the machine's peak speed, for comparison with a profile.
#pragma once

#include <xgrad/graph/profile/profile.hpp>

namespace xgrad::inline v0 {

// Takes about a third of a second: products of 384 x 384 matrices in f32 and f64, and a + 2 b of arrays that take 192
// kB and 96 MB including the result. Returns the best of several runs each, with `threads` threads (0:
// default_threads()).
MachinePeak measure_peak(int threads = 0);

}  // namespace xgrad::inline v0
