#include <xgrad/nn/data/safetensors.hpp>

#include "fuzz.hpp"

namespace nn = xgrad::nn;

void fuzz::read(const std::filesystem::path& file) { (void)nn::load_safetensors(file); }

void fuzz::write_seeds(const std::filesystem::path& folder) {
  nn::save_safetensors(folder / "empty", {});
  nn::save_safetensors(folder / "four", {.tensors = {{"a", xgrad::Tensor({2, 3})},
                                                     {"b", xgrad::Tensor({0, 3}, xgrad::f64)},
                                                     {"c", xgrad::Tensor(7)},
                                                     {"d", xgrad::Tensor({3}, xgrad::boolean)}},
                                         .metadata = {{"who", "me"}, {"", "\n\xc3\xa9"}}});
}
