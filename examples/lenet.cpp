// LeNet: two convolutions with pooling and two dense layers classify handwritten digits (LeCun, Bottou, Bengio and
// Haffner, "Gradient-based learning applied to document recognition", 1998, with relu and max pooling).
//
//   lenet --data mnist/ --epochs 8
#include <iostream>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <xgrad/xgrad.hpp>

#include "data.hpp"

namespace nn = xgrad::nn;

namespace {

struct Arguments {
  std::string data;
  int epochs = 8;
  int batch_size = 128;
  std::uint64_t seed = 1;
  int threads = 0;
  int synthetic = 20000;
};

void run(const Arguments& arguments) {
  const int valid = arguments.synthetic / 6;
  const auto digits = example_data::digits(arguments.data, arguments.synthetic - valid, valid, arguments.seed);
  fmt::print("data: {}{}\n", digits.source, digits.hint);
  const nn::Sequential net{nn::Reshape({28, 28, 1}),  nn::Conv2D(20, 5, nn::relu),
                           nn::MaxPool2D(),           nn::Conv2D(50, 5, nn::relu),
                           nn::MaxPool2D(),           nn::Flatten(),
                           nn::Dense(128, nn::relu),  nn::Dropout(0.5),
                           nn::Dense(10, nn::softmax)};
  nn::Model model{net, {784}, {.seed = arguments.seed, .name = "lenet"}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  model.summary();
  const nn::History history = model.fit(digits.train, {.batch_size = arguments.batch_size,
                                                       .epochs = arguments.epochs,
                                                       .validation = digits.valid,
                                                       .threads = arguments.threads});
  if (history.epochs() == 0) return;
  double seconds = 0;
  for (const double s : history.seconds()) seconds += s;
  fmt::print("best validation accuracy: expected above 99%, got {:.2f}% in {:.0f} s\n",
             100 * history.best("val_accuracy"), seconds);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Trains a LeNet on digits."};
  app.add_option("--data", arguments.data, example_data::digits_help);
  app.add_option("--epochs", arguments.epochs, "passes over the training data")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--batch-size", arguments.batch_size, "rows per step")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", arguments.seed, "seed of weights, shuffling, dropout and synthetic digits")
      ->capture_default_str();
  app.add_option("--threads", arguments.threads, "threads; 0: all processors")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--synthetic", arguments.synthetic, "number of synthetic digits")
      ->capture_default_str()
      ->check(CLI::Range(60, 1000000));
  CLI11_PARSE(app, argc, argv);
  try {
    run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "lenet: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
