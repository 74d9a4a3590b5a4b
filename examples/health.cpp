// What Health says of trainings that go wrong, each in a way of its own, and of one that goes well.
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

// Trains a network on digits and returns how many findings there were.
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
  const nn::BatchNormOptions slow{.momentum = 0.999}, quick{.momentum = 0.9};

  std::size_t ill = 0;
  ill += train("weights of deviation 3 before sigmoids",
               nn::Sequential{nn::Dense(64, nn::sigmoid, large), nn::Dense(64, nn::sigmoid, large),
                              nn::Dense(10, nn::softmax)},
               nn::SGD{.learning_rate = 0.01}) > 0;
  ill += train("a learning rate of 0.5 with Adam",
               nn::Sequential{nn::Dense(64, nn::relu), nn::Dense(64, nn::relu), nn::Dense(10, nn::softmax)},
               nn::Adam{.learning_rate = 0.5}) > 0;
  ill += train("six layers of sigmoids and plain descent",
               nn::Sequential{nn::Dense(32, nn::sigmoid), nn::Dense(32, nn::sigmoid), nn::Dense(32, nn::sigmoid),
                              nn::Dense(32, nn::sigmoid), nn::Dense(32, nn::sigmoid), nn::Dense(32, nn::sigmoid),
                              nn::Dense(10, nn::softmax)},
               nn::SGD{.learning_rate = 0.01}) > 0;
  ill +=
      train("batch normalization that hardly moves",
            nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(slow), nn::Dense(10, nn::softmax)}, nn::Adam{}) > 0;
  ill += train("many weights for few digits",
               nn::Sequential{nn::Dense(256, nn::relu), nn::Dense(256, nn::relu), nn::Dense(10, nn::softmax)},
               nn::Adam{}, 150, 60) > 0;
  const std::size_t well =
      train("as it should be",
            nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(quick), nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
            nn::Adam{});
  std::cout << "expected: findings in 5 of 5 ill trainings and 0 in the last; got: " << ill << " of 5 and " << well
            << '\n';
  return ill == 5 && well == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "health: " << error.what() << '\n';
  return 1;
}
