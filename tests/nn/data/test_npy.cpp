// NumPy files: exact bytes, malicious files, and a comparison with NumPy where it is installed.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <zip.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/npy.hpp>
#include <xgrad/nn/data/random.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;

namespace {

std::string little_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
  return out;
}
std::string big_endian(std::uint64_t value, int bytes) {
  std::string out = little_endian(value, bytes);
  return {out.rbegin(), out.rend()};
}
template <class T>
std::string bytes_of(std::initializer_list<T> numbers) {
  std::string out(numbers.size() * sizeof(T), '\0');
  std::memcpy(out.data(), std::data(numbers), out.size());
  return out;
}

// A file of version `major` with an arbitrary header.
std::string npy(const std::string& header, const std::string& numbers, int major = 1) {
  std::string out = "\x93NUMPY";
  out += static_cast<char>(major);
  out += '\0';
  return out + little_endian(header.size(), major == 1 ? 2 : 4) + header + numbers;
}
std::string dictionary(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> out;
  for (Index i = 0; i < t.elements(); ++i) out.push_back(t.at(i));
  return out;
}

Tensor read(const std::string& content) {
  const ScratchFolder folder;
  return load_npy(write_file(folder / "a.npy", content));
}
std::string refused(const std::string& content) {
  const ScratchFolder folder;
  const fs::path path = write_file(folder / "a.npy", content);
  const std::string message = message_of<FormatError>([&] { (void)load_npy(path); });
  CHECK(contains(message, "load_npy: " + path.string() + ": "));
  return message;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// An archive of these members.
fs::path write_zip(const fs::path& path, const std::vector<std::pair<std::string, std::string>>& members,
                   bool deflate = false) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  REQUIRE(archive != nullptr);
  for (const auto& [name, content] : members) {
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
    const auto at = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    REQUIRE(at >= 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(at), deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  REQUIRE(zip_close(archive) == 0);
  return path;
}

// The output of a Python program; nothing, with a message, if Python or NumPy is missing. Debian's NumPy works with
// Debian's Python only, which need not be the first on the path.
std::optional<std::string> python(const fs::path& folder, const std::string& program) {
  for (const std::string name : {"python3", "/usr/bin/python3"}) {
    if (std::system((name + " -c 'import numpy' >/dev/null 2>&1").c_str()) != 0) continue;
    write_file(folder / "program.py", program);
    const int status = std::system(("cd '" + folder.string() + "' && " + name + " program.py >out.txt 2>&1").c_str());
    const std::string out = read_file(folder / "out.txt");
    CHECK_MESSAGE(status == 0, out);
    return out;
  }
  MESSAGE("skipped: there is no python3 with numpy");
  return std::nullopt;
}

}  // namespace

TEST_CASE("npy: reads every dtype in both byte orders") {
  struct Case {
    std::string descr, bytes;
    DType dtype;
    std::vector<double> expected;
  };
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Case> cases = {
      {"|b1", std::string("\x00\x01\x01", 3), boolean, {0, 1, 1}},
      {"i3", "abcdefghi", i64, {}},
      {"|u1", std::string("\x00\x7F\xFF", 3), i64, {0, 127, 255}},
      {"|i1", std::string("\x00\x7F\xFF", 3), i64, {0, 127, -1}},
      {"<u2", little_endian(0xFFFE, 2) + little_endian(1, 2) + little_endian(2, 2), i64, {65534, 1, 2}},
      {">i2", big_endian(0xFFFE, 2) + big_endian(1, 2) + big_endian(0x8000, 2), i64, {-2, 1, -32768}},
      {"<i4", bytes_of<std::int32_t>({-70000, 1, 2}), i64, {-70000, 1, 2}},
      {">u4", big_endian(0xFFFFFFFF, 4) + big_endian(1, 4) + big_endian(2, 4), i64, {4294967295, 1, 2}},
      {"<i8", bytes_of<std::int64_t>({-1, 1LL << 40, 3}), i64, {-1, 1099511627776, 3}},
      {"<u8", bytes_of<std::uint64_t>({0, 1ULL << 40, 3}), i64, {0, 1099511627776, 3}},
      {"<f2",
       little_endian(0x3C00, 2) + little_endian(0xC000, 2) + little_endian(0x0001, 2),
       f32,
       {1, -2, std::ldexp(1.0, -24)}},
      {">f2",
       big_endian(0x7BFF, 2) + big_endian(0xFC00, 2) + big_endian(0x3555, 2),
       f32,
       {65504, -infinity, 0.333251953125}},
      {"<f4", bytes_of<float>({1.5F, -2, 3}), f32, {1.5, -2, 3}},
      {">f4", big_endian(0x3FC00000, 4) + big_endian(0, 4) + big_endian(0xFF800000, 4), f32, {1.5, 0, -infinity}},
      {"<f8", bytes_of<double>({0.1, -2, 3}), f64, {0.1, -2, 3}},
      {">f8", big_endian(0x3FF8000000000000, 8) + big_endian(0, 8) + big_endian(0, 8), f64, {1.5, 0, 0}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.descr);
    if (c.expected.empty()) {
      CHECK(contains(refused(npy(dictionary(c.descr, "(3,)"), c.bytes)), "only bool, integers"));
      continue;
    }
    for (const int version : {1, 2, 3}) {
      const Tensor t = read(npy(dictionary(c.descr, "(3,)"), c.bytes, version));
      CHECK(t.shape() == Shape{3});
      CHECK(t.dtype() == c.dtype);
      CHECK(numbers(t) == c.expected);
    }
  }
  CHECK(std::isnan(read(npy(dictionary("<f2", "()"), little_endian(0x7E00, 2))).item()));
}

TEST_CASE("npy: reads shapes in row-major and column-major order") {
  const std::string six = bytes_of<double>({1, 2, 3, 4, 5, 6});
  CHECK(read(npy(dictionary("<f8", "()"), bytes_of<double>({7}))).shape() == Shape{});
  CHECK(numbers(read(npy(dictionary("<f8", "(2, 3)"), six))) == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(numbers(read(npy(dictionary("<f8", "(2, 3)", "True"), six))) == std::vector<double>{1, 3, 5, 2, 4, 6});
  CHECK(numbers(read(npy(dictionary("<f8", "(3, 1, 2)", "True"), six))) == std::vector<double>{1, 4, 2, 5, 3, 6});
  CHECK(numbers(read(npy(dictionary("<f8", "(6,)", "True"), six))) == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(read(npy(dictionary("<f8", "(0,)"), "")).shape() == Shape{0});
  CHECK(read(npy(dictionary("<f8", "(3, 0, 2)", "True"), "")).shape() == Shape{3, 0, 2});
  CHECK(read(npy(dictionary("<f8", "(1,1,1,1,1,1,2,3)"), six)).shape().rank() == 8);
  CHECK(read(npy(dictionary("<f8", "(2L, 3L)"), six)).shape() == Shape{2, 3});  // of Python 2
  // Keys in any order, double quotes, no trailing comma, spaces and a line end.
  CHECK(read(npy("{\"shape\": (2, 3,), \"fortran_order\": False, \"descr\": \"<f8\"}    \n", six)).shape() ==
        Shape{2, 3});
}

TEST_CASE("npy: an invalid header throws and names the field") {
  const std::string two = bytes_of<double>({1, 2});
  const auto header = [&](const std::string& text) { return refused(npy(text, two)); };
  CHECK(contains(refused(""), "the file is empty"));
  CHECK(contains(refused("PK\x05 and so on"), "not an npy file: it begins with \"PK\\x05 an\""));
  CHECK(contains(refused(npy(dictionary("<f8", "(2,)"), two, 4)), "version must be 1.0, 2.0 or 3.0, got 4.0"));
  CHECK(contains(refused(npy(dictionary("<f8", "(2,)"), two, 0)), "got 0.0"));
  CHECK(contains(refused(npy(dictionary("|O", "(2,)"), two)), "\"descr\" is \"|O\": Python objects are not read"));
  CHECK(contains(refused(npy(dictionary("O8", "(2,)"), two)), "Python objects are not read"));
  for (const char* descr : {"<i3", "<b1x", "<", "", "f", "<f3", "<u0", "x4"}) {
    CAPTURE(descr);
    CHECK(contains(refused(npy(dictionary(descr, "(2,)"), two)), "only bool, integers"));
  }
  CHECK(contains(header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,)}"), "a structured dtype"));
  CHECK(contains(header("{'descr': 5, 'fortran_order': False, 'shape': (2,)}"), "\"descr\" is not a string: \"5,"));
  CHECK(contains(header("{'descr': '<f8"), "\"descr\" has no closing quote"));
  CHECK(contains(header(dictionary("<f8", "(2,)", "0")), "\"fortran_order\" is neither True nor False: \"0"));
  CHECK(contains(header(dictionary("<f8", "2")), "\"shape\" is not a tuple"));
  CHECK(contains(header(dictionary("<f8", "(2)")), "a single extent needs a comma"));
  CHECK(contains(header(dictionary("<f8", "(,)")), "an extent that is not a number"));
  CHECK(contains(header(dictionary("<f8", "(-2,)")), "an extent that is not a number: \"-2"));
  CHECK(contains(header(dictionary("<f8", "(2.0,)")), "needs a comma"));
  CHECK(contains(header(dictionary("<f8", "(1, 2")), "\"shape\" "));
  CHECK(contains(header(dictionary("<f8", "(1,1,1,1,1,1,1,1,1)")), "more than 8 axes"));
  CHECK(contains(header(dictionary("<f8", "(99999999999999999999,)")), "the extent \"99999999999999999999"));
  CHECK(contains(header(dictionary("<f8", "(16777216, 16777216, 16777216)")), "is too large"));
  CHECK(contains(header(dictionary("<f8", "(281474976710656, 281474976710656, 281474976710656)")), "is too large"));
  CHECK(contains(header("{'descr': '<f8', 'shape': (2,)}"), "no key \"fortran_order\""));
  CHECK(contains(header("{}"), "no key \"descr\""));
  CHECK(contains(header("{'descr': '<f8', 'descr': '<f8', 'shape': (2,)}"), "the key \"descr\" twice"));
  CHECK(contains(header("{'descr': '<f8', 'color': 'red'}"), "the unknown key \"color\""));
  CHECK(contains(header("{'descr' '<f8'}"), "no colon after the key \"descr\""));
  CHECK(contains(header(dictionary("<f8", "(2,)") + "x"), "unexpected \"x\" after the header's dictionary"));
  CHECK(contains(header("[]"), "the header is not a dictionary"));
  CHECK(contains(header(""), "the header is not a dictionary"));
  CHECK(contains(header("{'descr': '<f8'; 'shape': (2,)}"), "expected , or } after the value of \"descr\""));
  CHECK(contains(refused(npy(std::string(70000, ' '), two, 2)), "exceeds the limit of 65536"));
  CHECK(contains(refused("\x93NUMPY\x02" + std::string(1, '\0') + "\xFF\xFF\xFF\xFF"), "of 4294967295 bytes exceeds"));
  CHECK(contains(refused(npy(dictionary("<f8", "(2,)"), two + "x")), "more data than the 16 bytes of \"shape\" [2]"));
  CHECK(contains(refused(npy(dictionary("<f8", "(1000000000000,)"), two)), "needs 8000000000000 bytes, got 16"));
  CHECK(contains(refused(npy(dictionary("|b1", "(2,)"), "\x01\x02")),
                 "element 1 of the file: bool must be 0 or 1, got byte 2"));
  CHECK(contains(refused(npy(dictionary("<u8", "(1,)"), bytes_of<std::uint64_t>({1ULL << 63}))),
                 "9223372036854775808 does not fit i64"));
  const ScratchFolder folder;
  CHECK_THROWS_AS(load_npy(folder / "nothing.npy"), EnvironmentError);
  CHECK_THROWS_AS(load_npy(folder.path()), EnvironmentError);
}

TEST_CASE("npy: a truncated file throws") {
  const std::string whole = npy(dictionary("<i4", "(2, 2)"), bytes_of<std::int32_t>({1, 2, 3, 4}));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(contains(refused(whole.substr(0, length)), length == 0 ? "the file is empty" : "the file ends"));
  }
}

TEST_CASE("npy: a file with flipped bits is read or throws") {
  const ScratchFolder folder;
  const std::string whole = npy(dictionary("<f4", "(3, 2)", "True"), bytes_of<float>({1, 2, 3, 4, 5, 6}));
  int read_well = 0, refused_well = 0;
  const auto try_it = [&](const std::string& content) {
    const fs::path path = write_file(folder / "a.npy", content);
    try {
      (void)load_npy(path);
      ++read_well;
    } catch (const FormatError&) {
      ++refused_well;
    }
  };
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string content = whole;
    content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << bit % 8));
    try_it(content);
  }
  HostRandom random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string content = whole;
    for (std::uint64_t n = 1 + random.below(8); n > 0; --n)
      content[random.below(content.size())] = static_cast<char>(random.below(256));
    if (random.below(3) == 0) content.resize(random.below(content.size()));
    try_it(content);
  }
  CHECK(read_well > 192);  // flipped bits of the data are valid data
  CHECK(refused_well > 1000);
}

TEST_CASE("npy: writes the bytes that NumPy writes") {
  const ScratchFolder folder;
  const fs::path path = folder / "a.npy";
  save_npy(path, Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  std::string header = dictionary("<f4", "(2, 3)");
  header.resize(117, ' ');
  CHECK(read_file(path) == npy(header + "\n", bytes_of<float>({1, 2, 3, 4, 5, 6})));
  for (const Shape& shape :
       {Shape{}, Shape{5}, Shape{0}, Shape{2, 3, 4}, Shape{1, 1, 1, 1, 1, 1, 1, 1}, Shape{123456789, 0}}) {
    for (const DType dtype : {f32, f64, i64, boolean}) {
      Tensor t = Tensor::full(shape, 1, dtype);
      save_npy(path, t);
      CHECK(fs::file_size(path) - t.bytes() == 128);
      CHECK(bitwise_equal(load_npy(path), t));
    }
  }
}

TEST_CASE("npy: a failed write leaves the old file unchanged") {
  const ScratchFolder folder;
  CHECK(
      contains(message_of<EnvironmentError>([&] { save_npy(folder / "no" / "a.npy", Tensor(1.0F)); }), "cannot write"));
  CHECK_THROWS_AS(save_npy(folder / "a.npy", Tensor()), UserError);
  fs::create_directory(folder / "taken.npy");
  CHECK_THROWS_AS(save_npy(folder / "taken.npy", Tensor(1.0F)), EnvironmentError);
  CHECK_THROWS_AS(save_npz(folder / "taken.npy", {{"a", Tensor(1.0F)}}), EnvironmentError);
  CHECK_THROWS_AS(save_npz(folder / "no" / "a.npz", {{"a", Tensor(1.0F)}}), EnvironmentError);
  CHECK_THROWS_AS(save_npz(folder / "a.npz", {}), UserError);
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) ==
        1);  // no temporary file remains
}

TEST_CASE("npz: reads and writes arrays by name") {
  const ScratchFolder folder;
  const fs::path path = folder / "a.npz";
  const Tensor x = Tensor::from<float>({2, 2}, {1, 2, 3, 4}), y = Tensor::from<std::int64_t>({2}, {7, 8});
  save_npz(path, {{"x", x}, {"y y", y}, {"\xC3\xA4", Tensor(2.5)}});
  const Arrays read = load_npz(path);
  CHECK(read.names() == std::vector<std::string>{"x", "y y", "\xC3\xA4"});
  CHECK(bitwise_equal(read["x"], x));
  CHECK(bitwise_equal(read["y y"], y));
  CHECK(read["\xC3\xA4"].item() == 2.5);
  CHECK(read.has("x"));
  CHECK_FALSE(read.has("z"));
  CHECK(contains(message_of<UserError>([&] { (void)read["z"]; }), "there is no array \"z\"; the arrays are x, y y"));
  const std::string once = read_file(path);
  save_npz(path, {{"x", x}, {"y y", y}, {"\xC3\xA4", Tensor(2.5)}});
  CHECK(read_file(path) == once);

  // Deflated, like savez_compressed: a million zeros in a small file.
  write_zip(path, {{"zeros.npy", npy(dictionary("<f4", "(1000, 1000)"), std::string(4000000, '\0'))}}, true);
  CHECK(fs::file_size(path) < 10000);
  CHECK(bitwise_equal(load_npz(path)["zeros"], Tensor({1000, 1000})));
}

TEST_CASE("npy: converts to the requested dtype") {
  const ScratchFolder folder;
  const fs::path path = write_file(folder / "a.npy", npy(dictionary("|u1", "(2,)"), "\x07\xFF"));
  for (const DType dtype : {f32, f64, i64}) {
    CHECK(load_npy(path, dtype).dtype() == dtype);
    CHECK(numbers(load_npy(path, dtype)) == std::vector<double>{7, 255});
  }
  CHECK(contains(message_of<DTypeError>([&] { (void)load_npy(path, boolean); }),
                 "a.npy: numeric elements cannot be read as bool"));
  write_file(path, npy(dictionary("<f8", "(1,)"), bytes_of<double>({1.5})));
  CHECK(bitwise_equal(load_npy(path, f32), Tensor::from<float>({1}, {1.5F})));
  CHECK(contains(message_of<DTypeError>([&] { (void)load_npy(path, i64); }),
                 "floating-point elements cannot be read as i64"));
  write_file(path, npy(dictionary("|b1", "(2,)"), std::string("\x00\x01", 2)));
  CHECK(numbers(load_npy(path, f32)) == std::vector<double>{0, 1});
  write_file(path, npy(dictionary("<u8", "(1,)"), bytes_of<std::uint64_t>({1ULL << 63})));
  CHECK(load_npy(path, f64).at(0) == 9223372036854775808.0);

  save_npz(folder / "a.npz", {{"x", Tensor(1)}, {"y", Tensor(2)}});
  const Arrays arrays = load_npz(folder / "a.npz", {{"x", f32}});
  CHECK(arrays["x"].dtype() == f32);
  CHECK(arrays["y"].dtype() == i64);
  CHECK(contains(message_of<UserError>([&] {
                   (void)load_npz(folder / "a.npz", {{"z", f32}});
                 }),
                 "there is no array \"z\""));
}

TEST_CASE("npz: invalid names throw") {
  for (const char* name : {"", ".", "..", "/a", "a/", "a//b", "a/./b", "../a", "a/..", "a\\b", "a\nb"}) {
    CAPTURE(name);
    CHECK_THROWS_AS((Arrays{{name, Tensor(1.0F)}}), UserError);
  }
  CHECK_THROWS_AS((Arrays{{"a", Tensor(1.0F)}, {"a", Tensor(1.0F)}}), UserError);
  CHECK_THROWS_AS((Arrays{{"a", Tensor()}}), UserError);
}

TEST_CASE("npz: reads and writes names with slashes, as NumPy") {
  const ScratchFolder folder;
  const std::string one = npy(dictionary("<f4", "(1,)"), bytes_of<float>({1}));
  const fs::path path = write_zip(folder / "a.npz", {{"blocks/", ""}, {"blocks/0/values.npy", one}, {"y.npy", one}});
  CHECK(load_npz(path).names() == std::vector<std::string>{"blocks/0/values", "y"});
  save_npz(path, {{"blocks/0/values", Tensor(1.5)}});
  CHECK(load_npz(path)["blocks/0/values"].item() == 1.5);
  // Harmless: no file of that name is written.
  CHECK(load_npz(write_zip(folder / "c.npz", {{"../a.npy", one}}))["../a"].at(0) == 1);
}

TEST_CASE("npz: files that are not archives throw") {
  const ScratchFolder folder;
  const std::string good = npy(dictionary("<f4", "(1,)"), bytes_of<float>({1}));
  const auto refused = [](const fs::path& path) { return message_of<FormatError>([&] { (void)load_npz(path); }); };
  CHECK(contains(refused(write_file(folder / "a.npz", "hello")), "not a zip archive"));
  CHECK(contains(refused(write_file(folder / "a.npz", good)), "not a zip archive: it is an npy file"));
  CHECK(contains(refused(write_file(folder / "a.npz", "")), "the file is empty"));
  CHECK_THROWS_AS(load_npz(folder / "nothing.npz"), EnvironmentError);
  CHECK_THROWS_AS(load_npz(folder.path()), EnvironmentError);
}

TEST_CASE("npz: unreadable members do not hide the others") {
  const ScratchFolder folder;
  const std::string good = npy(dictionary("<f4", "(1,)"), bytes_of<float>({1}));
  const fs::path path = write_zip(folder / "a.npz", {{"readme.txt", "hello"},
                                                     {"x_train.npy", npy(dictionary("|O", "(3,)"), "a pickle")},
                                                     {"X.npy", good},
                                                     {"names.npy", npy(dictionary("<U1", "(1,)"), "abcd")},
                                                     {"junk.npy", "junk, and a little more"},
                                                     {"long.npy", good + "x"},
                                                     {"plain", good}});
  const Arrays arrays = load_npz(path);
  CHECK(arrays.names() == std::vector<std::string>{"X", "plain"});
  CHECK(arrays["X"].at(0) == 1);
  REQUIRE(arrays.unreadable().size() == 5);
  CHECK(arrays.unreadable()[0].first == "readme.txt");
  const auto reason = [&](const std::string& name) { return message_of<FormatError>([&] { (void)arrays[name]; }); };
  CHECK(contains(reason("x_train"), "a.npz: x_train.npy: \"descr\" is \"|O\": Python objects are not read"));
  CHECK(contains(reason("names"), "names.npy: \"descr\" is \"<U1\": text is not read"));
  CHECK(contains(reason("junk"), "not an npy file"));
  CHECK(contains(reason("long"), "the file has more data"));
  CHECK_THROWS_AS(arrays["z"], UserError);
  // A member named in dtypes must exist and be readable.
  CHECK_THROWS_AS(load_npz(path, {{"x_train", f32}}), FormatError);
  CHECK(contains(message_of<FormatError>([&] {
                   (void)load_npz(write_zip(folder / "b.npz", {{"d.npy", "junk"}, {"e.txt", "more junk"}}));
                 }),
                 "b.npz: d.npy: not an npy file"));
}

TEST_CASE("npz: reads single arrays without the others") {
  const ScratchFolder folder;
  const std::string good = npy(dictionary("|u1", "(1,)"), "\x05");
  const fs::path path = write_zip(folder / "a.npz", {{"x.npy", good}, {"bad.npy", "junk, and a little more"}});
  NpzFile file(path);
  CHECK(file.names() == std::vector<std::string>{"x", "bad"});
  CHECK(file.has("bad"));
  CHECK_FALSE(file.has("x.npy"));
  CHECK(file.read("x").dtype() == i64);
  CHECK(bitwise_equal(file.read("x", f32), Tensor::from<float>({1}, {5})));  // again
  CHECK(contains(message_of<FormatError>([&] { (void)file.read("bad"); }), "a.npz: bad.npy: not an npy file"));
  CHECK(
      contains(message_of<UserError>([&] { (void)file.read("y"); }), "there is no array \"y\"; the arrays are x, bad"));
  NpzFile moved = std::move(file);
  CHECK(moved.read("x").at(0) == 5);
}

TEST_CASE("npz: the error for a damaged archive says so") {
  const ScratchFolder folder;
  const fs::path path = folder / "a.npz";
  save_npz(path, {{"a", Tensor::full({100}, 1)}, {"b", Tensor(2.5)}});
  std::string content = read_file(path);
  const std::size_t header = content.find("{'descr'");
  for (std::size_t i = 0; i < 8; ++i) content[header + i] = '%';
  write_file(path, content);
  const Arrays arrays = load_npz(path);
  CHECK(arrays["b"].item() == 2.5);
  CHECK_THROWS_AS(arrays["a"], FormatError);
  // The directory at the end points to a missing member.
  const std::size_t directory = content.rfind("PK\x01\x02");
  content.replace(directory + 42, 4, "\xFF\xFF\xFF\x00", 4);
  const std::string message = message_of<FormatError>([&] { (void)load_npz(write_file(path, content))["b"]; });
  CAPTURE(message);
  CHECK_FALSE(contains(message, "No such file"));
}

TEST_CASE("npz: reads tens of thousands of members") {
  const ScratchFolder folder;
  Arrays many;
  for (int i = 0; i < 20000; ++i) many.add("a" + std::to_string(i), Tensor(static_cast<double>(i)));
  CHECK(many["a19999"].item() == 19999);
  save_npz(folder / "a.npz", many);
  const Arrays read = load_npz(folder / "a.npz");
  CHECK(read.size() == 20000);
  CHECK(read["a12345"].item() == 12345);
  CHECK(message_of<UserError>([&] { (void)read["b"]; }).size() < 300);
}

TEST_CASE("npy: unsupported dtypes throw with the reason") {
  const auto why = [](const std::string& descr) { return refused(npy(dictionary(descr, "(0,)"), "")); };
  CHECK(contains(why("<c8"), "\"<c8\": complex numbers are not read\n  hint: save x.real and x.imag"));
  CHECK(contains(why("<f16"), "more than 64 bits"));
  CHECK(contains(why("<M8[ns]"), "dates and times"));
  CHECK(contains(why("<m8[s]"), "dates and times"));
  CHECK(contains(why("|S5"), "text is not read"));
  CHECK(contains(why("<U5"), "text is not read"));
  CHECK(contains(why("|V2"), "raw bytes"));
  CHECK(contains(why("|O"), "Python objects"));
}

TEST_CASE("npy: accepts the dtype names of numpy.dtype") {
  for (const char* descr : {"f4", "float32", "=f4", "|f4"})
    CHECK(numbers(read(npy(dictionary(descr, "(1,)"), bytes_of<float>({2.5F})))) == std::vector<double>{2.5});
  for (const char* descr : {"?", "b1", "bool", "|b1"})
    CHECK(read(npy(dictionary(descr, "(1,)"), "\x01")).dtype() == boolean);
  for (const char* descr : {"int16", "i2", "<i2"})
    CHECK(read(npy(dictionary(descr, "(1,)"), bytes_of<std::int16_t>({-7}))).at(0) == -7);
}

TEST_CASE("npz: truncated archives and flipped bits are read or throw") {
  const ScratchFolder folder;
  for (const bool deflate : {false, true}) {
    const std::string whole =
        read_file(write_zip(folder / "a.npz",
                            {{"x.npy", npy(dictionary("<f4", "(2, 2)"), bytes_of<float>({1, 2, 3, 4}))},
                             {"y.npy", npy(dictionary("<i8", "(1,)"), bytes_of<std::int64_t>({1}))}},
                            deflate));
    int read_well = 0, refused_well = 0;
    const auto try_it = [&](const std::string& content) {
      const fs::path path = write_file(folder / "b.npz", content);
      try {
        (void)load_npz(path);
        ++read_well;
      } catch (const FormatError&) {
        ++refused_well;
      }
    };
    for (std::size_t length = 0; length < whole.size(); length += 3) try_it(whole.substr(0, length));
    CHECK(read_well == 0);
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      std::string content = whole;
      content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << bit % 8));
      try_it(content);
    }
    CHECK(refused_well > static_cast<int>(whole.size()));
    // The archive's checksum detects damaged data.
    std::string content = whole;
    const std::size_t at = content.find("(2, 2)");
    if (!deflate) {
      REQUIRE(at != std::string::npos);
      content[at + 20] = static_cast<char>(content[at + 20] ^ 1);
      write_file(folder / "b.npz", content);
      const Arrays arrays = load_npz(folder / "b.npz");
      CHECK(arrays["y"].at(0) == 1);
      CHECK(contains(message_of<FormatError>([&] { (void)arrays["x"]; }), "x.npy: damaged data"));
    }
  }
}

TEST_CASE("npy: NumPy reads our files") {
  const ScratchFolder folder;
  save_npy(folder / "a.npy", Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  save_npy(folder / "scalar.npy", Tensor(2.5));
  save_npz(folder / "b.npz", {{"x", Tensor::from<std::int64_t>({2}, {7, -8})}, {"y", Tensor({0, 3}, boolean)}});
  const auto printed = python(folder.path(), R"(
import numpy as n
a = n.load("a.npy"); print(a.dtype, a.shape, a.tolist())
s = n.load("scalar.npy"); print(s.dtype, s.shape, s)
b = n.load("b.npz"); print(sorted(b.files), b["x"].dtype, b["x"].tolist(), b["y"].dtype, b["y"].shape)
)");
  if (!printed) return;
  CHECK(*printed ==
        "float32 (2, 3) [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]\n"
        "float64 () 2.5\n"
        "['x', 'y'] int64 [7, -8] bool (0, 3)\n");
}

TEST_CASE("npy: reads NumPy's files") {
  const ScratchFolder folder;
  const auto printed = python(folder.path(), R"(
import numpy as n
a = n.arange(24).reshape(2, 3, 4)
for t in "? i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8 >i2 >u4 >f4 >f8".split():
  n.save("c_" + t.strip("?>") + ("_big" if ">" in t else "") + ".npy", a.astype(t))
  n.save("f_" + t.strip("?>") + ("_big" if ">" in t else "") + ".npy", n.asfortranarray(a.astype(t)))
n.save("scalar.npy", n.float32(2.5))
n.save("empty.npy", n.zeros((0, 3)))
n.savez("a.npz", x=a, y=a.astype("f4"))
n.savez_compressed("b.npz", x=a, y=a.astype("f4"))
n.save("object.npy", n.array([{}], dtype=object), allow_pickle=True)
n.save("record.npy", n.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
)");
  if (!printed) return;
  for (const char* order : {"c_", "f_"}) {
    for (const char* type : {"", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "i2_big", "u4_big",
                             "f4_big", "f8_big"}) {
      CAPTURE(type);
      const Tensor t = load_npy(folder / (std::string(order) + type + ".npy"));
      CHECK(t.shape() == Shape{2, 3, 4});
      for (Index i = 0; i < 24; ++i) CHECK(t.at(i) == (*type == '\0' ? (i != 0 ? 1 : 0) : i));
    }
  }
  CHECK(bitwise_equal(load_npy(folder / "scalar.npy"), Tensor(2.5F)));
  CHECK(bitwise_equal(load_npy(folder / "empty.npy"), Tensor({0, 3}, f64)));
  for (const char* name : {"a.npz", "b.npz"}) {
    const Arrays arrays = load_npz(folder / name);
    CHECK(arrays["x"].dtype() == i64);
    CHECK(arrays["y"].at(23) == 23);
  }
  CHECK(contains(message_of<FormatError>([&] { (void)load_npy(folder / "object.npy"); }), "Python objects"));
  CHECK(contains(message_of<FormatError>([&] { (void)load_npy(folder / "record.npy"); }), "structured dtype"));
}
