// Files that readers open, and what a file is by its first bytes.
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

// Calls f(), which works on a file. Memory that cannot be had is an OutOfMemoryError "PLACE: out of memory for WHAT",
// unless one within f() says so more exactly. place() and what() give the words, only when they are needed.
template <class Place, class F, class What>
decltype(auto) with_file_memory(Place place, F f, What what) {
  const auto message = [&] { return place() + ": out of memory for " + what(); };
  try {
    return with_memory(f, message);
  } catch (const OutOfMemoryError& error) {
    // That of a tensor does not know the file.
    if (std::string_view(error.what()).starts_with(place())) throw;
    throw OutOfMemoryError(message());
  }
}

// What a file that begins with these bytes is, to follow "it is", such as "a Git LFS pointer, ..."; empty if unknown.
// 512 bytes are enough. With `no_text`, kinds are left out of which text may have the first letters.
std::string kind_of_file(std::string_view beginning, bool no_text = false);

// "not FORMAT: it is ...": what these first bytes are instead, or `otherwise` if they are unknown.
std::string not_of_format(std::string_view format, std::string_view beginning, const std::string& otherwise);

// Gives up to `count` bytes; fewer only at the end.
using ByteSource = std::function<std::size_t(void* to, std::size_t count)>;
// `count` bytes of the source, or all if there are fewer. Memory grows with what has been seen, not with `count`, which
// may be anything that a file promises.
std::vector<unsigned char> read_up_to(std::size_t count, const ByteSource& source);

struct InputFileOptions {
  bool unpack = false;  // gzip data give what is packed in them
  bool pipes = false;   // takes what cannot be read twice, such as /dev/stdin, too
};

class InputFile {
 public:
  // Throws EnvironmentError for what is missing, a directory or (without `pipes`) no regular file, and never waits for
  // a writer of such a file. Messages begin with `where` and the path.
  InputFile(const std::string& where, const std::filesystem::path& path, InputFileOptions options = {});
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // Up to `count` bytes; fewer only at the end. Throws EnvironmentError if the system cannot read them, FormatError for
  // damaged gzip data, OutOfMemoryError if zlib has no memory.
  std::size_t read(void* to, std::size_t count);
  void skip(std::uint64_t count);
  // All that is left. Throws OutOfMemoryError, which says how much there was.
  std::string read_all();
  // The first bytes, up to 512, wherever reading is.
  std::string_view beginning();
  // Bytes of the file as it is on the disk.
  std::uint64_t size() const { return size_; }

  // Throws FormatError: "WHERE: PATH: WHAT".
  [[noreturn]] void fail(const std::string& what) const;

 private:
  std::size_t read_more(void* to, std::size_t count);

  struct Descriptor;
  std::string place_;  // what messages begin with
  std::unique_ptr<Descriptor> file_;
  std::uint64_t size_ = 0;
  std::string beginning_;
  std::size_t taken_ = 0;  // of the beginning
  bool looked_ = false;
};

}  // namespace xgrad::inline v0::nn
