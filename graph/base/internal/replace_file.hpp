// How every file of this library is written: whole or not at all.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace xgrad::inline v0 {

// Replaces the content of the file `path` by the parts, one after the other, or creates the file. The new content is
// written to a file without a name, synchronized with the disk, and then renamed: whenever the program or the machine
// stops, `path` is the old file or the new one. No other file is touched, and none is left behind; only where the file
// system has no files without names (NFS), a program that is killed leaves one named .xgrad- and 16 digits.
//
// A symbolic link stays, and the file it leads to is replaced. Mode, owner and group of a file are kept where the
// system permits it; a file that may not be written is not replaced. A FIFO, a character device and a descriptor of
// this process (/dev/stdout) are written in place; a FIFO must have a reader within three seconds.
//
// Throws EnvironmentError, beginning with `where`, with `path` and the reason; a file is then as it was.
void replace_file(const std::string& where, const std::filesystem::path& path, std::span<const std::string_view> parts);
inline void replace_file(const std::string& where, const std::filesystem::path& path, std::string_view text) {
  replace_file(where, path, std::span(&text, 1));
}

// Appends to a file that is there. Throws as replace_file does; a file then keeps its old length.
void append_to_file(const std::string& where, const std::filesystem::path& path, std::string_view text);

// An open file, closed at its end; negative if opening it failed.
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

// The text of a number of errno that a call for `path` gave; it says so if the working folder was deleted.
std::string reason_of(int error, const std::filesystem::path& path);

// Writes all bytes to a descriptor. Returns 0 or the number of the error. A pipe that nobody reads and a limit of file
// sizes are errors too, not signals that end the program.
int write_all(int file, std::string_view bytes);

}  // namespace xgrad::inline v0
