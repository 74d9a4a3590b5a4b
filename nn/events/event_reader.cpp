#include <xgrad/nn/events/event_reader.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <xgrad_proto/events.pb.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/graph/base/internal/text_width.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>
#include <xgrad/nn/data/internal/small_floats.hpp>
#include <xgrad/nn/events/internal/record.hpp>

namespace xgrad::inline v0::nn {
namespace {

namespace fs = std::filesystem;

// Bytes per read, unless a record is longer.
constexpr std::uint64_t chunk = std::uint64_t{256} << 10U;
// The maximum size of a protobuf message.
constexpr std::uint64_t longest_record = std::numeric_limits<int>::max();

// Maximum number of fields in a record: a field may take only two bytes in a record, but hundreds in memory. Events of
// this library have a few dozen fields.
constexpr int most_fields = 200000;

// Subtracts the fields of a message and its nested messages (summary, values, tensors, shapes) from `left`; false if
// there are more. Invalid messages are detected later.
bool few_fields(google::protobuf::io::CodedInputStream& in, std::size_t level, int& left) {
  using Wire = google::protobuf::internal::WireFormatLite;
  constexpr std::array<int, 4> inner = {wire::Event::kSummaryFieldNumber, wire::Summary::kValueFieldNumber,
                                        wire::SummaryValue::kTensorFieldNumber,
                                        wire::TensorProto::kTensorShapeFieldNumber};
  while (const std::uint32_t tag = in.ReadTag()) {
    if (--left < 0) return false;
    if (level == inner.size() || tag != Wire::MakeTag(inner[level], Wire::WIRETYPE_LENGTH_DELIMITED)) {
      if (!Wire::SkipField(&in, tag)) return true;
      continue;
    }
    int length = 0;
    if (!in.ReadVarintSizeAsInt(&length)) return true;
    const auto limit = in.PushLimit(length);
    if (!few_fields(in, level + 1, left)) return false;
    if (in.BytesUntilLimit() > 0) return true;
    in.PopLimit(limit);
  }
  return true;
}
bool few_fields(std::string_view event) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const std::uint8_t*>(event.data()),
                                            static_cast<int>(event.size()));
  int left = most_fields;
  return few_fields(in, 0, left);
}

// An error message without file and byte offset, which the reader prepends.
struct Damage {
  std::string what;
};

std::uint64_t elements_of(const wire::TensorShape& shape) {
  std::uint64_t out = 1;
  for (const wire::Dim& dim : shape.dim()) {
    if (dim.size() < 0 || __builtin_mul_overflow(out, static_cast<std::uint64_t>(dim.size()), &out))
      throw Damage{"the tensor's extents are negative or too large"};
  }
  return out;
}

// Maximum number of elements for which a single value in a field is repeated, as TensorBoard does. Without a limit, a
// small record could allocate a large tensor; histograms have a few dozen elements.
constexpr std::uint64_t most_repeated = 256;

// Decodes elements of type T from `content` or from a repeated field; `meaning` converts one to double.
template <class T, class Repeated>
std::vector<double> numbers_of(
    const std::string& content, const Repeated& values, std::uint64_t expected,
    double (*meaning)(T) = [](T x) { return static_cast<double>(x); }) {
  std::vector<double> out;
  if (!content.empty()) {
    if (content.size() / sizeof(T) != expected || content.size() % sizeof(T) != 0)
      throw Damage{fmt::format("the tensor has {} bytes for {} elements", content.size(), expected)};
    for (std::size_t at = 0; at < content.size(); at += sizeof(T)) {
      T number;
      std::memcpy(&number, content.data() + at, sizeof(T));
      out.push_back(meaning(number));
    }
    return out;
  }
  const auto given = static_cast<std::uint64_t>(values.size());
  const bool repeated = given == 1 && expected <= most_repeated;
  if (given != expected && !repeated)
    throw Damage{fmt::format("the tensor has {} values for {} elements", given, expected)};
  for (const auto value : values) {
    if constexpr (sizeof(T) < sizeof(value)) {
      if (!std::in_range<T>(value)) throw Damage{fmt::format("{} has more than {} bits", value, 8 * sizeof(T))};
    }
    out.push_back(meaning(static_cast<T>(value)));
  }
  if (repeated) out.assign(static_cast<std::size_t>(expected), double{out.front()});
  return out;
}

// The elements of a tensor as doubles; empty for types that are not real numbers.
std::optional<std::vector<double>> numbers_of(const wire::TensorProto& tensor) {
  const std::uint64_t expected = elements_of(tensor.tensor_shape());
  const std::string& content = tensor.tensor_content();
  switch (tensor.dtype()) {
    case wire::DT_FLOAT: return numbers_of<float>(content, tensor.float_val(), expected);
    case wire::DT_DOUBLE: return numbers_of<double>(content, tensor.double_val(), expected);
    case wire::DT_INT8: return numbers_of<std::int8_t>(content, tensor.int_val(), expected);
    case wire::DT_INT16: return numbers_of<std::int16_t>(content, tensor.int_val(), expected);
    case wire::DT_INT32: return numbers_of<std::int32_t>(content, tensor.int_val(), expected);
    case wire::DT_INT64: return numbers_of<std::int64_t>(content, tensor.int64_val(), expected);
    case wire::DT_UINT8: return numbers_of<std::uint8_t>(content, tensor.int_val(), expected);
    case wire::DT_UINT16: return numbers_of<std::uint16_t>(content, tensor.int_val(), expected);
    case wire::DT_UINT32: return numbers_of<std::uint32_t>(content, tensor.uint32_val(), expected);
    case wire::DT_UINT64: return numbers_of<std::uint64_t>(content, tensor.uint64_val(), expected);
    case wire::DT_BOOL: return numbers_of<std::uint8_t>(content, tensor.bool_val(), expected);
    case wire::DT_HALF:
      return numbers_of<std::uint16_t>(content, tensor.half_val(), expected,
                                       [](std::uint16_t x) { return double{float_from_half(x)}; });
    case wire::DT_BFLOAT16:
      return numbers_of<std::uint16_t>(content, tensor.half_val(), expected,
                                       [](std::uint16_t x) { return double{float_from_bfloat16(x)}; });
    default: return std::nullopt;
  }
}

std::vector<HistogramBin> bins_of(const wire::TensorProto& tensor) {
  const wire::TensorShape& shape = tensor.tensor_shape();
  if (shape.dim_size() != 2 || shape.dim(1).size() != 3) throw Damage{"the histogram's shape is not [bins, 3]"};
  const std::vector<double> numbers = numbers_of(tensor).value_or(std::vector<double>());
  std::vector<HistogramBin> out;
  for (std::size_t i = 0; i + 2 < numbers.size(); i += 3) out.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
  return out;
}

// The bins of a histogram of the old format, whose bin i covers (limit i - 1, limit i]. Minimum and maximum bound the
// outer bins.
std::vector<HistogramBin> bins_of(const wire::Histogram& old) {
  if (old.bucket_size() != old.bucket_limit_size()) throw Damage{"the histogram does not have one limit per bin"};
  std::vector<HistogramBin> out;
  double left = old.min();
  for (int i = 0; i < old.bucket_size(); ++i) {
    const double right = std::min(old.bucket_limit(i), old.max());
    if (old.bucket(i) > 0) out.push_back({std::max(left, old.min()), right, old.bucket(i)});
    left = old.bucket_limit(i);
  }
  return out;
}

std::vector<std::string> strings_of(const wire::TensorProto& tensor) {
  if (tensor.dtype() != wire::DT_STRING) throw Damage{"the tensor is not text"};
  return {tensor.string_val().begin(), tensor.string_val().end()};
}

std::vector<std::pair<std::string, std::string>> hyper_parameters_in(const std::string& content) {
  wire::HParamsPluginData data;
  if (!data.ParseFromString(content)) throw Damage{"the hyper-parameters cannot be parsed"};
  std::vector<std::pair<std::string, std::string>> out;
  for (const wire::HParamEntry& entry : data.session_start_info().hparams()) {
    std::string text;
    switch (entry.value().kind_case()) {
      case wire::HParamValue::kNumberValue: text = fmt::format("{}", entry.value().number_value()); break;
      case wire::HParamValue::kStringValue: text = entry.value().string_value(); break;
      case wire::HParamValue::kBoolValue: text = entry.value().bool_value() ? "true" : "false"; break;
      case wire::HParamValue::KIND_NOT_SET: break;
    }
    out.emplace_back(entry.key(), text);
  }
  return out;
}

void take_tensor(const wire::TensorProto& tensor, EventValue& to) {
  if (to.plugin == "scalars") {
    const auto numbers = numbers_of(tensor);
    if (!numbers) return;  // such as text
    // Axes of extent 1 are allowed, as in TensorBoard.
    if (numbers->size() != 1) throw Damage{fmt::format("the scalar has {} elements", numbers->size())};
    to.scalar = numbers->front();
  } else if (to.plugin == "histograms") {
    to.histogram = bins_of(tensor);
  } else if (to.plugin == "images") {
    to.strings = strings_of(tensor);
    if (to.strings.size() < 2) throw Damage{"the image has no width and height"};
  } else if (to.plugin == "text" || to.plugin == "graph_keras_model") {
    to.strings = strings_of(tensor);
  }
}

}  // namespace

struct EventReader::State {
  State(const fs::path& where, EventReaderOptions given) : path(where), options(std::move(given)) {
    options.max_record = std::min(options.max_record, longest_record);
    if (!options.plugins) options.plugins = std::make_shared<std::map<std::string, std::string>>();
    // O_NONBLOCK: opening a pipe must not wait for a writer.
    file = Descriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!file) fail_reading();
    struct stat status {};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
      throw FormatError(fmt::format("event reader: {}: not a regular file", path.string()));
  }

  [[noreturn]] void damaged(const std::string& what) const {
    throw FormatError(fmt::format("event reader: {}: at byte {}: {}", path.string(), offset, what));
  }

  [[noreturn]] void wrong_length() {
    const std::string kind = offset == 0 ? kind_of_file(bytes(512)) : std::string();
    damaged(kind.empty() ? "wrong checksum of a record's length; the file is damaged or not an event file"
                         : "not an event file: it is " + kind);
  }

  // Returns `wanted` bytes of the file at `offset`, fewer only at the end.
  std::string_view bytes(std::uint64_t wanted) {
    const std::uint64_t start = offset - buffer_offset;
    if (start + wanted > buffer.size()) {
      buffer.clear();
      buffer_offset = offset;
      // Never allocate more than the file size, whatever length a record claims.
      const std::uint64_t size = file_size();
      const std::uint64_t there = size > offset ? size - offset : 0;
      buffer.resize(static_cast<std::size_t>(std::min(there, std::max(wanted, chunk))));
      for (std::size_t have = 0; have < buffer.size();) {
        const ssize_t done =
            ::pread(file.get(), buffer.data() + have, buffer.size() - have, static_cast<off_t>(offset + have));
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
          buffer.clear();
          fail_reading();
        }
        if (done == 0) buffer.resize(have);  // the file became shorter
        have += static_cast<std::size_t>(done);
      }
    }
    return std::string_view(buffer).substr(static_cast<std::size_t>(offset - buffer_offset),
                                           static_cast<std::size_t>(wanted));
  }
  std::uint64_t file_size() const {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) fail_reading();
    return static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
  }
  [[noreturn]] void fail_reading() const {
    throw EnvironmentError(fmt::format("event reader: cannot read {}: {}", path.string(), std::strerror(errno)));
  }

  // Counts a skipped record or value, and keeps its message.
  void skip(const std::string& what) {
    constexpr std::size_t most_problems = 10;
    ++skipped;
    if (problems.size() < most_problems)
      problems.push_back(fmt::format("event reader: {}: at byte {}: {}", path.string(), offset, what));
  }

  // The data of the next record; empty if it is truncated. If the checksum of the length is valid, the position of the
  // following record is known even if the data are damaged.
  std::optional<std::string_view> next_record() {
    while (true) {
      const std::string_view head = bytes(record::head_bytes);
      partial_bytes = head.size();
      if (head.size() < record::head_bytes) return std::nullopt;
      if (record::read_u32(head.data() + 8) != record::check(head.substr(0, 8))) wrong_length();
      const std::uint64_t length = record::read_u64(head.data());
      const std::uint64_t whole = record::head_bytes + length + record::tail_bytes;
      record_bytes = whole;
      if (length > options.max_record) {
        const std::string what =
            fmt::format("a record of {} bytes exceeds the limit of {}", length, options.max_record);
        if (length >= file_size() || whole > file_size() - offset) damaged(what);
        skip(what);
        offset += whole;
        continue;
      }
      const std::string_view all = bytes(whole);
      partial_bytes = all.size();
      if (all.size() < whole) return std::nullopt;
      const std::string_view data = all.substr(record::head_bytes, static_cast<std::size_t>(length));
      if (record::read_u32(all.data() + record::head_bytes + length) == record::check(data)) return data;
      skip("wrong checksum of a record's data; the record is damaged");
      offset += whole;
    }
  }

  // Parses an event; nothing if that fails.
  std::optional<Event> event_of(std::string_view data) {
    wire::Event event;
    if (!few_fields(data)) {
      skip(fmt::format("a record has more than {} fields", most_fields));
      return std::nullopt;
    }
    if (!event.ParseFromArray(data.data(), static_cast<int>(data.size()))) {
      skip("a record is not an event");
      return std::nullopt;
    }
    Event out;
    out.offset = offset;
    out.wall_time = event.wall_time();
    out.step = event.step();
    out.file_version = event.file_version();
    out.graph_def = event.graph_def();
    out.restart = event.session_log().status() == wire::SessionLog::START;
    for (const wire::SummaryValue& value : event.summary().value()) {
      try {
        out.values.push_back(value_of(value));
      } catch (const Damage& damage) {
        skip(fmt::format("\"{}\": {}", without_controls(value.tag().substr(0, 200)), damage.what));
      }
    }
    return out;
  }

  EventValue value_of(const wire::SummaryValue& from) {
    EventValue out;
    out.tag = from.tag();
    out.plugin = from.metadata().plugin_data().plugin_name();
    out.content = from.metadata().plugin_data().content();
    if (out.plugin == "hparams") out.hyper_parameters = hyper_parameters_in(out.content);
    switch (from.value_case()) {
      case wire::SummaryValue::kSimpleValue:
        out.plugin = "scalars";
        out.scalar = from.simple_value();
        break;
      case wire::SummaryValue::kHisto:
        out.plugin = "histograms";
        out.histogram = bins_of(from.histo());
        break;
      case wire::SummaryValue::kImage:
        out.plugin = "images";
        out.strings = {fmt::format("{}", from.image().width()), fmt::format("{}", from.image().height()),
                       from.image().encoded_image_string()};
        break;
      case wire::SummaryValue::kTensor:
        // Some writers name the plugin only in the first value of a tag.
        if (out.plugin.empty()) {
          if (const auto known = options.plugins->find(out.tag); known != options.plugins->end())
            out.plugin = known->second;
        } else {
          options.plugins->try_emplace(out.tag, out.plugin);
        }
        take_tensor(from.tensor(), out);
        break;
      case wire::SummaryValue::VALUE_NOT_SET: break;
    }
    return out;
  }

  std::optional<Event> next() {
    return with_file_memory([&] { return fmt::format("event reader: {}: at byte {}", path.string(), offset); },
                            [&] { return read_next(); },
                            [&] { return fmt::format("a record of {} bytes", record_bytes); });
  }
  std::optional<Event> read_next() {
    while (const auto data = next_record()) {
      std::optional<Event> event = event_of(*data);
      offset += partial_bytes;
      partial_bytes = 0;
      if (event) return event;
    }
    // A writer may truncate a partial record and write another one in its place.
    buffer.clear();
    buffer_offset = offset;
    return std::nullopt;
  }

  fs::path path;
  EventReaderOptions options;
  Descriptor file{-1};
  std::uint64_t offset = 0;         // byte offset of the next record
  std::uint64_t partial_bytes = 0;  // bytes of the next record in the file so far
  std::uint64_t record_bytes = 0;   // size that the record claims
  std::uint64_t buffer_offset = 0;
  std::string buffer;
  std::uint64_t skipped = 0;
  std::vector<std::string> problems;
};

EventReader::EventReader(const fs::path& path, EventReaderOptions options)
    : state_(with_file_memory([&] { return "event reader: " + path.string(); },
                              [&] { return std::make_unique<State>(path, std::move(options)); },
                              [] { return std::string("opening it"); })) {}
EventReader::~EventReader() = default;
EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;

std::optional<Event> EventReader::next() { return state_->next(); }
std::uint64_t EventReader::offset() const { return state_->offset; }
std::uint64_t EventReader::partial_bytes() const { return state_->partial_bytes; }
std::uint64_t EventReader::skipped() const { return state_->skipped; }
const std::vector<std::string>& EventReader::problems() const { return state_->problems; }

}  // namespace xgrad::inline v0::nn
