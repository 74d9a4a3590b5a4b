// Images as the bytes of a PNG file.
#pragma once

#include <string>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// What save_png writes; errors begin with `where`.
std::string encode_png(const std::string& where, const Tensor& image);

}  // namespace xgrad::inline v0::nn
