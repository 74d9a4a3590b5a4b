#include <xgrad/nn/training/internal/step_pool.hpp>

#include <algorithm>
#include <utility>

#include <xgrad/graph/machine/internal/processors.hpp>

namespace xgrad::inline v0::nn {

std::size_t StepPool::always_kept() { return 8 + static_cast<std::size_t>(usable_processors()); }

StepPool::Lease StepPool::acquire(const StepKey& key, const std::function<std::shared_ptr<const StepPlan>()>& make) {
  std::shared_ptr<const StepPlan> plan;
  {
    const std::lock_guard lock(lock_);
    const auto found = std::find_if(idle_.rbegin(), idle_.rend(), [&](const auto& s) { return s->plan().key == key; });
    if (found != idle_.rend()) {
      Lease out(found->release(), {this});
      idle_.erase(std::next(found).base());
      return out;
    }
    plan = find_plan(key);
  }
  if (plan == nullptr) {
    const std::lock_guard one_at_a_time(making_);
    {
      const std::lock_guard lock(lock_);
      plan = find_plan(key);
    }
    if (plan == nullptr) {
      plan = make();
      const std::lock_guard lock(lock_);
      std::erase_if(plans_, [](const auto& entry) { return entry.second.expired(); });
      plans_[key] = plan;
    }
  }
  return Lease(new CompiledStep(std::move(plan)), {this});
}

std::shared_ptr<const StepPlan> StepPool::find_plan(const StepKey& key) const {
  const auto found = plans_.find(key);
  return found == plans_.end() ? nullptr : found->second.lock();
}

void StepPool::Release::operator()(CompiledStep* step) const noexcept {
  std::unique_ptr<CompiledStep> given(step), dropped;
  do {
    dropped = nullptr;  // destroys the previous step, without holding the lock
    const std::lock_guard lock(pool->lock_);
    if (given != nullptr)
      pool->idle_.push_back(std::move(given));  // does not allocate: the constructor has reserved memory
    if (!pool->exceeds_limits()) continue;
    dropped = std::move(pool->idle_.front());
    pool->idle_.erase(pool->idle_.begin());
  } while (dropped != nullptr);
}

bool StepPool::exceeds_limits() const {
  return idle_.size() > max_steps || (idle_.size() > always_kept() && idle_bytes() > max_bytes);
}

std::size_t StepPool::idle_bytes() const {
  std::size_t out = 0;
  for (const auto& step : idle_) out += step->bytes();
  return out;
}

void StepPool::clear() {
  const std::lock_guard lock(lock_);
  idle_.clear();
  plans_.clear();
}

std::size_t StepPool::steps() const {
  const std::lock_guard lock(lock_);
  return idle_.size();
}

std::size_t StepPool::bytes() const {
  const std::lock_guard lock(lock_);
  return idle_bytes();
}

}  // namespace xgrad::inline v0::nn
