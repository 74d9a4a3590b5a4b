// StepPool: the plans of a model and the workspaces they run in, kept for the sizes of batches used last.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <xgrad/nn/training/internal/compiled_step.hpp>

namespace xgrad::inline v0::nn {

// Safe from several threads: each gets a workspace of its own, and those of one key share a plan. No lock is held while
// a step runs; plans are made one at a time.
class StepPool {
 public:
  // Of the steps that nobody uses, the most recent ones are kept: `max_steps` at most, and of these beyond
  // `always_kept()` only as many as have `max_bytes` of workspaces together.
  static constexpr std::size_t max_steps = 64;
  static constexpr std::size_t max_bytes = std::size_t{64} << 20;
  // 8, and one more for each processor.
  static std::size_t always_kept();

  StepPool() { idle_.reserve(max_steps + 1); }

  struct GiveBack {
    StepPool* pool = nullptr;
    void operator()(CompiledStep* step) const noexcept;
  };
  // A step that the holder has for itself.
  using Lease = std::unique_ptr<CompiledStep, GiveBack>;
  // `make` is called if there is no plan for the key, never by two threads at once.
  Lease acquire(const StepKey& key, const std::function<std::shared_ptr<const StepPlan>()>& make);
  // Forgets all plans; nobody may hold a step.
  void clear();

  // Steps that are kept, and the bytes of their workspaces.
  std::size_t steps() const;
  std::size_t bytes() const;

 private:
  // With `lock_` held.
  bool keeps_too_much() const;
  std::size_t sum_of_bytes() const;
  std::shared_ptr<const StepPlan> find_plan(const StepKey& key) const;

  mutable std::mutex lock_;                          // of what follows
  std::vector<std::unique_ptr<CompiledStep>> idle_;  // the most recent one last
  std::map<StepKey, std::weak_ptr<const StepPlan>> plans_;
  std::mutex making_;
};

}  // namespace xgrad::inline v0::nn
