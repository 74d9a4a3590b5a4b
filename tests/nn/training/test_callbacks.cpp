// Callbacks: when they are called, what those of the library do, and what becomes of what they throw.
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

// Writes down what it is told.
struct Scribe {
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

// Runs epochs whose "val_loss" is given, without a model that really has such losses: what the callback makes of them
// is its own affair alone. Training cannot be told its logs from outside, so the loss of the validation is made: the
// model gives its bias, which is set to the root of the number wanted, and the targets are 0.
struct Script {
  std::vector<double> losses;
  void on_epoch_begin(nn::Training& t) {
    Parameter kernel = t.model().parameters()[0];
    Parameter bias = t.model().parameters()[1];
    kernel.set(Tensor({1, 1}));
    bias.set(Tensor::from<float>({1}, {static_cast<float>(std::sqrt(losses[static_cast<std::size_t>(t.epoch())]))}));
  }
};

// Fits a model whose losses are those of the script.
nn::History play(const std::vector<double>& losses, std::vector<nn::Callback> callbacks, nn::Model* used = nullptr) {
  nn::Model model{nn::Dense(1, nn::linear, {.kernel_initializer = nn::zeros}), {1}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0}});
  callbacks.insert(callbacks.begin(), Script{losses});
  const nn::Dataset data{Tensor({4, 1}), Tensor({4, 1})};
  nn::History h = model.fit(
      data, {.epochs = static_cast<int>(losses.size()), .validation = data, .verbose = silent, .callbacks = callbacks});
  if (used != nullptr) *used = std::move(model);
  return h;
}

}  // namespace

TEST_CASE("callbacks are told of everything in order, and can be asked afterwards") {
  Scribe scribe;
  nn::Model model = classifier();
  model.fit(points(10), {.batch_size = 4, .epochs = 2, .verbose = silent, .callbacks = {std::ref(scribe)}});
  CHECK(scribe.text == "(<0.1.2.3>1<1.1.2.3>2)");
  std::string told;
  const nn::LambdaCallback some{.on_epoch_end = [&](nn::Training& t) { told += t.logs().str() + ";"; },
                                .on_fit_end = [&](nn::Training&) { told += "end"; }};
  const nn::History h = model.fit(points(10), {.verbose = silent, .callbacks = {some}});
  CHECK(told == h.epoch(0).str() + ";end");
}

TEST_CASE("callbacks change nothing of what is trained") {
  nn::Model plain = classifier();
  nn::Model watched = classifier();
  const auto options = [](std::vector<nn::Callback> callbacks) {
    return nn::FitOptions{.batch_size = 16, .epochs = 3, .verbose = silent, .callbacks = std::move(callbacks)};
  };
  plain.fit(points(100), options({}));
  // One that asks the model to work meanwhile.
  double seen = 0;
  watched.fit(points(100), options({Scribe{}, nn::LambdaCallback{.on_batch_end = [&](nn::Training& t) {
                                      seen += t.model().evaluate(points(20))["loss"] + t.logs()["loss"] + t.loss();
                                    }}}));
  CHECK(same(weights(plain), weights(watched)));
  CHECK(seen > 0);
}

TEST_CASE("the numbers so far are the means over the rows") {
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

TEST_CASE("a fit that a callback ends keeps what was trained, and says why") {
  nn::Model stopped = classifier();
  nn::Model shorter = classifier();
  Scribe scribe;
  nn::LambdaCallback stop{.on_epoch_end = [](nn::Training& t) {
    if (t.epoch() == 1) t.stop("enough");
    if (t.epoch() == 1) t.stop("too late a reason");
  }};
  const nn::History h =
      stopped.fit(points(64), {.epochs = 5, .verbose = silent, .callbacks = {stop, std::ref(scribe)}});
  CHECK(h.epochs() == 2);
  CHECK(h.stopped());
  CHECK(h.stop_reason() == "enough");
  CHECK(scribe.text == "(<0.1.2>1<1.1.2>2)");
  CHECK_FALSE(shorter.fit(points(64), {.epochs = 2, .verbose = silent}).stopped());
  CHECK(same(weights(stopped), weights(shorter)));

  // In the middle of an epoch: it is judged and counts.
  Scribe middle;
  nn::LambdaCallback soon{.on_batch_end = [](nn::Training& t) { t.stop(); }};
  const nn::History one = shorter.fit(
      points(64), {.epochs = 5, .validation_split = 0.5, .verbose = silent, .callbacks = {soon, std::ref(middle)}});
  CHECK(middle.text == "(<0.1>1)");
  CHECK(one.epoch(0).has("val_loss"));
}

TEST_CASE("what a callback throws leaves the model as it was") {
  const auto fails_at = [](auto nn::LambdaCallback::*event) {
    nn::LambdaCallback c;
    c.*event = [](nn::Training& t) {
      t.model().set_learning_rate(0.5);
      throw std::runtime_error("no more");
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
                         "no more", std::runtime_error);
    CHECK(same(before, weights(model)));
    CHECK(model.learning_rate() == 0.01);
  }
  // The optimizer and the counts too: what follows is what would have been.
  CHECK(model.fit(points(64), {.verbose = silent})["loss"] == fresh.fit(points(64), {.verbose = silent})["loss"]);
  CHECK(same(weights(model), weights(fresh)));
}

TEST_CASE("a model in training is neither compiled, loaded nor trained") {
  nn::Model model = classifier();
  const auto refuses = [&](const char* where, std::function<void(nn::Model&)> what) {
    const nn::LambdaCallback c{.on_batch_end = [&](nn::Training& t) { what(t.model()); }};
    CHECK_THROWS_WITH_AS(model.fit(points(8), {.verbose = silent, .callbacks = {c}}),
                         doctest::Contains((std::string(where) + ": the model \"model\" is being trained").c_str()),
                         GraphError);
  };
  refuses("compile", [](nn::Model& m) { m.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}}); });
  refuses("fit", [](nn::Model& m) { m.fit(points(8)); });
  refuses("train_on_batch", [](nn::Model& m) { m.train_on_batch(points(8)); });
  refuses("load", [](nn::Model& m) { m.load("nowhere"); });
  CHECK_NOTHROW(model.train_on_batch(points(8)));  // afterwards it is
}

TEST_CASE("early stopping stops as Keras does") {
  const auto epochs = [](const std::vector<double>& losses, const nn::EarlyStopping& c) {
    return play(losses, {c}).epochs();
  };
  CHECK(epochs({4, 3, 2, 1}, {}) == 4);
  CHECK(epochs({4, 3, 3, 1}, {}) == 3);  // equal is not mode
  CHECK(epochs({4, 3, 3.5, 1, 2, 2}, {.patience = 2}) == 6);
  CHECK(epochs({4, 3, 3.5, 3.5, 2, 1}, {.patience = 2}) == 4);
  CHECK(epochs({4, 3.9, 3.8, 1}, {.min_delta = 0.5}) == 2);
  CHECK(epochs({4, 5, 6, 7}, {.mode = nn::MonitorMode::max}) == 4);
  CHECK(epochs({4, 3, 2, 1}, {.mode = nn::MonitorMode::max}) == 2);
  CHECK(epochs({4, 3, 2, 1, 1, 1}, {.patience = 3, .baseline = 0.5}) == 5);
  CHECK(epochs({9, 9, 9, 9, 9}, {.start_from_epoch = 2}) == 4);

  nn::EarlyStopping c{.patience = 1, .restore_best_weights = true};
  nn::Model model{nn::Dense(1), {1}};
  const nn::History h = play({4, 1, 9, 16}, {std::ref(c)}, &model);
  CHECK(h.epochs() == 3);
  CHECK(h.stop_reason() == "early stopping: the best val_loss was 1 in epoch 2");
  CHECK(c.best == 1.0);
  CHECK(c.best_epoch == 1);
  CHECK(c.stopped_epoch == 2);
  CHECK(model.parameters()[1].value().at(0) == 1);  // that of the best epoch
  play({4, 1, 9, 16}, {nn::EarlyStopping{.patience = 1}}, &model);
  CHECK(model.parameters()[1].value().at(0) == 3);  // that of the last
  // Also when nothing stopped it.
  play({4, 1, 9}, {nn::EarlyStopping{.patience = 9, .restore_best_weights = true}}, &model);
  CHECK(model.parameters()[1].value().at(0) == 1);
}

TEST_CASE("losses that are not numbers are no improvement") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(play({nan, 4, 3, nan, 2}, {nn::EarlyStopping{}}).epochs() == 4);
  CHECK(play({nan, nan, nan}, {nn::EarlyStopping{}}).stop_reason() == "early stopping: val_loss was never a number");
}

TEST_CASE("a plateau lowers the learning rate") {
  const auto rates = [](const std::vector<double>& losses, const nn::ReduceLROnPlateau& c) {
    nn::LambdaCallback begin{.on_fit_begin = [](nn::Training& t) { t.model().set_learning_rate(1); }};
    // The script sets the weights anew each epoch, so the rate moves nothing that matters; its data have no gradient.
    return play(losses, {begin, c})["learning_rate"];
  };
  using Rates = std::vector<double>;
  // A loss of 0 has no gradient, so that the weights stay what the script says.
  CHECK(rates({0, 0, 0, 0, 0, 0}, {.factor = 0.5, .patience = 2}) == Rates{1, 1, 1, 0.5, 0.5, 0.25});
  CHECK(rates({0, 0, 0, 0, 0, 0, 0}, {.factor = 0.5, .patience = 1, .cooldown = 2}) ==
        Rates{1, 1, 0.5, 0.5, 0.25, 0.25, 0.125});
  CHECK(rates({0, 0, 0, 0}, {.factor = 0.1, .patience = 1, .min_learning_rate = 0.05}) == Rates{1, 1, 0.1, 0.05});
  CHECK(rates({0, 0, 0}, {}) == Rates{1, 1, 1});
  CHECK_THROWS_WITH_AS(rates({0}, {.factor = 1}), doctest::Contains("reduce_lr_on_plateau: factor = 1"), UserError);
}

TEST_CASE("a scheduler sets the learning rate of each epoch") {
  nn::Model model = line();
  const nn::Dataset data{numbers({8, 2}), numbers({8, 1})};
  const nn::LearningRateScheduler halve{[](int epoch, double rate) { return epoch == 0 ? rate : rate / 2; }};
  const nn::History h = model.fit(data, {.epochs = 3, .verbose = silent, .callbacks = {halve}});
  CHECK(h["learning_rate"] == std::vector<double>{0.1, 0.05, 0.025});
  CHECK_THROWS_AS(model.fit(data, {.verbose = silent, .callbacks = {nn::LearningRateScheduler{}}}), UserError);
  const nn::LearningRateScheduler bad{[](int, double) { return -1.0; }};
  CHECK_THROWS_WITH_AS(model.fit(data, {.verbose = silent, .callbacks = {bad}}), doctest::Contains("a rate of -1"),
                       UserError);
}

TEST_CASE("a loss that is not finite ends the fit") {
  nn::Model model = line();
  const nn::Dataset data{numbers({8, 2}), numbers({8, 1})};
  model.set_learning_rate(1e38);
  const nn::History h =
      model.fit(data, {.batch_size = 4, .epochs = 50, .verbose = silent, .callbacks = {nn::TerminateOnNaN{}}});
  CHECK(h.epochs() <= 2);
  CHECK(h.stopped());
  CHECK(scratch::contains(h.stop_reason(), "the loss is "));
}

TEST_CASE("the table of a fit has an epoch a row") {
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
  // Anew for the next fit, with another separator.
  model.fit(points(32), {.verbose = silent, .callbacks = {nn::CSVLogger{.path = path, .separator = ';'}}});
  CHECK(content(path).starts_with("epoch;loss;accuracy;learning_rate\n0;"));
  CHECK_THROWS_WITH_AS(
      model.fit(points(8), {.verbose = silent, .callbacks = {nn::CSVLogger{.path = path + "/no/x.csv"}}}),
      doctest::Contains("csv_logger: cannot write"), EnvironmentError);
}

TEST_CASE("csv_logger: a disk that is full leaves whole rows, and a fit that is resumed the whole table") {
  const ScratchFolder folder;
  const std::string path = (folder / "log.csv").string(), checkpoint = (folder / "c").string();
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::string before;
  // After two epochs there is room for a part of a row.
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

TEST_CASE("csv_logger: links and modes are kept, and a table that is deleted meanwhile is written anew") {
  const ScratchFolder folder;
  const fs::path path = write_file(folder / "log.csv", "old"), link = folder / "link.csv";
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  fs::create_symlink("log.csv", link);
  nn::Model model = classifier();
  model.fit(points(32), {.epochs = 3, .verbose = silent, .callbacks = {nn::CSVLogger{.path = link.string()}}});
  CHECK(fs::is_symlink(link));
  CHECK(nn::load_csv(path).values.shape() == Shape{3, 4});
  CHECK((fs::status(path).permissions() & fs::perms::all) == fs::perms(0600));
  // As soon as it is gone: after the second epoch.
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

TEST_CASE("callbacks: a monitor that the logs lack is refused before the first step, with the right hint") {
  int steps = 0;
  const nn::LambdaCallback count{.on_batch_end = [&](nn::Training&) { ++steps; }};
  const auto fit = [&](nn::Callback c, double validation_split = 0) {
    classifier().fit(points(8), {.validation_split = validation_split, .verbose = silent, .callbacks = {c, count}});
  };
  CHECK_THROWS_WITH_AS(fit(nn::EarlyStopping{}),
                       "early_stopping: monitor: there is no \"val_loss\" without validation data\n  hint: fit with "
                       "validation or validation_split",
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
                       doctest::Contains("the path \"x-{val_los}\" cannot be filled in"), UserError);
  CHECK_THROWS_WITH_AS(fit(nn::EarlyStopping{.monitor = "entropy"}, 0.25), doctest::Contains("there is no \"entropy\""),
                       UserError);
  CHECK(steps == 0);
  CHECK_THROWS_WITH_AS(fit(nn::EarlyStopping{.monitor = "loss", .patience = -1}),
                       doctest::Contains("patience = -1 has no meaning"), UserError);
  CHECK_THROWS_WITH_AS(classifier().fit(points(8), {.verbose = silent})["accurcy"],
                       doctest::Contains("hint: did you mean \"accuracy\"?"), UserError);
}
