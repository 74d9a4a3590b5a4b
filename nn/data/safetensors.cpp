#include <xgrad/nn/data/safetensors.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/graph/base/internal/text_width.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>
#include <xgrad/nn/data/internal/small_floats.hpp>

namespace xgrad::inline v0::nn {
namespace {

namespace fs = std::filesystem;

// This file copies elements without byte swapping.
static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

constexpr std::uint64_t longest_header = 100'000'000;  // as in the reference implementation
constexpr const char* metadata_key = "__metadata__";

// ---- element types

template <class From, class To, class F>
void each(const std::vector<char>& bytes, Tensor& out, F convert) {
  const auto to = out.mutable_values<To>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    From number;
    std::memcpy(&number, bytes.data() + i * sizeof(From), sizeof(From));
    to[i] = convert(number);
  }
}

template <class From>
void integers(const std::vector<char>& bytes, Tensor& out) {
  each<From, std::int64_t>(bytes, out, [](From x) { return static_cast<std::int64_t>(x); });
}

struct Type {
  const char* name;
  std::uint64_t bits;
  DType dtype;
  void (*convert)(const std::vector<char>& bytes, Tensor& out) = nullptr;  // null: the bytes are copied unchanged
  bool supported = true;  // false: the format has the type, but no DType matches it
};
template <class From, float (*convert)(From)>
constexpr Type small_float(const char* name) {
  return {name, 8 * sizeof(From), f32,
          [](const std::vector<char>& b, Tensor& out) { each<From, float>(b, out, convert); }};
}
constexpr Type unsupported(const char* name, std::uint64_t bits) { return {name, bits, f32, nullptr, false}; }
constexpr std::array types{
    Type{"F64", 64, f64},
    Type{"I64", 64, i64},
    Type{"F32", 32, f32},
    Type{"BOOL", 8, boolean},
    Type{"U64", 64, i64, integers<std::uint64_t>},
    Type{"I32", 32, i64, integers<std::int32_t>},
    Type{"U32", 32, i64, integers<std::uint32_t>},
    Type{"I16", 16, i64, integers<std::int16_t>},
    Type{"U16", 16, i64, integers<std::uint16_t>},
    Type{"I8", 8, i64, integers<std::int8_t>},
    Type{"U8", 8, i64, integers<std::uint8_t>},
    small_float<std::uint16_t, float_from_half>("F16"),
    small_float<std::uint16_t, float_from_bfloat16>("BF16"),
    small_float<std::uint8_t, float_from_e5m2>("F8_E5M2"),
    small_float<std::uint8_t, float_from_e4m3>("F8_E4M3"),
    unsupported("F8_E8M0", 8),
    unsupported("F6_E2M3", 6),
    unsupported("F6_E3M2", 6),
    unsupported("F4", 4),
    unsupported("C64", 64),
};

// ---- the header

struct Entry {
  std::string name;
  const Type* type = nullptr;
  bool has_shape = false;
  std::vector<std::uint64_t> extents{};
  std::vector<std::uint64_t> offsets{};  // begin and end

  std::uint64_t begin() const { return offsets[0]; }
  std::uint64_t end() const { return offsets[1]; }
};

// Parses the header as a stream of JSON events: a tree would hide duplicate keys, and its memory would grow with the
// nesting of a malicious file. Unknown fields of a tensor are skipped, as in the reference reader.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const InputFile& file) : file_(file) {}

  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool start_object(std::size_t) override {
    if (in_skipped_field()) return opened();
    ++depth_;
    if (depth_ == 1) return true;
    if (depth_ > 2) misplaced("an object");
    if (key_ != metadata_key) {
      if (!names_.insert(key_).second) file_.fail(fmt::format("duplicate tensor {}", in_quotes(key_)));
      entries.push_back({.name = key_});
    } else {
      metadata_once();
    }
    in_metadata_ = key_ == metadata_key;
    return true;
  }
  bool end_object() override {
    if (skip_depth_ > 0) return closed();
    if (depth_ == 2 && !in_metadata_) {
      const Entry& e = entries.back();
      if (e.type == nullptr || !e.has_shape || e.offsets.empty())
        file_.fail(fmt::format("tensor {} has no {}", in_quotes(e.name),
                               e.type == nullptr ? "dtype"
                               : !e.has_shape    ? "shape"
                                                 : "data_offsets"));
    }
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (skip_depth_ > 0) return true;
    (depth_ == 1 ? key_ : field_) = name;
    return true;
  }
  bool string(string_t& text) override {
    if (in_skipped_field()) return true;
    if (depth_ == 2 && in_metadata_) {
      if (!metadata.emplace(field_, text).second)
        file_.fail(fmt::format("duplicate metadata key {}", in_quotes(field_)));
      return true;
    }
    if (depth_ != 2 || field_ != "dtype") misplaced("text");
    Entry& e = entries.back();
    if (e.type != nullptr) twice();
    const auto* found = std::find_if(types.begin(), types.end(), [&](const Type& t) { return t.name == text; });
    if (found == types.end())
      file_.fail(fmt::format("tensor {} has the unknown type {}", in_quotes(e.name), in_quotes(text)));
    e.type = &*found;
    return true;
  }
  bool start_array(std::size_t) override {
    if (in_skipped_field()) return opened();
    if (depth_ != 2 || in_metadata_ || numbers_ != nullptr) misplaced("a list");
    Entry& e = entries.back();
    if (field_ == "shape") {
      if (std::exchange(e.has_shape, true)) twice();
      numbers_ = &e.extents;
    } else if (field_ == "data_offsets") {
      if (!e.offsets.empty()) twice();
      numbers_ = &e.offsets;
    } else {
      misplaced("a list");
    }
    return true;
  }
  bool end_array() override {
    if (skip_depth_ > 0) return closed();
    numbers_ = nullptr;
    if (field_ == "data_offsets" && entries.back().offsets.size() != 2)
      file_.fail(fmt::format("tensor {} must have 2 data_offsets, got {}", in_quotes(entries.back().name),
                             entries.back().offsets.size()));
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (in_skipped_field()) return true;
    if (numbers_ == nullptr) misplaced("a number");
    numbers_->push_back(number);
    return true;
  }
  bool number_integer(number_integer_t) override { return in_skipped_field() || misplaced("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return in_skipped_field() || misplaced("a number with a fraction");
  }
  bool boolean(bool) override { return in_skipped_field() || misplaced("a boolean"); }
  bool null() override {
    if (in_skipped_field()) return true;
    if (depth_ != 1 || key_ != metadata_key) misplaced("null");
    metadata_once();  // some writers put null if there is no metadata
    return true;
  }
  bool binary(binary_t&) override { misplaced("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    file_.fail(fmt::format("the header is not valid JSON at byte {}", position));
  }

 private:
  // Whether the parser is in the value of an unknown field.
  bool in_skipped_field() const {
    return skip_depth_ > 0 || (depth_ == 2 && !in_metadata_ && numbers_ == nullptr && field_ != "dtype" &&
                               field_ != "shape" && field_ != "data_offsets");
  }
  bool opened() { return ++skip_depth_ > 0; }
  bool closed() { return --skip_depth_ >= 0; }
  void metadata_once() {
    if (std::exchange(had_metadata_, true)) file_.fail("duplicate metadata");
  }
  [[noreturn]] bool misplaced(const char* what) const {
    if (depth_ == 0) file_.fail("the header is not an object");
    file_.fail(fmt::format("{}{} must not be {}", in_quotes(key_),
                           depth_ > 1 ? ": " + in_quotes(field_) : std::string(), what));
  }
  [[noreturn]] void twice() const {
    file_.fail(fmt::format("tensor {} has a duplicate field {}", in_quotes(key_), in_quotes(field_)));
  }

  const InputFile& file_;
  int depth_ = 0;
  std::int64_t skip_depth_ = 0;  // nesting depth within a skipped field
  std::set<std::string> names_;
  std::string key_, field_;
  bool in_metadata_ = false, had_metadata_ = false;
  std::vector<std::uint64_t>* numbers_ = nullptr;
};

// Checks that extents and offsets agree. Extents of 0 count as 1 in the product, so that strides cannot overflow.
void check_extents(const InputFile& file, const Entry& e) {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max() / 64;  // bits of the widest type
  std::uint64_t product = 1;
  bool empty = false;
  for (const std::uint64_t extent : e.extents) {
    empty = empty || extent == 0;
    if (extent > 0 && product > most / extent) file.fail(fmt::format("tensor {} is too large", in_quotes(e.name)));
    if (extent > 0) product *= extent;
  }
  const std::uint64_t bits = empty ? 0 : product * e.type->bits;
  if (bits % 8 != 0 || e.end() < e.begin() || e.end() - e.begin() != bits / 8) {
    file.fail(fmt::format("tensor {} of type {} and shape [{}] needs {} bytes, but its data_offsets are {} to {}",
                          in_quotes(e.name), e.type->name,
                          fmt::join(std::span(e.extents).first(std::min<std::size_t>(e.extents.size(), 9)), ", "),
                          static_cast<double>(bits) / 8, e.begin(), e.end()));
  }
}

// Checks that the tensors cover the data exactly once.
void check_order(const InputFile& file, std::vector<Entry>& entries, std::uint64_t bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin(), a.end()) < std::pair(b.begin(), b.end());
  });
  std::uint64_t at = 0;
  for (const Entry& e : entries) {
    if (e.end() > bytes) {
      file.fail(fmt::format("tensor {} ends at byte {} of {} bytes of data", in_quotes(e.name), e.end(), bytes));
    }
    if (e.begin() < at) file.fail(fmt::format("tensor {} overlaps the previous tensor", in_quotes(e.name)));
    if (e.begin() > at)
      file.fail(fmt::format("{} bytes before tensor {} belong to no tensor", e.begin() - at, in_quotes(e.name)));
    at = e.end();
  }
  if (at != bytes) file.fail(fmt::format("{} bytes at the end belong to no tensor", bytes - at));
}

// The reason why a valid entry cannot become a Tensor; empty if it can.
std::string reason_against(const Entry& e) {
  if (!e.type->supported) return fmt::format("type {} is not supported", e.type->name);
  if (e.extents.size() > static_cast<std::size_t>(Shape::max_rank))
    return fmt::format("it has {} axes; at most {} are supported", e.extents.size(), Shape::max_rank);
  return {};
}
std::string reason_against(const Entry& e, const Tensor& t) {
  if (t.dtype() == boolean) {
    const auto* bytes = static_cast<const unsigned char*>(t.raw());
    if (std::any_of(bytes, bytes + t.bytes(), [](unsigned char b) { return b > 1; }))
      return "it has booleans other than 0 and 1";
  }
  if (std::string_view(e.type->name) == "U64") {
    const auto numbers = t.values<std::int64_t>();
    if (std::any_of(numbers.begin(), numbers.end(), [](std::int64_t x) { return x < 0; }))
      return "it has values of 2^63 and above, which do not fit i64";
  }
  return {};
}

// The size of the entry's Tensor in bytes.
std::uint64_t bytes_of(const Entry& e) { return (e.end() - e.begin()) / (e.type->bits / 8) * size_of(e.type->dtype); }

void read_data(InputFile& file, const Entry& e, char* to, std::uint64_t bytes) {
  if (file.read(to, bytes) != bytes) file.fail("the file ends within tensor " + in_quotes(e.name));
}

Tensor read_tensor(InputFile& file, const Entry& e) {
  Shape shape;
  for (const std::uint64_t extent : e.extents) shape.push_back(static_cast<Index>(extent));
  Tensor out(shape, e.type->dtype);
  if (e.type->convert == nullptr) {
    read_data(file, e, static_cast<char*>(out.mutable_raw()), e.end() - e.begin());
  } else {
    std::vector<char> bytes(e.end() - e.begin());
    read_data(file, e, bytes.data(), bytes.size());
    e.type->convert(bytes, out);
  }
  return out;
}

TensorFile load(const fs::path& path) {
  InputFile file("safetensors", path);
  std::uint64_t length = 0;
  const auto refuse = [&](const std::string& otherwise) {
    file.fail(not_of_format("a safetensors file", file.beginning(), otherwise));
  };
  if (file.read(&length, sizeof(length)) != sizeof(length)) refuse(fmt::format("it has {} bytes", file.size()));
  const std::uint64_t behind = file.size() - sizeof(length);
  // The header's first byte tells a damaged safetensors file from another format.
  const bool begins_well = file.beginning().size() > sizeof(length) && file.beginning()[sizeof(length)] == '{';
  if (length > std::min(behind, longest_header)) {
    const std::string claim = fmt::format("it claims a header of {} bytes; {} bytes follow", length, behind);
    begins_well ? file.fail(claim) : refuse(claim);
  }
  if (!begins_well || length == 0) refuse("the header does not begin with {");
  const auto where = [&] { return "safetensors: " + path.string(); };
  const auto header_bytes = [&] { return fmt::format("a header of {} bytes", length); };
  std::string header = with_file_memory(
      where, [&] { return std::string(length, '\0'); }, header_bytes);
  if (file.read(header.data(), length) != length) file.fail("the file ends within the header");
  // The parser stops at NUL, so text behind it would be ignored.
  if (const std::size_t at = header.find('\0'); at != std::string::npos)
    file.fail(fmt::format("the header is not valid JSON at byte {}: NUL", at));

  HeaderReader reader(file);
  with_file_memory(
      where, [&] { nlohmann::json::sax_parse(header, &reader); }, header_bytes);
  for (const Entry& e : reader.entries) check_extents(file, e);
  check_order(file, reader.entries, behind - length);

  TensorFile out;
  out.metadata = std::move(reader.metadata);
  for (const Entry& e : reader.entries) {
    std::string reason = reason_against(e);
    if (reason.empty()) {
      Tensor tensor =
          with_file_memory([&] { return where() + ": tensor " + in_quotes(e.name); },
                           [&] { return read_tensor(file, e); }, [&] { return fmt::format("{} bytes", bytes_of(e)); });
      reason = reason_against(e, tensor);
      if (reason.empty()) out.tensors.emplace(e.name, std::move(tensor));
    } else {
      file.skip(e.end() - e.begin());
    }
    if (!reason.empty()) out.unreadable.emplace(e.name, std::move(reason));
  }
  return out;
}

void save(const fs::path& path, const TensorFile& file) {
  std::vector<const NamedTensors::value_type*> order;
  for (const auto& entry : file.tensors) {
    if (entry.second.empty()) throw UserError(fmt::format("safetensors: tensor {} is empty", in_quotes(entry.first)));
    if (entry.first == metadata_key) throw UserError("safetensors: a tensor cannot be named __metadata__");
    order.push_back(&entry);
  }
  // Widest elements first, so that every tensor is aligned.
  std::stable_sort(order.begin(), order.end(),
                   [](auto a, auto b) { return size_of(a->second.dtype()) > size_of(b->second.dtype()); });

  // Written by hand: inserting into nlohmann::ordered_json is linear in its size, and its destructor terminates the
  // program if allocation fails.
  std::string text = "{";
  std::uint64_t at = 0;
  try {
    const auto quoted = [](const std::string& words) { return nlohmann::json(words).dump(); };
    const auto add = [&](const std::string& key, const std::string& value) {
      if (text.size() > 1) text += ',';
      text += quoted(key) + ":{" + value + "}";
    };
    if (!file.metadata.empty()) {
      std::string pairs;
      for (const auto& [key, value] : file.metadata)
        pairs += (pairs.empty() ? "" : ",") + quoted(key) + ":" + quoted(value);
      add(metadata_key, pairs);
    }
    for (const auto* entry : order) {
      const Tensor& t = entry->second;
      const auto* type = std::find_if(types.begin(), types.end(), [&](const Type& x) { return x.dtype == t.dtype(); });
      add(entry->first, fmt::format(R"("dtype":"{}","shape":[{}],"data_offsets":[{},{}])", type->name,
                                    fmt::join(t.shape(), ","), at, at + t.bytes()));
      at += t.bytes();
    }
  } catch (const nlohmann::json::type_error&) {
    throw UserError(fmt::format("safetensors: {}: names and metadata must be UTF-8", path.string()));
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  if (length > longest_header)
    throw UserError(
        fmt::format("safetensors: {}: the header of {} bytes exceeds the limit of 100000000", path.string(), length));

  std::vector<std::string_view> parts{{reinterpret_cast<const char*>(&length), sizeof(length)}, text};
  for (const auto* entry : order)
    parts.emplace_back(static_cast<const char*>(entry->second.raw()), entry->second.bytes());
  replace_file("safetensors", path, parts);
}

}  // namespace

TensorFile load_safetensors(const fs::path& path) {
  return with_file_memory([&] { return "safetensors: " + path.string(); }, [&] { return load(path); },
                          [] { return std::string("reading it"); });
}

void save_safetensors(const fs::path& path, const TensorFile& file) {
  with_file_memory([&] { return "safetensors: " + path.string(); }, [&] { save(path, file); },
                   [&] { return fmt::format("a header of {} tensors", file.tensors.size()); });
}

}  // namespace xgrad::inline v0::nn
