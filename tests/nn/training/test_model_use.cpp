// A model in several threads: predictions are right and side by side; what must not meet is refused.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/nn/training/internal/model_use.hpp>
#include <xgrad/xgrad.hpp>

#include "support/scratch.hpp"
#include "support/small_model.hpp"

using namespace xgrad;
using namespace small_model;

TEST_CASE("model: predict and evaluate from several threads at once give what one thread gives") {
  nn::Model model{nn::Sequential{nn::Dense(16, nn::relu), nn::BatchNorm(), nn::Dense(3, nn::softmax)}, {2}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  const nn::Dataset data = points(300);
  const nn::Model& shared = model;
  // Sizes that no call has seen before, so that plans are made side by side too.
  const std::vector<Index> sizes{1, 2, 5, 17, 40, 300};
  nn::Model reference{nn::Sequential{nn::Dense(16, nn::relu), nn::BatchNorm(), nn::Dense(3, nn::softmax)}, {2}};
  std::vector<Tensor> expected;
  for (const Index rows : sizes) expected.push_back(reference.predict(data.x.rows(0, rows), {.threads = 1}));
  reference.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  const double loss = reference.evaluate(data, {.batch_size = 64, .threads = 1})["loss"];
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 60; ++i) {
        const std::size_t k = (i * 5 + t) % sizes.size();
        const nn::EvaluateOptions how{.batch_size = 64, .threads = 1 + static_cast<int>(t % 2)};
        if (!bitwise_equal(shared.predict(data.x.rows(0, sizes[k]), {.threads = how.threads}), expected[k])) ++wrong;
        if (i % 10 == 0 && shared.evaluate(data, how)["loss"] != loss) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("model: random networks predict the same rows from several threads") {
  const nn::Model model{[](Value x) { return x + normal_like(x); }, {2}};
  const Tensor x = numbers({50, 2}), expected = nn::Model{[](Value v) { return v + normal_like(v); }, {2}}.predict(x);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) wrong += bitwise_equal(model.predict(x, {.batch_size = 5 + t}), expected) ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("model: while one thread trains it, other threads are refused, and callbacks are not") {
  const scratch::ScratchFolder folder;
  const nn::Dataset data = points(40);
  nn::Model model = classifier();
  model.save(folder.path() / "model.safetensors");
  int asked = 0;
  const auto refused = [&](auto call, const std::string& function) {
    std::string message;
    std::thread([&] {
      try {
        call();
      } catch (const GraphError& error) {
        message = error.what();
      }
    }).join();
    CHECK_MESSAGE(message.find(function + ": the model \"model\" is in use: another thread is inside fit()") == 0,
                  message);
  };
  const auto on_epoch_end = [&](nn::Training&) {
    ++asked;
    CHECK(model.predict(data.x).shape() == Shape{40, 2});
    CHECK(model.evaluate(data)["loss"] > 0);
    model.set_learning_rate(0.02);
    refused([&] { model.predict(data.x); }, "predict");
    refused([&] { model.evaluate(data); }, "evaluate");
    refused([&] { model.fit(data, {.verbose = silent}); }, "fit");
    refused([&] { model.train_on_batch(data); }, "train_on_batch");
    refused([&] { model.save(folder.path() / "other.safetensors"); }, "save");
    refused([&] { model.load(folder.path() / "model.safetensors"); }, "load");
    refused([&] { model.set_learning_rate(1); }, "set_learning_rate");
    refused([&] { model.swap_averages(); }, "swap_averages");
    refused([&] { (void)model.profile(data); }, "profile");
    refused([&] { model.check_gradients(data); }, "check_gradients");
    refused([&] { model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{}}); }, "compile");
    CHECK(model.learning_rate() == 0.02);
    refused([&] { (void)model.str(); }, "summary");
    refused([&] { (void)model.training_graph(2); }, "training_graph");
    refused([&] { (void)model.inference_graph(2); }, "inference_graph");
    refused([&] { (void)model.learning_rate(); }, "learning_rate");
    CHECK(model.str().find("74 parameters") != std::string::npos);
  };
  model.fit(data, {.epochs = 2, .verbose = silent, .callbacks = {nn::LambdaCallback{.on_epoch_end = on_epoch_end}}});
  CHECK(asked == 2);
  std::thread([&] { CHECK(model.predict(data.x).shape() == Shape{40, 2}); }).join();
}

TEST_CASE("model use: readers come and go together, what changes is alone but for its own thread") {
  nn::ModelUse use;
  {
    const auto a = use.read("predict", "m"), b = use.read("evaluate", "m");
    CHECK_THROWS_WITH_AS((void)use.change("fit", "m"),
                         doctest::Contains("fit: the model \"m\" is in use: 2 calls that read its weights"),
                         GraphError);
  }
  {
    const auto fit = use.change("fit", "m");
    const auto inside = use.read("predict", "m");
    std::thread([&] {
      CHECK_THROWS_WITH_AS((void)use.read("predict", "m"), doctest::Contains("another thread is inside fit()"),
                           GraphError);
      CHECK_THROWS_WITH_AS((void)use.change("load", "m"), doctest::Contains("another thread is inside fit()"),
                           GraphError);
    }).join();
  }
  const auto refused_elsewhere = [&] {
    bool refused = false;
    std::thread([&] {
      try {
        (void)use.read("predict", "m");
      } catch (const GraphError&) {
        refused = true;
      }
    }).join();
    return refused;
  };
  {
    const auto fit = use.change("fit", "m");
    { const auto inside = use.change("set_learning_rate", "m"); }
    CHECK(refused_elsewhere());
  }
  CHECK_FALSE(refused_elsewhere());
}
