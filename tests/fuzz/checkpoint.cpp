#include <xgrad/xgrad.hpp>

#include "fuzz.hpp"

namespace nn = xgrad::nn;

namespace {

void fit(nn::FitOptions options) {
  static nn::Model model = [] {
    nn::Model made{nn::Sequential{nn::Dense(1)}, {2}};
    made.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
    return made;
  }();
  static const nn::Dataset data{xgrad::Tensor({4, 2}), xgrad::Tensor({4, 1})};
  options.batch_size = 2;
  options.verbose = nn::Verbose::silent;
  options.threads = 1;
  model.fit(data, options);
}

}  // namespace

void fuzz::read(const std::filesystem::path& file) { fit({.epochs = 2, .resume = file}); }

void fuzz::write_seeds(const std::filesystem::path& folder) {
  fit({.epochs = 2, .callbacks = {nn::ModelCheckpoint{.path = (folder / "middle").string(), .every_steps = 3}}});
  fit({.epochs = 2, .callbacks = {nn::ModelCheckpoint{.path = (folder / "end").string()}}});
}
