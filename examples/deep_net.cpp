// The nets of Deep Learning Illustrated, chapters 5, 8 and 9, trained on digits: shallow, intermediate, and deep with
// three hidden layers, batch normalization and dropout.
//
//   deep_net --data mnist/ --epochs 20 --json result.json --curves curves.svg
//   deep_net --net shallow
//   deep_net --tensorboard logs/deep-net
//   deep_net --checkpoint run.safetensors --best best.safetensors --log log.csv
//
// The last command may be stopped at any time and run again: it resumes from the checkpoint.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <xgrad/xgrad.hpp>

#include "confusion_picture.hpp"
#include "data.hpp"

namespace xg = xgrad;
namespace nn = xgrad::nn;
using example_data::Digits;

namespace {

struct Arguments {
  std::string data, net = "deep";
  int epochs = -1;  // -1: the default of the net
  int batch_size = 128;
  std::uint64_t seed = 1;
  int threads = 0;
  std::string json, checkpoint, best, log, curves, tensorboard;
  bool quiet = false;
  bool keras_defaults = false;
};

// A JSON string.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      out += c;
  }
  return out + "\"";
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void write_json(const Arguments& arguments, const Digits& digits, const nn::Model& model, const nn::History& history) {
  std::string epochs;
  for (int i = 0; i < history.epochs(); ++i) {
    epochs += i == 0 ? "\n" : ",\n";
    epochs += "    {";
    for (const auto& [name, value] : history.epoch(i).entries()) epochs += fmt::format("{}: {}, ", quoted(name), value);
    epochs += fmt::format("\"seconds\": {}}}", history.seconds()[static_cast<std::size_t>(i)]);
  }
  const double samples = static_cast<double>(digits.train.size());
  const std::string text = fmt::format(
      "{{\n  \"arguments\": {{\"data\": {}, \"net\": {}, \"epochs\": {}, \"batch_size\": {}, \"seed\": {}, "
      "\"threads\": {}, "
      "\"keras_defaults\": {}}},\n"
      "  \"epochs\": [{}\n  ],\n  \"best_val_accuracy\": {},\n  \"parameters\": {},\n  \"microseconds_per_sample\": "
      "{}\n}}\n",
      quoted(digits.source), quoted(arguments.net), arguments.epochs, arguments.batch_size, arguments.seed,
      arguments.threads, arguments.keras_defaults, epochs, history.epochs() == 0 ? 0.0 : history.best("val_accuracy"),
      model.parameter_count(), median(history.training_seconds()) / samples * 1e6);
  std::FILE* file = std::fopen(arguments.json.c_str(), "w");
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file == nullptr || std::fclose(file) != 0 || !written)
    throw xg::EnvironmentError("cannot write " + arguments.json);
}

std::vector<nn::Callback> callbacks_of(const Arguments& arguments) {
  std::vector<nn::Callback> out;
  if (!arguments.best.empty())
    out.emplace_back(nn::ModelCheckpoint{.path = arguments.best, .monitor = "val_accuracy", .save_best_only = true});
  if (!arguments.log.empty()) out.emplace_back(nn::CSVLogger{.path = arguments.log});
  if (!arguments.tensorboard.empty()) {
    out.emplace_back(nn::TensorBoard{.log_dir = arguments.tensorboard,
                                     .histogram_freq = 1,
                                     .hyper_parameters = {{"net", arguments.net},
                                                          {"batch_size", arguments.batch_size},
                                                          {"seed", arguments.seed},
                                                          {"keras_defaults", arguments.keras_defaults}}});
  }
  if (!arguments.checkpoint.empty())
    out.emplace_back(nn::ModelCheckpoint{.path = arguments.checkpoint, .every_steps = 100});
  return out;
}

// Writes the confusion matrix as an image to event files.
void write_confusion(const Arguments& arguments, nn::Model& model, const nn::Dataset& valid, int epochs) {
  const xg::Tensor counts = nn::confusion_matrix(model.predict(valid.x, {.threads = arguments.threads}), valid.y);
  nn::EventWriter events(std::filesystem::path(arguments.tensorboard) / "confusion");
  events.image("confusion", confusion_picture::draw(counts), epochs);
}

// Throws before training if the results cannot be written.
void require_writable(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "a");
  if (file == nullptr) throw xg::EnvironmentError("cannot write " + path);
  std::fclose(file);
}

// A net, its training options, and the expected best validation accuracy on MNIST in percent.
struct NetConfig {
  nn::Sequential net;
  nn::CompileOptions compile;
  int epochs;
  double expected;
};

// One hidden sigmoid layer with mean squared error, whose gradient is small for confidently wrong predictions.
NetConfig shallow() {
  return {{nn::Dense(64, nn::sigmoid), nn::Dense(10, nn::softmax)},
          {.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0.01}, .metrics = {nn::accuracy}},
          200,
          85};
}

// Two hidden relu layers with cross-entropy and a larger learning rate.
NetConfig intermediate() {
  return {{nn::Dense(64, nn::relu), nn::Dense(64, nn::relu), nn::Dense(10, nn::softmax)},
          {.loss = nn::categorical_crossentropy, .optimizer = nn::SGD{.learning_rate = 0.1}, .metrics = {nn::accuracy}},
          20,
          97.6};
}

NetConfig deep(bool keras_defaults) {
  // Note [Two settings]. With Keras defaults, as in chapter 9 (--keras-defaults), the best accuracy of 20 epochs has a
  // mean of 97.75% over seeds, with a standard deviation of 0.1; the 97.87% of the book is a good run. Every run
  // exceeds it with two other settings. First, smaller initial weights: weights of pixels that are nearly always white
  // keep their initial values, and add noise for a test image with ink there. Batch normalization removes the scale of
  // the weights, so they may be small. Second, a lower momentum, so that moving statistics match the weights at the end
  // of an epoch.
  nn::DenseOptions dense;
  nn::BatchNormOptions norm;
  if (!keras_defaults) {
    dense.kernel_initializer = nn::normal(0, 0.01);
    norm.momentum = 0.9;
  }
  return {{nn::Dense(64, nn::relu, dense), nn::BatchNorm(norm), nn::Dense(64, nn::relu, dense), nn::BatchNorm(norm),
           nn::Dense(64, nn::relu, dense), nn::BatchNorm(norm), nn::Dropout(0.2), nn::Dense(10, nn::softmax, dense)},
          {.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}},
          20,
          97.87};
}

NetConfig config_of(const Arguments& arguments) {
  if (arguments.net == "shallow") return shallow();
  if (arguments.net == "intermediate") return intermediate();
  return deep(arguments.keras_defaults);
}

void report(const Digits& digits, const nn::History& history, double expected) {
  const double got = 100 * history.best("val_accuracy");
  if (digits.source == "synthetic")
    fmt::print("best validation accuracy: got {:.2f}%", got);
  else
    fmt::print("best validation accuracy: expected about {}%, got {:.2f}%", expected, got);
  fmt::print("; {:.2f} us per sample\n",
             median(history.training_seconds()) / static_cast<double>(digits.train.size()) * 1e6);
}

void run(Arguments arguments) {
  for (const std::string& path : {arguments.json, arguments.curves}) {
    if (!path.empty()) require_writable(path);
  }
  const Digits digits = example_data::digits(arguments.data, 60000, 10000, arguments.seed);
  if (!arguments.quiet) fmt::print("data: {}{}\n", digits.source, digits.hint);
  const nn::Dataset train{digits.train.x, nn::one_hot(digits.train.y, 10)};
  const nn::Dataset valid{digits.valid.x, nn::one_hot(digits.valid.y, 10)};

  const NetConfig config = config_of(arguments);
  if (arguments.epochs < 0) arguments.epochs = config.epochs;
  nn::Model model{config.net, {784}, {.seed = arguments.seed, .name = arguments.net + "_net"}};
  model.compile(config.compile);
  if (!arguments.quiet) model.summary();

  const nn::History history =
      model.fit(train, {.batch_size = arguments.batch_size,
                        .epochs = arguments.epochs,
                        .validation = valid,
                        .verbose = arguments.quiet ? nn::Verbose::silent : nn::Verbose::automatic,
                        .threads = arguments.threads,
                        .callbacks = callbacks_of(arguments),
                        .resume = arguments.checkpoint});
  if (!arguments.quiet && history.epochs() > 0) report(digits, history, config.expected);
  if (!arguments.json.empty()) write_json(arguments, digits, model, history);
  if (!arguments.curves.empty() && history.epochs() > 0) history.plot(arguments.curves);
  if (!arguments.tensorboard.empty()) write_confusion(arguments, model, valid, history.epochs());
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Trains the nets of Deep Learning Illustrated on digits."};
  app.add_option("--data", arguments.data, example_data::digits_help);
  app.add_option("--net", arguments.net, "shallow, intermediate or deep")
      ->capture_default_str()
      ->check(CLI::IsMember({"shallow", "intermediate", "deep"}));
  app.add_option("--epochs", arguments.epochs, "passes over the training data; default: 20, shallow net 200")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--batch-size", arguments.batch_size, "rows per step")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", arguments.seed, "seed of weights, shuffling, dropout and synthetic digits")
      ->capture_default_str();
  app.add_option("--threads", arguments.threads, "threads; 0: all processors")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--json", arguments.json, "write arguments and results to this file");
  app.add_option("--checkpoint", arguments.checkpoint,
                 "write a checkpoint to this file every 100 steps; resume from it if it exists");
  app.add_option("--best", arguments.best, "save the model of the best epoch to this file");
  app.add_option("--log", arguments.log, "write a CSV table of the epochs to this file");
  app.add_option("--curves", arguments.curves, "plot loss and accuracy by epoch to this .svg file");
  app.add_option("--tensorboard", arguments.tensorboard,
                 "write curves, graphs, histograms and a confusion matrix to event files in this folder");
  app.add_flag("--keras-defaults", arguments.keras_defaults,
               "use Keras' default initial weights and batch norm momentum in the deep net");
  app.add_flag("--quiet", arguments.quiet, "print nothing");
  CLI11_PARSE(app, argc, argv);
  try {
    run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "deep_net: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
