// Callbacks: hooks that `fit` calls around training, each epoch and each batch.
//
//   struct ShowRate {
//     void on_epoch_end(nn::Training& t) { std::printf("%g\n", t.model().learning_rate()); }
//   };
//   model.fit(data, {.epochs = 20, .callbacks = {ShowRate{}, nn::EarlyStopping{.patience = 3}}});
//
// A callback is a plain struct with one or more of the members
//
//   on_fit_begin     before the first training step
//   on_epoch_begin
//   on_batch_end     after each training step
//   on_epoch_end     after the validation; the history includes the epoch
//   on_fit_end       after the last epoch, unless an exception ended the fit
//
// which take a Training&. Callbacks are called in the order in which they are given. A callback with state needs three
// more members, so that a fit can resume from a checkpoint:
//
//   static constexpr const char* name = "...";
//   nn::NamedTensors state() const;
//   void set_state(const nn::NamedTensors&);      called after on_fit_begin
//
// Callbacks are held by value. std::ref(c) refers to the caller's object, whose members can be read after the fit. An
// exception from a callback ends the fit and restores weights and optimizer state.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <xgrad/graph/shape.hpp>
#include <xgrad/nn/checked_function.hpp>
#include <xgrad/nn/data/safetensors.hpp>
#include <xgrad/nn/training/history.hpp>

namespace xgrad::inline v0::nn {

class Model;
struct Dataset;

// The state of a fit, for callbacks.
class Training {
 public:
  explicit Training(Model& model) : model_(&model) {}
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  // The model. Callbacks may read it and set its learning rate and weights; compile, load and fit throw GraphError.
  Model& model() const { return *model_; }
  // The training rows without the validation rows, converted to the model's dtypes, before augmentation; and the number
  // of rows of a full batch.
  const Dataset& data() const { return *data_; }
  Index batch_size() const { return batch_size_; }
  // The current epoch, from 0 (in on_epoch_end the one that ended), and the number of epochs of the fit.
  int epoch() const { return epoch_; }
  int epochs() const { return epochs_; }
  // Training steps done in this epoch, and training steps per epoch.
  int batch() const { return batch_; }
  int batches() const { return batches_; }
  // Loss of the last training step.
  double loss() const { return loss_; }
  // Loss and metrics of this epoch so far. In on_epoch_end also those of the validation, prefixed by "val_", and
  // "learning_rate".
  const Logs& logs();
  // The names of logs() in on_epoch_end.
  const std::vector<std::string>& log_names() const { return log_names_; }
  // The completed epochs.
  const History& history() const { return history_; }

  // Ends the fit after this training step or epoch and keeps the trained weights. The reason is printed.
  void stop(std::string reason = {});
  // Requests a checkpoint for FitOptions::resume. It is written after all callbacks have been called for the current
  // event. See Model::save.
  void save(const std::filesystem::path& path) { saves_.push_back(path); }

 private:
  friend class Model;

  Model* model_;
  const Dataset* data_ = nullptr;
  Index batch_size_ = 0;
  int epoch_ = 0, epochs_ = 0, batch_ = 0, batches_ = 0;
  double loss_ = 0;
  bool stopping_ = false;
  History history_;
  Logs logs_;
  bool logs_up_to_date_ = true;
  std::vector<std::string> log_names_;
  std::function<Logs()> gather_logs_;
  std::vector<std::filesystem::path> saves_;
};

// Expands to name(event) for each event of callbacks.
#define XGRAD_CALLBACK_EVENTS(name) \
  name(on_fit_begin) name(on_epoch_begin) name(on_batch_end) name(on_epoch_end) name(on_fit_end)

// A callback whose events are functions.
//
//   nn::LambdaCallback{.on_epoch_end = [](nn::Training& t) { if (t.logs()["loss"] < 0.01) t.stop(); }}
struct LambdaCallback {
  struct Expected {
    template <bool fits, class F>
    static constexpr void require() {
      static_assert(fits,
                    "a member of LambdaCallback is a function that takes an nn::Training&: [](nn::Training& t) {...}");
    }
  };
  using Function = CheckedFunction<Expected, void(Training&)>;
#define XGRAD_MEMBER(event) Function event{};
  XGRAD_CALLBACK_EVENTS(XGRAD_MEMBER)
#undef XGRAD_MEMBER
};

// Any callback, held by value.
class Callback {
 public:
  template <class C>
  requires(!std::is_same_v<C, Callback> && !std::is_same_v<C, std::vector<Callback>>) Callback(C callback)
      : Callback(std::make_shared<C>(std::move(callback))) {}
  template <class C>
  Callback(std::reference_wrapper<C> callback)
      : Callback(std::shared_ptr<C>(std::shared_ptr<void>(), &callback.get())) {}
  Callback(const LambdaCallback& c) {
#define XGRAD_TAKE(event) event = c.event.function();
    XGRAD_CALLBACK_EVENTS(XGRAD_TAKE)
#undef XGRAD_TAKE
  }

  // NOLINTBEGIN(bugprone-macro-parentheses): the names of members cannot be in parentheses.
  // Empty if the callback has no such member.
#define XGRAD_MEMBER(event) std::function<void(Training&)> event;
  XGRAD_CALLBACK_EVENTS(XGRAD_MEMBER)
#undef XGRAD_MEMBER
  std::string name;
  std::function<NamedTensors()> state;
  std::function<void(const NamedTensors&)> set_state;

 private:
  // Asserts that each member with an event's name can be called with a Training&. Without the check, a member that was
  // declared wrong would silently never run.
  template <class C>
  explicit Callback(std::shared_ptr<C> c) {
#define XGRAD_TAKE(event)                                                                           \
  if constexpr (requires(Training & t) { c->event(t); }) event = [c](Training& t) { c->event(t); }; \
  static_assert(                                                                                    \
      requires(Training & t) { c->event(t); } || !requires { &C::event; },                          \
      #event " must take an nn::Training&: void " #event "(nn::Training& t)");
#define XGRAD_OR_HAS(event)                  \
  || requires(Training & t) { c->event(t); } \
  || requires { &C::event; }
#define XGRAD_NAME(event) " " #event ","
    XGRAD_CALLBACK_EVENTS(XGRAD_TAKE)
    static_assert(false XGRAD_CALLBACK_EVENTS(XGRAD_OR_HAS),
                  "a callback is a struct with one or more of the public members" XGRAD_CALLBACK_EVENTS(
                      XGRAD_NAME) " which take an nn::Training&");
#undef XGRAD_TAKE
#undef XGRAD_OR_HAS
#undef XGRAD_NAME
    // NOLINTEND(bugprone-macro-parentheses)
    if constexpr (requires(const NamedTensors& s) { c->set_state(c->state()), c->set_state(s), C::name; }) {
      name = C::name;
      state = [c] { return c->state(); };
      set_state = [c](const NamedTensors& s) { c->set_state(s); };
    } else {
      static_assert(
          !requires { &C::set_state; } && !requires { &C::state; },
          "a callback with state needs a static name, state() and set_state()");
    }
  }
};

#undef XGRAD_CALLBACK_EVENTS

}  // namespace xgrad::inline v0::nn
