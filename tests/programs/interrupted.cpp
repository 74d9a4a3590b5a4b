// A training run to be killed by tests: starts, or resumes from the checkpoint, and writes its result.
// Event files are in the folder CHECKPOINT.logs.
//
//   xgrad_interrupted CHECKPOINT RESULT THREADS
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <xgrad/xgrad.hpp>

namespace nn = xgrad::nn;
using xgrad::Index;
using xgrad::Tensor;

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  // A few megabytes with the optimizer state, so that writing a checkpoint takes a while.
  nn::Dataset data{Tensor({90, 300}), Tensor(xgrad::Shape{90}, xgrad::i64)};
  Index i = 0;
  for (float& x : data.x.mutable_values<float>()) x = static_cast<float>(std::sin(static_cast<double>(++i) * 1.7));
  for (std::int64_t& y : data.y.mutable_values<std::int64_t>()) y = ++i % 3;
  nn::Model model{
      nn::Sequential{nn::Dense(500, nn::relu), nn::BatchNorm(), nn::Dropout(0.2), nn::Dense(3, nn::softmax)},
      {300},
      {.seed = 11}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  try {
    const nn::History history =
        model.fit(data, {.batch_size = 16,
                         .epochs = 4,
                         .validation_split = 0.2,
                         .verbose = nn::Verbose::silent,
                         .threads = std::atoi(argv[3]),
                         .callbacks = {nn::ReduceLROnPlateau{.factor = 0.7, .patience = 1},
                                       nn::TensorBoard{.log_dir = argv[1] + std::string(".logs"), .update_freq = 1},
                                       nn::ModelCheckpoint{.path = argv[1], .every_steps = 1}},
                         .resume = argv[1]});
    nn::TensorFile result;
    for (const xgrad::Parameter& p : model.parameters()) result.tensors[p.name()] = p.value();
    for (int e = 0; e < history.epochs(); ++e) {
      for (const auto& [name, value] : history.epoch(e).entries())
        result.tensors["history/" + name + "/" + std::to_string(e)] = Tensor(value);
    }
    nn::save_safetensors(argv[2], result);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "interrupted: %s\n", error.what());
    return 1;
  }
  return 0;
}
