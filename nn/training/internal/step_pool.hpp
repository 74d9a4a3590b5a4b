// StepPool: caches the plans and workspaces of a model for the last used batch sizes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <xgrad/nn/training/internal/compiled_step.hpp>

namespace xgrad::inline v0::nn {

// Thread-safe: each thread gets its own workspace, and workspaces of equal keys share a plan. No lock is held while a
// step runs. Plans are made one at a time.
class StepPool {
 public:
  // Keeps the most recently used idle steps: at most `max_steps`, and beyond `always_kept()` only as many as fit in
  // `max_bytes` of workspaces.
  static constexpr std::size_t max_steps = 64;
  static constexpr std::size_t max_bytes = std::size_t{64} << 20;
  // 8 + number of processors.
  static std::size_t always_kept();

  StepPool() { idle_.reserve(max_steps + 1); }

  struct Release {
    StepPool* pool = nullptr;
    void operator()(CompiledStep* step) const noexcept;
  };
  // Exclusive use of a step, which returns to the pool at the end.
  using Lease = std::unique_ptr<CompiledStep, Release>;
  // Calls `make` if there is no plan for the key, never from two threads concurrently.
  Lease acquire(const StepKey& key, const std::function<std::shared_ptr<const StepPlan>()>& make);
  // Drops all plans. No step may be leased.
  void clear();

  // Number of idle steps, and the bytes of their workspaces.
  std::size_t steps() const;
  std::size_t bytes() const;

 private:
  // These require `lock_`.
  bool exceeds_limits() const;
  std::size_t idle_bytes() const;
  std::shared_ptr<const StepPlan> find_plan(const StepKey& key) const;

  mutable std::mutex lock_;                          // guards idle_ and plans_
  std::vector<std::unique_ptr<CompiledStep>> idle_;  // most recently used last
  std::map<StepKey, std::weak_ptr<const StepPlan>> plans_;
  std::mutex making_;
};

}  // namespace xgrad::inline v0::nn
