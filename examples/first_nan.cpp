// Finds the source of a NaN: a hand-written loss takes the logarithm of probabilities, some of which become 0.
//
//   first_nan
#include <exception>
#include <iostream>
#include <string>
#include <utility>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

namespace {

nn::Model digits_with(nn::Loss loss) {
  nn::Model model{nn::Dense(10, nn::softmax), {784}, {.seed = 1}};
  model.compile({.loss = std::move(loss), .optimizer = nn::SGD{.learning_rate = 5}});
  return model;
}

}  // namespace

int main() try {
  const nn::Dataset digits = nn::make_digits(2000, 1);
  const nn::Dataset data{digits.x, nn::one_hot(digits.y, 10)};
  const nn::FitOptions options{.epochs = 5, .verbose = nn::Verbose::silent, .check_finite = true};

  const nn::Loss by_hand{"by_hand", [](xg::Value p, xg::Value t) {
                           return -mean(sum(t * log(p), {-1}));  // NaN where p is 0 and t is 0
                         }};
  std::string found = "nothing";
  try {
    digits_with(by_hand).fit(data, options);
  } catch (const xg::NonFiniteError& error) {
    std::cout << error.what() << "\n\n";
    found = error.report().op;
  }

  // categorical_crossentropy computes from the logits of softmax, which cannot overflow.
  const double loss = digits_with(nn::categorical_crossentropy).fit(data, options)["loss"].back();
  std::cout << "categorical_crossentropy with the same options: loss " << loss << '\n';
  std::cout << "first non-finite operation: expected log, got " << found << '\n';
  return found == "log" ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "first_nan: " << error.what() << '\n';
  return 1;
}
