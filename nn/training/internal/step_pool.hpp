// StepPool: a cache of the plans and workspaces of a model.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <xgrad/nn/training/internal/compiled_step.hpp>

namespace xgrad::inline v0::nn {

// Keeps the steps (a plan and a workspace) of the last used batch sizes. A caller leases a step, which no other thread
// uses meanwhile; steps of equal keys share a plan. Thread-safe: no lock is held while a step runs, and plans are made
// one at a time.
class StepPool {
 public:
  // Limits of the idle steps, of which the least recently used is dropped first: at most `max_steps`, and if there are
  // more than `always_kept()`, at most `max_bytes` of workspaces.
  static constexpr std::size_t max_steps = 64;
  static constexpr std::size_t max_bytes = std::size_t{64} << 20;
  // Number of idle steps that are kept even if they exceed `max_bytes`: 8 + number of processors.
  static std::size_t always_kept();

  StepPool() { idle_.reserve(max_steps + 1); }

  // Deleter of a lease: returns the step to the pool.
  struct Release {
    StepPool* pool = nullptr;
    void operator()(CompiledStep* step) const noexcept;
  };
  // Exclusive use of a step.
  using Lease = std::unique_ptr<CompiledStep, Release>;
  // Leases an idle step with the key, or a new one. Calls `make` if there is no plan for the key, never from two
  // threads concurrently.
  Lease acquire(const StepKey& key, const std::function<std::shared_ptr<const StepPlan>()>& make);
  // Drops all plans. No step may be leased.
  void clear();

  // Number of idle steps; bytes() returns the bytes of their workspaces.
  std::size_t steps() const;
  std::size_t bytes() const;

 private:
  // These require `lock_`.
  bool exceeds_limits() const;
  std::size_t idle_bytes() const;
  std::shared_ptr<const StepPlan> find_plan(const StepKey& key) const;

  mutable std::mutex lock_;                          // protects idle_ and plans_
  std::vector<std::unique_ptr<CompiledStep>> idle_;  // most recently used last
  std::map<StepKey, std::weak_ptr<const StepPlan>> plans_;
  std::mutex making_;  // held while a plan is made
};

}  // namespace xgrad::inline v0::nn
