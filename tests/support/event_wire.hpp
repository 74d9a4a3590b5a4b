// Independent reader of event files, for tests of the library's writer: records, checksums and the protocol buffer wire
// format.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace event_wire {

// ---- records

// CRC-32C, bit by bit, with the polynomial 0x1EDC6F41, least significant bit first.
inline std::uint32_t crc32c(std::string_view data) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}
inline std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15U) | (crc << 17U)) + 0xA282EAD8U; }

inline std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) out |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return out;
}
inline std::string bytes_of(std::uint64_t number, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += static_cast<char>((number >> (8 * i)) & 0xFFU);
  return out;
}

struct Records {
  std::vector<std::string> data;
  std::size_t rest = 0;  // bytes of a truncated last record
};

// Splits a file into records and checks the checksums.
inline Records records(std::string_view file) {
  Records out;
  while (!file.empty()) {
    out.rest = file.size();
    if (file.size() < 12) return out;
    REQUIRE(little_endian(file.substr(8, 4)) == masked(crc32c(file.substr(0, 8))));
    const std::uint64_t length = little_endian(file.substr(0, 8));
    if (file.size() < 16 + length) return out;
    const std::string_view data = file.substr(12, length);
    REQUIRE(little_endian(file.substr(12 + length, 4)) == masked(crc32c(data)));
    out.data.emplace_back(data);
    file.remove_prefix(16 + length);
    out.rest = 0;
  }
  return out;
}

inline std::string record(std::string_view data) {
  const std::string length = bytes_of(data.size(), 8);
  return length + bytes_of(masked(crc32c(length)), 4) + std::string(data) + bytes_of(masked(crc32c(data)), 4);
}

inline std::string content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}

// ---- messages

struct Field {
  std::uint64_t number;
  unsigned type;        // 0 varint, 1 eight bytes, 2 bytes, 5 four bytes
  std::uint64_t value;  // for all types but bytes
  std::string_view bytes;
};

class Message {
 public:
  Message() = default;
  explicit Message(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::uint64_t key = varint(bytes);
      Field field{key >> 3U, static_cast<unsigned>(key & 7U), 0, {}};
      REQUIRE(field.number > 0);
      if (field.type == 0) {
        field.value = varint(bytes);
      } else {
        REQUIRE((field.type == 1 || field.type == 2 || field.type == 5));
        const std::uint64_t size = field.type == 1 ? 8 : field.type == 5 ? 4 : varint(bytes);
        REQUIRE(bytes.size() >= size);
        field.bytes = bytes.substr(0, size);
        if (field.type != 2) field.value = little_endian(field.bytes);
        bytes.remove_prefix(size);
      }
      fields_.push_back(field);
    }
  }

  bool has(std::uint64_t number) const { return find(number) != nullptr; }
  std::string text(std::uint64_t number) const {
    const Field* field = find(number);
    return field == nullptr ? std::string() : std::string(field->bytes);
  }
  std::int64_t integer(std::uint64_t number) const {
    const Field* field = find(number);
    return field == nullptr ? 0 : static_cast<std::int64_t>(field->value);
  }
  double real(std::uint64_t number) const {
    const Field* field = find(number);
    return field == nullptr ? 0 : as_double(field->bytes);
  }
  // A missing message is an empty one.
  Message message(std::uint64_t number) const {
    const Field* field = find(number);
    return field == nullptr ? Message() : Message(field->bytes);
  }
  std::vector<Message> messages(std::uint64_t number) const {
    std::vector<Message> out;
    for (const Field& f : fields_) {
      if (f.number == number) out.emplace_back(f.bytes);
    }
    return out;
  }
  std::vector<std::string> texts(std::uint64_t number) const {
    std::vector<std::string> out;
    for (const Field& f : fields_) {
      if (f.number == number) out.emplace_back(f.bytes);
    }
    return out;
  }
  // Values of four or eight bytes, packed or repeated.
  std::vector<double> reals(std::uint64_t number, std::size_t size) const {
    std::vector<double> out;
    for (const Field& f : fields_) {
      if (f.number != number) continue;
      REQUIRE(f.bytes.size() % size == 0);
      for (std::size_t at = 0; at < f.bytes.size(); at += size) {
        const std::string_view bytes = f.bytes.substr(at, size);
        out.push_back(size == 4 ? static_cast<double>(as_float(bytes)) : as_double(bytes));
      }
    }
    return out;
  }

  static double as_double(std::string_view bytes) {
    double out = 0;
    REQUIRE(bytes.size() == sizeof(out));
    std::memcpy(&out, bytes.data(), sizeof(out));
    return out;
  }
  static float as_float(std::string_view bytes) {
    float out = 0;
    REQUIRE(bytes.size() == sizeof(out));
    std::memcpy(&out, bytes.data(), sizeof(out));
    return out;
  }
  static std::uint64_t varint(std::string_view& bytes) {
    std::uint64_t out = 0;
    for (unsigned shift = 0;; shift += 7) {
      REQUIRE((!bytes.empty() && shift < 64));
      const auto byte = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      out |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return out;
    }
  }

 private:
  // The last field of that number, as the format defines.
  const Field* find(std::uint64_t number) const {
    const Field* out = nullptr;
    for (const Field& f : fields_) {
      if (f.number == number) out = &f;
    }
    return out;
  }
  std::vector<Field> fields_;
};

// ---- messages, written

inline std::string varint(std::uint64_t number) {
  std::string out;
  for (; number >= 0x80; number >>= 7U) out += static_cast<char>((number & 0x7FU) | 0x80U);
  return out + static_cast<char>(number);
}
inline std::string field(std::uint64_t number, std::string_view bytes) {
  return varint(number << 3U | 2U) + varint(bytes.size()) + std::string(bytes);
}
inline std::string field(std::uint64_t number, std::int64_t value) {
  return varint(number << 3U) + varint(static_cast<std::uint64_t>(value));
}
inline std::string field(std::uint64_t number, double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return varint(number << 3U | 1U) + bytes_of(bits, 8);
}
inline std::string field(std::uint64_t number, float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return varint(number << 3U | 5U) + bytes_of(bits, 4);
}

// ---- events, with the field numbers of tensorboard/compat/proto

// A value of a summary.
struct WireValue {
  explicit WireValue(const Message& m)
      : tag(m.text(1)),
        plugin(m.message(9).message(1).text(1)),
        content(m.message(9).message(1).text(2)),
        data_class(m.message(9).integer(4)),
        tensor(m.message(8)) {}

  std::vector<std::int64_t> shape() const {
    std::vector<std::int64_t> out;
    for (const Message& dim : tensor.message(2).messages(2)) out.push_back(dim.integer(1));
    return out;
  }
  double scalar() const {
    REQUIRE(plugin == "scalars");
    REQUIRE(data_class == 1);
    REQUIRE(tensor.integer(1) == 1);  // DT_FLOAT
    REQUIRE(shape().empty());
    const std::vector<double> numbers = tensor.reals(5, 4);
    REQUIRE(numbers.size() == 1);
    return numbers[0];
  }
  struct Bin {
    double left, right, count;
  };
  std::vector<Bin> histogram() const {
    REQUIRE(plugin == "histograms");
    REQUIRE(data_class == 2);
    REQUIRE(tensor.integer(1) == 2);  // DT_DOUBLE
    const auto extents = shape();
    REQUIRE((extents.size() == 2 && extents[1] == 3));
    const std::vector<double> n = tensor.reals(4, 8);
    REQUIRE(static_cast<std::int64_t>(n.size()) == extents[0] * 3);
    std::vector<Bin> out;
    for (std::size_t i = 0; i < n.size(); i += 3) out.push_back({n[i], n[i + 1], n[i + 2]});
    return out;
  }

  std::string tag, plugin, content;
  std::int64_t data_class;
  Message tensor;
};

struct WireEvent {
  explicit WireEvent(std::string data) : bytes(std::make_shared<const std::string>(std::move(data))), message(*bytes) {}
  std::int64_t step() const { return message.integer(2); }
  double wall_time() const { return message.real(1); }
  std::vector<WireValue> values() const {
    std::vector<WireValue> out;
    for (const Message& value : message.message(5).messages(1)) out.emplace_back(value);
    return out;
  }

  std::shared_ptr<const std::string> bytes;  // storage of `message`
  Message message;
};

// All events of a file, which must not be truncated.
inline std::vector<WireEvent> events(const std::filesystem::path& path) {
  const Records all = records(content(path));
  REQUIRE(all.rest == 0);
  std::vector<WireEvent> out;
  for (const std::string& data : all.data) out.emplace_back(data);
  REQUIRE(!out.empty());
  REQUIRE(out[0].message.text(3) == "brain.Event:2");
  return out;
}

}  // namespace event_wire
