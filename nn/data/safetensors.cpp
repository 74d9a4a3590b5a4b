#include <xgrad/nn/data/safetensors.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/replace_file.hpp>
#include <xgrad/nn/text_width.hpp>

namespace xgrad::nn {
namespace {

namespace fs = std::filesystem;

// Numbers are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

constexpr std::uint64_t longest_header = 100'000'000;  // as in the reference implementation
constexpr const char* metadata_key = "__metadata__";

// Text of a file for a message: one line, not too long.
std::string shown(const std::string& text) {
  const std::string line = without_controls(text);
  const std::string_view part = cut_to_width(line, 60);
  return fmt::format("\"{}{}\"", part, part.size() < line.size() ? "..." : "");
}

// ---- types of numbers

float from_half(std::uint16_t h) {
  const std::uint32_t sign = (h & 0x8000U) << 16U;
  const std::uint32_t exponent = (h >> 10U) & 0x1FU;
  const std::uint32_t fraction = h & 0x3FFU;
  if (exponent == 0)
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(fraction) * 0x1p-24F));
  return std::bit_cast<float>(sign | (exponent == 31 ? 0x7F800000U : (exponent + 112) << 23U) | (fraction << 13U));
}

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
  std::uint64_t size;
  DType dtype;
  void (*convert)(const std::vector<char>& bytes, Tensor& out) = nullptr;  // none: the bytes are the numbers
};
constexpr std::array types{
    Type{"F64", 8, f64},
    Type{"I64", 8, i64},
    Type{"F32", 4, f32},
    Type{"BOOL", 1, boolean},
    Type{"U64", 8, i64, integers<std::uint64_t>},
    Type{"I32", 4, i64, integers<std::int32_t>},
    Type{"U32", 4, i64, integers<std::uint32_t>},
    Type{"I16", 2, i64, integers<std::int16_t>},
    Type{"U16", 2, i64, integers<std::uint16_t>},
    Type{"I8", 1, i64, integers<std::int8_t>},
    Type{"U8", 1, i64, integers<std::uint8_t>},
    Type{"F16", 2, f32, [](const std::vector<char>& b, Tensor& out) { each<std::uint16_t, float>(b, out, from_half); }},
    Type{"BF16", 2, f32,
         [](const std::vector<char>& b, Tensor& out) {
           each<std::uint16_t, float>(b, out,
                                      [](std::uint16_t x) { return std::bit_cast<float>(std::uint32_t{x} << 16U); });
         }},
};

// ---- the header

struct Entry {
  std::string name;
  const Type* type = nullptr;
  bool has_shape = false;
  std::vector<std::uint64_t> extents{};
  std::vector<std::uint64_t> offsets{};  // two of them, once they are read

  std::uint64_t begin() const { return offsets[0]; }
  std::uint64_t end() const { return offsets[1]; }
};

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw FormatError(fmt::format("safetensors: {}: {}", path.string(), what));
}

// Takes the JSON text piece by piece, since a tree of it would hide keys that come twice, and grow with what a hostile
// file nests.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const fs::path& path) : path_(path) {}

  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool start_object(std::size_t) override {
    ++depth_;
    if (depth_ == 1) return true;
    if (depth_ > 2) misplaced("an object");
    if (key_ != metadata_key) {
      if (!names_.insert(key_).second) fail(path_, fmt::format("tensor {} is there twice", shown(key_)));
      entries.push_back({.name = key_});
    } else if (std::exchange(had_metadata_, true)) {
      fail(path_, "the metadata are there twice");
    }
    in_metadata_ = key_ == metadata_key;
    return true;
  }
  bool end_object() override {
    if (depth_ == 2 && !in_metadata_) {
      const Entry& e = entries.back();
      if (e.type == nullptr || !e.has_shape || e.offsets.empty())
        fail(path_, fmt::format("tensor {} has no {}", shown(e.name),
                                e.type == nullptr ? "dtype"
                                : !e.has_shape    ? "shape"
                                                  : "data_offsets"));
    }
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    (depth_ == 1 ? key_ : field_) = name;
    return true;
  }
  bool string(string_t& text) override {
    if (depth_ == 2 && in_metadata_) {
      if (!metadata.emplace(field_, text).second)
        fail(path_, fmt::format("the metadata {} are there twice", shown(field_)));
      return true;
    }
    if (depth_ != 2 || field_ != "dtype") misplaced("text");
    Entry& e = entries.back();
    if (e.type != nullptr) twice();
    const auto* found = std::find_if(types.begin(), types.end(), [&](const Type& t) { return t.name == text; });
    if (found == types.end())
      fail(path_, fmt::format("tensor {} is of type {}, which is not known here", shown(e.name), shown(text)));
    e.type = &*found;
    return true;
  }
  bool start_array(std::size_t) override {
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
    numbers_ = nullptr;
    if (field_ == "data_offsets" && entries.back().offsets.size() != 2)
      fail(path_, fmt::format("tensor {} has {} data_offsets instead of 2", shown(entries.back().name),
                              entries.back().offsets.size()));
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (numbers_ == nullptr) misplaced("a number");
    if (field_ == "shape" && numbers_->size() == Shape::max_rank)
      fail(path_, fmt::format("tensor {} has more than {} axes", shown(entries.back().name), Shape::max_rank));
    numbers_->push_back(number);
    return true;
  }
  bool number_integer(number_integer_t) override { misplaced("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { misplaced("a number with a fraction"); }
  bool boolean(bool) override { misplaced("a truth value"); }
  bool null() override { misplaced("null"); }
  bool binary(binary_t&) override { misplaced("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail(path_, fmt::format("the header is not JSON from byte {} on", position));
  }

 private:
  [[noreturn]] void misplaced(const char* what) const {
    if (depth_ == 0) fail(path_, "the header is not an object");
    fail(path_, fmt::format("{} {} {}, which has no meaning", shown(key_),
                            depth_ > 1 ? "has at " + shown(field_) : "is", what));
  }
  [[noreturn]] void twice() const { fail(path_, fmt::format("tensor {} has {} twice", shown(key_), shown(field_))); }

  const fs::path& path_;
  int depth_ = 0;
  std::set<std::string> names_;
  std::string key_, field_;
  bool in_metadata_ = false, had_metadata_ = false;
  std::vector<std::uint64_t>* numbers_ = nullptr;
};

// The shape, once extents and offsets agree. Extents are multiplied as if those of 0 were 1, so that strides stay in
// range too.
Shape checked_shape(const fs::path& path, const Entry& e) {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max() / 8;  // bytes of the widest type
  std::uint64_t product = 1;
  Shape shape;
  for (const std::uint64_t extent : e.extents) {
    if (extent > 0 && product > most / extent) fail(path, fmt::format("tensor {} is too large", shown(e.name)));
    if (extent > 0) product *= extent;
    shape.push_back(static_cast<Index>(extent));
  }
  const std::uint64_t bytes = static_cast<std::uint64_t>(shape.elements()) * e.type->size;
  if (e.end() < e.begin() || e.end() - e.begin() != bytes) {
    fail(path, fmt::format("tensor {} of type {} and shape {} has {} bytes, but its data are from {} to {}",
                           shown(e.name), e.type->name, shape.str(), bytes, e.begin(), e.end()));
  }
  return shape;
}

// The data must be used once and wholly.
void check_order(const fs::path& path, std::vector<Entry>& entries, std::uint64_t bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin(), a.end()) < std::pair(b.begin(), b.end());
  });
  std::uint64_t at = 0;
  for (const Entry& e : entries) {
    if (e.end() > bytes)
      fail(path,
           fmt::format("tensor {} ends at byte {} of the data, of which there are {}", shown(e.name), e.end(), bytes));
    if (e.begin() < at) fail(path, fmt::format("tensor {} overlaps the one before it", shown(e.name)));
    if (e.begin() > at)
      fail(path, fmt::format("{} bytes before tensor {} belong to nothing", e.begin() - at, shown(e.name)));
    at = e.end();
  }
  if (at != bytes) fail(path, fmt::format("{} bytes at the end belong to nothing", bytes - at));
}

class Reader {
 public:
  explicit Reader(const fs::path& path) : path_(path) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) file_.open(path, std::ios::binary);
    if (!file_.is_open()) throw EnvironmentError(fmt::format("safetensors: cannot open {}", path.string()));
    size_ = fs::file_size(path);
  }
  std::uint64_t size() const { return size_; }
  void read(char* to, std::uint64_t count, const std::string& what) {
    file_.read(to, static_cast<std::streamsize>(count));
    if (static_cast<std::uint64_t>(file_.gcount()) != count) fail(path_, "the file ends within " + what);
  }

 private:
  const fs::path& path_;
  std::ifstream file_;
  std::uint64_t size_ = 0;
};

Tensor read_tensor(const fs::path& path, Reader& file, const Entry& e, const Shape& shape) {
  Tensor out(shape, e.type->dtype);
  const std::string what = "tensor " + shown(e.name);
  if (e.type->convert == nullptr) {
    file.read(static_cast<char*>(out.mutable_raw()), e.end() - e.begin(), what);
  } else {
    std::vector<char> bytes(e.end() - e.begin());
    file.read(bytes.data(), bytes.size(), what);
    e.type->convert(bytes, out);
  }
  if (e.type->dtype == boolean) {
    const auto* bytes = static_cast<const unsigned char*>(out.raw());
    if (std::any_of(bytes, bytes + out.bytes(), [](unsigned char b) { return b > 1; }))
      fail(path, fmt::format("{} has truth values that are neither 0 nor 1", what));
  }
  if (std::string_view(e.type->name) == "U64") {
    const auto numbers = out.values<std::int64_t>();
    if (std::any_of(numbers.begin(), numbers.end(), [](std::int64_t x) { return x < 0; }))
      fail(path, fmt::format("{} has numbers of 2^63 and above", what));
  }
  return out;
}

}  // namespace

TensorFile load_safetensors(const fs::path& path) {
  Reader file(path);
  std::uint64_t length = 0;
  if (file.size() < sizeof(length))
    fail(path, fmt::format("a file of {} bytes is not one of safetensors", file.size()));
  file.read(reinterpret_cast<char*>(&length), sizeof(length), "the length of the header");
  const std::uint64_t behind = file.size() - sizeof(length);
  if (length > std::min(behind, longest_header))
    fail(path, fmt::format("it claims a header of {} bytes; {} bytes follow", length, behind));
  std::string header(length, '\0');
  file.read(header.data(), length, "the header");
  if (!header.starts_with('{')) fail(path, "the header does not begin with {");

  HeaderReader reader(path);
  nlohmann::json::sax_parse(header, &reader);
  for (const Entry& e : reader.entries) (void)checked_shape(path, e);
  check_order(path, reader.entries, behind - length);

  TensorFile out;
  out.metadata = std::move(reader.metadata);
  for (const Entry& e : reader.entries) out.tensors.emplace(e.name, read_tensor(path, file, e, checked_shape(path, e)));
  return out;
}

void save_safetensors(const fs::path& path, const TensorFile& file) {
  std::vector<const NamedTensors::value_type*> order;
  for (const auto& entry : file.tensors) {
    if (entry.second.empty()) throw UserError(fmt::format("safetensors: tensor {} is empty", shown(entry.first)));
    if (entry.first == metadata_key) throw UserError("safetensors: a tensor cannot be named __metadata__");
    order.push_back(&entry);
  }
  // The widest numbers first, so that all lie where they may be read in place.
  std::stable_sort(order.begin(), order.end(),
                   [](auto a, auto b) { return size_of(a->second.dtype()) > size_of(b->second.dtype()); });

  // Entry by entry: an object of nlohmann's that keeps their order would search all of them for each new one.
  std::string text = "{";
  std::uint64_t at = 0;
  try {
    const auto add = [&](const std::string& key, const nlohmann::ordered_json& value) {
      text += (text.size() > 1 ? "," : "") + nlohmann::json(key).dump() + ":" + value.dump();
    };
    if (!file.metadata.empty()) add(metadata_key, file.metadata);
    for (const auto* entry : order) {
      const Tensor& t = entry->second;
      const auto* type = std::find_if(types.begin(), types.end(), [&](const Type& x) { return x.dtype == t.dtype(); });
      add(entry->first, {{"dtype", type->name},
                         {"shape", std::vector<Index>(t.shape().begin(), t.shape().end())},
                         {"data_offsets", {at, at + t.bytes()}}});
      at += t.bytes();
    }
  } catch (const nlohmann::json::type_error&) {
    throw UserError(fmt::format("safetensors: {}: names and metadata must be UTF-8", path.string()));
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  if (length > longest_header)
    throw UserError(fmt::format("safetensors: {}: a header of {} bytes is too long", path.string(), length));

  std::vector<std::string_view> parts{{reinterpret_cast<const char*>(&length), sizeof(length)}, text};
  for (const auto* entry : order)
    parts.emplace_back(static_cast<const char*>(entry->second.raw()), entry->second.bytes());
  replace_file("safetensors", path, parts);
}

}  // namespace xgrad::nn
