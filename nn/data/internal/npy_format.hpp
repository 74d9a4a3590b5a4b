// Codec of the .npy format, for files and for members of archives.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>

namespace xgrad::inline v0::nn {

// An array of a file; the dtype is that of the elements without conversion.
struct ArrayHeader {
  char kind = 'f';  // of the elements: b bool, i and u integers, f floating-point numbers
  std::size_t size = 0;
  DType dtype = f32;
  bool swapped = false;  // elements have the opposite byte order
  bool by_column = false;
  Shape shape{};
};

// The array of these bytes, which are as many as its shape needs, converted to `dtype`. Throws DTypeError for
// floating-point elements as i64 and numeric ones as bool, FormatError for an element that does not fit.
Tensor decode_array(const std::string& where, const ArrayHeader& header, const std::vector<unsigned char>& bytes,
                    DType dtype);
// Reads an array up to the end of the source. Messages begin with `where`; `dtype` is as in load_npy.
Tensor read_npy_bytes(const std::string& where, const ByteSource& source, std::optional<DType> dtype);
// Returns the magic string, version and header that precede the data of a tensor.
std::string npy_header(const Tensor& tensor);

}  // namespace xgrad::inline v0::nn
