// Reader of idx files, plain or packed with gzip, in which MNIST and Fashion-MNIST come.
//
//   ImageDataset mnist = load_mnist("data/mnist");
//
// An idx file is: two zero bytes, a type code, the rank, one 32-bit extent per axis, the numbers; all big-endian
// (LeCun, Cortes, Burges: "The MNIST database of handwritten digits"). Nothing a file says about its size is believed
// before as many bytes have been seen.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <xgrad/nn/data/dataset.hpp>

namespace xgrad::inline v0::nn {

// The numbers of the file, converted to `dtype` (f32, f64 or i64; floating to i64 is refused). Throws FormatError
// naming the file if it is not what it claims to be, EnvironmentError if it cannot be opened.
Tensor load_idx(const std::filesystem::path& file, DType dtype);

struct ImageDataset {
  Dataset train, test;
};

struct MnistOptions {
  std::string prefix{};    // in front of each file's name, such as "emnist-letters-"
  Index classes = 10;      // labels are below it; EMNIST's letters, which begin at 1, need 27
  bool transpose = false;  // images are stored column by column, as those of EMNIST
};

// The four files of MNIST, or of a set with such names as Fashion-MNIST or EMNIST, each with or without .gz: images of
// any size as f32 [n, h w] scaled from 0..255 to [0, 1], labels as i64 [n]. Or the one file `mnist.npz` that Keras
// keeps. Throws EnvironmentError naming a file that is missing, and as load_idx and load_npz do.
ImageDataset load_mnist(const std::filesystem::path& folder_or_npz, const MnistOptions& options = {});

// Whether the folder holds the four files.
bool holds_mnist(const std::filesystem::path& folder);

// The folder or file of a data set, such as "mnist" or "boston_housing.csv": $XGRAD_DATA/NAME, for "mnist" $XGRAD_DATA
// itself too if it holds the four files, and otherwise NAME in the folder `beside`, if one is given; none if it is
// nowhere.
std::optional<std::filesystem::path> find_data(std::string_view name, const std::filesystem::path& beside = {});

}  // namespace xgrad::inline v0::nn
