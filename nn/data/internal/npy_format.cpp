#include <xgrad/nn/data/internal/npy_format.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/internal/small_floats.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t longest_header = 65536;  // numeric arrays need a few hundred bytes

// Supported element types, by kind letter and size in bytes.
struct ElementType {
  char kind;
  std::size_t size;
  DType dtype;
};
constexpr ElementType element_types[] = {
    {'b', 1, boolean}, {'i', 1, i64}, {'i', 2, i64}, {'i', 4, i64}, {'i', 8, i64}, {'u', 1, i64},
    {'u', 2, i64},     {'u', 4, i64}, {'u', 8, i64}, {'f', 2, f32}, {'f', 4, f32}, {'f', 8, f64},
};

// Long dtype names that numpy.dtype also accepts.
constexpr std::pair<std::string_view, std::string_view> long_names[] = {
    {"bool", "b1"},    {"?", "b1"},       {"int8", "i1"},    {"int16", "i2"},  {"int32", "i4"},
    {"int64", "i8"},   {"uint8", "u1"},   {"uint16", "u2"},  {"uint32", "u4"}, {"uint64", "u8"},
    {"float16", "f2"}, {"float32", "f4"}, {"float64", "f8"},
};

// The reason why arrays of a dtype are not supported.
std::string_view reason_against(std::string_view type) {
  switch (type.empty() ? ' ' : type[0]) {
    case 'O': return "Python objects are not read";
    case 'S':
    case 'a':
    case 'U': return "text is not read";
    case 'M':
    case 'm': return "dates and times are not read\n  hint: save x.astype(\"int64\")";
    case 'c': return "complex numbers are not read\n  hint: save x.real and x.imag";
    case 'V': return "raw bytes are not read; NumPy saves unknown dtypes such as bfloat16 this way";
    default:
      if (type == "f12" || type == "f16")
        return "floating-point numbers of more than 64 bits are not read\n  hint: save x.astype(\"float64\")";
      return "only bool, integers, and floating-point numbers of 16 to 64 bits are read";
  }
}

// Parses the header: the subset of Python dictionary literals that numeric arrays need.
class HeaderParser {
 public:
  HeaderParser(const std::string& where, std::string_view text) : where_(where), text_(text) {}

  ArrayHeader parse() {
    expect('{', "the header is not a dictionary");
    bool descr = false, order = false, shape = false;
    while (!accept('}')) {
      const std::string_view key = string("a key of the header");
      expect(':', fmt::format("no colon after the key {}", in_quotes(key)));
      bool* seen = key == "descr" ? &descr : key == "fortran_order" ? &order : key == "shape" ? &shape : nullptr;
      if (seen == nullptr) fail(fmt::format("the header has the unknown key {}", in_quotes(key)));
      if (*seen) fail(fmt::format("the header has the key {} twice", in_quotes(key)));
      *seen = true;
      if (seen == &descr) read_type();
      if (seen == &order) read_order();
      if (seen == &shape) read_shape();
      if (!accept(',')) {
        expect('}', fmt::format("expected , or }} after the value of {}", in_quotes(key)));
        break;
      }
    }
    skip_space();
    if (at_ != text_.size())
      fail(fmt::format("unexpected {} after the header's dictionary", in_quotes(text_.substr(at_))));
    for (const auto& [present, name] : {std::pair{descr, "descr"}, {order, "fortran_order"}, {shape, "shape"}}) {
      if (!present) fail(fmt::format("the header has no key \"{}\"", name));
    }
    return header_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw FormatError(fmt::format("{}: {}", where_, what)); }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c, const std::string& otherwise) {
    if (!accept(c)) fail(fmt::format("{}, at {}", otherwise, in_quotes(text_.substr(at_))));
  }
  bool accept_word(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::string_view string(const char* what) {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : ' ';
    if (quote != '\'' && quote != '"') fail(fmt::format("{} is not a string: {}", what, in_quotes(text_.substr(at_))));
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail(fmt::format("{} has no closing quote", what));
    const std::string_view out = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return out;
  }

  void read_type() {
    skip_space();
    if (at_ < text_.size() && (text_[at_] == '[' || text_[at_] == '('))
      fail("\"descr\" is a structured dtype, which is not supported");
    const std::string_view descr = string("\"descr\"");
    // Without a byte order the native one is used, as in NumPy.
    const bool order = !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
    std::string_view type = descr.substr(order ? 1 : 0);
    for (const auto& [name, meaning] : long_names) type = type == name ? meaning : type;
    const auto* found = std::find_if(std::begin(element_types), std::end(element_types), [&](const ElementType& t) {
      return type.size() == 2 && type[0] == t.kind && type[1] == static_cast<char>('0' + t.size);
    });
    if (found == std::end(element_types))
      fail(fmt::format("\"descr\" is {}: {}", in_quotes(descr), reason_against(type)));
    header_.kind = found->kind;
    header_.size = found->size;
    header_.dtype = found->dtype;
    constexpr bool little = std::endian::native == std::endian::little;
    header_.swapped = found->size > 1 && descr[0] == (little ? '>' : '<');
  }

  void read_order() {
    header_.by_column = accept_word("True");
    if (!header_.by_column && !accept_word("False"))
      fail(fmt::format("\"fortran_order\" is neither True nor False: {}", in_quotes(text_.substr(at_))));
  }

  void read_shape() {
    expect('(', "\"shape\" is not a tuple");
    while (!accept(')')) {
      if (header_.shape.rank() == Shape::max_rank)
        fail(fmt::format("\"shape\" has more than {} axes", Shape::max_rank));
      const Index next = extent();
      try {
        header_.shape.push_back(next);
      } catch (const ShapeError& error) {
        fail(fmt::format("\"shape\" is too large: {}", error.message()));
      }
      if (!accept(',')) {
        // In Python, (3) is a number and (3,) is a tuple.
        if (header_.shape.rank() == 1) fail("\"shape\" is not a tuple: a single extent needs a comma after it");
        expect(')', "\"shape\" is not closed");
        break;
      }
    }
  }

  Index extent() {
    skip_space();
    const std::size_t begin = at_;
    Index value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (value > (Index{1} << 48))
        fail(fmt::format("\"shape\" has the extent {}, which is too large", in_quotes(text_.substr(begin, 24))));
      value = value * 10 + (text_[at_] - '0');
    }
    if (at_ == begin)
      fail(fmt::format("\"shape\" has an extent that is not a number: {}", in_quotes(text_.substr(at_))));
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // the suffix that Python 2 wrote
    return value;
  }

  const std::string& where_;
  std::string_view text_;
  std::size_t at_ = 0;
  ArrayHeader header_;
};

// Reads an S at `p`, with its bytes reversed if `swapped`.
template <class S>
S number_at(const unsigned char* p, bool swapped) {
  std::array<unsigned char, sizeof(S)> bytes;
  std::memcpy(bytes.data(), p, sizeof(S));
  if (swapped) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<S>(bytes);
}

// Iterates over the row-major positions of the elements of a column-major array.
class ColumnMajorIterator {
 public:
  explicit ColumnMajorIterator(const Shape& shape) : shape_(shape), strides_(shape.strides()) {}
  // The position of the next element.
  Index next() {
    const Index at = position_;
    for (int axis = 0; axis < shape_.rank(); ++axis) {  // odometer: the first axis runs fastest
      const auto a = static_cast<std::size_t>(axis);
      position_ += strides_[a];
      if (++count_[a] < shape_[axis]) break;
      position_ -= strides_[a] * shape_[axis];
      count_[a] = 0;
    }
    return at;
  }

 private:
  const Shape& shape_;
  std::array<Index, Shape::max_rank> strides_;
  std::array<Index, Shape::max_rank> count_{};
  Index position_ = 0;
};

// Element types that have no C++ type of their own.
struct Half {
  std::uint16_t bits;
};
struct Bool {
  std::uint8_t byte;
};

class Decoder {
 public:
  Decoder(const std::string& where, const ArrayHeader& header, const std::vector<unsigned char>& bytes, DType dtype)
      : where_(where), header_(header), bytes_(bytes), out_(header.shape, dtype) {
    if (dtype == i64 && header.kind == 'f')
      throw DTypeError(fmt::format("{}: floating-point elements cannot be read as i64", where));
    if (dtype == boolean && header.kind != 'b')
      throw DTypeError(fmt::format("{}: numeric elements cannot be read as bool", where));
  }

  Tensor read() {
    if (header_.kind == 'b') convert<Bool>();
    if (header_.kind == 'f') of_size<Half, float, double>();
    if (header_.kind == 'i') of_size<std::int8_t, std::int16_t, std::int32_t, std::int64_t>();
    if (header_.kind == 'u') of_size<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>();
    return std::move(out_);
  }

 private:
  template <class... S>
  void of_size() {
    ((sizeof(S) == header_.size ? convert<S>() : void()), ...);
  }

  template <class S>
  void convert() {
    with_dtype(out_.dtype(), [&](auto zero) { convert<S>(out_.mutable_values<decltype(zero)>().data()); });
  }

  template <class S, class T>
  void convert(T* to) {
    ColumnMajorIterator position(header_.shape);
    const bool swapped = header_.swapped, by_column = header_.by_column;
    const unsigned char* from = bytes_.data();
    for (Index i = 0, count = out_.elements(); i < count; ++i, from += sizeof(S))
      to[by_column ? position.next() : i] = converted<T>(number_at<S>(from, swapped), i);
  }

  template <class T, class S>
  T converted(S number, Index i) const {
    if constexpr (std::is_same_v<S, Half>) {
      return static_cast<T>(float_from_half(number.bits));
    } else if constexpr (std::is_same_v<S, Bool>) {
      if (number.byte > 1) fail(i, fmt::format("bool must be 0 or 1, got byte {}", number.byte));
      return static_cast<T>(number.byte == 1);
    } else {
      if constexpr (std::is_same_v<T, std::int64_t> && std::is_same_v<S, std::uint64_t>) {
        if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
          fail(i, fmt::format("{} does not fit i64", number));
      }
      return static_cast<T>(number);
    }
  }

  [[noreturn]] void fail(Index i, const std::string& what) const {
    throw FormatError(fmt::format("{}: element {} of the file: {}", where_, i, what));
  }

  const std::string& where_;
  const ArrayHeader& header_;
  const std::vector<unsigned char>& bytes_;
  Tensor out_;
};

class Reader {
 public:
  Reader(const std::string& where, const ByteSource& source) : where_(where), source_(source) {}

  Tensor read(std::optional<DType> dtype) {
    const ArrayHeader header = read_header();
    std::size_t bytes = header.size;
    for (const Index extent : header.shape) {
      if (__builtin_mul_overflow(bytes, static_cast<std::size_t>(extent), &bytes) || bytes > (std::size_t{1} << 48))
        fail(fmt::format("\"shape\" {} is too large", header.shape.str()));
    }
    return with_file_memory([&] { return where_; }, [&] { return read_numbers(header, bytes, dtype); },
                            [&] { return fmt::format("{} bytes of {}", bytes, header.shape.str()); });
  }

 private:
  Tensor read_numbers(const ArrayHeader& header, std::size_t bytes, std::optional<DType> dtype) {
    const std::vector<unsigned char> data = read_up_to(bytes, source_);
    if (data.size() != bytes) {
      fail(fmt::format("the file ends within the data: \"shape\" {} needs {} bytes, got {}", header.shape.str(), bytes,
                       data.size()));
    }
    unsigned char more = 0;
    if (source_(&more, 1) != 0)
      fail(fmt::format("the file has more data than the {} bytes of \"shape\" {}; expected a single array", bytes,
                       header.shape.str()));
    return decode_array(where_, header, data, dtype.value_or(header.dtype));
  }

  [[noreturn]] void fail(const std::string& what) const { throw FormatError(fmt::format("{}: {}", where_, what)); }

  void read_all(void* to, std::size_t count, const char* what) {
    const std::size_t got = source_(to, count);
    if (got != count) fail(fmt::format("the file ends within {}: {} of {} bytes", what, got, count));
  }

  ArrayHeader read_header() {
    std::array<char, 8> start{};
    const std::size_t there = source_(start.data(), start.size());
    const std::string_view begin(start.data(), there);
    if (!begin.substr(0, magic.size()).starts_with(magic.substr(0, there))) {
      std::string more(504, '\0');
      more.resize(source_(more.data(), more.size()));
      fail(not_of_format(
          "an npy file", std::string(begin) + more,
          fmt::format("it begins with {}, expected {}", in_quotes(begin.substr(0, magic.size())), in_quotes(magic))));
    }
    if (there == 0) fail("the file is empty");
    if (there < start.size())
      fail(fmt::format("the file ends within the magic string: {} of {} bytes", there, start.size()));
    const int major = start[6], minor = start[7];
    if (major < 1 || major > 3 || minor != 0)
      fail(fmt::format("version must be 1.0, 2.0 or 3.0, got {}.{}", major, minor));
    std::array<unsigned char, 4> count{};
    read_all(count.data(), major == 1 ? 2 : 4, "the length of the header");
    std::size_t length = 0;
    for (std::size_t i = count.size(); i-- > 0;) length = length << 8 | count[i];
    if (length > longest_header)
      fail(fmt::format("the header of {} bytes exceeds the limit of {}", length, longest_header));
    std::string text(length, '\0');
    read_all(text.data(), length, "the header");
    return HeaderParser(where_, text).parse();
  }

  const std::string& where_;
  const ByteSource& source_;
};

}  // namespace

Tensor decode_array(const std::string& where, const ArrayHeader& header, const std::vector<unsigned char>& bytes,
                    DType dtype) {
  return Decoder(where, header, bytes, dtype).read();
}

Tensor read_npy_bytes(const std::string& where, const ByteSource& source, std::optional<DType> dtype) {
  return Reader(where, source).read(dtype);
}

std::string npy_header(const Tensor& tensor) {
  constexpr char order = std::endian::native == std::endian::little ? '<' : '>';
  const auto descr = [&] {
    switch (tensor.dtype()) {
      case DType::f32: return fmt::format("{}f4", order);
      case DType::f64: return fmt::format("{}f8", order);
      case DType::i64: return fmt::format("{}i8", order);
      case DType::boolean: return std::string("|b1");
    }
    throw InternalError("npy_header: unknown dtype");
  };
  std::string shape;
  for (const Index extent : tensor.shape()) shape += fmt::format("{}{}", shape.empty() ? "" : ", ", extent);
  if (tensor.shape().rank() == 1) shape += ',';
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr(), shape);
  // The data begins at a multiple of 64 bytes. Magic string, version and length take 10 bytes, the final newline 1.
  text.append(63 - (10 + text.size()) % 64, ' ');
  text += '\n';
  std::string out(magic);
  out += '\x01';
  out += '\x00';
  out += static_cast<char>(text.size() & 0xFF);
  out += static_cast<char>(text.size() >> 8);
  return out + text;
}

}  // namespace xgrad::inline v0::nn
