// The TensorBoard callback: the layout of Keras 3, scalars equal to the history, histograms, and fits that resume or
// start over.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/event_wire.hpp"
#include "support/scratch.hpp"
#include "support/small_model.hpp"

using namespace xgrad;
using namespace scratch;
using small_model::classifier;
using small_model::points;

namespace {

using Series = std::map<std::int64_t, double>;  // by step

// The content of all event files of a folder. Duplicate scalars and histograms are failures.
struct Run {
  std::map<std::string, Series> scalars;
  std::map<std::string, std::map<std::int64_t, std::vector<event_wire::WireValue::Bin>>> histograms;
  std::map<std::string, std::vector<std::int64_t>> images;
  std::vector<std::string> texts, layers;
  int graphs = 0, restarts = 0, files = 0;
};

Run load_run(const fs::path& folder) {
  Run out;
  for (const fs::path& path : nn::event_files(folder)) {
    ++out.files;
    for (const event_wire::WireEvent& event : event_wire::events(path)) {
      out.graphs += event.message.has(4) ? 1 : 0;
      out.restarts += event.message.has(7) ? 1 : 0;
      for (const event_wire::WireValue& v : event.values()) {
        const std::string place = v.tag + " at " + std::to_string(event.step());
        if (v.plugin == "scalars") CHECK_MESSAGE(out.scalars[v.tag].emplace(event.step(), v.scalar()).second, place);
        if (v.plugin == "histograms")
          CHECK_MESSAGE(out.histograms[v.tag].emplace(event.step(), v.histogram()).second, place);
        if (v.plugin == "images") out.images[v.tag].push_back(event.step());
        if (v.plugin == "text") out.texts.push_back(v.tensor.texts(8).at(0));
        if (v.plugin == "graph_keras_model") out.layers.push_back(v.tensor.texts(8).at(0));
      }
    }
  }
  return out;
}

std::vector<std::string> tags(const std::map<std::string, Series>& scalars) {
  std::vector<std::string> out;
  for (const auto& entry : scalars) out.push_back(entry.first);
  return out;
}

double as_float(double x) { return static_cast<double>(static_cast<float>(x)); }

void check_series(const Series& found, const std::vector<double>& expected, const std::vector<std::int64_t>& steps) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < steps.size(); ++i) CHECK(found.at(steps[i]) == as_float(expected[i]));
}

double total(const std::vector<event_wire::WireValue::Bin>& bins) {
  double out = 0;
  for (const auto& bin : bins) out += bin.count;
  return out;
}

nn::FitOptions options(int epochs, std::vector<nn::Callback> callbacks) {
  return {.batch_size = 32,
          .epochs = epochs,
          .validation_split = 0.2,
          .verbose = nn::Verbose::silent,
          .threads = 1,
          .callbacks = std::move(callbacks)};
}

}  // namespace

TEST_CASE("tensor_board: the tags of Keras in two runs, with the values of the history") {
  const ScratchFolder folder;
  nn::Model model = classifier();
  const nn::History history = model.fit(points(100), options(3, {nn::TensorBoard{folder / "logs"}}));
  const Run train = load_run(folder / "logs/train"), valid = load_run(folder / "logs/validation");
  CHECK(tags(train.scalars) == std::vector<std::string>{"epoch_accuracy", "epoch_learning_rate", "epoch_loss"});
  CHECK(tags(valid.scalars) == std::vector<std::string>{"epoch_accuracy", "epoch_loss",
                                                        "evaluation_accuracy_vs_iterations",
                                                        "evaluation_loss_vs_iterations"});
  const std::vector<std::int64_t> epochs{0, 1, 2}, steps{3, 6, 9};
  check_series(train.scalars.at("epoch_loss"), history["loss"], epochs);
  check_series(train.scalars.at("epoch_accuracy"), history["accuracy"], epochs);
  check_series(train.scalars.at("epoch_learning_rate"), history["learning_rate"], epochs);
  check_series(valid.scalars.at("epoch_loss"), history["val_loss"], epochs);
  check_series(valid.scalars.at("epoch_accuracy"), history["val_accuracy"], epochs);
  check_series(valid.scalars.at("evaluation_loss_vs_iterations"), history["val_loss"], steps);
  CHECK((train.graphs == 1 && valid.graphs == 0));
  REQUIRE((train.layers.size() == 1 && train.texts.size() == 1));
  CHECK(contains(train.layers[0], "BatchNorm"));
  CHECK(contains(train.texts[0], model.str()));
  CHECK(train.histograms.empty());
  CHECK(nn::event_files(folder / "logs").empty());
}

TEST_CASE("tensor_board: does not change the training") {
  const ScratchFolder folder;
  nn::Model with = classifier(), without = classifier();
  const nn::History a = with.fit(
      points(100),
      options(
          3, {nn::TensorBoard{.log_dir = folder.path(), .histogram_freq = 1, .write_images = true, .update_freq = 1}}));
  const nn::History b = without.fit(points(100), options(3, {}));
  CHECK(a["loss"] == b["loss"]);
  CHECK(a["val_loss"] == b["val_loss"]);
  CHECK(small_model::same(small_model::weights(with), small_model::weights(without)));
}

TEST_CASE("tensor_board: logs per batch, steps per second, no graph if disabled") {
  const ScratchFolder folder;
  nn::Model model = classifier();
  std::vector<double> losses;
  const nn::LambdaCallback watch{.on_batch_end = [&](nn::Training& t) { losses.push_back(t.logs()["loss"]); }};
  model.fit(points(100), options(2, {watch, nn::TensorBoard{.log_dir = folder.path(),
                                                            .write_graph = false,
                                                            .write_steps_per_second = true,
                                                            .update_freq = 2}}));
  const Run train = load_run(folder / "train");
  check_series(train.scalars.at("batch_loss"), {losses[1], losses[3], losses[5]}, {2, 4, 6});
  CHECK(train.scalars.at("batch_accuracy").size() == 3);
  CHECK(train.scalars.at("epoch_steps_per_second").at(1) > 0);
  CHECK((train.graphs == 0 && train.layers.empty() && train.texts.empty()));
}

TEST_CASE("tensor_board: histograms of weights, gradients and layer outputs") {
  const ScratchFolder folder;
  nn::Model model = classifier();
  std::vector<Tensor> kernels;
  const nn::LambdaCallback keep{
      .on_epoch_end = [&](nn::Training& t) { kernels.push_back(t.model().parameters()[0].value()); }};
  model.fit(
      points(100),
      options(5,
              {keep, nn::TensorBoard{
                         .log_dir = folder.path(), .histogram_freq = 2, .histogram_rows = 50, .write_images = true}}));
  const Run train = load_run(folder / "train");
  std::vector<std::string> names;
  for (const auto& [tag, series] : train.histograms) {
    names.push_back(tag);
    std::vector<std::int64_t> epochs;
    for (const auto& entry : series) epochs.push_back(entry.first);
    CHECK(epochs == std::vector<std::int64_t>{0, 2, 4});
  }
  std::vector<std::string> expected;
  for (const Parameter& p : model.parameters()) {
    expected.push_back(p.name() + "/histogram");
    if (p.trainable()) expected.push_back(p.name() + "/gradient/histogram");
  }
  for (const char* layer : {"dense", "batch_norm", "dropout", "dense_1"})
    expected.push_back(std::string(layer) + "/output/histogram");
  std::sort(expected.begin(), expected.end());
  CHECK(names == expected);
  for (const Parameter& p : model.parameters()) {
    CHECK(total(train.histograms.at(p.name() + "/histogram").at(2)) == static_cast<double>(p.shape().elements()));
    if (!p.trainable()) continue;
    CHECK(total(train.histograms.at(p.name() + "/gradient/histogram").at(2)) ==
          static_cast<double>(p.shape().elements()));
  }
  CHECK(total(train.histograms.at("dense/output/histogram").at(0)) == 50 * 8);
  // The output of a relu is at least 0, a probability at most 1.
  CHECK(train.histograms.at("dense/output/histogram").at(0).front().left == 0);
  CHECK(train.histograms.at("dense_1/output/histogram").at(0).back().right <= 1);
  // The outer edges are the smallest and the largest value of the weight.
  REQUIRE(model.parameters()[0].name() == "dense/kernel");
  const auto kernel = kernels[2].values<float>();
  const auto [smallest, largest] = std::minmax_element(kernel.begin(), kernel.end());
  const auto& bins = train.histograms.at("dense/kernel/histogram").at(2);
  CHECK((bins.front().left == static_cast<double>(*smallest) && bins.back().right == static_cast<double>(*largest)));
  CHECK(train.images.at("dense/kernel/image") == std::vector<std::int64_t>{0, 2, 4});
}

TEST_CASE("tensor_board: a gradient histogram contains the gradient") {
  const ScratchFolder folder;
  nn::Model model = small_model::line();
  const nn::Dataset data{small_model::numbers({6, 2}), small_model::numbers({6, 1}, 1)};
  // A learning rate of 0 keeps the weights.
  model.set_learning_rate(0);
  const double before = model.parameters()[1].value().item();
  model.fit(data, {.batch_size = 6,
                   .epochs = 1,
                   .verbose = nn::Verbose::silent,
                   .callbacks = {nn::TensorBoard{.log_dir = folder.path(), .histogram_freq = 1}}});
  REQUIRE(model.parameters()[1].value().item() == before);
  // The mean squared error's derivative with respect to the bias is twice the mean error.
  const Tensor p = model.predict(data.x);
  double error = 0;
  for (Index i = 0; i < 6; ++i) error += (p.at(i) - data.y.at(i)) / 6;
  const auto bins = load_run(folder / "train").histograms.at("dense/bias/gradient/histogram").at(0);
  REQUIRE(bins.size() == 1);
  CHECK((bins[0].left + bins[0].right) / 2 == doctest::Approx(2 * error).epsilon(1e-5));
}

TEST_CASE("tensor_board: layer histograms sample rows from all over the data") {
  const ScratchFolder folder;
  nn::Dataset data{Tensor({255, 1}), Tensor({255, 1})};
  const auto x = data.x.mutable_values<float>();
  std::fill(x.begin() + 128, x.end(), 1.0F);
  nn::Model model{nn::Dense(1, nn::linear, {.kernel_initializer = nn::ones, .trainable = false}), {1}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  model.fit(data, {.verbose = nn::Verbose::silent,
                   .callbacks = {nn::TensorBoard{.log_dir = folder.path(), .histogram_freq = 1}}});
  // 128 rows by default, 63 of them from the second half of the data, where the layer gives 1.
  const auto bins = load_run(folder / "train").histograms.at("dense/output/histogram").at(0);
  CHECK(total(bins) == 128);
  CHECK(bins.front().left == 0);
  CHECK(bins.back().right == 1);
  CHECK(bins.back().count == 63);
}

TEST_CASE("tensor_board: non-finite values are counted in a scalar, not in the histogram") {
  const ScratchFolder folder;
  nn::Model model = small_model::line();
  const nn::LambdaCallback spoil{.on_epoch_end = [](nn::Training& t) {
    Parameter kernel = t.model().parameters()[0];
    kernel.set(Tensor::from<float>({2, 1}, {std::nanf(""), 1}));
  }};
  model.fit(
      {small_model::numbers({6, 2}), small_model::numbers({6, 1}, 1)},
      {.batch_size = 6,
       .epochs = 1,
       .verbose = nn::Verbose::silent,
       .callbacks = {spoil, nn::TensorBoard{.log_dir = folder.path(), .histogram_freq = 1, .write_images = true}}});
  const Run train = load_run(folder / "train");
  CHECK(train.scalars.at("dense/kernel/not_finite").at(0) == 1);
  CHECK(train.scalars.at("dense/output/not_finite").at(0) == 6);
  CHECK(total(train.histograms.at("dense/kernel/histogram").at(0)) == 1);
  CHECK(!train.images.contains("dense/kernel/image"));
  CHECK(train.images.contains("dense/bias/image") == false);  // no image of a single value
}

TEST_CASE("tensor_board: hyper-parameters are written to the parent folder of the runs") {
  const ScratchFolder folder;
  nn::Model model = classifier();
  model.fit(points(50), options(1, {nn::TensorBoard{.log_dir = folder.path(), .hyper_parameters = {{"units", 8}}}}));
  const auto files = nn::event_files(folder.path());
  REQUIRE(files.size() == 1);
  const auto events = event_wire::events(files[0]);
  REQUIRE(events.size() == 3);
  CHECK(events[1].values().at(0).tag == "_hparams_/session_start_info");
  CHECK(events[2].values().at(0).tag == "_hparams_/session_end_info");
}

TEST_CASE("tensor_board: a resumed fit continues at the checkpoint without duplicates") {
  for (const int stop_at : {4, 9, 12, 14}) {
    CAPTURE(stop_at);
    const ScratchFolder folder;
    const fs::path checkpoint = folder / "c.safetensors";
    const auto board = [&](const char* name) {
      return nn::TensorBoard{.log_dir = folder / name, .histogram_freq = 1, .update_freq = 1};
    };
    nn::Model whole = classifier();
    whole.fit(points(100), options(5, {board("whole")}));

    const auto fit = [&](std::vector<nn::Callback> callbacks) {
      nn::Model model = classifier();
      callbacks.insert(callbacks.begin(), nn::ModelCheckpoint{.path = checkpoint, .every_steps = 3});
      nn::FitOptions o = options(5, std::move(callbacks));
      o.resume = checkpoint;
      model.fit(points(100), o);
    };
    int steps = 0;
    const nn::LambdaCallback fails{.on_batch_end = [&](nn::Training&) {
      if (++steps == stop_at) throw std::runtime_error("interrupted");
    }};
    CHECK_THROWS_WITH(fit({board("parts"), fails}), "interrupted");
    fit({board("parts")});
    for (const char* part : {"train", "validation"}) {
      const Run a = load_run(folder / ("whole/" + std::string(part))),
                b = load_run(folder / ("parts/" + std::string(part)));
      // A run that wrote nothing before the checkpoint has only the file of the resumed fit.
      CHECK(b.files <= 2);
      CHECK(a.scalars == b.scalars);
      CHECK(a.graphs == b.graphs);
      REQUIRE(a.histograms.size() == b.histograms.size());
      for (const auto& [tag, series] : a.histograms) {
        for (const auto& [epoch, bins] : series) {
          const auto& other_bins = b.histograms.at(tag).at(epoch);
          REQUIRE(bins.size() == other_bins.size());
          for (std::size_t i = 0; i < bins.size(); ++i)
            CHECK((bins[i].left == other_bins[i].left && bins[i].count == other_bins[i].count));
        }
      }
    }
  }
}

TEST_CASE("tensor_board: a new fit in the same folder replaces the previous one") {
  const ScratchFolder folder;
  nn::Model model = classifier();
  model.fit(points(100), options(5, {nn::TensorBoard{folder.path()}}));
  const nn::History second = model.fit(points(100), options(2, {nn::TensorBoard{folder.path()}}));
  const nn::EventRun train = nn::load_run(folder / "train");
  CHECK(train.files.size() == 2);
  const auto& points_of_loss = train.scalars.at("epoch_loss");
  REQUIRE(points_of_loss.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) CHECK(points_of_loss[i].value == as_float(second["loss"][i]));
  CHECK(train.graphs == 1);
}

TEST_CASE("tensor_board: invalid options and an uncreatable folder throw before training") {
  const ScratchFolder folder;
  nn::Model model = classifier();
  const auto before = small_model::weights(model);
  const auto error = [&](nn::TensorBoard board) {
    return message_of<UserError>([&] { model.fit(points(50), options(1, {std::move(board)})); });
  };
  CHECK(error({.log_dir = folder.path(), .histogram_freq = -1}) ==
        "tensor_board: histogram_freq must be at least 0, got -1");
  CHECK(error({.log_dir = folder.path(), .histogram_rows = -2}) ==
        "tensor_board: histogram_rows must be at least 0, got -2");
  CHECK(error({.log_dir = folder.path(), .update_freq = -3}) == "tensor_board: update_freq must be at least 0, got -3");
  CHECK(error({.log_dir = ""}) == "tensor_board: log_dir is empty");
  write_file(folder / "file", "");
  CHECK(contains(
      message_of<EnvironmentError>([&] { model.fit(points(50), options(1, {nn::TensorBoard{folder / "file"}})); }),
      "event writer: cannot create the folder"));
  CHECK(small_model::same(small_model::weights(model), before));
}
