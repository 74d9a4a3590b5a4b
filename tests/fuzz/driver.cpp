// Entry points of libFuzzer. `xgrad_fuzz_NAME --seeds=FOLDER` writes the seed corpus and exits.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include <xgrad/graph/base/error.hpp>

#include "fuzz.hpp"

namespace {

// A file in memory, under a path that readers can open: much faster than a file on disk.
class MemoryFile {
 public:
  MemoryFile() : file_(::memfd_create("xgrad_fuzz", 0)), path_("/proc/self/fd/" + std::to_string(file_)) {
    if (file_ < 0) std::abort();
  }
  void set(const std::uint8_t* data, std::size_t size) {
    const bool done = ::ftruncate(file_, 0) == 0 && ::pwrite(file_, data, size, 0) == static_cast<ssize_t>(size);
    if (!done) std::abort();
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  int file_;
  std::filesystem::path path_;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view option = "--seeds=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view arg = (*argv)[i];
    if (!arg.starts_with(option)) continue;
    const std::filesystem::path folder(arg.substr(option.size()));
    std::filesystem::create_directories(folder);
    fuzz::write_seeds(folder);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static MemoryFile file;
  file.set(data, size);
  try {
    fuzz::read(file.path());
  } catch (const xgrad::InternalError&) {
    throw;
  } catch (const xgrad::Error&) {
    // an expected error
  }
  return 0;
}
