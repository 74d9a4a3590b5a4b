#include <xgrad/nn/events/event_writer.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <xgrad_proto/events.pb.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/graph/base/internal/text_width.hpp>
#include <xgrad/nn/data/internal/png.hpp>
#include <xgrad/nn/events/internal/graph_def.hpp>
#include <xgrad/nn/events/internal/record.hpp>

namespace xgrad::inline v0::nn {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view name_begin = "events.out.tfevents.";

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The host name, limited to characters that are safe in file names.
std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  std::string out = name.data();
  for (char& c : out) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    if (!plain) c = '_';
  }
  return out;
}

// The time for the file name. Readers sort files by name, so a new file must come last, even within the same second.
long long seconds_of_name(const fs::path& folder) {
  auto seconds = static_cast<long long>(seconds_now());
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(name_begin)) continue;
    long long there = 0;
    const char* digits = name.data() + name_begin.size();
    const auto [end, error] = std::from_chars(digits, name.data() + name.size(), there);
    if (error == std::errc() && end == digits + 10) seconds = std::max(seconds, there + 1);
  }
  return seconds;
}

void require_text(const char* what, const std::string& text) {
  if (is_utf8(text)) return;
  throw UserError(fmt::format("event writer: the {} \"{}\" is not UTF-8", what, without_controls(text)));
}

void require_tag(const std::string& tag) {
  if (tag.empty()) throw UserError("event writer: the tag is empty");
  require_text("tag", tag);
}

wire::SummaryValue& add_value(wire::Event& event, const std::string& tag, const char* plugin, wire::DataClass kind) {
  require_tag(tag);
  wire::SummaryValue& value = *event.mutable_summary()->add_value();
  value.set_tag(tag);
  value.mutable_metadata()->mutable_plugin_data()->set_plugin_name(plugin);
  value.mutable_metadata()->set_data_class(kind);
  return value;
}

wire::Event event_at(std::int64_t step) {
  if (step < 0) throw UserError(fmt::format("event writer: step must be at least 0, got {}", step));
  wire::Event event;
  event.set_wall_time(seconds_now());
  event.set_step(step);
  return event;
}

// Bin i covers [edges[i], edges[i + 1]); the last bin includes its right edge.
struct Histogram {
  std::vector<double> edges;  // one more than bins; empty without bins
  std::vector<Index> counts;
  Index not_finite = 0;
};

template <class T>
Histogram count(std::span<const T> values, int bins) {
  Histogram out;
  double least = std::numeric_limits<double>::infinity(), largest = -least;
  for (const T value : values) {
    const auto x = static_cast<double>(value);
    if (!std::isfinite(x)) {
      ++out.not_finite;
      continue;
    }
    least = std::min(least, x);
    largest = std::max(largest, x);
  }
  const auto finite = static_cast<Index>(values.size()) - out.not_finite;
  if (finite == 0) return out;
  if (least == largest) {
    out.edges = {least - 0.5, least + 0.5};
    out.counts = {finite};
    return out;
  }
  const auto n = static_cast<std::size_t>(bins);
  for (std::size_t i = 0; i <= n; ++i)
    out.edges.push_back(std::lerp(least, largest, static_cast<double>(i) / static_cast<double>(n)));
  out.counts.resize(n);
  // Halve first: largest - least may overflow.
  const double per_bin = static_cast<double>(n) / (largest / 2 - least / 2);
  for (const T value : values) {
    const auto x = static_cast<double>(value);
    if (!std::isfinite(x)) continue;
    // Rounding may be off by one bin, so compare with the written edges. For tiny ranges the guess may be NaN.
    const double guess = (x / 2 - least / 2) * per_bin;
    std::size_t bin = guess >= 0 && guess < static_cast<double>(n) ? static_cast<std::size_t>(guess) : 0;
    while (bin > 0 && x < out.edges[bin]) --bin;
    while (bin + 1 < n && x >= out.edges[bin + 1]) ++bin;
    ++out.counts[bin];
  }
  return out;
}

Histogram histogram_of(const Tensor& values, int bins) {
  if (values.elements() == 0) return {};
  return with_dtype(values.dtype(), [&](auto zero) { return count(values.values<decltype(zero)>(), bins); });
}

// The hparams plugin reads the metadata; the tensor is empty.
wire::Event session_event(const char* tag, const wire::HParamsPluginData& data) {
  wire::Event event = event_at(0);
  wire::SummaryValue& value = add_value(event, tag, "hparams", wire::DATA_CLASS_TENSOR);
  value.mutable_metadata()->mutable_plugin_data()->set_content(data.SerializeAsString());
  value.mutable_tensor()->set_dtype(wire::DT_FLOAT);
  value.mutable_tensor()->mutable_tensor_shape()->add_dim()->set_size(0);
  return event;
}

struct SetHyperParameter {
  wire::HParamValue& to;
  void operator()(bool v) const { to.set_bool_value(v); }
  void operator()(double v) const { to.set_number_value(v); }
  void operator()(const std::string& v) const { to.set_string_value(v); }
};

}  // namespace

struct EventWriter::State {
  fs::path path;
  Descriptor file{-1};
  std::uint64_t written = 0;  // bytes of complete records
  std::string buffer;

  explicit State(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
      throw EnvironmentError(fmt::format("event writer: cannot create the folder {}: {}", folder.string(),
                                         reason_of(error.value(), folder)));
    }
    static std::atomic<int> counter{0};
    const long long seconds = seconds_of_name(folder);
    do {
      path = folder / fmt::format("{}{:010}.{}.{}.{}", name_begin, seconds, host_name(), ::getpid(), counter++);
      file = Descriptor(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0666));
    } while (!file && errno == EEXIST);
    if (!file)
      throw EnvironmentError(fmt::format("event writer: cannot create {}: {}", path.string(), reason_of(errno, path)));
  }

  // Appends one record, or nothing if that fails.
  void append(const wire::Event& event) {
    buffer.assign(record::head_bytes, '\0');
    if (!event.AppendToString(&buffer))
      throw UserError(fmt::format("event writer: {}: the event exceeds two gigabytes", path.string()));
    record::frame(buffer);
    if (const int error = write_all(file.get(), buffer)) {
      // Remove the partial record: readers would stop there.
      const bool undone = ::ftruncate(file.get(), static_cast<off_t>(written)) == 0;
      throw EnvironmentError(fmt::format("event writer: cannot write {}: {}{}", path.string(), std::strerror(error),
                                         undone ? "" : "; the file ends with a partial record"));
    }
    written += buffer.size();
  }
};

EventWriter::EventWriter(const fs::path& folder) : state_(std::make_unique<State>(folder)) {
  wire::Event event = event_at(0);
  event.set_file_version("brain.Event:2");
  event.mutable_source_metadata()->set_writer("xgrad");
  try {
    state_->append(event);
  } catch (...) {
    ::unlink(state_->path.c_str());  // leave no empty file
    throw;
  }
}

EventWriter::~EventWriter() = default;
EventWriter::EventWriter(EventWriter&&) noexcept = default;
EventWriter& EventWriter::operator=(EventWriter&&) noexcept = default;

const fs::path& EventWriter::path() const { return state_->path; }

void EventWriter::scalar(const std::string& tag, double value, std::int64_t step) { scalars({{tag, value}}, step); }

void EventWriter::scalars(const std::vector<std::pair<std::string, double>>& values, std::int64_t step) {
  wire::Event event = event_at(step);
  for (const auto& [tag, value] : values) {
    wire::TensorProto& tensor = *add_value(event, tag, "scalars", wire::DATA_CLASS_SCALAR).mutable_tensor();
    tensor.set_dtype(wire::DT_FLOAT);
    tensor.mutable_tensor_shape();
    tensor.add_float_val(static_cast<float>(value));
  }
  if (!values.empty()) state_->append(event);
}

Index EventWriter::histogram(const std::string& tag, const Tensor& values, std::int64_t step, int bins) {
  if (bins < 1 || bins > 100000)
    throw UserError(fmt::format("event writer: \"{}\": bins must be 1 to 100000, got {}", tag, bins));
  wire::Event event = event_at(step);
  const Histogram counted = histogram_of(values, bins);
  std::vector<double> rows;
  for (std::size_t i = 0; i < counted.counts.size(); ++i)
    rows.insert(rows.end(), {counted.edges[i], counted.edges[i + 1], static_cast<double>(counted.counts[i])});
  wire::TensorProto& tensor = *add_value(event, tag, "histograms", wire::DATA_CLASS_TENSOR).mutable_tensor();
  tensor.mutable_tensor_shape()->add_dim()->set_size(static_cast<std::int64_t>(counted.counts.size()));
  tensor.mutable_tensor_shape()->add_dim()->set_size(3);
  tensor.set_dtype(wire::DT_DOUBLE);
  tensor.set_tensor_content(rows.data(), rows.size() * sizeof(double));
  state_->append(event);
  return counted.not_finite;
}

void EventWriter::image(const std::string& tag, const Tensor& image, std::int64_t step) {
  wire::Event event = event_at(step);
  wire::TensorProto& tensor = *add_value(event, tag, "images", wire::DATA_CLASS_BLOB_SEQUENCE).mutable_tensor();
  std::string png = encode_png(fmt::format("event writer: image \"{}\"", tag), image);
  tensor.set_dtype(wire::DT_STRING);
  tensor.mutable_tensor_shape()->add_dim()->set_size(3);
  tensor.add_string_val(fmt::format("{}", image.shape()[1]));
  tensor.add_string_val(fmt::format("{}", image.shape()[0]));
  tensor.add_string_val(std::move(png));
  state_->append(event);
}

void EventWriter::text(const std::string& tag, const std::string& markdown, std::int64_t step) {
  wire::Event event = event_at(step);
  wire::TensorProto& tensor = *add_value(event, tag, "text", wire::DATA_CLASS_TENSOR).mutable_tensor();
  if (!is_utf8(markdown)) throw UserError(fmt::format("event writer: the text of \"{}\" is not UTF-8", tag));
  tensor.set_dtype(wire::DT_STRING);
  tensor.mutable_tensor_shape();
  tensor.add_string_val(markdown);
  state_->append(event);
}

void EventWriter::begin_session(const std::vector<HyperParameter>& hyper_parameters) {
  wire::HParamsPluginData data;
  wire::SessionStartInfo& info = *data.mutable_session_start_info();
  info.set_start_time_secs(seconds_now());
  for (auto i = hyper_parameters.begin(); i != hyper_parameters.end(); ++i) {
    const std::string& name = i->name;
    if (name.empty()) throw UserError("event writer: a hyper-parameter has no name");
    require_text("hyper-parameter", name);
    if (const auto* text = std::get_if<std::string>(&i->value)) require_text("hyper-parameter's value", *text);
    if (const auto* number = std::get_if<double>(&i->value); number != nullptr && !std::isfinite(*number))
      throw UserError(fmt::format("event writer: hyper-parameter \"{}\" must be finite, got {}", name, *number));
    if (std::any_of(hyper_parameters.begin(), i, [&](const auto& other) { return other.name == name; }))
      throw UserError(fmt::format("event writer: duplicate hyper-parameter \"{}\"", name));
    wire::HParamEntry& entry = *info.add_hparams();
    entry.set_key(name);
    std::visit(SetHyperParameter{*entry.mutable_value()}, i->value);
  }
  state_->append(session_event("_hparams_/session_start_info", data));
}

void EventWriter::end_session(bool success) {
  wire::HParamsPluginData data;
  wire::SessionEndInfo& info = *data.mutable_session_end_info();
  info.set_status(success ? wire::SessionEndInfo::STATUS_SUCCESS : wire::SessionEndInfo::STATUS_FAILURE);
  info.set_end_time_secs(seconds_now());
  state_->append(session_event("_hparams_/session_end_info", data));
}

void EventWriter::graph(const Graph& graph, const std::vector<Update>& updates) {
  wire::Event event = event_at(0);
  event.set_graph_def(graph_def(graph, updates));
  state_->append(event);
}

void EventWriter::layers(Value output, const std::string& name) {
  wire::Event event = event_at(0);
  wire::SummaryValue& value = add_value(event, "keras", "graph_keras_model", wire::DATA_CLASS_BLOB_SEQUENCE);
  value.mutable_metadata()->mutable_plugin_data()->set_content("1");
  wire::TensorProto& tensor = *value.mutable_tensor();
  tensor.set_dtype(wire::DT_STRING);
  tensor.mutable_tensor_shape()->add_dim()->set_size(1);
  tensor.add_string_val(layers_json(output, name));
  state_->append(event);
}

void EventWriter::restart(std::int64_t step) {
  wire::Event event = event_at(step);
  event.mutable_session_log()->set_status(wire::SessionLog::START);
  state_->append(event);
}

}  // namespace xgrad::inline v0::nn
