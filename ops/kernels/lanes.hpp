// Reduction of the lanes of a vector.
#pragma once

#include <xgrad/ops/kernels/simd.hpp>

namespace xgrad::inline v0::simd {
inline namespace XGRAD_ISA {

// Combines the two halves of a vector, then the halves of the result, and so on.
template <class T, class F, int half = static_cast<int>(width<T>) / 2>
T combine_lanes(Batch<T> v, F combine) {
  v = combine(v, simd::exchange<half>(v));
  if constexpr (half > 1)
    return combine_lanes<T, F, half / 2>(v, combine);
  else
    return v.get(0);
}

}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0::simd
