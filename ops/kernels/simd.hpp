// The one place that knows xsimd: vector types, loads, stores and vector mathematics under names of our own.
//
// Kernel files are compiled once per instruction set. The build sets XGRAD_ISA to the name of the set (sse2, avx2, ...)
// and `xsimd` itself to a name that differs per set, so that no inline function compiled for one set can stand in for
// the same function of another at link time. Everything here lives in an inline namespace of the set for the same reason.
// Where XGRAD_ISA is not set, only the scalar forms exist: they are the oracle the vector forms are tested against.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#ifdef XGRAD_ISA
#include <xsimd/xsimd.hpp>
#endif
