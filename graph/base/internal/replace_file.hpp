// Writes files atomically; every file of this library is written by these functions.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace xgrad::inline v0 {

// Replaces the content of `path` by the concatenated parts, or creates the file. The content goes to an unnamed file,
// is synced to disk and renamed: after a crash or power loss `path` is the old file or the new one. No other file is
// touched or left behind. Only on file systems without unnamed files (NFS) a killed program leaves a file named .xgrad-
// and 16 digits.
//
// A symbolic link stays, and its target is replaced. Mode, owner and group are kept where the system permits it. A file
// without write permission is not replaced. A FIFO, a character device and a descriptor of this process (/dev/stdout)
// are written in place; a FIFO must have a reader within three seconds.
//
// Throws EnvironmentError (`where`, `path` and the reason) and leaves a file unchanged.
void replace_file(const std::string& where, const std::filesystem::path& path, std::span<const std::string_view> parts);
inline void replace_file(const std::string& where, const std::filesystem::path& path, std::string_view text) {
  replace_file(where, path, std::span(&text, 1));
}

// Appends to an existing file. Throws as replace_file does and restores the file's length.
void append_to_file(const std::string& where, const std::filesystem::path& path, std::string_view text);

// Owns an open file descriptor; negative if opening failed.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

// The text of an errno value that a call for `path` set. It says so if the working folder was deleted.
std::string reason_of(int error, const std::filesystem::path& path);

// Writes all bytes to a descriptor. Returns 0 or an errno value. A closed pipe and the file size limit are errors too;
// no signal ends the program.
int write_all(int file, std::string_view bytes);

}  // namespace xgrad::inline v0
