#include <xgrad/nn/data/idx.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/nn/data/npy.hpp>

namespace xgrad::nn {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t chunk = 1 << 20;  // bytes read before the next are believed in

// Reads plain files and gzip files alike: zlib tells them apart by their first bytes.
class Reader {
 public:
  explicit Reader(const fs::path& path) : path_(path), file_(gzopen(path.c_str(), "rb")) {
    if (!file_ || !fs::is_regular_file(path))
      throw EnvironmentError(fmt::format("read_idx: cannot open {}", path.string()));
    gzbuffer(file_.get(), 1 << 17);
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("read_idx: {}: {}", path_.string(), what));
  }

  // Up to `count` bytes; fewer only at the end of the file.
  std::size_t read(void* to, std::size_t count) {
    const int got = gzread(file_.get(), to, static_cast<unsigned>(count));
    int code = Z_OK;
    const char* message = gzerror(file_.get(), &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) fail(fmt::format("damaged gzip data ({})", message));
    return static_cast<std::size_t>(got);
  }
  void read_all(void* to, std::size_t count, const char* what) {
    const std::size_t got = read(to, count);
    if (got != count) fail(fmt::format("the file ends within {}: {} of {} bytes", what, got, count));
  }

 private:
  struct Close {
    void operator()(gzFile_s* f) const { gzclose(f); }
  };
  const fs::path& path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

// A big-endian number of type S at `p`.
template <class S>
S big_endian(const unsigned char* p) {
  std::array<unsigned char, sizeof(S)> bytes;
  std::memcpy(bytes.data(), p, sizeof(S));
  if constexpr (std::endian::native == std::endian::little) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<S>(bytes);
}

template <class S>
void convert(const std::vector<unsigned char>& bytes, Tensor& out) {
  const auto copy = [&](auto* to) {
    for (Index i = 0; i < out.elements(); ++i) {
      const S number = big_endian<S>(bytes.data() + static_cast<std::size_t>(i) * sizeof(S));
      to[i] =
          static_cast<std::remove_pointer_t<decltype(to)>>(number);  // NOLINT(bugprone-signed-char-misuse): is a number
    }
  };
  if (out.dtype() == f32)
    copy(static_cast<float*>(out.mutable_raw()));
  else if (out.dtype() == f64)
    copy(static_cast<double*>(out.mutable_raw()));
  else if constexpr (std::is_integral_v<S>)
    copy(static_cast<std::int64_t*>(out.mutable_raw()));
}

struct ElementType {
  unsigned char code;
  std::size_t size;
  void (*convert)(const std::vector<unsigned char>&, Tensor&);
  bool floating;
};
constexpr ElementType element_types[] = {
    {0x08, 1, convert<std::uint8_t>, false}, {0x09, 1, convert<std::int8_t>, false},
    {0x0B, 2, convert<std::int16_t>, false}, {0x0C, 4, convert<std::int32_t>, false},
    {0x0D, 4, convert<float>, true},         {0x0E, 8, convert<double>, true},
};

}  // namespace

Tensor read_idx(const fs::path& path, DType dtype) {
  Reader file(path);
  if (dtype == boolean) throw DTypeError("read_idx: numbers are read as f32, f64 or i64, not as bool");
  std::array<unsigned char, 4> magic{};
  file.read_all(magic.data(), magic.size(), "the magic number");
  const auto* type = std::find_if(std::begin(element_types), std::end(element_types),
                                  [&](const ElementType& t) { return t.code == magic[2]; });
  if (magic[0] != 0 || magic[1] != 0 || type == std::end(element_types)) {
    file.fail(
        fmt::format("not an idx file: it begins with {:02x} {:02x} {:02x} {:02x}, expected 00 00, one of 08 09 0b 0c "
                    "0d 0e, and the rank",
                    magic[0], magic[1], magic[2], magic[3]));
  }
  const int rank = magic[3];
  if (rank < 1 || rank > Shape::max_rank) file.fail(fmt::format("rank {} is not in 1 to {}", rank, Shape::max_rank));
  if (type->floating && dtype == i64)
    throw DTypeError(fmt::format("read_idx: {}: fractions do not fit i64", path.string()));

  Shape shape;
  std::size_t bytes = type->size;
  for (int axis = 0; axis < rank; ++axis) {
    std::array<unsigned char, 4> extent{};
    file.read_all(extent.data(), extent.size(), "the extents");
    const auto e = big_endian<std::uint32_t>(extent.data());
    if (__builtin_mul_overflow(bytes, std::size_t{e}, &bytes) || bytes > (std::size_t{1} << 48)) {
      file.fail(fmt::format("its extents {} and {} make an impossible size", shape.str(), e));
    }
    try {
      shape.push_back(e);
    } catch (const ShapeError& error) {
      file.fail(error.message());
    }
  }
  std::vector<unsigned char> data;
  while (data.size() < bytes) {
    const std::size_t before = data.size();
    const std::size_t wanted = std::min(chunk, bytes - before);
    data.resize(before + wanted);
    const std::size_t got = file.read(data.data() + before, wanted);
    if (got != wanted) {
      file.fail(fmt::format("the file ends early: {} promises {} bytes of numbers, there are {}", shape.str(), bytes,
                            before + got));
    }
  }
  unsigned char more = 0;
  if (file.read(&more, 1) != 0)
    file.fail(fmt::format("there is more in the file than the {} bytes of {}", bytes, shape.str()));
  Tensor out(shape, dtype);
  type->convert(data, out);
  return out;
}

namespace {

// The file called `stem` in the folder, however mirrors write it; empty if there is none.
fs::path find_file(const fs::path& folder, const std::string& stem, const std::string& kind) {
  for (const char* separator : {"-", "."}) {
    for (const char* ending : {"", ".gz"}) {
      fs::path candidate = folder / fmt::format("{}{}{}{}", stem, separator, kind, ending);
      std::error_code ignored;
      if (fs::is_regular_file(candidate, ignored)) return candidate;
    }
  }
  return {};
}

// Images as they are in a file, and the labels of them; names for messages.
Dataset images_and_labels(Tensor images, const Tensor& labels, const std::string& image_name,
                          const std::string& label_name) {
  if (images.shape().rank() != 3 || images.shape()[1] != 28 || images.shape()[2] != 28) {
    throw FormatError(
        fmt::format("load_mnist: {}: expected images [n, 28, 28], got {}", image_name, images.shape().str()));
  }
  if (labels.dtype() != i64 || labels.shape().rank() != 1 || labels.shape()[0] != images.shape()[0]) {
    throw FormatError(
        fmt::format("load_mnist: {}: expected {} labels, got {}", label_name, images.shape()[0], labels.type().str()));
  }
  const auto numbers = labels.values<std::int64_t>();
  const auto bad = std::find_if(numbers.begin(), numbers.end(), [](auto label) { return label < 0 || label > 9; });
  if (bad != numbers.end()) {
    throw FormatError(fmt::format("load_mnist: {}: label {} at position {} is not in 0 to 9", label_name, *bad,
                                  bad - numbers.begin()));
  }
  for (float& pixel : images.mutable_values<float>()) pixel /= 255;
  return {images.reshaped({images.shape()[0], 784}), labels};
}

Dataset load_part(const fs::path& folder, const std::string& part) {
  const auto require = [&](const std::string& stem, const std::string& kind) {
    fs::path file = find_file(folder, stem, kind);
    if (file.empty()) {
      throw EnvironmentError(
          fmt::format("load_mnist: {} has no file {}-{} (plain or .gz)", folder.string(), stem, kind));
    }
    return file;
  };
  const fs::path image_file = require(part + "-images", "idx3-ubyte");
  const fs::path label_file = require(part + "-labels", "idx1-ubyte");
  return images_and_labels(read_idx(image_file, f32), read_idx(label_file, i64), image_file.string(),
                           label_file.string());
}

Dataset load_part(const fs::path& file, const Arrays& arrays, const std::string& part) {
  const std::string x = "x_" + part, y = "y_" + part;
  return images_and_labels(arrays[x], arrays[y], file.string() + ": " + x, file.string() + ": " + y);
}

}  // namespace

ImageDataset load_mnist(const fs::path& path) {
  if (path.extension() != ".npz") return {load_part(path, "train"), load_part(path, "t10k")};
  const Arrays arrays = read_npz(path, {{"x_train", f32}, {"x_test", f32}});
  return {load_part(path, arrays, "train"), load_part(path, arrays, "test")};
}

bool holds_mnist(const fs::path& folder) {
  return !find_file(folder, "train-images", "idx3-ubyte").empty() &&
         !find_file(folder, "train-labels", "idx1-ubyte").empty() &&
         !find_file(folder, "t10k-images", "idx3-ubyte").empty() &&
         !find_file(folder, "t10k-labels", "idx1-ubyte").empty();
}

std::optional<fs::path> find_data(std::string_view name, const fs::path& beside) {
  std::error_code ignored;
  if (const char* root = std::getenv("XGRAD_DATA"); root != nullptr && *root != '\0') {
    const fs::path folder(root);
    if (fs::exists(folder / name, ignored)) return folder / name;
    if (name == "mnist" && holds_mnist(folder)) return folder;
  }
  if (!beside.empty() && fs::exists(beside / name, ignored)) return beside / name;
  return std::nullopt;
}

}  // namespace xgrad::nn
