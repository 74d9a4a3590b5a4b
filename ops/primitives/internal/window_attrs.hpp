// The attributes of operations on windows.
#pragma once

#include <xgrad/graph/attrs.hpp>
#include <xgrad/ops/windows.hpp>

namespace xgrad::inline v0 {

// `padding` is {top, bottom, left, right}, or empty for "same".
Attrs window_attrs(HeightWidth window, HeightWidth strides, HeightWidth dilation, const std::vector<Index>& padding);

// Converts a Padding of images or of sequences to the form of the attribute. Throws ShapeError, with the function's
// name, for a wrong number of values.
std::vector<Index> padding_of_images(const char* function, const Padding& padding);
std::vector<Index> padding_of_sequences(const char* function, const Padding& padding);

// Converts the attribute of a sample to a Padding of one to four extents, or "same" if it is empty.
Padding padding_of(const Attrs& attrs);

}  // namespace xgrad::inline v0
