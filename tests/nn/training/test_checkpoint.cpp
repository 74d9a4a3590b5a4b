// Checkpoints: a loaded model continues like the saved one, and a resumed fit ends bit-identical, wherever it was
// interrupted.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/dice.hpp"
#include "support/scratch.hpp"
#include "support/small_model.hpp"

using namespace xgrad;
using namespace small_model;
using scratch::contains;
using scratch::message_of;
using scratch::ScratchFolder;

namespace {

namespace fs = std::filesystem;

// Throws after `steps` batches, to simulate an interruption.
struct Interrupt {
  int steps;
  void on_batch_end(nn::Training&) {
    if (--steps == 0) throw std::runtime_error("interrupted");
  }
};

struct Outcome {
  std::vector<Tensor> weights;
  nn::History history;
  double rate = 0;
};

bool same(const Outcome& a, const Outcome& b) {
  if (!small_model::same(a.weights, b.weights) || a.rate != b.rate || a.history.names() != b.history.names())
    return false;
  if (a.history.stop_reason() != b.history.stop_reason()) return false;
  for (const std::string& name : a.history.names()) {
    if (a.history[name] != b.history[name]) return false;
  }
  return a.history.epochs() == b.history.epochs();
}

// A fit with shuffling, a short last batch, and callbacks that have state.
nn::FitOptions options_of(const fs::path& path, int every_steps, int threads, std::vector<nn::Callback> more = {}) {
  std::vector<nn::Callback> callbacks{
      nn::ReduceLROnPlateau{.monitor = "loss", .factor = 0.5, .patience = 1, .min_delta = 0.05},
      nn::LearningRateScheduler{[](int, double rate) { return rate * 0.9; }},
      nn::EarlyStopping{.min_delta = 0.02, .patience = 3, .restore_best_weights = true},
      nn::ModelCheckpoint{.path = path.string(), .every_steps = every_steps}};
  callbacks.insert(callbacks.end(), more.begin(), more.end());
  return {.batch_size = 16,
          .epochs = 6,
          .validation_split = 0.25,
          .verbose = silent,
          .threads = threads,
          .callbacks = callbacks,
          .resume = path};
}

Outcome finish(const nn::FitOptions& options) {
  nn::Model model = classifier(7);
  nn::History history = model.fit(points(100), options);
  return {weights(model), history, model.learning_rate()};
}

}  // namespace

TEST_CASE("model: a loaded model continues training like the saved one") {
  const ScratchFolder folder;
  nn::Model saved = classifier(3);
  saved.fit(points(64), {.epochs = 2, .verbose = silent});
  saved.set_learning_rate(0.02);
  saved.save(folder / "m");
  nn::Model loaded = classifier(4);  // the file contains the seed
  loaded.fit(points(16), {.verbose = silent});
  loaded.load(folder / "m");
  CHECK(same(weights(saved), weights(loaded)));
  CHECK(loaded.learning_rate() == 0.02);
  CHECK(saved.fit(points(64), {.epochs = 2, .verbose = silent})["loss"] ==
        loaded.fit(points(64), {.epochs = 2, .verbose = silent})["loss"]);
  CHECK(same(weights(saved), weights(loaded)));

  // Before compile(), load and save take the weights only.
  nn::Model bare{small_net(), {2}};
  bare.load(folder / "m");
  CHECK(same(weights(bare), [&] {
    nn::Model repeated = classifier();
    repeated.load(folder / "m");
    return weights(repeated);
  }()));
  bare.save(folder / "bare");
  const nn::TensorFile file = nn::load_safetensors(folder / "bare");
  CHECK(file.metadata.at("model") == "model");
  CHECK_FALSE(file.metadata.contains("optimizer"));
  CHECK(bitwise_equal(file.tensors.at("weights/dense/kernel"), bare.parameters()[0].value()));
}

TEST_CASE("model: a file that does not match throws and leaves the model unchanged") {
  const ScratchFolder folder;
  nn::Model model = classifier(3);
  model.fit(points(64), {.verbose = silent});
  nn::Model twin = classifier(3);
  twin.fit(points(64), {.verbose = silent});
  const auto path = folder / "m";
  classifier(1).save(path);
  const nn::TensorFile good = nn::load_safetensors(path);
  const auto rejects = [&](const std::string& why, const std::function<void(nn::TensorFile&)>& spoil) {
    nn::TensorFile file = good;
    spoil(file);
    nn::save_safetensors(path, file);
    const std::string message = message_of<FormatError>([&] { model.load(path); });
    CHECK_MESSAGE(contains(message, why), message);
    CHECK(contains(message, "load: " + path.string() + ": "));
  };
  rejects("there is no tensor \"weights/dense_1/bias\"", [](auto& f) { f.tensors.erase("weights/dense_1/bias"); });
  rejects("the tensor \"weights/dense/bias\" is f32[7], but the model needs f32[8]",
          [](auto& f) { f.tensors["weights/dense/bias"] = Tensor(Shape{7}); });
  rejects("the tensor \"weights/dense/bias\" is f64[8]",
          [](auto& f) { f.tensors["weights/dense/bias"] = Tensor(Shape{8}, f64); });
  rejects("the model has no parameter for the tensor \"weights/more\"",
          [](auto& f) { f.tensors["weights/more"] = Tensor(1.0); });
  rejects("the model has no parameter for the tensor \"optimizer/more\"",
          [](auto& f) { f.tensors["optimizer/more"] = Tensor(1.0); });
  rejects("there is no tensor \"optimizer/iterations\"", [](auto& f) { f.tensors.erase("optimizer/iterations"); });
  rejects("it was trained by sgd, but the model is compiled with adam",
          [](auto& f) { f.metadata["optimizer"] = "sgd"; });
  rejects("the metadata have no \"seed\"", [](auto& f) { f.metadata.erase("seed"); });
  rejects("\"seed\" in the metadata must be a non-negative integer", [](auto& f) { f.metadata["seed"] = "1x"; });
  rejects("\"epochs\" in the metadata must be a non-negative integer", [](auto& f) { f.metadata["epochs"] = "-1"; });
  rejects("\"training_steps\" in the metadata must be a non-negative integer",
          [](auto& f) { f.metadata["training_steps"] = "99999999999999999999"; });
  rejects("the learning rate must be finite and at least 0, got -1",
          [](auto& f) { f.tensors["optimizer/learning_rate"] = Tensor(-1.0); });
  rejects("unknown format \"pt\", expected \"xgrad 1\"", [](auto& f) { f.metadata["format"] = "pt"; });
  rejects("the metadata have no \"format\"", [](auto& f) { f.metadata.clear(); });
  CHECK_THROWS_AS(model.load(folder / "none"), EnvironmentError);
  CHECK(same(weights(model), weights(twin)));
  CHECK(model.fit(points(64), {.verbose = silent})["loss"] == twin.fit(points(64), {.verbose = silent})["loss"]);
}

namespace {

struct Stateful {
  static constexpr const char* name = "remembers";
  void on_epoch_end(nn::Training&) {}
  nn::NamedTensors state() const { return {{"number", Tensor(1.0)}}; }
  void set_state(const nn::NamedTensors&) {}
};

// Changes the dtype of a tensor in the file to complex, which is unsupported, without changing its size.
void make_complex(const fs::path& path, const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  std::string content = text.str();
  const auto put = [&](const std::string& from, const std::string& to) {
    const std::size_t at = content.find("\"" + name + "\":" + from);
    if (at != std::string::npos) content.replace(at + name.size() + 3, from.size(), to);
    return at != std::string::npos;
  };
  const std::string type = "{\"dtype\":";
  REQUIRE(
      (put(type + "\"F64\"", type + "\"C64\"") || put(type + "\"F32\",\"shape\":[8]", type + "\"C64\",\"shape\":[4]")));
  scratch::write_file(path, content);
}

}  // namespace

TEST_CASE("checkpoint: the error for an unreadable tensor has its name and the reason") {
  const ScratchFolder folder;
  const fs::path path = folder / "m";
  nn::Model model = classifier(3);
  const auto rejected = [&](const std::string& name, const auto& body) {
    const std::string message = message_of<FormatError>(body);
    CHECK_MESSAGE(contains(message, path.string() + ": the tensor \"" + name + "\" cannot be read: type C64"), message);
  };
  for (const std::string name : {"weights/dense/bias", "optimizer/learning_rate", "optimizer/dense/bias/mean"}) {
    CAPTURE(name);
    classifier(1).save(path);
    make_complex(path, name);
    rejected(name, [&] { model.load(path); });
    // A model that is not compiled reads the weights only.
    nn::Model bare{small_net(), {2}};
    if (name.starts_with("weights"))
      rejected(name, [&] { bare.load(path); });
    else
      CHECK_NOTHROW(bare.load(path));
  }
  const nn::FitOptions options{.epochs = 1,
                               .verbose = silent,
                               .callbacks = {Stateful{}, nn::ModelCheckpoint{.path = path.string()}},
                               .resume = path};
  for (const std::string name : {"fit/seconds", "fit/sums", "fit/epoch_seconds", "history/loss", "weights/dense/bias",
                                 "callbacks/remembers/number"}) {
    CAPTURE(name);
    fs::remove(path);
    classifier(1).fit(points(16), options);
    make_complex(path, name);
    rejected(name, [&] { classifier(1).fit(points(16), options); });
  }
}

TEST_CASE("checkpoint: a damaged file throws or loads completely, and never changes part of a model") {
  const ScratchFolder folder(scratch::memory());
  const auto path = folder / "m";
  nn::Model model = line();
  const nn::Dataset data{numbers({8, 2}), numbers({8, 1})};
  const auto fit = [&](const fs::path& resume) {
    return model.fit(data, {.batch_size = 4,
                            .epochs = 2,
                            .verbose = silent,
                            .callbacks = {nn::ModelCheckpoint{.path = (folder / "n").string(), .every_steps = 1}},
                            .resume = resume});
  };
  fit({});
  const auto n = folder / "n";
  std::string good;
  {
    std::ifstream in(n, std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(in), {});
  }
  const std::vector<Tensor> before = weights(model);
  testing::Dice dice(5);
  int rejected = 0;
  for (int i = 0; i < 600; ++i) {
    std::string bytes = good;
    if (i % 3 == 0) bytes.resize(static_cast<std::size_t>(dice.below(static_cast<Index>(good.size()))));
    for (Index k = dice.between(0, 3); k > 0 && !bytes.empty(); --k) {
      auto& byte = bytes[static_cast<std::size_t>(dice.below(static_cast<Index>(bytes.size())))];
      byte = static_cast<char>(byte ^ (1 << dice.below(8)));
    }
    scratch::write_file(path, bytes);
    nn::Model fresh = line();
    try {
      fresh.fit(data, {.batch_size = 4, .epochs = 2, .verbose = silent, .resume = path});
    } catch (const UserError&) {
      ++rejected;
      CHECK(same(weights(fresh), weights(line())));
    }
    try {
      fresh.load(path);
    } catch (const FormatError&) {}
  }
  CHECK(rejected > 200);
  CHECK(same(before, weights(model)));
}

TEST_CASE("fit: an interrupted and resumed run is bit-identical, wherever it was interrupted") {
  const ScratchFolder folder(scratch::memory());
  const Outcome whole = finish(options_of(folder / "whole", 1, 1));
  REQUIRE(whole.history.epochs() >= 4);
  for (const int threads : {1, 2}) {
    for (const int every_steps : {0, 1, 3}) {
      for (int steps = 1; steps < 5 * whole.history.epochs(); steps += 3) {
        const fs::path path = folder / "part";
        fs::remove(path);
        CHECK_THROWS_WITH(finish(options_of(path, every_steps, threads, {Interrupt{steps}})), "interrupted");
        const Outcome resumed = finish(options_of(path, every_steps, threads));
        CHECK_MESSAGE(same(whole, resumed), "after step ", steps, ", checkpoints every ", every_steps);
      }
    }
  }
  // The end of a fit is a checkpoint too: resuming trains nothing and restores the best weights again.
  const Outcome repeated = finish(options_of(folder / "whole", 1, 1));
  CHECK(same(whole, repeated));
}

TEST_CASE("fit: a run that is interrupted repeatedly is bit-identical") {
  const ScratchFolder folder(scratch::memory());
  const Outcome whole = finish(options_of(folder / "whole", 1, 1));
  testing::Dice dice(3);
  int interruptions = 0;
  while (true) {
    try {
      const int threads = 1 + interruptions % 2;
      const Outcome resumed =
          finish(options_of(folder / "part", 1, threads, {Interrupt{static_cast<int>(dice.between(2, 6))}}));
      CHECK(same(whole, resumed));
      break;
    } catch (const std::runtime_error& error) {
      REQUIRE(std::string(error.what()) == "interrupted");
      ++interruptions;
    }
  }
  CHECK(interruptions > 4);
}

namespace {
// Counts epochs. The count is state that checkpoints contain.
struct Counter {
  static constexpr const char* name = "counter";
  double epochs = 0;
  void on_fit_begin(nn::Training&) { epochs = 0; }
  void on_epoch_end(nn::Training&) { ++epochs; }
  nn::NamedTensors state() const { return {{"epochs", Tensor(epochs)}}; }
  void set_state(const nn::NamedTensors& state) { epochs = state.at("epochs").item(); }
};
}  // namespace

TEST_CASE("checkpoint: contains the state of each callback separately") {
  const ScratchFolder folder;
  const fs::path path = folder / "c";
  Counter one, two;
  const nn::LambdaCallback more{.on_epoch_begin = [&](nn::Training& t) {
    if (t.epoch() == 2) two.epochs += 10;
  }};
  const auto options = [&](std::vector<nn::Callback> last) {
    last.insert(last.begin(), {std::ref(one), more, std::ref(two)});
    return options_of(path, 1, 1, last);
  };
  CHECK_THROWS(finish(options({Interrupt{12}})));  // in the third epoch of 5 batches
  CHECK(nn::load_safetensors(path).tensors.at("callbacks/counter/epochs").item() == 2);
  CHECK(nn::load_safetensors(path).tensors.at("callbacks/counter_1/epochs").item() == 12);
  one = two = {};
  const nn::History h = finish(options({})).history;
  CHECK(one.epochs == h.epochs());
  CHECK(two.epochs == h.epochs() + 10);  // on_epoch_begin of the interrupted epoch is not called again
}

TEST_CASE("fit: a run with augmentation and row weights resumes bit-identical") {
  const ScratchFolder folder(scratch::memory());
  nn::Dataset digits = nn::make_digits(40, 2);
  digits.weights = Tensor::full({40}, 0.5);
  digits.weights.mutable_values<float>()[3] = 2;
  const auto run = [&](const char* name, int threads, std::vector<nn::Callback> callbacks) {
    nn::Model model{nn::Sequential{nn::Dense(6, nn::relu), nn::Dropout(0.5), nn::Dense(10, nn::softmax)}, {784}};
    model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}});
    const fs::path path = folder / name;
    callbacks.push_back(nn::ModelCheckpoint{.path = path.string(), .every_steps = 1});
    const nn::History h = model.fit(digits, {.batch_size = 9,
                                             .epochs = 3,
                                             .augment = {{nn::rotate(15), nn::noise(0.1)}, {.image = {28, 28}}},
                                             .verbose = silent,
                                             .threads = threads,
                                             .callbacks = callbacks,
                                             .resume = path});
    return Outcome{weights(model), h, 0};
  };
  const Outcome whole = run("whole", 1, {});
  for (const int steps : {1, 4, 5, 6, 13}) {
    CHECK_THROWS(run("part", 2, {Interrupt{steps}}));
    CHECK(same(whole, run("part", 1 + steps % 2, {})));
    fs::remove(folder / "part");
  }
}

TEST_CASE("fit: a run that a callback stopped in the middle of an epoch is not resumed") {
  const ScratchFolder folder;
  const fs::path path = folder / "c";
  const nn::LambdaCallback stop{.on_batch_end = [](nn::Training& t) {
    if (t.epoch() == 1 && t.batch() == 2) t.stop("enough");
  }};
  const Outcome whole = finish(options_of(path, 1, 1, {stop}));
  CHECK(whole.history.epochs() == 2);
  CHECK(same(whole, finish(options_of(path, 1, 1))));
}

TEST_CASE("checkpoint: save_best_only keeps the best epoch") {
  const ScratchFolder folder;
  nn::Model model = classifier();
  const nn::History h = model.fit(
      points(64), {.epochs = 8,
                   .validation_split = 0.5,
                   .verbose = silent,
                   .callbacks = {nn::ModelCheckpoint{.path = (folder / "best").string(), .save_best_only = true},
                                 nn::ModelCheckpoint{.path = (folder / "e{epoch:02}-{loss:.2f}").string()}}});
  const std::vector<double> losses = h["val_loss"];
  const auto best = std::min_element(losses.begin(), losses.end()) - losses.begin();
  const nn::Dataset valid = points(64).slice(32, 32);
  nn::Model loaded = classifier();
  loaded.load(folder / "best");
  CHECK(loaded.evaluate(valid)["loss"] == doctest::Approx(losses[static_cast<std::size_t>(best)]).epsilon(1e-6));
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder.path()))
    files += entry.path().filename().string()[0] == 'e' ? 1 : 0;
  CHECK(files == 8);
}

TEST_CASE("fit: a checkpoint of another model, other data or other options throws") {
  const ScratchFolder folder;
  const fs::path path = folder / "c";
  CHECK_THROWS(finish(options_of(path, 1, 1, {Interrupt{7}})));  // in the middle of the second epoch of 5 batches
  const auto why = [&](nn::FitOptions options, std::uint64_t seed = 7, Index rows = 100) {
    nn::Model model = classifier(seed);
    const std::vector<Tensor> before = weights(model);
    const std::string message = message_of<UserError>([&] { model.fit(points(rows), options); });
    CHECK(small_model::same(before, weights(model)));
    return message;
  };
  nn::FitOptions options = options_of(path, 1, 1);
  CHECK(contains(why(options, 8), "fit, resume: " + path.string() + ": its model has seed 7, but this one has seed 8"));
  CHECK(contains(why(options, 7, 120), "its epoch is incomplete and has rows = 75, but this fit has 90"));
  options.batch_size = 8;
  CHECK(contains(why(options), "its epoch is incomplete and has batch_size = 16, but this fit has 8"));
  options = options_of(path, 1, 1);
  options.shuffle = false;
  CHECK(contains(why(options), "shuffle = 1, but this fit has 0"));
  options = options_of(path, 1, 1);
  options.validation_split = 0;
  CHECK(contains(why(options, 7, 75), "its history has \"val_loss\" where this fit reports \"learning_rate\""));
  classifier(7).save(path);
  CHECK(contains(why(options_of(path, 1, 1)), "it is a saved model, not a training checkpoint"));
}

TEST_CASE("csv_logger: the table of a resumed fit equals that of an uninterrupted one") {
  const ScratchFolder folder;
  const auto table = [&](const std::string& name) { return nn::load_csv(folder / (name + ".csv")).values; };
  const auto run = [&](const std::string& name, std::vector<nn::Callback> more) {
    more.insert(more.begin(), nn::CSVLogger{.path = (folder / (name + ".csv")).string()});
    return finish(options_of(folder / name, 2, 1, more));
  };
  run("whole", {});
  CHECK_THROWS(run("part", {Interrupt{12}}));
  run("part", {});
  CHECK(bitwise_equal(table("whole"), table("part")));
}

TEST_CASE("checkpoint: an unwritable path throws before the first step") {
  const ScratchFolder folder;
  const auto fit = [&](const nn::ModelCheckpoint& c) {
    classifier().fit(points(8), {.verbose = silent, .callbacks = {c}});
  };
  CHECK(contains(message_of<EnvironmentError>([&] { fit({.path = (folder / "no/such/c").string()}); }),
                 "does not exist"));
  CHECK(contains(message_of<UserError>([&] { fit({}); }), "the path is empty"));
  CHECK(contains(message_of<UserError>([&] { fit({.path = "x", .save_best_only = true, .every_steps = 2}); }),
                 "are both given"));
  CHECK(
      contains(message_of<UserError>([&] { fit({.path = (folder / "{nothing}").string()}); }), "cannot be formatted"));
}
