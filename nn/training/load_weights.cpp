// Model::load with LoadOptions: weights from files of other libraries.
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/text_width.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/nn/training/internal/model_state.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {
namespace {

// Transposes [out, in, ...] to [..., in, out].
Tensor from_torch_kernel(const Tensor& kernel) {
  std::vector<Index> axes;
  for (int axis = 2; axis < kernel.shape().rank(); ++axis) axes.push_back(axis);
  axes.insert(axes.end(), {1, 0});
  Graph g;
  return evaluate(transpose(g.constant(kernel), axes));
}

bool is_kernel(const Parameter& weight) {
  return weight.type().shape.rank() >= 2 && (weight.name() == "kernel" || weight.name().ends_with("/kernel"));
}

// The tensor of that name, transposed and converted for the weight.
Tensor converted(const std::string& where, const TensorFile& file, const std::string& name, const Parameter& weight,
                 const LoadOptions& options) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) {
    const auto reason = file.unreadable.find(name);
    std::string what = fmt::format("{}: there is no tensor {}", where, in_quotes(name));
    if (reason != file.unreadable.end())
      what = fmt::format("{}: the tensor {}: {}", where, in_quotes(name), reason->second);
    throw FormatError(what);
  }
  const bool transposed = options.preset == Preset::torch && is_kernel(weight) &&
                          found->second.shape().rank() == weight.type().shape.rank();
  Tensor out = transposed ? from_torch_kernel(found->second) : found->second;
  if (is_floating(out.dtype()) && is_floating(weight.type().dtype)) out = out.cast(weight.type().dtype);
  if (out.type() == weight.type()) return out;
  throw FormatError(fmt::format("{}: the tensor {} is {}, but the weight {} is {}{}", where, in_quotes(name),
                                found->second.type().str(), in_quotes(weight.name()), weight.type().str(),
                                transposed ? " (after transposing the kernel from PyTorch's order)" : ""));
}

}  // namespace

void Model::load(const std::filesystem::path& path, const LoadOptions& options) {
  const ModelUse::Call changing = state_->use.change("load", state_->options.name);
  state_->require_idle("load");
  const std::string where = fmt::format("load: {}", path.string());
  const TensorFile file = load_safetensors(path);
  const std::vector<Parameter>& weights = state_->parameters;
  std::map<std::string, std::string> sources;  // by the weight's name
  if (options.names.empty()) {
    for (const Parameter& p : weights) {
      if (options.strict || file.tensors.contains(p.name())) sources[p.name()] = p.name();
    }
  }
  for (const auto& [from, to] : options.names) {
    const bool known =
        std::any_of(weights.begin(), weights.end(), [&, &name = to](const Parameter& p) { return p.name() == name; });
    if (!known) throw UserError(fmt::format("{}: the model has no weight {}", where, in_quotes(to)));
    if (!sources.emplace(to, from).second)
      throw UserError(fmt::format("{}: LoadOptions::names has two tensors for the weight {}", where, in_quotes(to)));
  }
  // Validate everything before anything changes.
  std::vector<std::pair<Parameter, Tensor>> changes;
  for (const Parameter& p : weights) {
    if (const auto source = sources.find(p.name()); source != sources.end())
      changes.emplace_back(p, converted(where, file, source->second, p, options));
    else if (options.strict)
      throw UserError(
          fmt::format("{}: LoadOptions::names has no tensor for the weight {} {}\n  hint: add it, or set strict = "
                      "false to keep its values",
                      where, in_quotes(p.name()), p.type().str()));
  }
  for (auto& [weight, values] : changes) weight.set(values);
}

}  // namespace xgrad::inline v0::nn
