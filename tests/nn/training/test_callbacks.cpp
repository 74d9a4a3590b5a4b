// Callbacks: when they are called, what the built-in ones do, and how fit() handles their exceptions.
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <xgrad/xgrad.hpp>

#include "support/scratch.hpp"
#include "support/small_model.hpp"

using namespace xgrad;
using namespace small_model;
using scratch::ScratchFolder;
using scratch::write_file;

namespace fs = std::filesystem;

namespace {

// Records the events it receives.
struct Recorder {
  std::string text;
  void on_fit_begin(nn::Training&) { text += "("; }
  void on_epoch_begin(nn::Training& t) { text += "<" + std::to_string(t.epoch()); }
  void on_batch_end(nn::Training& t) { text += "." + std::to_string(t.batch()); }
  void on_epoch_end(nn::Training& t) { text += ">" + std::to_string(t.history().epochs()); }
  void on_fit_end(nn::Training&) { text += ")"; }
};

std::string content(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

// Produces a given "val_loss" in each epoch: the model outputs its bias, which is set to the square root of the loss,
// and the targets are 0.
struct ScriptedLoss {
  std::vector<double> losses;
  void on_epoch_begin(nn::Training& t) {
    Parameter kernel = t.model().parameters()[0];
    Parameter bias = t.model().parameters()[1];
    kernel.set(Tensor({1, 1}));
    bias.set(Tensor::from<float>({1}, {static_cast<float>(std::sqrt(losses[static_cast<std::size_t>(t.epoch())]))}));
  }
};

// Fits a model with the given loss in each epoch.
nn::History fit_with_losses(const std::vector<double>& losses, std::vector<nn::Callback> callbacks,
                            nn::Model* used = nullptr) {
  nn::Model model{nn::Dense(1, nn::linear, {.kernel_initializer = nn::zeros}), {1}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0}});
  callbacks.insert(callbacks.begin(), ScriptedLoss{losses});
  const nn::Dataset data{Tensor({4, 1}), Tensor({4, 1})};
  nn::History h = model.fit(
      data, {.epochs = static_cast<int>(losses.size()), .validation = data, .verbose = silent, .callbacks = callbacks});
  if (used != nullptr) *used = std::move(model);
  return h;
}

}  // namespace

TEST_CASE("callbacks: events arrive in order; a callback passed by reference keeps its state") {
  Recorder recorder;
  nn::Model model = classifier();
  model.fit(points(10), {.batch_size = 4, .epochs = 2, .verbose = silent, .callbacks = {std::ref(recorder)}});
  CHECK(recorder.text == "(<0.1.2.3>1<1.1.2.3>2)");
  std::string record;
  const nn::LambdaCallback lambda{.on_epoch_end = [&](nn::Training& t) { record += t.logs().str() + ";"; },
                                  .on_fit_end = [&](nn::Training&) { record += "end"; }};
  const nn::History h = model.fit(points(10), {.verbose = silent, .callbacks = {lambda}});
  CHECK(record == h.epoch(0).str() + ";end");
}

TEST_CASE("callbacks: do not change the trained weights") {
  nn::Model plain = classifier();
  nn::Model watched = classifier();
  const auto options = [](std::vector<nn::Callback> callbacks) {
    return nn::FitOptions{.batch_size = 16, .epochs = 3, .verbose = silent, .callbacks = std::move(callbacks)};
  };
  plain.fit(points(100), options({}));
  // A callback that calls evaluate() during training.
  double seen = 0;
  watched.fit(points(100), options({Recorder{}, nn::LambdaCallback{.on_batch_end = [&](nn::Training& t) {
                                      seen += t.model().evaluate(points(20))["loss"] + t.logs()["loss"] + t.loss();
                                    }}}));
  CHECK(same(weights(plain), weights(watched)));
  CHECK(seen > 0);
}

TEST_CASE("callbacks: logs at the end of a batch are means over the rows so far") {
  nn::Model model = line();
  const nn::Dataset data{numbers({10, 2}), numbers({10, 1}, 1)};
  std::vector<double> losses, means;
  nn::LambdaCallback watch{.on_batch_end = [&](nn::Training& t) {
    losses.push_back(t.loss());
    means.push_back(t.logs()["loss"]);
  }};
  const nn::History h = model.fit(data, {.batch_size = 4, .verbose = silent, .callbacks = {watch}});
  REQUIRE(losses.size() == 3);
  CHECK(means[0] == losses[0]);
  CHECK(means[1] == doctest::Approx((losses[0] + losses[1]) / 2).epsilon(1e-12));
  CHECK(means[2] == doctest::Approx((4 * losses[0] + 4 * losses[1] + 2 * losses[2]) / 10).epsilon(1e-12));
  CHECK(means[2] == h["loss"][0]);
}

TEST_CASE("callbacks: stop() ends the fit, keeps the trained weights and reports the reason") {
  nn::Model stopped = classifier();
  nn::Model shorter = classifier();
  Recorder recorder;
  nn::LambdaCallback stop{.on_epoch_end = [](nn::Training& t) {
    if (t.epoch() == 1) t.stop("enough");
    if (t.epoch() == 1) t.stop("too late a reason");
  }};
  const nn::History h =
      stopped.fit(points(64), {.epochs = 5, .verbose = silent, .callbacks = {stop, std::ref(recorder)}});
  CHECK(h.epochs() == 2);
  CHECK(h.stopped());
  CHECK(h.stop_reason() == "enough");
  CHECK(recorder.text == "(<0.1.2>1<1.1.2>2)");
  CHECK_FALSE(shorter.fit(points(64), {.epochs = 2, .verbose = silent}).stopped());
  CHECK(same(weights(stopped), weights(shorter)));

  // If stopped in the middle of an epoch, that epoch is evaluated and counted.
  Recorder middle;
  nn::LambdaCallback stop_at_once{.on_batch_end = [](nn::Training& t) { t.stop(); }};
  const nn::History one = shorter.fit(
      points(64),
      {.epochs = 5, .validation_split = 0.5, .verbose = silent, .callbacks = {stop_at_once, std::ref(middle)}});
  CHECK(middle.text == "(<0.1>1)");
  CHECK(one.epoch(0).has("val_loss"));
}

TEST_CASE("callbacks: an exception rolls the model back") {
  const auto fails_at = [](auto nn::LambdaCallback::*event) {
    nn::LambdaCallback c;
    c.*event = [](nn::Training& t) {
      t.model().set_learning_rate(0.5);
      throw std::runtime_error("callback failed");
    };
    return c;
  };
  nn::Model model = classifier();
  nn::Model fresh = classifier();
  const std::vector<Tensor> before = weights(model);
  for (const auto event :
       {&nn::LambdaCallback::on_fit_begin, &nn::LambdaCallback::on_epoch_begin, &nn::LambdaCallback::on_batch_end,
        &nn::LambdaCallback::on_epoch_end, &nn::LambdaCallback::on_fit_end}) {
    CHECK_THROWS_WITH_AS(model.fit(points(64), {.epochs = 2, .verbose = silent, .callbacks = {fails_at(event)}}),
                         "callback failed", std::runtime_error);
    CHECK(same(before, weights(model)));
    CHECK(model.learning_rate() == 0.01);
  }
  // The state of the optimizer and the counters are rolled back too, so the next fit is that of a fresh model.
  CHECK(model.fit(points(64), {.verbose = silent})["loss"] == fresh.fit(points(64), {.verbose = silent})["loss"]);
  CHECK(same(weights(model), weights(fresh)));
}

TEST_CASE("callbacks: compile, load and fit throw while the model is being trained") {
  nn::Model model = classifier();
  const auto rejects = [&](const char* where, std::function<void(nn::Model&)> what) {
    const nn::LambdaCallback c{.on_batch_end = [&](nn::Training& t) { what(t.model()); }};
    CHECK_THROWS_WITH_AS(model.fit(points(8), {.verbose = silent, .callbacks = {c}}),
                         doctest::Contains((std::string(where) + ": the model \"model\" is being trained").c_str()),
                         GraphError);
  };
  rejects("compile", [](nn::Model& m) { m.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}}); });
  rejects("fit", [](nn::Model& m) { m.fit(points(8)); });
  rejects("train_on_batch", [](nn::Model& m) { m.train_on_batch(points(8)); });
  rejects("load", [](nn::Model& m) { m.load("nowhere"); });
  CHECK_NOTHROW(model.train_on_batch(points(8)));  // allowed again after the fit
}

TEST_CASE("early_stopping: stops as in Keras") {
  const auto epochs = [](const std::vector<double>& losses, const nn::EarlyStopping& c) {
    return fit_with_losses(losses, {c}).epochs();
  };
  CHECK(epochs({4, 3, 2, 1}, {}) == 4);
  CHECK(epochs({4, 3, 3, 1}, {}) == 3);  // an equal loss is no improvement
  CHECK(epochs({4, 3, 3.5, 1, 2, 2}, {.patience = 2}) == 6);
  CHECK(epochs({4, 3, 3.5, 3.5, 2, 1}, {.patience = 2}) == 4);
  CHECK(epochs({4, 3.9, 3.8, 1}, {.min_delta = 0.5}) == 2);
  CHECK(epochs({4, 5, 6, 7}, {.mode = nn::MonitorMode::max}) == 4);
  CHECK(epochs({4, 3, 2, 1}, {.mode = nn::MonitorMode::max}) == 2);
  CHECK(epochs({4, 3, 2, 1, 1, 1}, {.patience = 3, .baseline = 0.5}) == 5);
  CHECK(epochs({9, 9, 9, 9, 9}, {.start_from_epoch = 2}) == 4);

  nn::EarlyStopping c{.patience = 1, .restore_best_weights = true};
  nn::Model model{nn::Dense(1), {1}};
  const nn::History h = fit_with_losses({4, 1, 9, 16}, {std::ref(c)}, &model);
  CHECK(h.epochs() == 3);
  CHECK(h.stop_reason() == "early stopping: the best val_loss was 1 in epoch 2");
  CHECK(c.best == 1.0);
  CHECK(c.best_epoch == 1);
  CHECK(c.stopped_epoch == 2);
  CHECK(model.parameters()[1].value().at(0) == 1);  // the weights of the best epoch
  fit_with_losses({4, 1, 9, 16}, {nn::EarlyStopping{.patience = 1}}, &model);
  CHECK(model.parameters()[1].value().at(0) == 3);  // the weights of the last epoch
  // The best weights are restored also if the fit was not stopped early.
  fit_with_losses({4, 1, 9}, {nn::EarlyStopping{.patience = 9, .restore_best_weights = true}}, &model);
  CHECK(model.parameters()[1].value().at(0) == 1);
}

TEST_CASE("early_stopping: a NaN loss is no improvement") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(fit_with_losses({nan, 4, 3, nan, 2}, {nn::EarlyStopping{}}).epochs() == 4);
  CHECK(fit_with_losses({nan, nan, nan}, {nn::EarlyStopping{}}).stop_reason() ==
        "early stopping: val_loss was NaN in every epoch");
}

TEST_CASE("reduce_lr_on_plateau: lowers the learning rate on a plateau") {
  const auto rates = [](const std::vector<double>& losses, const nn::ReduceLROnPlateau& c) {
    nn::LambdaCallback begin{.on_fit_begin = [](nn::Training& t) { t.model().set_learning_rate(1); }};
    return fit_with_losses(losses, {begin, c})["learning_rate"];
  };
  using Rates = std::vector<double>;
  // A loss of 0 has gradient 0, so the learning rate does not affect the weights.
  CHECK(rates({0, 0, 0, 0, 0, 0}, {.factor = 0.5, .patience = 2}) == Rates{1, 1, 1, 0.5, 0.5, 0.25});
  CHECK(rates({0, 0, 0, 0, 0, 0, 0}, {.factor = 0.5, .patience = 1, .cooldown = 2}) ==
        Rates{1, 1, 0.5, 0.5, 0.25, 0.25, 0.125});
  CHECK(rates({0, 0, 0, 0}, {.factor = 0.1, .patience = 1, .min_learning_rate = 0.05}) == Rates{1, 1, 0.1, 0.05});
  CHECK(rates({0, 0, 0}, {}) == Rates{1, 1, 1});
  CHECK_THROWS_WITH_AS(rates({0}, {.factor = 1}),
                       doctest::Contains("reduce_lr_on_plateau: factor must be in [0, 1), got 1"), UserError);
}

TEST_CASE("learning_rate_scheduler: sets the learning rate of each epoch") {
  nn::Model model = line();
  const nn::Dataset data{numbers({8, 2}), numbers({8, 1})};
  const nn::LearningRateScheduler halve{[](int epoch, double rate) { return epoch == 0 ? rate : rate / 2; }};
  const nn::History h = model.fit(data, {.epochs = 3, .verbose = silent, .callbacks = {halve}});
  CHECK(h["learning_rate"] == std::vector<double>{0.1, 0.05, 0.025});
  CHECK_THROWS_AS(model.fit(data, {.verbose = silent, .callbacks = {nn::LearningRateScheduler{}}}), UserError);
  const nn::LearningRateScheduler bad{[](int, double) { return -1.0; }};
  CHECK_THROWS_WITH_AS(model.fit(data, {.verbose = silent, .callbacks = {bad}}),
                       doctest::Contains("set_learning_rate: rate must be finite and at least 0, got -1"), UserError);
}

TEST_CASE("terminate_on_nan: a non-finite loss ends the fit") {
  nn::Model model = line();
  const nn::Dataset data{numbers({8, 2}), numbers({8, 1})};
  model.set_learning_rate(1e38);
  const nn::History h =
      model.fit(data, {.batch_size = 4, .epochs = 50, .verbose = silent, .callbacks = {nn::TerminateOnNaN{}}});
  CHECK(h.epochs() <= 2);
  CHECK(h.stopped());
  CHECK(scratch::contains(h.stop_reason(), "the loss is "));
}

TEST_CASE("csv_logger: writes one row per epoch") {
  const ScratchFolder folder;
  const std::string path = (folder / "log.csv").string();
  nn::Model model = classifier();
  const nn::History h =
      model.fit(points(32), {.epochs = 3, .verbose = silent, .callbacks = {nn::CSVLogger{.path = path}}});
  const nn::Table table = nn::load_csv(path);
  CHECK(table.columns == std::vector<std::string>{"epoch", "loss", "accuracy", "learning_rate"});
  REQUIRE(table.values.shape() == Shape{3, 4});
  for (Index i = 0; i < 3; ++i) {
    CHECK(table.values.at(4 * i) == static_cast<double>(i));
    CHECK(table.values.at(4 * i + 1) == doctest::Approx(h["loss"][static_cast<std::size_t>(i)]).epsilon(1e-7));
  }
  // The next fit overwrites the file, here with another separator.
  model.fit(points(32), {.verbose = silent, .callbacks = {nn::CSVLogger{.path = path, .separator = ';'}}});
  CHECK(content(path).starts_with("epoch;loss;accuracy;learning_rate\n0;"));
  CHECK_THROWS_WITH_AS(
      model.fit(points(8), {.verbose = silent, .callbacks = {nn::CSVLogger{.path = path + "/no/x.csv"}}}),
      doctest::Contains("csv_logger: cannot write"), EnvironmentError);
}

TEST_CASE("csv_logger: a full disk leaves complete rows, and a resumed fit completes the table") {
  const ScratchFolder folder;
  const std::string path = (folder / "log.csv").string(), checkpoint = (folder / "c").string();
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::string before;
  // After two epochs there is space for a partial row only.
  struct Fill {
    std::function<void()> fill;
    void on_epoch_end(nn::Training& t) const {
      if (t.epoch() == 2) fill();
    }
  };
  const auto fill = [&] {
    before = content(path);
    rlimit small = limit;
    small.rlim_cur = before.size() + 5;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  };
  const auto fit = [&](std::vector<nn::Callback> callbacks) {
    callbacks.insert(callbacks.begin(), nn::ModelCheckpoint{.path = checkpoint});
    callbacks.push_back(nn::CSVLogger{.path = path});
    nn::Model model = classifier();
    model.fit(points(32), {.epochs = 4, .verbose = silent, .callbacks = std::move(callbacks), .resume = checkpoint});
  };
  const std::string message = scratch::message_of<EnvironmentError>([&] { fit({Fill{fill}}); });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK(message == "csv_logger: cannot write " + path + ": " + std::strerror(EFBIG));
  CHECK(content(path) == before);
  CHECK(nn::load_csv(path).values.shape() == Shape{2, 4});
  fit({});
  CHECK(nn::load_csv(path).values.shape() == Shape{4, 4});
  CHECK(content(path).starts_with(before));
}

TEST_CASE("csv_logger: keeps symlinks and file modes, and rewrites a table that was deleted during the fit") {
  const ScratchFolder folder;
  const fs::path path = write_file(folder / "log.csv", "old"), link = folder / "link.csv";
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  fs::create_symlink("log.csv", link);
  nn::Model model = classifier();
  model.fit(points(32), {.epochs = 3, .verbose = silent, .callbacks = {nn::CSVLogger{.path = link.string()}}});
  CHECK(fs::is_symlink(link));
  CHECK(nn::load_csv(path).values.shape() == Shape{3, 4});
  CHECK((fs::status(path).permissions() & fs::perms::all) == fs::perms(0600));
  // Deletes the table after the second epoch.
  struct Remove {
    fs::path path;
    void on_epoch_begin(nn::Training& t) const {
      if (t.epoch() == 2) fs::remove(path);
    }
  };
  model.fit(points(32),
            {.epochs = 4, .verbose = silent, .callbacks = {Remove{path}, nn::CSVLogger{.path = path.string()}}});
  CHECK(nn::load_csv(path).values.shape() == Shape{4, 4});
  CHECK_NOTHROW(
      model.fit(points(32), {.epochs = 3, .verbose = silent, .callbacks = {nn::CSVLogger{.path = "/dev/null"}}}));
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("callbacks: an unknown monitor throws before the first step, with a hint") {
  int steps = 0;
  const nn::LambdaCallback count{.on_batch_end = [&](nn::Training&) { ++steps; }};
  const auto fit = [&](nn::Callback c, double validation_split = 0) {
    classifier().fit(points(8), {.validation_split = validation_split, .verbose = silent, .callbacks = {c, count}});
  };
  CHECK_THROWS_WITH_AS(
      fit(nn::EarlyStopping{}),
      "early_stopping: monitor: \"val_loss\" needs validation data\n  hint: set FitOptions::validation "
      "or validation_split",
      UserError);
  CHECK_THROWS_WITH_AS(fit(nn::EarlyStopping{.monitor = "val_los"}, 0.25),
                       "early_stopping: monitor: there is no \"val_los\"; there are: loss, accuracy, val_loss, "
                       "val_accuracy, learning_rate\n  hint: did you mean \"val_loss\"?",
                       UserError);
  CHECK_THROWS_WITH_AS(fit(nn::ReduceLROnPlateau{.monitor = "acc"}), doctest::Contains("did you mean \"accuracy\"?"),
                       UserError);
  CHECK_THROWS_WITH_AS(fit(nn::ModelCheckpoint{.path = "x", .monitor = "vall_loss", .save_best_only = true}, 0.25),
                       doctest::Contains("did you mean \"val_loss\"?"), UserError);
  CHECK_THROWS_WITH_AS(fit(nn::ModelCheckpoint{.path = "x-{val_los}"}, 0.25),
                       doctest::Contains("the path \"x-{val_los}\" cannot be formatted"), UserError);
  CHECK_THROWS_WITH_AS(fit(nn::EarlyStopping{.monitor = "entropy"}, 0.25), doctest::Contains("there is no \"entropy\""),
                       UserError);
  CHECK(steps == 0);
  CHECK_THROWS_WITH_AS(fit(nn::EarlyStopping{.monitor = "loss", .patience = -1}),
                       doctest::Contains("patience must be finite and at least 0, got -1"), UserError);
  CHECK_THROWS_WITH_AS(classifier().fit(points(8), {.verbose = silent})["accurcy"],
                       doctest::Contains("hint: did you mean \"accuracy\"?"), UserError);
}
