// Adds a callback: a struct, in any file of the program.
#include <stdexcept>
#include <string>
#include <vector>

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "../../support/scratch.hpp"
#include "../../support/small_model.hpp"

using namespace xgrad;
using small_model::points;
using small_model::silent;

namespace {

// Counts steps and keeps the largest loss of a batch, also when a fit is interrupted and resumed. Halves the learning
// rate after `patience` epochs.
struct LossPeak {
  static constexpr const char* name = "loss_peak";
  int patience = 2;
  std::vector<std::string> events{};
  std::int64_t steps = 0;
  double peak = 0;

  void on_fit_begin(nn::Training& t) {
    if (patience < 1) throw UserError("loss_peak: patience must be at least 1");
    events.push_back("begin of " + std::to_string(t.epochs()));
  }
  void on_batch_end(nn::Training& t) {
    ++steps;
    peak = std::max(peak, t.loss());
  }
  void on_epoch_end(nn::Training& t) {
    if (t.epoch() + 1 == patience) t.model().set_learning_rate(t.model().learning_rate() / 2);
  }
  void on_fit_end(nn::Training&) { events.push_back("end"); }
  nn::NamedTensors state() const { return {{"steps", Tensor(steps)}, {"peak", Tensor(peak)}}; }
  void set_state(const nn::NamedTensors& state) {
    steps = state.at("steps").values<std::int64_t>()[0];
    peak = state.at("peak").item();
  }
};

}  // namespace

TEST_CASE("an added callback is called during a fit and changes the learning rate") {
  nn::Model model = small_model::classifier();
  LossPeak peak;
  const nn::History history = model.fit(points(100), {.epochs = 3, .verbose = silent, .callbacks = {std::ref(peak)}});
  CHECK(peak.events == std::vector<std::string>{"begin of 3", "end"});
  CHECK(peak.steps == 3 * 4);
  CHECK(peak.peak > history["loss"].front());
  CHECK(history["learning_rate"] == std::vector<double>{0.01, 0.01, 0.005});
  CHECK_THROWS_WITH_AS(model.fit(points(10), {.verbose = silent, .callbacks = {LossPeak{.patience = 0}}}),
                       "loss_peak: patience must be at least 1", UserError);
}

TEST_CASE("an added callback is saved in checkpoints and restored from them") {
  const scratch::ScratchFolder folder;
  const nn::Dataset data = points(100);
  LossPeak whole, resumed;
  nn::Model calm = small_model::classifier();
  calm.fit(data, {.epochs = 3, .verbose = silent, .callbacks = {std::ref(whole)}});

  nn::Model begun = small_model::classifier();
  const nn::ModelCheckpoint checkpoint{.path = folder / "run", .every_steps = 1};
  const nn::LambdaCallback interrupt{.on_batch_end = [](nn::Training& t) {
    if (t.epoch() == 1 && t.batch() == 2) throw std::runtime_error("interrupted");
  }};
  CHECK_THROWS_AS(begun.fit(data, {.epochs = 3, .verbose = silent, .callbacks = {LossPeak{}, checkpoint, interrupt}}),
                  std::runtime_error);
  nn::Model again = small_model::classifier();
  again.fit(data, {.epochs = 3, .verbose = silent, .callbacks = {std::ref(resumed)}, .resume = folder / "run"});
  CHECK(resumed.steps == whole.steps);
  CHECK(resumed.peak == whole.peak);
  CHECK(small_model::same(small_model::weights(again), small_model::weights(calm)));
}
