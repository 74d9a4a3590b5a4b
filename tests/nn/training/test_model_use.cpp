// Models used by several threads: concurrent predictions are correct, conflicting calls throw.
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

TEST_CASE("model: concurrent predict and evaluate equal those of one thread") {
  nn::Model model{nn::Sequential{nn::Dense(16, nn::relu), nn::BatchNorm(), nn::Dense(3, nn::softmax)}, {2}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  const nn::Dataset data = points(300);
  const nn::Model& shared = model;
  // Sizes without a plan yet, so that plans are made concurrently too.
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
        const nn::EvaluateOptions options{.batch_size = 64, .threads = 1 + static_cast<int>(t % 2)};
        if (!bitwise_equal(shared.predict(data.x.rows(0, sizes[k]), {.threads = options.threads}), expected[k]))
          ++wrong;
        if (i % 10 == 0 && shared.evaluate(data, options)["loss"] != loss) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("model: concurrent predictions of a random network are bit-identical") {
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

TEST_CASE("model: during fit() calls of other threads throw, calls of callbacks do not") {
  const scratch::ScratchFolder folder;
  const nn::Dataset data = points(40);
  nn::Model model = classifier();
  model.save(folder.path() / "model.safetensors");
  int calls = 0;
  const auto expect_in_use = [&](auto call, const std::string& function) {
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
    ++calls;
    CHECK(model.predict(data.x).shape() == Shape{40, 2});
    CHECK(model.evaluate(data)["loss"] > 0);
    model.set_learning_rate(0.02);
    expect_in_use([&] { model.predict(data.x); }, "predict");
    expect_in_use([&] { model.evaluate(data); }, "evaluate");
    expect_in_use([&] { model.fit(data, {.verbose = silent}); }, "fit");
    expect_in_use([&] { model.train_on_batch(data); }, "train_on_batch");
    expect_in_use([&] { model.save(folder.path() / "other.safetensors"); }, "save");
    expect_in_use([&] { model.load(folder.path() / "model.safetensors"); }, "load");
    expect_in_use([&] { model.set_learning_rate(1); }, "set_learning_rate");
    expect_in_use([&] { model.swap_averages(); }, "swap_averages");
    expect_in_use([&] { (void)model.profile(data); }, "profile");
    expect_in_use([&] { model.check_gradients(data); }, "check_gradients");
    expect_in_use([&] { model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{}}); }, "compile");
    CHECK(model.learning_rate() == 0.02);
    expect_in_use([&] { (void)model.str(); }, "summary");
    expect_in_use([&] { (void)model.training_graph(2); }, "training_graph");
    expect_in_use([&] { (void)model.inference_graph(2); }, "inference_graph");
    expect_in_use([&] { (void)model.learning_rate(); }, "learning_rate");
    CHECK(model.str().find("74 parameters") != std::string::npos);
  };
  model.fit(data, {.epochs = 2, .verbose = silent, .callbacks = {nn::LambdaCallback{.on_epoch_end = on_epoch_end}}});
  CHECK(calls == 2);
  std::thread([&] { CHECK(model.predict(data.x).shape() == Shape{40, 2}); }).join();
}

TEST_CASE("model use: readers share, a writer is exclusive except on its own thread") {
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
  const auto throws_in_other_thread = [&] {
    bool thrown = false;
    std::thread([&] {
      try {
        (void)use.read("predict", "m");
      } catch (const GraphError&) {
        thrown = true;
      }
    }).join();
    return thrown;
  };
  {
    const auto fit = use.change("fit", "m");
    { const auto inside = use.change("set_learning_rate", "m"); }
    CHECK(throws_in_other_thread());
  }
  CHECK_FALSE(throws_in_other_thread());
}
