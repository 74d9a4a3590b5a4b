#include <xgrad/graph/plan/internal/memory_plan.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include <xgrad/graph/base/internal/sizes.hpp>

namespace xgrad::inline v0 {
namespace {

// The free ranges of an arena that grows at its end.
class FreeList {
 public:
  std::size_t allocate(std::size_t bytes) {
    const auto best = by_size_.lower_bound({bytes, 0});
    if (best == by_size_.end()) return grow(bytes);
    const auto [size, offset] = *best;
    erase(offset, size);
    if (size > bytes) insert(offset + bytes, size - bytes);
    return offset;
  }

  void release(std::size_t offset, std::size_t bytes) {
    const auto after = by_offset_.find(offset + bytes);
    if (after != by_offset_.end()) {
      const std::size_t size = after->second;
      erase(offset + bytes, size);
      bytes += size;
    }
    const auto next = by_offset_.lower_bound(offset);
    if (next != by_offset_.begin()) {
      const auto [before, size] = *std::prev(next);
      if (before + size == offset) {
        erase(before, size);
        offset = before;
        bytes += size;
      }
    }
    insert(offset, bytes);
  }

  std::size_t end() const { return end_; }

 private:
  // Allocates at the end of the arena, from the free range there, if any. Returns the offset.
  std::size_t grow(std::size_t bytes) {
    std::size_t offset = end_;
    if (!by_offset_.empty()) {
      const auto [last, size] = *std::prev(by_offset_.end());
      if (last + size == end_) {
        erase(last, size);
        offset = last;
      }
    }
    end_ = add_sizes("plan", offset, bytes);
    return offset;
  }
  void insert(std::size_t offset, std::size_t bytes) {
    by_offset_.emplace(offset, bytes);
    by_size_.emplace(bytes, offset);
  }
  void erase(std::size_t offset, std::size_t bytes) {
    by_offset_.erase(offset);
    by_size_.erase({bytes, offset});
  }

  std::map<std::size_t, std::size_t> by_offset_;
  std::set<std::pair<std::size_t, std::size_t>> by_size_;
  std::size_t end_ = 0;
};

std::size_t round_up(std::size_t bytes) { return round_up_size("plan", bytes, 64); }

}  // namespace

MemoryPlan place_buffers(const std::vector<Lifetime>& buffers, bool reuse) {
  MemoryPlan plan;
  plan.offsets.resize(buffers.size());
  std::vector<std::size_t> by_first(buffers.size());
  std::iota(by_first.begin(), by_first.end(), std::size_t{0});
  std::vector<std::size_t> by_last = by_first;
  std::stable_sort(by_first.begin(), by_first.end(),
                   [&](auto a, auto b) { return buffers[a].first < buffers[b].first; });
  std::stable_sort(by_last.begin(), by_last.end(), [&](auto a, auto b) { return buffers[a].last < buffers[b].last; });

  FreeList holes;
  std::size_t ended = 0;
  for (std::size_t i : by_first) {
    for (; reuse && ended < by_last.size() && buffers[by_last[ended]].last < buffers[i].first; ++ended) {
      const std::size_t dead = by_last[ended];
      if (buffers[dead].bytes > 0) holes.release(plan.offsets[dead], round_up(buffers[dead].bytes));
    }
    plan.offsets[i] = buffers[i].bytes > 0 ? holes.allocate(round_up(buffers[i].bytes)) : 0;
  }
  plan.total = holes.end();
  return plan;
}

}  // namespace xgrad::inline v0
