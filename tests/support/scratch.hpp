// ScratchFolder: an empty folder for the files of one test, removed at the end.
//
//   const ScratchFolder folder;
//   write_file(folder / "a.csv", "x,y\n1,2\n");
#pragma once

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include <xgrad/nn/data/idx.hpp>

#include "places.hpp"
#include "text.hpp"

namespace scratch {

namespace fs = std::filesystem;

class ScratchFolder {
 public:
  explicit ScratchFolder(const fs::path& where = fs::temp_directory_path()) {
    std::string name = (where / "xgrad-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  fs::path operator/(std::string_view name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// A folder in memory if there is one, for tests that write thousands of files.
inline fs::path memory() {
  std::error_code ignored;
  return fs::is_directory("/dev/shm", ignored) ? fs::path("/dev/shm") : fs::temp_directory_path();
}

inline fs::path write_file(const fs::path& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  REQUIRE(file.good());
  return path;
}

// A file or folder of the real data sets, in $XGRAD_DATA or next to the repository, which does not contain them.
inline std::optional<fs::path> real_data(std::string_view name) {
  const auto found = xgrad::nn::find_data(name, places::sources() / ".." / "shared" / "data");
  if (!found) MESSAGE("skipped: ", name, " is neither in $XGRAD_DATA nor in ../shared/data");
  return found;
}

// The message of the error of type E that `body` throws; fails the test if it throws no or another error.
template <class E>
std::string message_of(const auto& body) {
  try {
    body();
  } catch (const E& error) {
    if constexpr (requires { error.message(); }) return error.message();
    return error.what();
  } catch (const std::exception& error) {
    FAIL_CHECK("another error than expected: ", error.what());
    return {};
  }
  FAIL_CHECK("no error was thrown");
  return {};
}

using xgrad::testing::contains;

}  // namespace scratch
