#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <zlib.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/idx.hpp>
#include <xgrad/nn/data/npy.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;

namespace {

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
  return out;
}

std::string header(int code, const std::vector<std::uint32_t>& extents) {
  std::string out = big_endian(static_cast<std::uint64_t>(code) << 8 | extents.size(), 4);
  for (std::uint32_t e : extents) out += big_endian(e, 4);
  return out;
}

fs::path write_gz(const fs::path& path, const std::string& content) {
  const gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  REQUIRE(gzwrite(file, content.data(), static_cast<unsigned>(content.size())) == static_cast<int>(content.size()));
  REQUIRE(gzclose(file) == Z_OK);
  return path;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> out;
  for (Index i = 0; i < t.elements(); ++i) out.push_back(t.at(i));
  return out;
}

// Writes the four MNIST files: `train` and `test` images; all pixels of image i are i % 256, its label is i % 10.
void write_mnist(const ScratchFolder& folder, std::uint32_t train, std::uint32_t test) {
  const auto images = [](std::uint32_t n) {
    std::string out = header(8, {n, 28, 28});
    for (std::uint32_t i = 0; i < n; ++i) out.append(784, static_cast<char>(i % 256));
    return out;
  };
  const auto labels = [](std::uint32_t n) {
    std::string out = header(8, {n});
    for (std::uint32_t i = 0; i < n; ++i) out += static_cast<char>(i % 10);
    return out;
  };
  write_gz(folder / "train-images-idx3-ubyte.gz", images(train));
  write_file(folder / "train-labels-idx1-ubyte", labels(train));
  write_gz(folder / "t10k-images.idx3-ubyte.gz", images(test));  // with a dot, as on some mirrors
  write_gz(folder / "t10k-labels-idx1-ubyte.gz", labels(test));
}

}  // namespace

TEST_CASE("idx: reads every element type, plain and gzip-compressed") {
  struct Case {
    int code;
    std::string content;
    std::vector<double> expected;
  };
  const std::vector<Case> cases = {
      {0x08, std::string("\x00\x7F\xFF", 3), {0, 127, 255}},
      {0x09, std::string("\x00\x7F\xFF", 3), {0, 127, -1}},
      {0x0B, big_endian(1, 2) + big_endian(0xFFFE, 2) + big_endian(0x8000, 2), {1, -2, -32768}},
      {0x0C, big_endian(70000, 4) + big_endian(0xFFFFFFFF, 4) + big_endian(0x80000000, 4), {70000, -1, -2147483648.0}},
      {0x0D, big_endian(0x3FC00000, 4) + big_endian(0xC0000000, 4) + big_endian(0, 4), {1.5, -2, 0}},
      {0x0E, big_endian(0x3FF8000000000000, 8) + big_endian(0xC000000000000000, 8) + big_endian(0, 8), {1.5, -2, 0}},
  };
  const ScratchFolder folder;
  for (const Case& c : cases) {
    CAPTURE(c.code);
    const std::string content = header(c.code, {3}) + c.content;
    for (const fs::path& file : {write_file(folder / "plain", content), write_gz(folder / "packed", content)}) {
      CHECK(numbers(load_idx(file, f64)) == c.expected);
      CHECK(numbers(load_idx(file, f32)) == c.expected);
      if (c.code < 0x0D)
        CHECK(numbers(load_idx(file, i64)) == c.expected);
      else
        CHECK_THROWS_AS(load_idx(file, i64), DTypeError);
      CHECK_THROWS_AS(load_idx(file, boolean), DTypeError);
    }
  }
}

TEST_CASE("idx: reads all ranks and files larger than one chunk") {
  const ScratchFolder folder;
  CHECK(load_idx(write_file(folder / "a", header(8, {2, 1, 3}) + "abcdef"), f32).shape() == Shape{2, 1, 3});
  CHECK(load_idx(write_file(folder / "a", header(8, {0, 28, 28})), f32).shape() == Shape{0, 28, 28});
  CHECK(load_idx(write_file(folder / "a", header(8, {1, 1, 1, 1, 1, 1, 1, 1}) + "x"), f32).shape().rank() == 8);
  std::string large;
  for (std::uint32_t i = 0; i < 700001; ++i) large += big_endian(i, 4);
  const Tensor read = load_idx(write_gz(folder / "large", header(0x0C, {700001}) + large), i64);
  bool same = true;
  for (Index i = 0; i < read.elements(); ++i)
    same = same && read.values<std::int64_t>()[static_cast<std::size_t>(i)] == i;
  CHECK(same);
}

TEST_CASE("idx: a truncated file throws") {
  const ScratchFolder folder;
  const std::string whole = header(8, {3, 2}) + "abcdef";
  const std::string packed = read_file(write_gz(folder / "whole.gz", whole));
  for (const std::string& content : {whole, packed}) {
    for (std::size_t length = 0; length < content.size(); ++length) {
      CAPTURE(length);
      const fs::path file = write_file(folder / "cut", content.substr(0, length));
      CHECK(contains(message_of<FormatError>([&] { (void)load_idx(file, f32); }), "load_idx: " + file.string() + ": "));
    }
  }
}

TEST_CASE("idx: a damaged byte of a gzip file is harmless or throws") {
  const ScratchFolder folder;
  const std::string packed = read_file(write_gz(folder / "whole.gz", header(8, {40}) + std::string(40, 'x')));
  for (std::size_t i = 0; i < packed.size(); ++i) {
    std::string damaged = packed;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    try {
      const Tensor read = load_idx(write_file(folder / "damaged", damaged), f32);
      CHECK(read.elements() == 40);
      CHECK(read.at(0) == 'x');
    } catch (const FormatError&) {}
  }
}

TEST_CASE("idx: sizes beyond the file throw before memory is allocated") {
  const ScratchFolder folder;
  const std::vector<std::vector<std::uint32_t>> lies = {
      {0x80000000},
      {0xFFFFFFFF},
      {0x7FFFFFFF, 0x7FFFFFFF},
      {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF},
      {65536, 65536, 65536, 65536},
      {60000, 28, 28},
      {0x80000000, 0x80000000, 4},
      {0xFFFFFFFF, 0xFFFFFFFF, 0},
      {0, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF},
  };
  for (const auto& extents : lies) {
    CAPTURE(extents);
    const fs::path file = write_file(folder / "lie", header(8, extents) + "abc");
    CHECK(contains(message_of<FormatError>([&] { (void)load_idx(file, f32); }), file.string()));
  }
  CHECK_THROWS_AS(load_idx(write_gz(folder / "lie", header(0x0E, {0xFFFFFFFF}) + "abc"), f64), FormatError);
}

TEST_CASE("idx: other formats throw") {
  struct Bad {
    std::string content;
    const char* message;
  };
  const Bad all[] = {
      {"", "the file is empty"},
      {"not an idx file", "not an idx file: it begins with 6e 6f 74 20"},
      {header(8, {1}).replace(0, 1, "\1") + "x", "begins with 01 00 08 01"},
      {header(8, {1}).replace(1, 1, "\1") + "x", "begins with 00 01 08 01"},
      {header(0x07, {1}) + "x", "begins with 00 00 07 01"},
      {header(0x0A, {1}) + "x", "begins with 00 00 0a 01"},
      {header(0xFF, {1}) + "x", "begins with 00 00 ff 01"},
      {header(8, {}) + "x", "rank must be 1 to 8, got 0"},
      {header(8, {1, 1, 1, 1, 1, 1, 1, 1, 1}) + "x", "rank must be 1 to 8, got 9"},
      {header(8, {3}) + "abcd", "the file has more data than the 3 bytes"},
      {header(8, {0}) + "a", "the file has more data than the 0 bytes"},
      {header(0x0B, {2}) + "abc", "the file ends within the data"},
  };
  const ScratchFolder folder;
  for (const Bad& bad : all) {
    CAPTURE(bad.message);
    for (const fs::path& file : {write_file(folder / "plain", bad.content), write_gz(folder / "packed", bad.content)}) {
      const std::string message = message_of<FormatError>([&] { (void)load_idx(file, f32); });
      CAPTURE(message);
      CHECK(contains(message, bad.message));
      CHECK(contains(message, file.string()));
    }
  }
  const std::string packed = read_file(write_gz(folder / "whole", header(8, {1}) + "x"));
  CHECK_THROWS_AS(load_idx(write_file(folder / "two", packed + packed), f32), FormatError);
}

TEST_CASE("idx: unreadable files throw EnvironmentError") {
  const ScratchFolder folder;
  CHECK(contains(message_of<EnvironmentError>([&] { (void)load_idx(folder / "none", f32); }), "none"));
  CHECK_THROWS_AS(load_idx(folder.path(), f32), EnvironmentError);
}

TEST_CASE("mnist: loads four files, plain or gzip-compressed") {
  const ScratchFolder folder;
  CHECK_FALSE(holds_mnist(folder.path()));
  write_mnist(folder, 300, 20);
  CHECK(holds_mnist(folder.path()));
  const ImageDataset data = load_mnist(folder.path());
  CHECK(data.train.x.shape() == Shape{300, 784});
  CHECK(data.train.x.dtype() == f32);
  CHECK(data.train.y.shape() == Shape{300});
  CHECK(data.train.y.dtype() == i64);
  CHECK(data.test.size() == 20);
  CHECK(data.train.x.at(255 * 784) == 1);
  CHECK(data.train.x.at(51 * 784 + 783) == doctest::Approx(0.2));
  CHECK(data.train.y.at(299) == 9);
}

TEST_CASE("mnist: inconsistent files throw") {
  const ScratchFolder folder;
  write_mnist(folder, 30, 20);
  const auto message = [&] { return message_of<FormatError>([&] { (void)load_mnist(folder.path()); }); };
  const fs::path labels = folder / "train-labels-idx1-ubyte", images = folder / "train-images-idx3-ubyte";

  write_file(labels, header(8, {29}) + std::string(29, '\1'));
  CHECK(contains(message(), "expected 30 labels, got i64[29]"));
  CHECK(contains(message(), labels.string()));
  write_file(labels, header(8, {30, 1}) + std::string(30, '\1'));
  CHECK(contains(message(), "expected 30 labels, got i64[30, 1]"));
  write_file(labels, header(8, {30}) + std::string(29, '\1') + '\x0A');
  CHECK(contains(message(), "label 10 at position 29 is not in [0, 10)"));
  write_file(labels, header(9, {30}) + '\xFF' + std::string(29, '\1'));
  CHECK(contains(message(), "label -1 at position 0"));
  write_file(labels, header(8, {30}) + std::string(30, '\1'));
  write_file(images, header(8, {30, 784}) + std::string(30 * 784, '\1'));
  CHECK(contains(message(), "expected images [n, h, w], got [30, 784]"));
  fs::remove(images);
  (void)load_mnist(folder.path());
  fs::remove(labels);
  CHECK_FALSE(holds_mnist(folder.path()));
  CHECK(contains(message_of<EnvironmentError>([&] { (void)load_mnist(folder.path()); }),
                 "has no file train-labels-idx1-ubyte"));
  CHECK_THROWS_AS(load_mnist(folder / "none"), EnvironmentError);
}

TEST_CASE("mnist: loads other names, sizes and classes, such as EMNIST") {
  const ScratchFolder folder;
  const std::string letters = "emnist-letters-";
  write_gz(folder / (letters + "train-images-idx3-ubyte.gz"),
           header(8, {2, 2, 3}) + std::string("\x00\x33\x66\x99\xCC\xFF", 6) + "abcdef");
  write_gz(folder / (letters + "train-labels-idx1-ubyte.gz"), header(8, {2}) + "\x1A\x01");
  write_gz(folder / (letters + "test-images-idx3-ubyte.gz"), header(8, {1, 2, 3}) + "abcdef");
  write_gz(folder / (letters + "test-labels-idx1-ubyte.gz"), header(8, {1}) + "\x02");
  const ImageDataset data = load_mnist(folder.path(), {.prefix = letters, .classes = 27});
  CHECK(data.train.x.shape() == Shape{2, 6});
  CHECK(numbers(data.train.y) == std::vector<double>{26, 1});
  CHECK(data.test.size() == 1);
  // Stored column-major: [[0, 0.6], [0.2, 0.8], [0.4, 1]].
  const Tensor upright = load_mnist(folder.path(), {.prefix = letters, .classes = 27, .transpose = true}).train.x;
  const double expected[] = {0, 0.6, 0.2, 0.8, 0.4, 1};
  for (Index i = 0; i < 6; ++i) CHECK(upright.at(i) == doctest::Approx(expected[i]));
  CHECK(contains(message_of<FormatError>([&] { (void)load_mnist(folder.path(), {.prefix = letters}); }),
                 "label 26 at position 0 is not in [0, 10)"));
  CHECK_THROWS_AS(load_mnist(folder.path()), EnvironmentError);
}

TEST_CASE("mnist: find_data searches XGRAD_DATA, then the given folder") {
  const char* before = std::getenv("XGRAD_DATA");
  const std::string saved = before == nullptr ? "" : before;
  const ScratchFolder folder;
  ::unsetenv("XGRAD_DATA");
  CHECK_FALSE(find_data("mnist").has_value());
  ::setenv("XGRAD_DATA", folder.path().c_str(), 1);
  CHECK_FALSE(find_data("mnist").has_value());
  write_mnist(folder, 1, 1);
  CHECK(find_data("mnist") == folder.path());
  fs::create_directory(folder / "mnist");
  CHECK(find_data("mnist") == folder / "mnist");
  CHECK_FALSE(find_data("boston_housing.csv").has_value());
  const ScratchFolder beside;
  const fs::path csv = write_file(beside / "boston_housing.csv", "a\n1\n");
  CHECK_FALSE(find_data("mnist2", beside.path()).has_value());
  CHECK(find_data("boston_housing.csv", beside.path()) == csv);
  fs::create_directory(beside / "mnist");
  CHECK(find_data("mnist", beside.path()) == folder / "mnist");
  ::unsetenv("XGRAD_DATA");
  CHECK(find_data("mnist", beside.path()) == beside / "mnist");
  if (before == nullptr)
    ::unsetenv("XGRAD_DATA");
  else
    ::setenv("XGRAD_DATA", saved.c_str(), 1);
}

TEST_CASE("mnist: loads the npz file of Keras") {
  const ScratchFolder folder;
  const fs::path path = folder / "mnist.npz";
  const auto images = [](Index n) { return Tensor::full({n, 28, 28}, 51, i64); };
  const auto labels = [](std::int64_t last) { return Tensor::from<std::int64_t>({3}, {7, 0, last}); };
  const Tensor one = Tensor::from<std::int64_t>({1}, {2});
  save_npz(path, {{"x_train", images(3)}, {"y_train", labels(9)}, {"x_test", images(1)}, {"y_test", one}});
  const ImageDataset mnist = load_mnist(path);
  CHECK(mnist.train.x.shape() == Shape{3, 784});
  CHECK(mnist.train.x.at(5) == doctest::Approx(0.2));
  CHECK(numbers(mnist.train.y) == std::vector<double>{7, 0, 9});
  CHECK(mnist.test.size() == 1);
  save_npz(path, {{"x_train", images(3)}, {"y_train", labels(10)}, {"x_test", images(1)}, {"y_test", one}});
  CHECK(
      contains(message_of<FormatError>([&] { (void)load_mnist(path); }), "mnist.npz: y_train: label 10 at position 2"));
  save_npz(path, {{"x_train", images(3)}, {"y_train", Tensor::zeros({3})}, {"x_test", images(1)}, {"y_test", one}});
  CHECK(contains(message_of<FormatError>([&] { (void)load_mnist(path); }), "expected 3 labels, got f32[3]"));
  save_npz(path, {{"x_train", images(3)}, {"x_test", images(1)}});
  CHECK_THROWS_AS(load_mnist(path), UserError);
}

namespace {

void check_real(const char* name, const std::vector<double>& train_labels, const std::vector<double>& test_labels,
                double train_mean, double test_mean) {
  const auto folder = real_data(name);
  if (!folder) return;
  const ImageDataset data = load_mnist(*folder);
  const auto check = [](const Dataset& part, Index rows, const std::vector<double>& labels, double mean) {
    CHECK(part.x.shape() == Shape{rows, 784});
    CHECK(numbers(part.y.rows(0, static_cast<Index>(labels.size()))) == labels);
    double sum = 0;
    for (float pixel : part.x.values<float>()) sum += static_cast<double>(pixel);
    CHECK(sum / static_cast<double>(part.x.elements()) == doctest::Approx(mean).epsilon(1e-4));
  };
  check(data.train, 60000, train_labels, train_mean);
  check(data.test, 10000, test_labels, test_mean);
}

}  // namespace

TEST_CASE("mnist: loads the original files") {
  check_real("mnist", {5, 0, 4, 1, 9, 2, 1, 3, 1, 4}, {7, 2, 1, 0, 4, 1, 4, 9, 5, 9}, 0.13066, 0.13252);
}

TEST_CASE("mnist: loads the original Fashion-MNIST files") {
  check_real("fashion-mnist", {9, 0, 0, 3, 0, 2, 7, 2, 5, 5}, {9, 2, 1, 1, 6, 1, 4, 6, 5, 7}, 0.28604, 0.28685);
}
