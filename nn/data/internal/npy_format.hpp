// Codec of the .npy format, for files and for members of archives.
#pragma once

#include <optional>
#include <string>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>

namespace xgrad::inline v0::nn {

// Reads an array up to the end of the source. Messages begin with `where`; `dtype` is as in load_npy.
Tensor read_npy_bytes(const std::string& where, const ByteSource& source, std::optional<DType> dtype);
// The magic string, version and header that precede the data of a tensor.
std::string npy_header(const Tensor& tensor);

}  // namespace xgrad::inline v0::nn
