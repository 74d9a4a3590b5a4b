// PNG encoder.
#pragma once

#include <string>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Encodes an image as save_png writes it. Messages begin with `where`.
std::string encode_png(const std::string& where, const Tensor& image);

}  // namespace xgrad::inline v0::nn
