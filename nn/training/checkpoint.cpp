// Saves and loads models and training checkpoints.
//
// Tensors in the file: "weights/NAME", "optimizer/NAME". Training checkpoints also have "fit/sums" (state of Means),
// "fit/seconds", "history/NAME" (one value per epoch) and "callbacks/NAME/KEY". The metadata hold counts, options and
// names.
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/text_width.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/nn/internal/names.hpp>
#include <xgrad/nn/training/internal/fit.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

namespace {

constexpr const char* format_name = "xgrad 1";
constexpr const char* weights_prefix = "weights/";
constexpr const char* optimizer_prefix = "optimizer/";
constexpr const char* history_prefix = "history/";
constexpr const char* callbacks_prefix = "callbacks/";

const std::string* find(const TensorFile& file, const std::string& name) {
  const auto found = file.metadata.find(name);
  return found == file.metadata.end() ? nullptr : &found->second;
}

const std::string& text_of(const TensorFile& file, const std::string& where, const std::string& name) {
  if (const std::string* text = find(file, name)) return *text;
  throw FormatError(fmt::format("{}: the metadata have no \"{}\"", where, name));
}

template <class T>
T number_of(const TensorFile& file, const std::string& where, const std::string& name) {
  const std::string& text = text_of(file, where, name);
  T number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number < T{})
    throw FormatError(
        fmt::format("{}: \"{}\" in the metadata must be a non-negative integer in range, got {:?}", where, name, text));
  return number;
}

const Tensor& tensor_of(const TensorFile& file, const std::string& where, const std::string& name,
                        const TensorType& type) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) throw FormatError(fmt::format("{}: there is no tensor \"{}\"", where, name));
  if (found->second.type() != type) {
    throw FormatError(fmt::format("{}: the tensor \"{}\" is {}, but the model needs {}", where, name,
                                  found->second.type().str(), type.str()));
  }
  return found->second;
}

// Throws if a tensor with the prefix is unreadable, which would otherwise be reported as missing.
void require_readable(const TensorFile& file, const std::string& where, std::string_view prefix) {
  const auto found = file.unreadable.lower_bound(std::string(prefix));
  if (found != file.unreadable.end() && found->first.starts_with(prefix)) {
    throw FormatError(
        fmt::format("{}: the tensor {} cannot be read: {}", where, in_quotes(found->first), found->second));
  }
}

// The tensors of the parameters, in their order. Throws FormatError if one is missing or has another type, or if the
// file has more tensors with that prefix.
std::vector<Tensor> matching(const TensorFile& file, const std::string& where, const std::string& prefix,
                             const std::vector<Parameter>& parameters) {
  std::vector<Tensor> out;
  for (const Parameter& p : parameters) out.push_back(tensor_of(file, where, prefix + p.name(), p.type()));
  std::size_t in_file = 0;
  for (const auto& entry : file.tensors) in_file += entry.first.starts_with(prefix) ? 1U : 0U;
  if (in_file == out.size()) return out;
  for (const auto& [name, tensor] : file.tensors) {
    const bool known = std::any_of(parameters.begin(), parameters.end(),
                                   [&, &key = name](const Parameter& p) { return key == prefix + p.name(); });
    if (name.starts_with(prefix) && !known)
      throw FormatError(fmt::format("{}: the model has no parameter for the tensor \"{}\"", where, name));
  }
  return out;
}

Tensor numbers(const std::vector<double>& values) {
  return Tensor::from<double>({static_cast<Index>(values.size())}, std::span<const double>(values));
}

std::string message_prefix(const char* where, const std::filesystem::path& path) {
  return fmt::format("{}: {}", where, path.string());
}

// The names of the callbacks, where equal names are numbered.
std::vector<std::string> names_of(const std::vector<Callback>& callbacks) {
  std::map<std::string, int> seen;
  std::vector<std::string> out;
  for (const Callback& c : callbacks) {
    const int before = seen[c.name]++;
    out.push_back(before == 0 ? c.name : fmt::format("{}_{}", c.name, before));
  }
  return out;
}

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

TensorFile Model::State::to_file() const {
  TensorFile out;
  out.metadata["format"] = format_name;
  out.metadata["model"] = options.name;
  out.metadata["seed"] = fmt::format("{}", options.seed);
  out.metadata["training_steps"] = fmt::format("{}", training_steps);
  out.metadata["epochs"] = fmt::format("{}", epochs);
  for (const Parameter& p : parameters) out.tensors[weights_prefix + p.name()] = p.view();
  if (!compiled) return out;
  out.metadata["optimizer"] = compiled->optimizer.name();
  for (const Parameter& p : optimizer_state.parameters()) out.tensors[optimizer_prefix + p.name()] = p.view();
  return out;
}

// Trained weights have optimizer state: in the file if they were trained when it was saved, in the model if they are
// trainable now.
void Model::State::require_same_training(const TensorFile& file, const std::string& where) const {
  std::vector<Parameter> frozen_here, frozen_there;
  bool agrees = false;  // on some weight; otherwise the optimizer options differ, which matching() reports
  for (const Parameter& p : parameters) {
    const std::string prefix = p.name() + "/";
    const auto in_file = file.tensors.lower_bound(optimizer_prefix + prefix);
    const bool there = in_file != file.tensors.end() && in_file->first.starts_with(optimizer_prefix + prefix);
    const auto kept = optimizer_state.slots.lower_bound(prefix);
    const bool here = kept != optimizer_state.slots.end() && kept->first.starts_with(prefix);
    if (there && !here) frozen_here.push_back(p);
    if (here && !there) frozen_there.push_back(p);
    agrees = agrees || (here && there);
  }
  if (!agrees) return;
  const auto fail = [&](const std::vector<Parameter>& weights, const char* trained, const char* frozen,
                        const char* fix) {
    throw FormatError(
        fmt::format("{}: weights that {} are {}: {}\n  hint: {} before compile(), or load before compile() "
                    "to load only the weights",
                    where, trained, frozen, quoted_names(weights), fix));
  };
  if (!frozen_here.empty())
    fail(frozen_here, "were trained when it was saved", "frozen in this model", "set_trainable(true) on their layers");
  if (!frozen_there.empty()) {
    fail(frozen_there, "this model trains", "frozen or not reached by the loss in the file",
         "set_trainable(false) on their layers");
  }
}

void Model::State::take(const TensorFile& file, const std::string& where) {
  // Validate everything before anything changes.
  if (text_of(file, where, "format") != format_name)
    throw FormatError(
        fmt::format("{}: unknown format \"{}\", expected \"{}\"", where, text_of(file, where, "format"), format_name));
  const auto seed = number_of<std::uint64_t>(file, where, "seed");
  const auto steps_made = number_of<std::uint64_t>(file, where, "training_steps");
  const auto epochs_made = number_of<std::uint64_t>(file, where, "epochs");
  require_readable(file, where, weights_prefix);
  std::vector<Parameter> to = parameters;
  std::vector<Tensor> from = matching(file, where, weights_prefix, parameters);
  if (const std::string* optimizer = find(file, "optimizer"); compiled && optimizer != nullptr) {
    if (*optimizer != compiled->optimizer.name()) {
      throw FormatError(
          fmt::format("{}: it was trained by {}, but the model is compiled with {}\n  hint: load before "
                      "compile() to load only the weights",
                      where, *optimizer, compiled->optimizer.name()));
    }
    require_readable(file, where, optimizer_prefix);
    const std::vector<Parameter> kept = optimizer_state.parameters();
    require_same_training(file, where);
    const std::vector<Tensor> values = matching(file, where, optimizer_prefix, kept);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const bool rate = kept[i] == optimizer_state.learning_rate;
      if (rate && !(values[i].item() >= 0 && std::isfinite(values[i].item())))
        throw FormatError(
            fmt::format("{}: the learning rate must be finite and at least 0, got {}", where, values[i].item()));
    }
    to.insert(to.end(), kept.begin(), kept.end());
    from.insert(from.end(), values.begin(), values.end());
  }
  for (std::size_t i = 0; i < to.size(); ++i) to[i].set(from[i]);
  training_steps = steps_made;
  epochs = epochs_made;
  if (seed != options.seed) steps.clear();  // the graphs of the steps contain the seed
  options.seed = seed;
}

void Model::save(const std::filesystem::path& path) const {
  const ModelUse::Call reading = state_->use.read("save", state_->options.name);
  state_->with_memory("save", 0, [&] { save_safetensors(path, state_->to_file()); });
}

void Model::load(const std::filesystem::path& path) {
  const ModelUse::Call changing = state_->use.change("load", state_->options.name);
  state_->require_idle("load");
  state_->with_memory("load", 0, [&] { state_->take(load_safetensors(path), message_prefix("load", path)); });
}

TensorFile Model::Fit::checkpoint() const {
  TensorFile out = s_.to_file();
  const auto note = [&](const char* name, auto value) { out.metadata[name] = fmt::format("{}", value); };
  note("fit.epoch", epoch_);
  note("fit.epoch_begun", static_cast<int>(epoch_begun_));
  note("fit.batch", training_.batch_);
  note("fit.batch_size", batch_);
  note("fit.rows", train_.size());
  note("fit.shuffle", static_cast<int>(options_.shuffle));
  note("fit.drop_last", static_cast<int>(options_.drop_last));
  out.tensors["fit/sums"] = numbers(means_.state());
  const double spent =
      epoch_begun_ ? std::chrono::duration<double>(std::chrono::steady_clock::now() - epoch_start_).count() : 0;
  out.tensors["fit/seconds"] = Tensor(spent);

  const History& history = training_.history_;
  if (history.stopped()) out.metadata["history.stopped"] = history.stop_reason();
  const std::vector<std::string> names = history.names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    out.metadata[fmt::format("history.{}", i)] = names[i];
    out.tensors[history_prefix + names[i]] = numbers(history[names[i]]);
  }
  out.tensors["fit/epoch_seconds"] = numbers(history.seconds());
  out.tensors["fit/epoch_training_seconds"] = numbers(history.training_seconds());

  const std::vector<std::string> callbacks = names_of(options_.callbacks);
  for (std::size_t i = 0; i < callbacks.size(); ++i) {
    if (!options_.callbacks[i].state) continue;
    for (auto& [key, value] : options_.callbacks[i].state())
      out.tensors[fmt::format("{}{}/{}", callbacks_prefix, callbacks[i], key)] = value;
  }
  return out;
}

void Model::Fit::resume(const std::filesystem::path& path) {
  const TensorFile file = load_safetensors(path);
  const std::string where = message_prefix("fit, resume", path);
  if (find(file, "fit.epoch") == nullptr) {
    throw FormatError(
        fmt::format("{}: it is a saved model, not a training checkpoint\n  hint: use Model::load for it; "
                    "ModelCheckpoint writes training checkpoints",
                    where));
  }
  (void)text_of(file, where, "optimizer");
  for (const char* prefix : {"fit/", history_prefix, callbacks_prefix}) require_readable(file, where, prefix);
  if (number_of<std::uint64_t>(file, where, "seed") != s_.options.seed) {
    throw UserError(fmt::format(
        "{}: its model has seed {}, but this one has seed {}\n  hint: set ModelOptions::seed to the same seed", where,
        text_of(file, where, "seed"), s_.options.seed));
  }
  const int epoch = number_of<int>(file, where, "fit.epoch");
  const int batch = number_of<int>(file, where, "fit.batch");
  const bool begun = number_of<int>(file, where, "fit.epoch_begun") != 0;
  // An incomplete epoch must be completed with the same batches.
  const auto require_equal = [&](const char* name, std::int64_t now, const char* option) {
    const auto then = number_of<std::int64_t>(file, where, name);
    if (then == now || batch == 0) return;
    throw UserError(
        fmt::format("{}: its epoch is incomplete and has {} = {}, but this fit has {}", where, option, then, now));
  };
  require_equal("fit.batch_size", batch_, "batch_size");
  require_equal("fit.rows", train_.size(), "rows");
  require_equal("fit.shuffle", static_cast<int>(options_.shuffle), "shuffle");
  require_equal("fit.drop_last", static_cast<int>(options_.drop_last), "drop_last");
  if (batch > training_.batches_)
    throw FormatError(
        fmt::format("{}: \"fit.batch\" is {}, but an epoch has {} batches", where, batch, training_.batches_));
  const auto sums = static_cast<Index>(means_.state().size());
  const Tensor& state = tensor_of(file, where, "fit/sums", {f64, {sums}});
  const double seconds = tensor_of(file, where, "fit/seconds", {f64, {}}).item();
  resume_history(file);
  if (training_.history_.epochs() != epoch) {
    throw FormatError(
        fmt::format("{}: its history has {} epochs, expected {}", where, training_.history_.epochs(), epoch));
  }
  if (!means_.set_state(state.values<double>()))
    throw FormatError(fmt::format("{}: the weights in \"fit/sums\" must be finite and at least 0", where));
  s_.take(file, where);
  epoch_ = epoch;
  epoch_begun_ = begun;
  training_.epoch_ = epoch;
  training_.batch_ = batch;
  seconds_before_ = seconds >= 0 && seconds < 1e9 ? seconds : 0;
  for (const auto& [name, value] : file.tensors) {
    if (name.starts_with(callbacks_prefix)) callback_states_[name.substr(std::strlen(callbacks_prefix))] = value;
  }
  progress_.say(fmt::format("resuming from {} after {} epochs and {} batches", path.string(), epoch, batch));
}

void Model::Fit::resume_history(const TensorFile& file) {
  const std::string where = message_prefix("fit, resume", options_.resume);
  const Tensor& stored_seconds = [&]() -> const Tensor& {
    const auto found = file.tensors.find("fit/epoch_seconds");
    if (found == file.tensors.end() || found->second.shape().rank() != 1)
      throw FormatError(fmt::format("{}: there is no vector \"fit/epoch_seconds\"", where));
    return found->second;
  }();
  const Index epochs = stored_seconds.shape()[0];
  const Tensor& seconds = tensor_of(file, where, "fit/epoch_seconds", {f64, {epochs}});
  const Tensor& training_seconds = tensor_of(file, where, "fit/epoch_training_seconds", {f64, {epochs}});

  const Logs expected = expected_logs();
  std::vector<Tensor> columns;
  for (std::size_t i = 0; epochs > 0; ++i) {
    const std::string* name = find(file, fmt::format("history.{}", i));
    const auto& entries = expected.entries();
    if (name == nullptr && i == entries.size()) break;
    if (name == nullptr || i == entries.size() || *name != entries[i].first) {
      throw UserError(
          fmt::format("{}: its history has {} where this fit reports {}\n  hint: resume with the same metrics, "
                      "and with validation data if the checkpoint has them",
                      where, name == nullptr ? "nothing" : "\"" + *name + "\"",
                      i == entries.size() ? "nothing" : "\"" + entries[i].first + "\""));
    }
    columns.push_back(tensor_of(file, where, history_prefix + *name, {f64, {epochs}}));
  }
  for (Index e = 0; e < epochs; ++e) {
    Logs logs;
    for (std::size_t i = 0; i < columns.size(); ++i) logs.add(expected.entries()[i].first, columns[i].at(e));
    training_.history_.add(std::move(logs), seconds.at(e), training_seconds.at(e));
  }
  if (const std::string* reason = find(file, "history.stopped")) training_.stop(*reason);
}

void Model::Fit::resume_callbacks() {
  if (callback_states_.empty()) return;
  const std::vector<std::string> names = names_of(options_.callbacks);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string prefix = names[i] + "/";
    NamedTensors state;
    for (const auto& [name, value] : callback_states_) {
      if (name.starts_with(prefix)) state[name.substr(prefix.size())] = value;
    }
    // A callback missing from the checkpoint keeps its initial state.
    if (options_.callbacks[i].set_state && !state.empty()) options_.callbacks[i].set_state(state);
  }
}

void Model::load(const std::filesystem::path& path, const LoadOptions& options) {
  const ModelUse::Call changing = state_->use.change("load", state_->options.name);
  state_->require_idle("load");
  const std::string where = fmt::format("load: {}", path.string());
  const TensorFile file = load_safetensors(path);
  const std::vector<Parameter>& weights = state_->parameters;
  std::map<std::string, std::string> sources;  // from the weight's name to the name in the file
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
