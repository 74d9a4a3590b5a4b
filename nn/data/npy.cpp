#include <xgrad/nn/data/npy.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zip.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/replace_file.hpp>
#include <xgrad/nn/data/npy_format.hpp>

namespace xgrad::nn {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view ending = ".npy";

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using File = std::unique_ptr<std::FILE, Close>;
using Archive = std::unique_ptr<zip_t, Close>;
using Source = std::unique_ptr<zip_source_t, Close>;
using Member = std::unique_ptr<zip_file_t, Close>;

void require_file(const char* where, const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored))
    throw EnvironmentError(fmt::format("{}: cannot open {}", where, path.string()));
}

// The names of NumPy's members are those of files: no folders, nothing that a terminal would act on.
bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
}

// The bytes of an archive that holds the arrays.
std::string archive_of(const fs::path& path, const Arrays& arrays) {
  const auto require = [&](bool good) {
    if (!good) throw EnvironmentError(fmt::format("save_npz: libzip cannot make an archive for {}", path.string()));
  };
  zip_error_t error;
  zip_error_init(&error);
  const Source bytes(zip_source_buffer_create(nullptr, 0, 0, &error));
  require(bytes != nullptr);
  zip_source_keep(bytes.get());  // the archive owns it as well
  Archive archive(zip_open_from_source(bytes.get(), ZIP_TRUNCATE, &error));
  if (!archive) zip_source_free(bytes.get());
  require(archive != nullptr);

  std::vector<std::string> members;  // libzip reads them when the archive is closed
  members.reserve(arrays.size());
  for (const auto& [name, tensor] : arrays) {
    std::string& content = members.emplace_back(npy_header(tensor));
    content.append(static_cast<const char*>(tensor.raw()), tensor.bytes());
    zip_source_t* source = zip_source_buffer(archive.get(), content.data(), content.size(), 0);
    require(source != nullptr);
    const zip_int64_t index =
        zip_file_add(archive.get(), (name + std::string(ending)).c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) zip_source_free(source);
    require(index >= 0);
    const auto at = static_cast<zip_uint64_t>(index);
    zip_set_file_compression(archive.get(), at, ZIP_CM_STORE, 0);
    zip_file_set_mtime(archive.get(), at, 315532800, 0);  // 1980, as in NumPy: equal arrays make equal archives
  }
  require(zip_close(archive.get()) == 0);
  (void)archive.release();  // closing has freed it

  zip_stat_t facts;
  require(zip_source_stat(bytes.get(), &facts) == 0 && zip_source_open(bytes.get()) == 0);
  std::string out(facts.size, '\0');
  const zip_int64_t got = zip_source_read(bytes.get(), out.data(), out.size());
  zip_source_close(bytes.get());
  require(got == static_cast<zip_int64_t>(out.size()));
  return out;
}

}  // namespace

Tensor read_npy(const fs::path& path, std::optional<DType> dtype) {
  require_file("read_npy", path);
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) throw EnvironmentError(fmt::format("read_npy: cannot open {}", path.string()));
  const auto bytes = [&](void* to, std::size_t count) {
    const std::size_t got = std::fread(to, 1, count, file.get());
    if (std::ferror(file.get()) != 0) throw EnvironmentError(fmt::format("read_npy: cannot read {}", path.string()));
    return got;
  };
  return read_npy_bytes("read_npy: " + path.string(), bytes, dtype);
}

void save_npy(const fs::path& path, const Tensor& tensor) {
  if (tensor.empty()) throw UserError(fmt::format("save_npy: there is no tensor for {}", path.string()));
  const std::string header = npy_header(tensor);
  const std::string_view parts[] = {header, {static_cast<const char*>(tensor.raw()), tensor.bytes()}};
  replace_file("save_npy", path, parts);
}

Arrays::Arrays(std::initializer_list<std::pair<std::string, Tensor>> entries) {
  for (const auto& [name, tensor] : entries) add(name, tensor);
}

void Arrays::add(std::string name, Tensor tensor) {
  if (!is_name(name)) throw UserError(fmt::format("arrays: {:?} cannot be the name of an array", name));
  if (has(name)) throw UserError(fmt::format("arrays: there is an array {:?} already", name));
  if (tensor.empty()) throw UserError(fmt::format("arrays: there is no tensor for {:?}", name));
  entries_.emplace_back(std::move(name), std::move(tensor));
}

const Tensor& Arrays::operator[](const std::string& name) const {
  for (const auto& entry : entries_) {
    if (entry.first == name) return entry.second;
  }
  throw UserError(fmt::format("arrays: there is no {:?}; there are: {}", name, fmt::join(names(), ", ")));
}

bool Arrays::has(const std::string& name) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.first == name; });
}

std::vector<std::string> Arrays::names() const {
  std::vector<std::string> out;
  for (const auto& entry : entries_) out.push_back(entry.first);
  return out;
}

Arrays read_npz(const fs::path& path, const std::map<std::string, DType>& dtypes) {
  require_file("read_npz", path);
  const auto fail = [&](const std::string& what) {
    throw FormatError(fmt::format("read_npz: {}: {}", path.string(), what));
  };
  int code = 0;
  const Archive archive(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (code == ZIP_ER_OPEN || code == ZIP_ER_READ || code == ZIP_ER_NOENT)
      throw EnvironmentError(fmt::format("read_npz: cannot open {}: {}", path.string(), text));
    fail("not a zip archive, or a damaged one: " + text);
  }
  Arrays out;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const char* stored = zip_get_name(archive.get(), index, ZIP_FL_ENC_GUESS);
    const std::string member = stored == nullptr ? "" : stored;
    const bool is_array = member.size() > ending.size() && member.ends_with(ending) && is_name(member);
    if (!is_array)
      fail(fmt::format("member {} is called {:?}, which is no array ({})", i, member.substr(0, 80), ending));
    const std::string where = fmt::format("read_npz: {}: {}", path.string(), member);
    const Member file(zip_fopen_index(archive.get(), index, 0));
    if (!file) throw FormatError(fmt::format("{}: {}", where, zip_strerror(archive.get())));
    const auto bytes = [&](void* to, std::size_t wanted) {
      std::size_t got = 0;
      while (got < wanted) {  // a read may give less than there is
        const zip_int64_t part = zip_fread(file.get(), static_cast<char*>(to) + got, wanted - got);
        if (part < 0) throw FormatError(fmt::format("{}: damaged data: {}", where, zip_file_strerror(file.get())));
        if (part == 0) break;
        got += static_cast<std::size_t>(part);
      }
      return got;
    };
    std::string name = member.substr(0, member.size() - ending.size());
    if (out.has(name)) fail(fmt::format("there are two members called {}", member));
    const auto dtype = dtypes.find(name);
    out.add(std::move(name),
            read_npy_bytes(where, bytes, dtype == dtypes.end() ? std::nullopt : std::optional(dtype->second)));
  }
  for (const auto& entry : dtypes) (void)out[entry.first];
  return out;
}

void save_npz(const fs::path& path, const Arrays& arrays) {
  // An archive without members is no file for libzip, and nothing for NumPy.
  if (arrays.size() == 0) throw UserError(fmt::format("save_npz: there are no arrays for {}", path.string()));
  replace_file("save_npz", path, archive_of(path, arrays));
}

}  // namespace xgrad::nn
