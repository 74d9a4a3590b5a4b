// A LeNet: two convolutions with pooling and two dense layers read handwritten digits (LeCun, Bottou, Bengio and
// Haffner, "Gradient-based learning applied to document recognition", 1998, with relu and the largest of each window).
//
//   lenet --data mnist/ --epochs 8
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <xgrad/xgrad.hpp>

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

struct Digits {
  nn::Dataset train, valid;
  std::string source;
};

// The folder asked for, or the one XGRAD_DATA names, or one beside the program's own, or digits drawn here.
Digits load(const Arguments& arguments) {
  std::string folder = arguments.data;
  if (folder.empty()) {
    if (const auto found = nn::find_data("mnist")) folder = found->string();
    if (folder.empty() && nn::holds_mnist("../shared/data/mnist")) folder = "../shared/data/mnist";
  }
  if (folder.empty() || folder == "synthetic") {
    const auto [train, valid] = nn::split(nn::make_digits(arguments.synthetic, arguments.seed), 1.0 / 6);
    return {train, valid, "digits drawn here"};
  }
  const nn::ImageDataset mnist = nn::load_mnist(folder);
  return {mnist.train, mnist.test, folder};
}

void run(const Arguments& arguments) {
  const Digits digits = load(arguments);
  fmt::print("data: {}\n", digits.source);
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
  fmt::print("best validation accuracy: expected above 99 %, got {:.2f} % in {:.0f} s\n",
             100 * history.best("val_accuracy"), seconds);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Trains a LeNet on digits."};
  app.add_option("--data", arguments.data,
                 "a folder with MNIST's four files, or \"synthetic\"; default: $XGRAD_DATA, ../shared/data, synthetic");
  app.add_option("--epochs", arguments.epochs, "passes over the training data")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--batch-size", arguments.batch_size, "rows a step")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", arguments.seed, "of weights, shuffles, dropout and synthetic digits")->capture_default_str();
  app.add_option("--threads", arguments.threads, "0: all processors")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--synthetic", arguments.synthetic, "how many digits are drawn")
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
