#include <xgrad/nn/data/idx.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>
#include <xgrad/nn/data/internal/npy_format.hpp>
#include <xgrad/nn/data/npy.hpp>

namespace xgrad::inline v0::nn {
namespace {

namespace fs = std::filesystem;

void read_all(InputFile& file, void* to, std::size_t count, const char* what) {
  const std::size_t got = file.read(to, count);
  if (got != count) file.fail(fmt::format("the file ends within {}: {} of {} bytes", what, got, count));
}

struct ElementType {
  unsigned char code;
  char kind;
  std::size_t size;
};
constexpr ElementType element_types[] = {{0x08, 'u', 1}, {0x09, 'i', 1}, {0x0B, 'i', 2},
                                         {0x0C, 'i', 4}, {0x0D, 'f', 4}, {0x0E, 'f', 8}};

Tensor read(const fs::path& path, DType dtype) {
  const auto where = [&] { return "load_idx: " + path.string(); };
  InputFile file("load_idx", path, {.unpack = true});
  if (dtype == boolean) throw DTypeError("load_idx: dtype must be f32, f64 or i64, got bool");
  std::array<unsigned char, 4> magic{};
  if (file.beginning().empty()) file.fail("the file is empty");
  read_all(file, magic.data(), magic.size(), "the magic number");
  const auto* type = std::find_if(std::begin(element_types), std::end(element_types),
                                  [&](const ElementType& t) { return t.code == magic[2]; });
  if (magic[0] != 0 || magic[1] != 0 || type == std::end(element_types)) {
    file.fail(not_of_format(
        "an idx file", file.beginning(),
        fmt::format(
            "it begins with {:02x} {:02x} {:02x} {:02x}, expected 00 00, one of 08 09 0b 0c 0d 0e, and the rank",
            magic[0], magic[1], magic[2], magic[3])));
  }
  const int rank = magic[3];
  if (rank < 1 || rank > Shape::max_rank)
    file.fail(fmt::format("rank must be 1 to {1}, got {0}", rank, Shape::max_rank));
  if (type->kind == 'f' && dtype == i64)
    throw DTypeError(fmt::format("load_idx: {}: floating-point elements cannot be read as i64", path.string()));

  Shape shape;
  std::size_t bytes = type->size;
  for (int axis = 0; axis < rank; ++axis) {
    std::array<unsigned char, 4> extent{};
    read_all(file, extent.data(), extent.size(), "the extents");
    std::uint32_t e = 0;  // big-endian
    for (const unsigned char byte : extent) e = e << 8 | byte;
    if (__builtin_mul_overflow(bytes, std::size_t{e}, &bytes) || bytes > (std::size_t{1} << 48)) {
      file.fail(fmt::format("shape {} with another axis of extent {} is too large", shape.str(), e));
    }
    try {
      shape.push_back(e);
    } catch (const ShapeError& error) {
      file.fail(error.message());
    }
  }
  const auto read_numbers = [&] {
    const std::vector<unsigned char> data =
        read_up_to(bytes, [&](void* to, std::size_t count) { return file.read(to, count); });
    if (data.size() != bytes) {
      file.fail(fmt::format("the file ends within the data: shape {} needs {} bytes, got {}", shape.str(), bytes,
                            data.size()));
    }
    unsigned char more = 0;
    if (file.read(&more, 1) != 0)
      file.fail(fmt::format("the file has more data than the {} bytes of shape {}", bytes, shape.str()));
    constexpr bool swapped = std::endian::native == std::endian::little;
    return decode_array(where(), {.kind = type->kind, .size = type->size, .swapped = swapped, .shape = shape}, data,
                        dtype);
  };
  return with_file_memory(where, read_numbers, [&] { return fmt::format("{} bytes of {}", bytes, shape.str()); });
}

// Transposes images [n, h, w] to [n, w, h].
Tensor transposed_images(const Tensor& images) {
  const Shape& s = images.shape();
  Tensor out(Shape{s[0], s[2], s[1]});
  const float* from = images.values<float>().data();
  float* to = out.mutable_values<float>().data();
  for (Index i = 0; i < s[0]; ++i) {
    for (Index y = 0; y < s[1]; ++y) {
      for (Index x = 0; x < s[2]; ++x) to[(i * s[2] + x) * s[1] + y] = *from++;
    }
  }
  return out;
}

// Candidate file names of one subset, without suffixes such as "-idx3-ubyte"; messages use the first.
struct SubsetFiles {
  std::vector<std::string> images, labels;
};
SubsetFiles training_files(const std::string& prefix) { return {{prefix + "train-images"}, {prefix + "train-labels"}}; }
SubsetFiles test_files(const std::string& prefix) {
  return {{prefix + "t10k-images", prefix + "test-images"}, {prefix + "t10k-labels", prefix + "test-labels"}};
}

// The first existing file with one of these stems, in the spelling of any mirror; empty if there is none.
fs::path find_file(const fs::path& folder, const std::vector<std::string>& stems, const std::string& kind) {
  for (const std::string& stem : stems) {
    for (const char* separator : {"-", "."}) {
      for (const char* ending : {"", ".gz"}) {
        fs::path candidate = folder / fmt::format("{}{}{}{}", stem, separator, kind, ending);
        std::error_code ignored;
        if (fs::is_regular_file(candidate, ignored)) return candidate;
      }
    }
  }
  return {};
}

// Checks the arrays of a file and converts them to a Dataset; the names are for messages.
Dataset images_and_labels(Tensor images, const Tensor& labels, const std::string& image_name,
                          const std::string& label_name, const MnistOptions& options) {
  const Shape& s = images.shape();
  if (s.rank() != 3)
    throw FormatError(fmt::format("load_mnist: {}: expected images [n, h, w], got {}", image_name, s.str()));
  if (labels.dtype() != i64 || labels.shape() != Shape{s[0]}) {
    throw FormatError(fmt::format("load_mnist: {}: expected {} labels, got {}", label_name, s[0], labels.type().str()));
  }
  const auto numbers = labels.values<std::int64_t>();
  const auto bad =
      std::find_if(numbers.begin(), numbers.end(), [&](auto label) { return label < 0 || label >= options.classes; });
  if (bad != numbers.end()) {
    throw FormatError(fmt::format("load_mnist: {}: label {} at position {} is not in [0, {})", label_name, *bad,
                                  bad - numbers.begin(), options.classes));
  }
  for (float& pixel : images.mutable_values<float>()) pixel /= 255;
  Tensor rows = options.transpose ? transposed_images(images) : images;
  return {rows.reshaped({s[0], s[1] * s[2]}), labels};
}

Dataset load_subset(const fs::path& folder, const SubsetFiles& files, const MnistOptions& options) {
  const auto require = [&](const std::vector<std::string>& stems, const std::string& kind) {
    fs::path file = find_file(folder, stems, kind);
    if (file.empty()) {
      throw EnvironmentError(
          fmt::format("load_mnist: {} has no file {}-{} (plain or .gz)", folder.string(), stems[0], kind));
    }
    return file;
  };
  const fs::path image_file = require(files.images, "idx3-ubyte");
  const fs::path label_file = require(files.labels, "idx1-ubyte");
  return images_and_labels(load_idx(image_file, f32), load_idx(label_file, i64), image_file.string(),
                           label_file.string(), options);
}

Dataset load_subset(const fs::path& file, const Arrays& arrays, const std::string& subset,
                    const MnistOptions& options) {
  const std::string x = "x_" + subset, y = "y_" + subset;
  return images_and_labels(arrays[x], arrays[y], file.string() + ": " + x, file.string() + ": " + y, options);
}

}  // namespace

Tensor load_idx(const fs::path& path, DType dtype) {
  return with_file_memory([&] { return "load_idx: " + path.string(); }, [&] { return read(path, dtype); },
                          [] { return std::string("reading its header"); });
}

ImageDataset load_mnist(const fs::path& path, const MnistOptions& options) {
  if (path.extension() != ".npz") {
    return {load_subset(path, training_files(options.prefix), options),
            load_subset(path, test_files(options.prefix), options)};
  }
  const Arrays arrays = load_npz(path, {{"x_train", f32}, {"x_test", f32}});
  return {load_subset(path, arrays, "train", options), load_subset(path, arrays, "test", options)};
}

bool holds_mnist(const fs::path& folder) {
  const auto holds = [&](const SubsetFiles& files) {
    return !find_file(folder, files.images, "idx3-ubyte").empty() &&
           !find_file(folder, files.labels, "idx1-ubyte").empty();
  };
  return holds(training_files("")) && holds(test_files(""));
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

}  // namespace xgrad::inline v0::nn
