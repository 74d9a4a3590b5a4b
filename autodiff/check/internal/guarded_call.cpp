#include <xgrad/autodiff/check/internal/guarded_call.hpp>

#include <algorithm>
#include <cstring>
#include <memory>

#include <fmt/format.h>

namespace xgrad::inline v0 {
namespace {

constexpr std::size_t guard_bytes = 4096;

// `bytes` poisoned bytes between two guard zones.
class GuardedMemory {
 public:
  GuardedMemory(std::size_t bytes, unsigned char poison)
      : bytes_(bytes), poison_(poison), total_(2 * guard_bytes + bytes), memory_(allocate_aligned(total_)) {
    std::memset(memory_.get(), poison, total_);
  }
  unsigned char* data() const { return static_cast<unsigned char*>(memory_.get()) + guard_bytes; }
  bool intact() const {
    const auto* all = static_cast<const unsigned char*>(memory_.get());
    const auto poisoned = [&](unsigned char byte) { return byte == poison_; };
    return std::all_of(all, all + guard_bytes, poisoned) &&
           std::all_of(all + guard_bytes + bytes_, all + total_, poisoned);
  }

 private:
  std::size_t bytes_;
  unsigned char poison_;
  std::size_t total_;
  std::shared_ptr<void> memory_;
};

}  // namespace

Tensor GuardedCall::run(const GuardedCallOptions& options) {
  violation_.clear();
  GuardedMemory output(type_.bytes(), options.poison);
  std::vector<GuardedMemory> memory;
  std::vector<ConstBuffer> buffers;
  std::vector<TensorType> types;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Tensor& input = inputs_[i];
    const bool over = i < options.over.size() && options.over[i];
    memory.emplace_back(input.bytes(), options.poison);
    unsigned char* data = over ? output.data() : memory.back().data();
    if (!op_.shape_only(static_cast<int>(i)) && input.bytes() > 0) std::memcpy(data, input.raw(), input.bytes());
    buffers.push_back({data, input.type()});
    types.push_back(input.type());
  }
  const std::size_t scratch_bytes = op_.scratch_bytes && !reference_ ? op_.scratch_bytes(types, type_, attrs_) : 0;
  const GuardedMemory scratch(scratch_bytes, options.poison);
  const KernelFn kernel = reference_ ? op_.reference : op_.kernel;
  KernelCall call{&op_,           buffers,        {output.data(), type_},   &attrs_,
                  scratch.data(), options.random, Parallel(options.threads)};
  call.first = options.first;
  kernel(call);

  if (!output.intact()) violation_ = fmt::format("the kernel writes outside its output {}", type_.str());
  if (!scratch.intact()) violation_ = fmt::format("the kernel writes outside its {} bytes of scratch", scratch_bytes);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (op_.shape_only(static_cast<int>(i)) || (i < options.over.size() && options.over[i])) continue;
    const std::size_t bytes = inputs_[i].bytes();
    if (!memory[i].intact() || (bytes > 0 && std::memcmp(memory[i].data(), inputs_[i].raw(), bytes) != 0)) {
      violation_ = fmt::format("the kernel writes to input {}", i);
    }
  }
  if (type_.dtype == boolean) {
    const auto* bytes = output.data();
    const auto* bad = std::find_if(bytes, bytes + type_.bytes(), [](unsigned char b) { return b > 1; });
    if (bad != bytes + type_.bytes() && violation_.empty()) {
      violation_ = fmt::format("the kernel writes {} to boolean element {}", static_cast<int>(*bad), bad - bytes);
    }
  }
  return Tensor::borrow(output.data(), type_).clone();
}

}  // namespace xgrad::inline v0
