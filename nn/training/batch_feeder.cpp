#include <xgrad/nn/training/batch_feeder.hpp>

#include <xgrad/graph/parallel.hpp>

namespace xgrad::nn {

BatchFeeder::BatchFeeder(int threads) : threads_(threads > 0 ? threads : default_threads()) {
  if (threads_ < static_cast<int>(std::thread::hardware_concurrency())) thread_ = std::thread([this] { serve(); });
}

BatchFeeder::~BatchFeeder() {
  if (!thread_.joinable()) return;
  stop_.store(true);
  asked_.fetch_add(1);
  asked_.notify_one();
  thread_.join();
}

void BatchFeeder::begin(CompiledStep& step, const Tensor& x, const Tensor& y, std::span<const Index> rows) {
  job_ = {&step, &x, &y, rows};
  begun_ = true;
  if (!thread_.joinable()) return;
  asked_.fetch_add(1);
  asked_.notify_one();
}

void BatchFeeder::finish() {
  if (!begun_) return;
  begun_ = false;
  if (!thread_.joinable()) return job_.step->load(*job_.x, *job_.y, job_.rows, threads_);
  const std::uint64_t asked = asked_.load(std::memory_order_relaxed);
  for (std::uint64_t done = done_.load(); done != asked; done = done_.load()) done_.wait(done);
  job_.step->take_next();
}

void BatchFeeder::serve() {
  for (std::uint64_t seen = 0;;) {
    asked_.wait(seen);
    seen = asked_.load();
    if (stop_.load()) return;
    job_.step->load_next(*job_.x, *job_.y, job_.rows);
    done_.store(seen);
    done_.notify_one();
  }
}

}  // namespace xgrad::nn
