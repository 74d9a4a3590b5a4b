// The bytes of a .npy file, wherever they come from.
#pragma once

#include <optional>
#include <string>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>

namespace xgrad::inline v0::nn {

// Reads to the end. `where` stands in front of what an error says; the dtype is that of load_npy.
Tensor read_npy_bytes(const std::string& where, const ByteSource& source, std::optional<DType> dtype);
// All that stands before the numbers of a tensor.
std::string npy_header(const Tensor& tensor);

}  // namespace xgrad::inline v0::nn
