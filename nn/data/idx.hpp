// IDX reader: loads MNIST, Fashion-MNIST and other files in their format, plain or gzip-compressed.
//
//   ImageDataset mnist = load_mnist("data/mnist");
//
// An idx file holds two zero bytes, a type code, the rank, a 32-bit extent per axis, and the elements, all big-endian
// (LeCun, Cortes, Burges: "The MNIST database of handwritten digits"). Memory grows with the bytes read, not with the
// sizes that the header claims.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <xgrad/nn/data/dataset.hpp>

namespace xgrad::inline v0::nn {

// Loads the array of an idx file, converted to `dtype` (f32, f64 or i64). Throws FormatError if the file is invalid,
// EnvironmentError if it cannot be opened, DTypeError for floating-point elements as i64 and for bool.
Tensor load_idx(const std::filesystem::path& file, DType dtype);

// The images of a data set: one row of pixels per image, and the labels.
struct ImageDataset {
  Dataset train, test;
};

// Variants of MNIST's format.
struct MnistOptions {
  std::string prefix{};    // prefix of the file names, such as "emnist-letters-"
  Index classes = 10;      // labels must be smaller; 27 for EMNIST letters, which begin at 1
  bool transpose = false;  // images are stored column-major, as in EMNIST
};

// Loads the four files of MNIST, Fashion-MNIST or EMNIST, each with or without .gz, or the file `mnist.npz` of Keras.
// Images of any size become f32 [n, h w], scaled from 0..255 to [0, 1]; labels become i64 [n]. Throws EnvironmentError
// naming a missing file, and as load_idx and load_npz.
ImageDataset load_mnist(const std::filesystem::path& folder_or_npz, const MnistOptions& options = {});

// Whether the folder has the four MNIST files.
bool holds_mnist(const std::filesystem::path& folder);

// Finds a data set, such as "mnist" or "boston_housing.csv": $XGRAD_DATA/NAME, then for "mnist" $XGRAD_DATA itself if
// it has the four files, then NAME in the folder `beside`. Returns nothing if there is none.
std::optional<std::filesystem::path> find_data(std::string_view name, const std::filesystem::path& beside = {});

}  // namespace xgrad::inline v0::nn
