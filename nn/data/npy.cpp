#include <xgrad/nn/data/npy.hpp>

#include <algorithm>
#include <memory>
#include <new>
#include <string_view>

#include <fmt/format.h>
#include <zip.h>
#include <zlib.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/graph/base/internal/text_width.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>
#include <xgrad/nn/data/internal/npy_format.hpp>

namespace xgrad::inline v0::nn {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view ending = ".npy";

struct Close {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Archive = std::unique_ptr<zip_t, Close>;
using Source = std::unique_ptr<zip_source_t, Close>;
using Member = std::unique_ptr<zip_file_t, Close>;

bool is_out_of_memory(zip_error_t& error) {
  const int code = zip_error_code_zip(&error);
  return code == ZIP_ER_MEMORY || (code == ZIP_ER_ZLIB && zip_error_code_system(&error) == Z_MEM_ERROR);
}

// Accepts relative paths without empty, "." or ".." components, backslashes or control characters.
bool is_name(std::string_view name) {
  if (std::any_of(name.begin(), name.end(),
                  [](char c) { return c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }))
    return false;
  for (;;) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

std::string npz_location(const fs::path& path) { return "load_npz: " + path.string(); }

// The bytes of a zip archive of the arrays.
std::string archive_of(const fs::path& path, const Arrays& arrays) {
  const auto require = [&](bool good) {
    if (!good) throw EnvironmentError(fmt::format("save_npz: libzip cannot create an archive for {}", path.string()));
  };
  zip_error_t error;
  zip_error_init(&error);
  const Source bytes(zip_source_buffer_create(nullptr, 0, 0, &error));
  require(bytes != nullptr);
  zip_source_keep(bytes.get());  // count this reference, besides that of the archive
  Archive archive(zip_open_from_source(bytes.get(), ZIP_TRUNCATE, &error));
  if (!archive) zip_source_free(bytes.get());
  require(archive != nullptr);

  std::vector<std::string> members;  // libzip reads them in zip_close
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
    zip_file_set_mtime(archive.get(), at, 315532800, 0);  // 1980, as in NumPy, so that equal arrays give equal archives
  }
  require(zip_close(archive.get()) == 0);
  (void)archive.release();  // zip_close freed it

  zip_stat_t facts;
  require(zip_source_stat(bytes.get(), &facts) == 0 && zip_source_open(bytes.get()) == 0);
  std::string out(facts.size, '\0');
  const zip_int64_t got = zip_source_read(bytes.get(), out.data(), out.size());
  zip_source_close(bytes.get());
  require(got == static_cast<zip_int64_t>(out.size()));
  return out;
}

}  // namespace

Tensor load_npy(const fs::path& path, std::optional<DType> dtype) {
  const auto read = [&] {
    InputFile file("load_npy", path);
    const auto bytes = [&](void* to, std::size_t count) { return file.read(to, count); };
    return read_npy_bytes("load_npy: " + path.string(), bytes, dtype);
  };
  return with_file_memory([&] { return "load_npy: " + path.string(); }, read,
                          [] { return std::string("reading its header"); });
}

void save_npy(const fs::path& path, const Tensor& tensor) {
  if (tensor.empty()) throw UserError(fmt::format("save_npy: the tensor for {} is empty", path.string()));
  const auto save = [&] {
    const std::string header = npy_header(tensor);
    const std::string_view parts[] = {header, {static_cast<const char*>(tensor.raw()), tensor.bytes()}};
    replace_file("save_npy", path, parts);
  };
  with_file_memory([&] { return "save_npy: " + path.string(); }, save, [] { return std::string("writing it"); });
}

Arrays::Arrays(std::initializer_list<std::pair<std::string, Tensor>> entries) {
  for (const auto& [name, tensor] : entries) add(name, tensor);
}

void Arrays::add(std::string name, Tensor tensor) {
  if (!is_name(name)) throw UserError(fmt::format("arrays: {} is not a valid array name", in_quotes(name)));
  if (has(name)) throw UserError(fmt::format("arrays: there is already an array {}", in_quotes(name)));
  if (tensor.empty()) throw UserError(fmt::format("arrays: the tensor for {} is empty", in_quotes(name)));
  positions_.emplace(name, entries_.size());
  entries_.emplace_back(std::move(name), std::move(tensor));
}

const Tensor& Arrays::operator[](const std::string& name) const {
  if (const auto found = positions_.find(name); found != positions_.end()) return entries_[found->second].second;
  for (const auto& [member, reason] : unreadable_) {
    if (member == name) throw FormatError(reason);
  }
  throw UserError(fmt::format("arrays: there is no array {}; the arrays are {}", in_quotes(name), name_list(names())));
}

bool Arrays::has(const std::string& name) const { return positions_.contains(name); }

std::vector<std::string> Arrays::names() const {
  std::vector<std::string> out;
  for (const auto& entry : entries_) out.push_back(entry.first);
  return out;
}

struct NpzFile::State {
  explicit State(const fs::path& path);
  Tensor read(zip_uint64_t index, std::optional<DType> dtype);

  std::string where;  // beginning of messages
  Archive archive;
  std::vector<std::string> names;
  std::unordered_map<std::string, zip_uint64_t> indices;
};

NpzFile::State::State(const fs::path& path) : where(npz_location(path)) {
  InputFile file("load_npz", path);
  int code = 0;
  archive.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive == nullptr) {
    if (code == ZIP_ER_MEMORY) throw std::bad_alloc();
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (code == ZIP_ER_OPEN || code == ZIP_ER_READ)
      throw EnvironmentError(fmt::format("load_npz: cannot open {}: {}", path.string(), text));
    const bool begins_well = file.beginning().starts_with("PK");
    file.fail(begins_well ? "a damaged zip archive: " + text : not_of_format("a zip archive", file.beginning(), text));
  }
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const char* stored = zip_get_name(archive.get(), index, ZIP_FL_ENC_GUESS);
    if (stored == nullptr && is_out_of_memory(*zip_get_error(archive.get()))) throw std::bad_alloc();
    if (stored == nullptr) file.fail(fmt::format("a damaged zip archive: member {} has no name", i));
    std::string name = stored;
    if (name.ends_with('/')) continue;  // a directory
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
    if (indices.insert_or_assign(name, index).second) names.push_back(std::move(name));
  }
}

Tensor NpzFile::State::read(zip_uint64_t index, std::optional<DType> dtype) {
  const char* member = zip_get_name(archive.get(), index, ZIP_FL_ENC_GUESS);
  if (member == nullptr) throw std::bad_alloc();  // the name existed when the archive was opened
  const std::string location = fmt::format("{}: {}", where, without_controls(member));
  const Member file(zip_fopen_index(archive.get(), index, 0));
  if (!file) {
    if (is_out_of_memory(*zip_get_error(archive.get()))) throw std::bad_alloc();
    throw FormatError(fmt::format("{}: cannot decompress the member: {}", location, zip_strerror(archive.get())));
  }
  const auto bytes = [&](void* to, std::size_t wanted) {
    std::size_t got = 0;
    while (got < wanted) {  // zip_fread may return fewer bytes than requested
      const zip_int64_t part = zip_fread(file.get(), static_cast<char*>(to) + got, wanted - got);
      if (part < 0 && is_out_of_memory(*zip_file_get_error(file.get()))) throw std::bad_alloc();
      if (part < 0) throw FormatError(fmt::format("{}: damaged data: {}", location, zip_file_strerror(file.get())));
      if (part == 0) break;
      got += static_cast<std::size_t>(part);
    }
    return got;
  };
  return read_npy_bytes(location, bytes, dtype);
}

NpzFile::NpzFile(const fs::path& path)
    : state_(with_file_memory([&] { return npz_location(path); }, [&] { return std::make_unique<State>(path); },
                              [] { return std::string("the directory of the archive"); })) {}

NpzFile::~NpzFile() = default;
NpzFile::NpzFile(NpzFile&&) noexcept = default;
NpzFile& NpzFile::operator=(NpzFile&&) noexcept = default;

const std::vector<std::string>& NpzFile::names() const { return state_->names; }
bool NpzFile::has(const std::string& name) const { return state_->indices.contains(name); }

Tensor NpzFile::read(const std::string& name, std::optional<DType> dtype) {
  const auto read_member = [&] {
    const auto found = state_->indices.find(name);
    if (found == state_->indices.end())
      throw UserError(fmt::format("{}: there is no array {}; the arrays are {}", state_->where, in_quotes(name),
                                  name_list(names())));
    return state_->read(found->second, dtype);
  };
  return with_file_memory([&] { return state_->where; }, read_member, [&] { return "reading " + in_quotes(name); });
}

Arrays load_npz(const fs::path& path, const std::map<std::string, DType>& dtypes) {
  const auto read = [&] {
    NpzFile file(path);
    Arrays out;
    for (const std::string& name : file.names()) {
      const auto dtype = dtypes.find(name);
      try {
        out.entries_.emplace_back(name,
                                  file.read(name, dtype == dtypes.end() ? std::nullopt : std::optional(dtype->second)));
        out.positions_.emplace(name, out.entries_.size() - 1);
      } catch (const FormatError& error) {
        if (dtype != dtypes.end()) throw;
        out.unreadable_.emplace_back(name, error.message());
      }
    }
    for (const auto& entry : dtypes) (void)out[entry.first];
    if (out.size() == 0 && !out.unreadable_.empty()) throw FormatError(out.unreadable_.front().second);
    return out;
  };
  return with_file_memory([&] { return npz_location(path); }, read, [] { return std::string("its arrays"); });
}

void save_npz(const fs::path& path, const Arrays& arrays) {
  // libzip writes no file for an archive without members.
  if (arrays.size() == 0) throw UserError(fmt::format("save_npz: no arrays to save in {}", path.string()));
  const auto bytes = [&] {
    std::size_t sum = 0;
    for (const auto& entry : arrays) sum += entry.second.bytes();
    return fmt::format("an archive of {} bytes", sum);
  };
  with_file_memory([&] { return "save_npz: " + path.string(); },
                   [&] { replace_file("save_npz", path, archive_of(path, arrays)); }, bytes);
}

}  // namespace xgrad::inline v0::nn
