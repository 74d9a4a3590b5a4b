#include <xgrad/nn/data/npy.hpp>

#include "fuzz.hpp"

namespace nn = xgrad::nn;

void fuzz::read(const std::filesystem::path& file) { (void)nn::load_npy(file); }

void fuzz::write_seeds(const std::filesystem::path& folder) {
  for (const xgrad::DType dtype : {xgrad::f32, xgrad::f64, xgrad::i64, xgrad::boolean})
    nn::save_npy(folder / xgrad::name_of(dtype), xgrad::Tensor::full({2, 3}, 1, dtype));
}
