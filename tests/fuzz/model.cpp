#include <xgrad/xgrad.hpp>

#include "fuzz.hpp"

namespace nn = xgrad::nn;

namespace {

nn::Model make_model() {
  nn::Model model{nn::Sequential{nn::Dense(2, nn::relu), nn::BatchNorm(), nn::Dense(1)}, {3}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{}});
  return model;
}

}  // namespace

void fuzz::read(const std::filesystem::path& file) {
  static nn::Model model = make_model();
  model.load(file);
}

void fuzz::write_seeds(const std::filesystem::path& folder) {
  nn::Model model = make_model();
  model.save(folder / "new");
  model.train_on_batch({xgrad::Tensor({2, 3}), xgrad::Tensor({2, 1})}, 1);
  model.save(folder / "trained");
}
