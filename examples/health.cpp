// Diagnoses five training runs with different problems, and a good one, with the Health callback.
//
//   health
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <string>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

namespace {

// Trains a network on digits and returns the number of issues that Health found.
std::size_t train(const std::string& title, nn::AnyModule network, nn::Optimizer optimizer, int rows = 1500,
                  int epochs = 6) {
  std::cout << title << '\n';
  const nn::Dataset digits = nn::make_digits(rows, 1);
  const nn::Dataset data{digits.x, nn::one_hot(digits.y, 10)};
  nn::Model model{std::move(network), {784}, {.seed = 1}};
  model.compile({.loss = nn::categorical_crossentropy, .optimizer = std::move(optimizer), .metrics = {nn::accuracy}});
  nn::Health health;
  const nn::History history = model.fit(
      data,
      {.epochs = epochs, .validation_split = 0.2, .verbose = nn::Verbose::silent, .callbacks = {std::ref(health)}});
  std::printf("val_accuracy %.2f\n\n", history["val_accuracy"].back());
  return health.findings().size();
}

}  // namespace

int main() try {
  const nn::DenseOptions large{.kernel_initializer = nn::normal(0, 3)};
  const nn::BatchNormOptions slow{.momentum = 0.999}, fast{.momentum = 0.9};

  std::size_t bad_runs = 0;
  bad_runs += train("sigmoid layers with weights of standard deviation 3",
                    nn::Sequential{nn::Dense(64, nn::sigmoid, large), nn::Dense(64, nn::sigmoid, large),
                                   nn::Dense(10, nn::softmax)},
                    nn::SGD{.learning_rate = 0.01}) > 0;
  bad_runs += train("a learning rate of 0.5 with Adam",
                    nn::Sequential{nn::Dense(64, nn::relu), nn::Dense(64, nn::relu), nn::Dense(10, nn::softmax)},
                    nn::Adam{.learning_rate = 0.5}) > 0;
  bad_runs += train("six sigmoid layers with SGD",
                    nn::Sequential{nn::Dense(32, nn::sigmoid), nn::Dense(32, nn::sigmoid), nn::Dense(32, nn::sigmoid),
                                   nn::Dense(32, nn::sigmoid), nn::Dense(32, nn::sigmoid), nn::Dense(32, nn::sigmoid),
                                   nn::Dense(10, nn::softmax)},
                    nn::SGD{.learning_rate = 0.01}) > 0;
  bad_runs +=
      train("batch normalization with slow moving statistics",
            nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(slow), nn::Dense(10, nn::softmax)}, nn::Adam{}) > 0;
  bad_runs += train("many weights for few digits",
                    nn::Sequential{nn::Dense(256, nn::relu), nn::Dense(256, nn::relu), nn::Dense(10, nn::softmax)},
                    nn::Adam{}, 150, 60) > 0;
  const std::size_t good_issues =
      train("a good configuration",
            nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(fast), nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
            nn::Adam{});
  std::cout << "runs with issues: expected 5 of 5, got " << bad_runs << "; issues of the last run: expected 0, got "
            << good_issues << '\n';
  return bad_runs == 5 && good_issues == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "health: " << error.what() << '\n';
  return 1;
}
