// Callbacks: what is done between the steps of a fit.
//
//   struct ShowRate {
//     void on_epoch_end(nn::Training& t) { std::printf("%g\n", t.model().learning_rate()); }
//   };
//   model.fit(data, {.epochs = 20, .callbacks = {ShowRate{}, nn::EarlyStopping{.patience = 3}}});
//
// A callback is a plain struct with one or more of the members
//
//   on_fit_begin     before the first step
//   on_epoch_begin
//   on_batch_end     after each step
//   on_epoch_end     after the validation, when the epoch is part of the history
//   on_fit_end       after the last epoch, unless something was thrown
//
// which are in the table below and take a Training&. They are called in the order in which the callbacks are given. One
// that remembers anything from call to call has three members more, so that a fit which is resumed from a checkpoint
// goes on as it would have:
//
//   static constexpr const char* name = "...";
//   nn::NamedTensors state() const;
//   void set_state(const nn::NamedTensors&);      called after on_fit_begin
//
// Callbacks are held by value; std::ref(c) has the caller's own one called, which can be asked afterwards. What a
// callback throws ends the fit, and leaves weights and optimizer as they were before it.
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
#include <xgrad/nn/data/named_tensors.hpp>
#include <xgrad/nn/training/history.hpp>

namespace xgrad::inline v0::nn {

class Model;
struct Dataset;

// A fit as callbacks see it.
class Training {
 public:
  explicit Training(Model& model) : model_(&model) {}
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  // To be asked, and to have its learning rate or its weights set. It throws GraphError if it is to be compiled, loaded
  // or trained meanwhile.
  Model& model() const { return *model_; }
  // The rows of training, without those of the validation, as the model takes them and before any augmentation, and how
  // many there are in a whole batch.
  const Dataset& data() const { return *data_; }
  Index batch_size() const { return batch_size_; }
  // The epoch that goes on or has just ended, from 0, and how many there are to be.
  int epoch() const { return epoch_; }
  int epochs() const { return epochs_; }
  // The steps made in this epoch, and those of a whole one.
  int batch() const { return batch_; }
  int batches() const { return batches_; }
  // Of the last step.
  double loss() const { return loss_; }
  // Loss and metrics of this epoch so far. When it has ended, those of the validation as well, with "val_" in front,
  // and "learning_rate".
  const Logs& logs();
  // The names that the logs of an epoch will have when it has ended.
  const std::vector<std::string>& log_names() const { return log_names_; }
  // Of the epochs that have ended.
  const History& history() const { return history_; }

  // Ends the fit after this step or epoch; what was trained is kept. The reason is printed.
  void stop(std::string reason = {});
  // Writes a checkpoint, from which FitOptions::resume goes on, when all callbacks have been called about what has just
  // happened. See Model::save.
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

// What a callback may be told of: name(event) for each of its members.
#define XGRAD_CALLBACK_EVENTS(name) \
  name(on_fit_begin) name(on_epoch_begin) name(on_batch_end) name(on_epoch_end) name(on_fit_end)

// The same as functions, for a few words on the spot.
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

  // Empty where the callback has no such member.
#define XGRAD_MEMBER(event) std::function<void(Training&)> event;
  XGRAD_CALLBACK_EVENTS(XGRAD_MEMBER)
#undef XGRAD_MEMBER
  std::string name;
  std::function<NamedTensors()> state;
  std::function<void(const NamedTensors&)> set_state;

 private:
  // A member that is there but cannot be called would otherwise be passed over in silence.
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
    if constexpr (requires(const NamedTensors& s) { c->set_state(c->state()), c->set_state(s), C::name; }) {
      name = C::name;
      state = [c] { return c->state(); };
      set_state = [c](const NamedTensors& s) { c->set_state(s); };
    } else {
      static_assert(
          !requires { &C::set_state; } && !requires { &C::state; },
          "a callback that is kept in checkpoints has a name, state() and set_state()");
    }
  }
};

#undef XGRAD_CALLBACK_EVENTS

}  // namespace xgrad::inline v0::nn
