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

GuardedResult guarded_call(const OpDef& op, const Attrs& attrs, const std::vector<Tensor>& inputs,
                           const TensorType& type, const GuardedCallOptions& options) {
  std::string violation;
  const GuardedMemory output(type.bytes(), options.poison);
  std::vector<GuardedMemory> memory;
  std::vector<ConstBuffer> buffers;
  std::vector<TensorType> types;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = inputs[i];
    const bool over = i < options.over.size() && options.over[i];
    memory.emplace_back(input.bytes(), options.poison);
    unsigned char* data = over ? output.data() : memory.back().data();
    if (!op.shape_only(static_cast<int>(i)) && input.bytes() > 0) std::memcpy(data, input.raw(), input.bytes());
    buffers.push_back({data, input.type()});
    types.push_back(input.type());
  }
  const std::size_t scratch_bytes = op.scratch_bytes && !options.reference ? op.scratch_bytes(types, type, attrs) : 0;
  const GuardedMemory scratch(scratch_bytes, options.poison);
  const KernelFn kernel = options.reference ? op.reference : op.kernel;
  KernelCall call{
      &op, buffers, {output.data(), type}, &attrs, scratch.data(), options.random, Parallel(options.threads)};
  call.first = options.first;
  kernel(call);

  if (!output.intact()) violation = fmt::format("the kernel writes outside its output {}", type.str());
  if (!scratch.intact()) violation = fmt::format("the kernel writes outside its {} bytes of scratch", scratch_bytes);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (op.shape_only(static_cast<int>(i)) || (i < options.over.size() && options.over[i])) continue;
    const std::size_t bytes = inputs[i].bytes();
    if (!memory[i].intact() || (bytes > 0 && std::memcmp(memory[i].data(), inputs[i].raw(), bytes) != 0)) {
      violation = fmt::format("the kernel writes to input {}", i);
    }
  }
  if (type.dtype == boolean) {
    const auto* bytes = output.data();
    const auto* bad = std::find_if(bytes, bytes + type.bytes(), [](unsigned char b) { return b > 1; });
    if (bad != bytes + type.bytes() && violation.empty()) {
      violation = fmt::format("the kernel writes {} to boolean element {}", static_cast<int>(*bad), bad - bytes);
    }
  }
  return {Tensor::borrow(output.data(), type).clone(), violation};
}

}  // namespace xgrad::inline v0
