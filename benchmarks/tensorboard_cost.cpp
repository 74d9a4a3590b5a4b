// Overhead of the TensorBoard callback: trains the deep net with and without it in turns, on MNIST if available, and
// also measures the time inside the callback.
//
//   xgrad_tensorboard_cost [EPOCHS] [ROUNDS] [THREADS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <xgrad/xgrad.hpp>

namespace nn = xgrad::nn;
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A callback that measures the time spent in another one.
struct Timed {
  nn::TensorBoard board;
  double seconds = 0;

  void on_fit_begin(nn::Training& t) { time(&nn::TensorBoard::on_fit_begin, t); }
  void on_batch_end(nn::Training& t) { time(&nn::TensorBoard::on_batch_end, t); }
  void on_epoch_end(nn::Training& t) { time(&nn::TensorBoard::on_epoch_end, t); }
  void on_fit_end(nn::Training& t) { time(&nn::TensorBoard::on_fit_end, t); }
  void time(void (nn::TensorBoard::*event)(nn::Training&), nn::Training& t) {
    const auto start = Clock::now();
    (board.*event)(t);
    seconds += since(start);
  }
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

nn::Model deep_net() {
  nn::Model model{
      nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dense(64, nn::relu), nn::BatchNorm(),
                     nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
      {784},
      {.seed = 1}};
  model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  return model;
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, int otherwise) { return argc > i ? std::atoi(argv[i]) : otherwise; };
  const int epochs = argument(1, 20), rounds = argument(2, 5), threads = argument(3, 1);
  nn::Dataset train, valid;
  if (const auto folder = nn::find_data("mnist")) {
    const nn::ImageDataset mnist = nn::load_mnist(*folder);
    train = {mnist.train.x, nn::one_hot(mnist.train.y, 10)};
    valid = {mnist.test.x, nn::one_hot(mnist.test.y, 10)};
  } else {
    const nn::Dataset digits = nn::make_digits(70000, 1);
    const nn::Dataset all{digits.x, nn::one_hot(digits.y, 10)};
    train = all.slice(0, 60000);
    valid = all.slice(60000, 10000);
  }
  const fs::path logs = fs::temp_directory_path() / "xgrad-tensorboard-cost";
  const std::vector<std::pair<std::string, nn::TensorBoard>> boards{
      {"without it", {}},
      {"scalars per epoch", {.log_dir = logs}},
      {"+ every tenth step", {.log_dir = logs, .update_freq = 10}},
      {"+ every step", {.log_dir = logs, .update_freq = 1}},
      {"+ histograms per epoch", {.log_dir = logs, .histogram_freq = 1}}};
  std::vector<std::vector<double>> fits(boards.size()), inside(boards.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < boards.size(); ++i) {
      const std::size_t b = (i + static_cast<std::size_t>(round)) % boards.size();
      fs::remove_all(logs);
      nn::Model model = deep_net();
      Timed timed{boards[b].second};
      nn::FitOptions options{
          .batch_size = 128, .epochs = epochs, .validation = valid, .verbose = nn::Verbose::silent, .threads = threads};
      if (b > 0) options.callbacks = {std::ref(timed)};
      const auto start = Clock::now();
      model.fit(train, options);
      fits[b].push_back(since(start));
      inside[b].push_back(timed.seconds);
    }
  }
  fs::remove_all(logs);
  std::printf("%d epochs, median of %d rounds\n", epochs, rounds);
  for (std::size_t b = 0; b < boards.size(); ++b) {
    std::printf("%-27s %8.3f s  %+6.2f %%  in the callback %7.4f s, %5.2f %%\n", boards[b].first.c_str(),
                median(fits[b]), 100 * (median(fits[b]) / median(fits[0]) - 1), median(inside[b]),
                100 * median(inside[b]) / median(fits[b]));
  }
}
