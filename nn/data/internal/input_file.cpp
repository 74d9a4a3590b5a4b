#include <xgrad/nn/data/internal/input_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <zlib.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::nn {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

struct Signature {
  std::string_view bytes;
  std::string_view kind;
  std::size_t offset = 0;

  // A CSV file may begin with a column named "PAR1", but not with these bytes.
  constexpr bool is_no_text() const {
    return bytes.size() > 16 || std::any_of(bytes.begin(), bytes.end(), [](char c) { return c < '\t' || c > '~'; });
  }
};
constexpr std::array signatures{
    Signature{"version https://git-lfs.github.com/spec/"sv, "a Git LFS pointer; fetch the file with `git lfs pull`"sv},
    Signature{"PK\x03\x04"sv, "a zip archive, such as .npz, .xlsx, .pt and .keras files"sv},
    Signature{"PK\x05\x06"sv, "an empty zip archive"sv},
    Signature{"\x89HDF\r\n\x1A\n"sv, "an HDF5 file, as Keras (.h5) and MATLAB write them"sv},
    Signature{"\x1F\x8B"sv, "gzip data; unpack it with gunzip"sv},
    Signature{"BZh"sv, "bzip2 data; unpack it with bunzip2"sv},
    Signature{"\xFD"
              "7zXZ\0"sv,
              "xz data; unpack it with unxz"sv},
    Signature{"\x28\xB5\x2F\xFD"sv, "Zstandard data; unpack it with unzstd"sv},
    Signature{"7z\xBC\xAF\x27\x1C"sv, "a 7z archive"sv},
    Signature{"ustar"sv, "a tar archive"sv, 257},
    Signature{"\x93NUMPY"sv, "an npy file"sv},
    Signature{"\x89PNG\r\n\x1A\n"sv, "a PNG image"sv},
    Signature{"\xFF\xD8\xFF"sv, "a JPEG image"sv},
    Signature{"GIF8"sv, "a GIF image"sv},
    Signature{"%PDF-"sv, "a PDF document"sv},
    Signature{"PAR1"sv, "a Parquet file"sv},
    Signature{"ARROW1"sv, "an Arrow file"sv},
    Signature{"SQLite format 3\0"sv, "an SQLite database"sv},
    Signature{"\x7F"
              "ELF"sv,
              "an executable"sv},
    Signature{"\x80\x02"sv, "a Python pickle"sv},
    Signature{"\x80\x03"sv, "a Python pickle"sv},
    Signature{"\x80\x04"sv, "a Python pickle"sv},
    Signature{"\x80\x05"sv, "a Python pickle"sv},
    Signature{"\xFF\xFE"sv, "UTF-16 text"sv},
    Signature{"\xFE\xFF"sv, "UTF-16 text"sv},
    Signature{"\0\0\x08"sv, "an idx file"sv},
    Signature{"<?xml"sv, "an XML file"sv},
};

// Whether the text begins with the tag, ignoring case, a byte order mark and leading white space.
bool begins_with_tag(std::string_view text, std::string_view tag) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return text.size() >= tag.size() &&
         std::equal(tag.begin(), tag.end(), text.begin(), [&](char a, char b) { return a == lower(b); });
}

// Safetensors files begin with the length of the header in eight bytes, and the header in JSON.
bool looks_like_safetensors(std::string_view beginning) {
  return beginning.size() >= 10 && beginning[8] == '{' && beginning.substr(4, 4) == "\0\0\0\0"sv;
}

// Whether the file is gzip data. zlib can also read other files, but needs far more memory than small files have bytes.
bool begins_as_gzip(int file) {
  std::array<unsigned char, 2> begin{};
  return ::pread(file, begin.data(), begin.size(), 0) == 2 && begin[0] == 0x1F && begin[1] == 0x8B;
}

}  // namespace

std::string kind_of_file(std::string_view beginning, bool no_text) {
  for (const Signature& s : signatures) {
    if (no_text && !s.is_no_text()) continue;
    if (beginning.size() >= s.offset && beginning.substr(s.offset).starts_with(s.bytes)) return std::string(s.kind);
  }
  for (const std::string_view tag : {"<!doctype html"sv, "<html"sv, "<head"sv}) {
    if (begins_with_tag(beginning, tag))
      return "an HTML page, which servers send if a file is missing or needs a login";
  }
  if (looks_like_safetensors(beginning)) return "a safetensors file";
  return {};
}

std::string not_of_format(std::string_view format, std::string_view beginning, const std::string& otherwise) {
  if (beginning.empty()) return "the file is empty";
  const std::string kind = kind_of_file(beginning);
  return fmt::format("not {}: {}", format, kind.empty() ? otherwise : "it is " + kind);
}

std::vector<unsigned char> read_up_to(std::size_t count, const ByteSource& source) {
  std::vector<unsigned char> out;
  while (out.size() < count) {
    const std::size_t before = out.size();
    const std::size_t wanted =
        std::min(count - before, std::clamp(before, std::size_t{1} << 12U, std::size_t{1} << 26U));
    out.resize(before + wanted);
    const std::size_t got = source(out.data() + before, wanted);
    out.resize(before + got);
    if (got < wanted) break;
  }
  return out;
}

struct InputFile::Descriptor {
  int number = -1;
  gzFile_s* packed = nullptr;  // if set, owns the descriptor
  ~Descriptor() {
    if (packed != nullptr)
      gzclose(packed);
    else if (number >= 0)
      ::close(number);
  }
};

InputFile::InputFile(const std::string& where, const fs::path& path, InputFileOptions options)
    : where_(fmt::format("{}: {}", where, path.string())), file_(std::make_unique<Descriptor>()) {
  const auto refuse = [&](const char* why) {
    throw EnvironmentError(fmt::format("{}: cannot open {}: {}", where, path.string(), why));
  };
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) refuse(std::strerror(errno));
  if (S_ISDIR(facts.st_mode)) refuse("it is a directory");
  const bool regular = S_ISREG(facts.st_mode), pipe = !regular && options.pipes;
  if (!regular && !pipe) refuse("it is not a regular file");
  // The file may have been replaced by a pipe since stat: O_NONBLOCK avoids waiting for a writer.
  file_->number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (pipe ? 0 : O_NONBLOCK));
  if (file_->number < 0) refuse(std::strerror(errno));
  if (::fstat(file_->number, &facts) != 0) refuse(std::strerror(errno));
  if (regular && !S_ISREG(facts.st_mode)) refuse("it is not a regular file");
  size_ = static_cast<std::uint64_t>(std::max<off_t>(facts.st_size, 0));
  if (!options.unpack || (regular && !begins_as_gzip(file_->number))) return;
  file_->packed = gzdopen(file_->number, "rb");
  if (file_->packed == nullptr) throw OutOfMemoryError(where_ + ": out of memory for unpacking gzip data");
  gzbuffer(file_->packed, 1 << 16);
}

InputFile::~InputFile() = default;

std::size_t InputFile::read_more(void* to, std::size_t count) {
  auto* next = static_cast<char*>(to);
  std::size_t got = 0;
  while (got < count) {
    constexpr std::size_t most = 1 << 30;  // zlib's counts are of type int
    const std::size_t wanted = std::min(most, count - got);
    if (file_->packed == nullptr) {
      const ssize_t part = ::read(file_->number, next + got, wanted);
      if (part < 0 && errno == EINTR) continue;
      if (part < 0) throw EnvironmentError(fmt::format("{}: cannot read the file: {}", where_, std::strerror(errno)));
      if (part == 0) break;
      got += static_cast<std::size_t>(part);
      continue;
    }
    const int part = gzread(file_->packed, next + got, static_cast<unsigned>(wanted));
    int code = Z_OK;
    const char* message = gzerror(file_->packed, &code);
    if (code == Z_ERRNO)
      throw EnvironmentError(fmt::format("{}: cannot read the file: {}", where_, std::strerror(errno)));
    if (code == Z_MEM_ERROR) throw OutOfMemoryError(where_ + ": out of memory for unpacking gzip data");
    if (part < 0 || (code != Z_OK && code != Z_STREAM_END)) fail(fmt::format("damaged gzip data ({})", message));
    if (part == 0) break;
    got += static_cast<std::size_t>(part);
  }
  return got;
}

std::size_t InputFile::read(void* to, std::size_t count) {
  auto* next = static_cast<char*>(to);
  const std::string_view kept = beginning().substr(taken_, count);
  std::copy(kept.begin(), kept.end(), next);
  taken_ += kept.size();
  return kept.size() < count ? kept.size() + read_more(next + kept.size(), count - kept.size()) : count;
}

void InputFile::skip(std::uint64_t count) {
  std::array<char, 1 << 12> passed;
  for (std::size_t got = 1; count > 0 && got > 0; count -= got)
    got = read(passed.data(), static_cast<std::size_t>(std::min<std::uint64_t>(count, passed.size())));
}

std::string InputFile::read_all() {
  std::size_t got = 0;  // bytes read so far
  const auto read_parts = [&] {
    std::string out;
    // Asking for one byte more than the file size detects the end in one read.
    std::size_t next = static_cast<std::size_t>(std::clamp<std::uint64_t>(size_ + 1, 1U << 12U, 1U << 26U));
    for (;; next = std::min(got, std::size_t{1} << 26U)) {
      out.resize(got + next);
      const std::size_t part = read(out.data() + got, next);
      got += part;
      out.resize(got);
      if (part < next) return out;
    }
  };
  return with_file_memory([&] { return where_; }, read_parts,
                          [&] { return fmt::format("its text after {} bytes were read", got); });
}

std::string_view InputFile::beginning() {
  if (!looked_) {
    looked_ = true;
    beginning_.resize(512);
    beginning_.resize(read_more(beginning_.data(), beginning_.size()));
  }
  return beginning_;
}

void InputFile::fail(const std::string& what) const { throw FormatError(fmt::format("{}: {}", where_, what)); }

}  // namespace xgrad::inline v0::nn
