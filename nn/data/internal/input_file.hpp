// InputFile: a file opened for reading, plain or gzip-compressed; detection of file formats by their first bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <xgrad/graph/base/internal/sizes.hpp>
#include <xgrad/graph/base/internal/text_width.hpp>

namespace xgrad::inline v0::nn {

// Calls f(), which reads a file. A failed allocation becomes OutOfMemoryError "WHERE: out of memory for WHAT", unless
// f() already threw an OutOfMemoryError that begins with WHERE. where() and what() are called only on failure.
template <class Where, class F, class What>
decltype(auto) with_file_memory(Where where, F f, What what) {
  const auto message = [&] { return where() + ": out of memory for " + what(); };
  try {
    return with_memory(f, message);
  } catch (const OutOfMemoryError& error) {
    // Errors of tensor allocations do not name the file.
    if (std::string_view(error.what()).starts_with(where())) throw;
    throw OutOfMemoryError(message());
  }
}

// Describes a file by its first bytes (512 suffice), such as "a PNG image"; empty if unknown. With `no_text`, only
// formats whose first bytes cannot begin a text file.
std::string kind_of_file(std::string_view beginning, bool no_text = false);

// The text "not FORMAT: it is KIND", or "not FORMAT: OTHERWISE" if kind_of_file does not know these first bytes.
std::string not_of_format(std::string_view format, std::string_view beginning, const std::string& otherwise);

// A function that reads up to `count` bytes and returns their number, which is smaller only at the end.
using ByteSource = std::function<std::size_t(void* to, std::size_t count)>;
// Reads `count` bytes, or fewer at the end of the source. Memory grows with the bytes read, since `count` comes from an
// unverified file header.
std::vector<unsigned char> read_up_to(std::size_t count, const ByteSource& source);

struct InputFileOptions {
  bool unpack = false;  // decompress gzip data
  bool pipes = false;   // also accept pipes and devices such as /dev/stdin
};

class InputFile {
 public:
  // Throws EnvironmentError if the file is missing, a directory or (without `pipes`) not regular; never blocks on a
  // pipe. Messages begin with `where` and the path.
  InputFile(const std::string& where, const std::filesystem::path& path, InputFileOptions options = {});
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // Reads up to `count` bytes; returns fewer only at the end. Throws EnvironmentError on a read error, FormatError for
  // damaged gzip data, OutOfMemoryError if zlib cannot allocate.
  std::size_t read(void* to, std::size_t count);
  void skip(std::uint64_t count);
  // Reads the rest of the file. OutOfMemoryError says how much was read.
  std::string read_all();
  // The first bytes of the file, up to 512, independent of the read position.
  std::string_view beginning();
  // Size on disk in bytes.
  std::uint64_t size() const { return size_; }

  // Throws FormatError with the message "WHERE: PATH: WHAT".
  [[noreturn]] void fail(const std::string& what) const;

 private:
  std::size_t read_more(void* to, std::size_t count);

  struct Descriptor;
  std::string where_;  // beginning of messages
  std::unique_ptr<Descriptor> file_;
  std::uint64_t size_ = 0;
  std::string beginning_;
  std::size_t taken_ = 0;  // bytes of beginning_ that were read
  bool looked_ = false;
};

}  // namespace xgrad::inline v0::nn
