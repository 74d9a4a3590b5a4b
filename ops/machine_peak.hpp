// How fast this machine is at best, to compare a profile with.
#pragma once

#include <xgrad/graph/profile/profile.hpp>

namespace xgrad::inline v0 {

// Measures it, in about a third of a second: a product of matrices of 384 rows and columns in f32 and in f64, and
// a + 2 b of arrays that take 192 kB and 96 MB together with their sum. The best of several runs each, with so many
// threads (0: default_threads()).
MachinePeak measure_peak(int threads = 0);

}  // namespace xgrad::inline v0
