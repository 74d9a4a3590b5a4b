// Safetensors files: round trips, and validation of malicious files.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/safetensors.hpp>

#include "support/dice.hpp"
#include "support/scratch.hpp"

using namespace xgrad;
using scratch::contains;
using scratch::message_of;
using scratch::ScratchFolder;
using scratch::write_file;

namespace {

std::string content(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

std::string bytes_of(std::uint64_t number) {
  std::string out(8, '\0');
  std::memcpy(out.data(), &number, 8);
  return out;
}

std::string file_of(const std::string& header, const std::string& data) {
  return bytes_of(header.size()) + header + data;
}

nn::TensorFile some_tensors() {
  return {.tensors = {{"b", Tensor::from<bool>({3}, {true, false, true})},
                      {"empty", Tensor(Shape{0, 4})},
                      {"f", Tensor::from<float>({2, 2}, {1, -2.5F, std::numeric_limits<float>::infinity(), 0})},
                      {"g/h \"\\\xc3\xa9", Tensor(std::nan(""))},
                      {"i", Tensor::from<std::int64_t>({1}, {std::numeric_limits<std::int64_t>::min()})}},
          .metadata = {{"who", "me"}, {"", "\n"}}};
}

bool same(const nn::TensorFile& a, const nn::TensorFile& b) {
  if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
  for (const auto& [name, tensor] : a.tensors) {
    if (!b.tensors.contains(name) || !bitwise_equal(tensor, b.tensors.at(name))) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("safetensors: reads what it writes") {
  const ScratchFolder folder;
  const auto path = folder / "a.safetensors";
  nn::save_safetensors(path, some_tensors());
  CHECK(same(nn::load_safetensors(path), some_tensors()));
  nn::save_safetensors(path, {});  // replaces the old file
  CHECK(same(nn::load_safetensors(path), {}));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);  // no temporary file remains
}

TEST_CASE("safetensors: writes the bytes of the format") {
  const ScratchFolder folder;
  const auto path = folder / "a.safetensors";
  nn::save_safetensors(
      path, {.tensors = {{"a", Tensor::from<float>({1, 2}, {1, 2})}, {"z", Tensor(0.5)}}, .metadata = {{"k", "v"}}});
  std::string header =
      R"({"__metadata__":{"k":"v"},"z":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const double half = 0.5;
  const float pair[] = {1, 2};
  std::string data(16, '\0');
  std::memcpy(data.data(), &half, 8);
  std::memcpy(data.data() + 8, pair, 8);
  CHECK(content(path) == file_of(header, data));
}

TEST_CASE("safetensors: converts types of other libraries") {
  const ScratchFolder folder;
  const auto read = [&](const std::string& type, std::size_t size, const std::string& data) {
    const std::size_t n = data.size() / size;
    return nn::load_safetensors(
               write_file(folder / "t", file_of("{\"t\":{\"dtype\":\"" + type + "\",\"shape\":[" + std::to_string(n) +
                                                    "],\"data_offsets\":[0," + std::to_string(data.size()) + "]}}",
                                                data)))
        .tensors.at("t");
  };
  using namespace std::string_literals;
  CHECK(bitwise_equal(read("U8", 1, "\x01\xff"s), Tensor::from<std::int64_t>({2}, {1, 255})));
  CHECK(bitwise_equal(read("I8", 1, "\x01\xff"s), Tensor::from<std::int64_t>({2}, {1, -1})));
  CHECK(bitwise_equal(read("U16", 2, "\xfe\xff"s), Tensor::from<std::int64_t>({1}, {65534})));
  CHECK(bitwise_equal(read("I16", 2, "\xfe\xff"s), Tensor::from<std::int64_t>({1}, {-2})));
  CHECK(bitwise_equal(read("U32", 4, "\xff\xff\xff\xff"s), Tensor::from<std::int64_t>({1}, {4294967295})));
  CHECK(bitwise_equal(read("I32", 4, "\xff\xff\xff\xff"s), Tensor::from<std::int64_t>({1}, {-1})));
  CHECK(bitwise_equal(read("U64", 8, "\x05\0\0\0\0\0\0\0"s), Tensor::from<std::int64_t>({1}, {5})));
  CHECK(contains(message_of<FormatError>([&] { read("F7", 1, "\x02"s); }), "has the unknown type \"F7\""));
  // 1, -2, the largest, the smallest normal and denormal, infinity, -0
  const Tensor half = read("F16", 2, "\x00\x3c\x00\xc0\xff\x7b\x00\x04\x01\x00\x00\x7c\x00\x80"s);
  const std::vector<float> expected{1, -2, 65504, 0x1p-14F, 0x1p-24F, std::numeric_limits<float>::infinity(), -0.0F};
  CHECK(bitwise_equal(half, Tensor::from<float>({7}, std::span<const float>(expected))));
  CHECK(std::isnan(read("F16", 2, "\x01\x7c"s).at(0)));
  CHECK(bitwise_equal(read("BF16", 2, "\x80\x3f\x20\xc0"s), Tensor::from<float>({2}, {1, -2.5F})));
  // 1, -2, the largest, the smallest normal and denormal; the paper's tables
  CHECK(bitwise_equal(read("F8_E4M3", 1, "\x38\xc0\x7e\x08\x01"s),
                      Tensor::from<float>({5}, {1, -2, 448, 0x1p-6F, 0x1p-9F})));
  CHECK(std::isnan(read("F8_E4M3", 1, "\xff"s).at(0)));
  CHECK(bitwise_equal(
      read("F8_E5M2", 1, "\x3c\xc0\x7b\x04\x01\x7c"s),
      Tensor::from<float>({6}, {1, -2, 57344, 0x1p-14F, 0x1p-16F, std::numeric_limits<float>::infinity()})));
  CHECK(std::isnan(read("F8_E5M2", 1, "\x7d"s).at(0)));
}

TEST_CASE("safetensors: unreadable tensors do not hide the others") {
  const ScratchFolder folder;
  using namespace std::string_literals;
  const std::string header =
      R"({"big":{"dtype":"U64","shape":[1],"data_offsets":[0,8]},"odd":{"dtype":"BOOL","shape":[1],"data_offsets":[8,9]},)"
      R"("four":{"dtype":"F4","shape":[2,1],"data_offsets":[9,10]},"c":{"dtype":"C64","shape":[],"data_offsets":[10,18]},)"
      R"("nine":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[18,19]},)"
      R"("good":{"dtype":"U8","shape":[1],"data_offsets":[19,20]}})";
  const nn::TensorFile file = nn::load_safetensors(
      write_file(folder / "a", file_of(header, "\0\0\0\0\0\0\0\x80\2"s + std::string(10, 'x') + "\7")));
  CHECK(file.tensors.size() == 1);
  CHECK(file.tensors.at("good").at(0) == 7);
  CHECK(file.unreadable.size() == 5);
  CHECK(contains(file.unreadable.at("big"), "values of 2^63"));
  CHECK(contains(file.unreadable.at("odd"), "other than 0 and 1"));
  CHECK(contains(file.unreadable.at("four"), "type F4 is not supported"));
  CHECK(contains(file.unreadable.at("c"), "type C64 is not supported"));
  CHECK(contains(file.unreadable.at("nine"), "9 axes"));
}

TEST_CASE("safetensors: accepts and rejects the same files as the reference reader") {
  const ScratchFolder folder;
  const std::string one = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  const std::string data("\0\0\x80\x3f", 4);
  const auto load = [&](const std::string& header) {
    return nn::load_safetensors(write_file(folder / "a", file_of(header, data)));
  };
  for (const std::string& header :
       {R"({"__metadata__":null,"a":{)" + one + "}}", R"({"a":{)" + one + R"(,"note":"x"}})",
        R"({"a":{"note":{"b":[1,{"c":null}],"dtype":"F64"},"more":[[]],"x":-1.5,"y":true,"z":null,)" + one + "}}",
        R"({"a":{"note":[],)" + one + R"(},"__metadata__":{"k":"v"}})", "{\"a\":{" + one + "}}  \n"}) {
    CAPTURE(header);
    const nn::TensorFile file = load(header);
    CHECK(file.tensors.size() == 1);
    CHECK(file.tensors.at("a").at(0) == 1);
  }
  for (const std::string& header :
       {R"({"__metadata__":null,"__metadata__":null,"a":{)" + one + "}}", R"({"__metadata__":[],"a":{)" + one + "}}",
        R"({"__metadata__":{"k":null},"a":{)" + one + "}}", "{\"a\":{" + one + "},\"b\":null}",
        "{\"a\":{" + one + std::string("}}\0{\"b\":{}}", 12), "{\"a\":{" + one + std::string("}}\0", 3)}) {
    CAPTURE(header);
    CHECK_THROWS_AS(load(header), FormatError);
  }
  // Skipped fields may be nested to any depth.
  CHECK(load("{\"a\":{\"x\":" + std::string(200'000, '[') + std::string(200'000, ']') + "," + one + "}}")
            .tensors.size() == 1);
}

TEST_CASE("safetensors: damaged files throw with the reason") {
  const ScratchFolder folder;
  const auto path = folder / "bad";
  const auto why = [&](const std::string& bytes) {
    return message_of<FormatError>([&] { nn::load_safetensors(write_file(path, bytes)); });
  };
  const auto header = [&](const std::string& text, std::size_t data = 8) {
    return why(file_of(text, std::string(data, '\0')));
  };
  const auto entry = [&](const std::string& shape, const std::string& offsets, std::size_t data = 8) {
    return header(R"({"w":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}", data);
  };
  CHECK(contains(why(""), path.string() + ": the file is empty"));
  CHECK(contains(why("1234567"), "not a safetensors file: it has 7 bytes"));
  CHECK(contains(why(bytes_of(100) + "{}"), "it claims a header of 100 bytes; 2 bytes follow"));
  CHECK(contains(why(bytes_of(~std::uint64_t{0}) + "{}"), "it claims a header"));
  CHECK(contains(header("", 0), "does not begin with {"));
  CHECK(contains(header(" {}", 0), "does not begin with {"));
  CHECK(contains(header("[]", 0), "does not begin with {"));
  CHECK(contains(header("{", 0), "the header is not valid JSON at byte"));
  CHECK(contains(header("{} x", 0), "the header is not valid JSON at byte"));
  CHECK(contains(header("{\"\xff\":{}}", 0), "the header is not valid JSON at byte"));
  CHECK(contains(header("{}", 3), "3 bytes at the end belong to no tensor"));
  CHECK(contains(header(R"({"w":1})"), "\"w\" must not be a number"));
  CHECK(contains(header(R"({"w":[]})"), "\"w\" must not be a list"));
  CHECK(contains(header(R"({"w":null})"), "\"w\" must not be null"));
  CHECK(contains(header(R"({"w":{}})"), "tensor \"w\" has no dtype"));
  CHECK(contains(header(R"({"w":{"dtype":"F32"}})"), "tensor \"w\" has no shape"));
  CHECK(contains(header(R"({"w":{"dtype":"F32","shape":[]}})"), "tensor \"w\" has no data_offsets"));
  CHECK(contains(header(R"({"w":{"dtype":"F32","dtype":"F32"}})"), "has a duplicate field \"dtype\""));
  CHECK(contains(header(R"({"w":{"shape":[],"shape":[]}})"), "has a duplicate field \"shape\""));
  CHECK(contains(header(R"({"w":{"data_offsets":[0,1],"data_offsets":[0,1]}})"),
                 "has a duplicate field \"data_offsets\""));
  CHECK(contains(header(R"({"w":{"dtype":{}}})"), "\"w\": \"dtype\" must not be an object"));
  CHECK(contains(header(R"({"w":{"more":"x"}})"), "tensor \"w\" has no dtype"));
  CHECK(contains(header(R"({"w":{"shape":[[1]]}})"), "\"w\": \"shape\" must not be a list"));
  CHECK(contains(header(R"({"w":{"shape":["1"]}})"), "\"w\": \"shape\" must not be text"));
  CHECK(contains(header(R"({"__metadata__":{"a":1}})"), "\"a\" must not be a number"));
  CHECK(contains(header(R"({"__metadata__":{"a":"1","a":"2"}})"), "duplicate metadata key \"a\""));
  CHECK(contains(header(R"({"__metadata__":{},"__metadata__":{}})"), "duplicate metadata"));
  CHECK(contains(entry("[2]", "[0,4]"),
                 "tensor \"w\" of type F32 and shape [2] needs 8 bytes, but its data_offsets are 0 to 4"));
  CHECK(contains(entry("[2]", "[8,0]"), "its data_offsets are 8 to 0"));
  CHECK(contains(entry("[2]", "[0]"), "must have 2 data_offsets, got 1"));
  CHECK(contains(entry("[2]", "[0,4,8]"), "must have 2 data_offsets, got 3"));
  CHECK(contains(entry("[-2]", "[0,8]"), "a negative number"));
  CHECK(contains(entry("[2.0]", "[0,8]"), "a number with a fraction"));
  CHECK(contains(entry("[1e400]", "[0,8]"), "not valid JSON"));
  CHECK(contains(entry("[99999999999999999999]", "[0,8]"), "a number with a fraction"));
  CHECK(contains(entry("[4294967296,4294967296]", "[0,0]", 0), "is too large"));
  CHECK(contains(entry("[0,4294967296,4294967296]", "[0,0]", 0), "is too large"));
  CHECK(contains(entry("[18446744073709551615]", "[0,8]"), "is too large"));
  CHECK(contains(entry("[2]", "[8,16]"), "ends at byte 16 of 8 bytes of data"));
  CHECK(contains(entry("[2]", "[18446744073709551608,18446744073709551615]"), "its data_offsets are"));
  CHECK(contains(entry("[1]", "[4,8]"), "4 bytes before tensor \"w\" belong to no tensor"));
  CHECK(contains(entry("[1]", "[0,4]"), "4 bytes at the end belong to no tensor"));
  const std::string one = R"("dtype":"F32","shape":[1],"data_offsets":)";
  CHECK(contains(header("{\"v\":{" + one + "[0,4]},\"w\":{" + one + "[0,4]}}"),
                 "tensor \"w\" overlaps the previous tensor"));
  CHECK(contains(header("{\"w\":{" + one + "[0,4]},\"w\":{" + one + "[4,8]}}"), "duplicate tensor \"w\""));
  // Nesting costs no memory, and control characters do not reach the terminal.
  CHECK(contains(header("{\"w\":" + std::string(1'000'000, '['), 0), "\"w\" must not be a list"));
  CHECK(contains(header("{\"a\\u001b[2J\\n" + std::string(200, 'x') + "\":1}"), "\"a\\x1b[2J\\x0axxx"));
  CHECK(contains(message_of<EnvironmentError>([&] { nn::load_safetensors(folder / "none"); }), "cannot open"));
  CHECK(contains(message_of<EnvironmentError>([&] { nn::load_safetensors(folder.path()); }), "cannot open"));
}

TEST_CASE("safetensors: invalid tensors throw and leave the old file") {
  const ScratchFolder folder;
  const auto path = folder / "a";
  nn::save_safetensors(path, some_tensors());
  CHECK(contains(message_of<UserError>([&] {
                   nn::save_safetensors(path, {.tensors = {{"e", Tensor()}}});
                 }),
                 "tensor \"e\" is empty"));
  CHECK(contains(message_of<UserError>([&] {
                   nn::save_safetensors(path, {.tensors = {{"\xff", Tensor(1.0)}}});
                 }),
                 "must be UTF-8"));
  CHECK(contains(message_of<UserError>([&] {
                   nn::save_safetensors(path, {.tensors = {{"__metadata__", Tensor(1.0)}}});
                 }),
                 "cannot be named __metadata__"));
  CHECK(contains(message_of<EnvironmentError>([&] { nn::save_safetensors(folder / "no/a", some_tensors()); }),
                 "cannot write " + (folder / "no/a").string() + ": there is no folder " + (folder / "no").string()));
  CHECK(contains(message_of<EnvironmentError>([&] { nn::save_safetensors(folder.path(), some_tensors()); }),
                 "cannot write " + folder.path().string() + ": it is a folder"));
  CHECK(same(nn::load_safetensors(path), some_tensors()));
}

TEST_CASE("safetensors: saving takes linear time in the number of tensors") {
  const ScratchFolder folder(scratch::memory());
  const auto seconds = [&](int count) {
    nn::TensorFile file;
    for (int i = 0; i < count; ++i) file.tensors["layer_" + std::to_string(i) + "/kernel"] = Tensor(1.0F);
    double best = 1e9;
    for (int repeat = 0; repeat < 3; ++repeat) {
      const std::clock_t begin = std::clock();
      nn::save_safetensors(folder / "a", file);
      best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return best;
  };
  // 16 times as long if linear, 256 times if quadratic.
  const double few = seconds(3000), many = seconds(48000);
  CHECK(many < 64 * few);
  CHECK(nn::load_safetensors(folder / "a").tensors.size() == 48000);
}

TEST_CASE("safetensors: a full disk leaves the old file") {
  const ScratchFolder folder;
  const auto path = folder / "a";
  nn::save_safetensors(path, some_tensors());
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const nn::TensorFile large{.tensors = {{"x", Tensor(Shape{100000})}}};
  for (const rlim_t most : std::initializer_list<rlim_t>{1, 8, 100, 4096, 399999}) {
    const struct rlimit now { most, before.rlim_max };
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &now) == 0);
    std::string message;
    try {
      nn::save_safetensors(path, large);
    } catch (const EnvironmentError& error) {
      message = error.what();
    }
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(contains(message, "File too large"));
    CHECK(same(nn::load_safetensors(path), some_tensors()));
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  }
  std::signal(SIGXFSZ, handler);
  nn::save_safetensors(path, large);
  CHECK(same(nn::load_safetensors(path), large));
}

TEST_CASE("safetensors: truncated files and flipped bits are read or throw") {
  const ScratchFolder folder(scratch::memory());
  const auto path = folder / "a";
  nn::save_safetensors(path, some_tensors());
  const std::string good = content(path);
  // True if the file is valid.
  const auto reads = [&](const std::string& bytes) {
    write_file(path, bytes);
    try {
      const nn::TensorFile file = nn::load_safetensors(path);
      for (const auto& [name, tensor] : file.tensors) REQUIRE(tensor.bytes() <= bytes.size());
      return true;
    } catch (const FormatError& error) {
      REQUIRE(contains(error.what(), path.string()));
      return false;
    }
  };
  for (std::size_t size = 0; size < good.size(); ++size) CHECK_FALSE(reads(good.substr(0, size)));
  testing::Dice dice(1);
  int read = 0;
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    read += reads(bytes) ? 1 : 0;
  }
  CHECK(read > 0);  // flipped bits in data and names
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = good;
    for (Index n = dice.between(2, 9); n > 0; --n)
      bytes[static_cast<std::size_t>(dice.below(static_cast<Index>(bytes.size())))] =
          static_cast<char>(dice.below(256));
    reads(bytes);
  }
  CHECK(reads(good));
}
