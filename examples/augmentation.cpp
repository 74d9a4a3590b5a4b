// Data augmentation: draws each transform applied to ten digits, and trains the deep net on few samples with and
// without augmentation.
//
//   augmentation --data mnist/ --samples 300 --output images/
//   augmentation --tensorboard logs/augmentation
#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <xgrad/xgrad.hpp>

#include "data.hpp"
#include "lettering.hpp"

namespace xg = xgrad;
namespace nn = xgrad::nn;
using example_data::Digits;
using xg::Index;

namespace {

struct Arguments {
  std::string data, output = ".", tensorboard;
  int samples = 300;
  int epochs = 60;
  int seeds = 3;
  int threads = 0;
};

// ---- contact sheet

struct Row {
  std::string caption;
  nn::Augment augment;
};

// Stronger than suitable for training, so that the effect is visible.
std::vector<Row> rows_of_sheet() {
  return {{"digits", {}},
          {"shift", {nn::shift(0.2)}},
          {"rotate", {nn::rotate(35)}},
          {"skew", {nn::skew(30)}},
          {"zoom", {nn::zoom(0.4)}},
          {"flip", {nn::flip_left_right(), nn::flip_up_down()}},
          {"elastic", {nn::elastic(1.3, 4)}},
          {"blur", {nn::blur({0.6, 1.8})}},
          {"noise", {nn::noise(0.2), nn::clip()}},
          {"brightness", {nn::brightness({0.25, 1})}},
          {"cutout", {nn::cutout(0.45, 0.25)}},
          {"all but flip",
           {nn::shift(0.08), nn::rotate(15), nn::skew(12), nn::zoom(0.15), nn::elastic(1, 4), nn::blur(0.7),
            nn::brightness({0.8, 1}), nn::cutout(0.25, 0.25), nn::noise(0.05), nn::clip()}}};
}

using Color = std::array<float, 3>;
constexpr Color paper{0.98F, 0.97F, 0.94F}, page{1, 1, 1}, caption_color{0.25F, 0.27F, 0.32F};

// Ink colors around the color wheel, dark enough to read.
Color ink_of(std::size_t row, std::size_t rows) {
  if (row == 0) return {0.13F, 0.14F, 0.18F};
  Color out{};
  for (std::size_t k = 0; k < 3; ++k) {
    const double turn = static_cast<double>(row) / static_cast<double>(rows) + 0.58 - static_cast<double>(k) / 3;
    out[k] = static_cast<float>(0.32 + 0.30 * std::cos(2 * 3.141592653589793 * turn));
  }
  return out;
}

// One image of each class, by class index.
xg::Tensor one_of_each(const nn::Dataset& data) {
  std::vector<Index> rows;
  for (int digit = 0; digit < 10; ++digit) {
    Index at = 0;
    while (at < data.size() && data.y.at(at) != digit) ++at;
    if (at < data.size()) rows.push_back(at);
  }
  return data.select(rows).x.reshaped({static_cast<Index>(rows.size()), 28, 28});
}

xg::Tensor sheet_of(const xg::Tensor& digits) {
  const std::vector<Row> rows = rows_of_sheet();
  const Index columns = digits.shape()[0], scale = 3, gap = 8, margin = 176;
  xg::Tensor images({static_cast<Index>(rows.size()) * columns, 28, 28, 3});
  float* to = images.mutable_values<float>().data();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const Color ink = ink_of(r, rows.size());
    const xg::Tensor changed = rows[r].augment(digits, r);
    for (const float amount : changed.values<float>()) {
      for (std::size_t k = 0; k < 3; ++k) *to++ = paper[k] + amount * (ink[k] - paper[k]);
    }
  }
  const xg::Tensor sheet = nn::contact_sheet(images, {.columns = columns, .gap = gap, .scale = scale});
  // Add a margin at the left for the captions.
  const Index height = sheet.shape()[0], width = sheet.shape()[1];
  xg::Tensor out = xg::Tensor::full({height, margin + width, 3}, page[0]);
  for (Index y = 0; y < height; ++y) {
    std::copy_n(sheet.values<float>().data() + y * width * 3, width * 3,
                out.mutable_values<float>().data() + (y * (margin + width) + margin) * 3);
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const Color& color = r == 0 ? caption_color : ink_of(r, rows.size());
    const Index middle = gap + static_cast<Index>(r) * (28 * scale + gap) + 14 * scale;
    lettering::write(out, rows[r].caption, middle - 7, margin - gap - lettering::width_of(rows[r].caption, 2),
                     color.data(), 2);
  }
  return out;
}

// ---- training

nn::Model deep_net(std::uint64_t seed) {
  nn::Sequential net{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dense(64, nn::relu), nn::BatchNorm(),
                     nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dropout(0.2),        nn::Dense(10, nn::softmax)};
  nn::Model model{net, {784}, {.seed = seed}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  return model;
}

// Small shifts, rotations and distortions keep the class of a digit; flips do not.
nn::Augment augmentation() {
  return {{nn::shift(0.07), nn::rotate(12), nn::skew(10), nn::zoom(0.1), nn::elastic(0.8, 3)}, {.image = {28, 28}}};
}

double accuracy(const Arguments& arguments, const Digits& digits, int seed, const nn::Augment& augment) {
  nn::Model model = deep_net(static_cast<std::uint64_t>(seed));
  model.fit(digits.train, {.batch_size = std::min(128, std::max(8, arguments.samples / 10)),
                           .epochs = arguments.epochs,
                           .augment = augment,
                           .verbose = nn::Verbose::silent,
                           .threads = arguments.threads});
  return 100 * model.evaluate(digits.valid, {.threads = arguments.threads})["accuracy"];
}

int run(const Arguments& arguments) {
  Digits digits = example_data::digits(arguments.data, arguments.samples, 5000, 1);
  fmt::print("data: {}{}\n", digits.source, digits.hint);
  if (arguments.samples > digits.train.size())
    throw xg::UserError(fmt::format("--samples must be at most {} for {}", digits.train.size(), digits.source));
  digits.train = digits.train.slice(0, arguments.samples);
  std::filesystem::create_directories(arguments.output);
  const std::string file = (std::filesystem::path(arguments.output) / "augmentation.png").string();
  const xg::Tensor sheet = sheet_of(one_of_each(digits.train));
  nn::save_png(file, sheet);
  fmt::print("wrote {}\n", file);
  if (!arguments.tensorboard.empty()) {
    nn::EventWriter events(arguments.tensorboard);
    events.image("augmentation", sheet, 0);
    fmt::print("wrote the image to event files in {}\n", arguments.tensorboard);
  }

  fmt::print("accuracy on {} validation digits after {} epochs of {} samples:\n", digits.valid.size(), arguments.epochs,
             digits.train.size());
  double without = 0, with = 0;
  for (int seed = 1; seed <= arguments.seeds; ++seed) {
    const double a = accuracy(arguments, digits, seed, {}), b = accuracy(arguments, digits, seed, augmentation());
    fmt::print("  seed {}: {:.2f}% without augmentation, {:.2f}% with\n", seed, a, b);
    without += a / arguments.seeds, with += b / arguments.seeds;
  }
  fmt::print("mean accuracy: {:.2f}% without augmentation, {:.2f}% with: {}\n", without, with,
             with > without ? "check passed" : "check failed, expected an improvement");
  return with > without ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Draws augmented digits, and compares training on few samples with and without augmentation"};
  app.add_option("--data", arguments.data, example_data::digits_help);
  app.add_option("--output", arguments.output, "folder for augmentation.png")->capture_default_str();
  app.add_option("--tensorboard", arguments.tensorboard, "also write the image to event files in this folder");
  app.add_option("--samples", arguments.samples, "number of training digits")
      ->check(CLI::Range(10, 60000))
      ->capture_default_str();
  app.add_option("--epochs", arguments.epochs, "passes over the training data")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seeds", arguments.seeds, "number of training runs to average")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", arguments.threads, "threads; 0: all processors")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "augmentation: {}\n", error.what());
    return 1;
  }
}
