#include <xgrad/nn/data/npy.hpp>

#include "fuzz.hpp"

namespace nn = xgrad::nn;

void fuzz::read(const std::filesystem::path& file) { (void)nn::load_npz(file); }

void fuzz::write_seeds(const std::filesystem::path& folder) {
  nn::save_npz(folder / "one", {{"x", xgrad::Tensor::full({3}, 1)}});
  nn::save_npz(
      folder / "three",
      {{"x", xgrad::Tensor::full({2, 2}, 1)}, {"a/y", xgrad::Tensor(2.5)}, {"z", xgrad::Tensor({0, 3}, xgrad::i64)}});
}
