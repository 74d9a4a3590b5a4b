#include <xgrad/nn/atomic_file.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xgrad/graph/error.hpp>

namespace xgrad::nn {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }

 private:
  int number_;
};

// The file under its other name, ours alone. It may be there already, left by a program that was killed, or in use by
// one that writes the same file; what is left has no lock.
int open_alone(const std::string& where, const fs::path& other) {
  while (true) {
    const int file = ::open(other.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0)
      throw EnvironmentError(fmt::format("{}: cannot write {}: {}", where, other.string(), std::strerror(errno)));
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      ::close(file);
      throw EnvironmentError(fmt::format("{}: cannot write {}: another program does so", where, other.string()));
    }
    // Between opening and locking another program may have renamed it: then it is theirs, and done.
    struct stat ours {};
    struct stat named {};
    if (::fstat(file, &ours) == 0 && ::stat(other.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
        ours.st_dev == named.st_dev) {
      return file;
    }
    ::close(file);
  }
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

void write_file_atomically(const std::string& where, const fs::path& path, std::span<const std::string_view> parts) {
  fs::path other = path;
  other += ".tmp";
  const Descriptor file(open_alone(where, other));
  const bool written =
      ::ftruncate(file.get(), 0) == 0 &&
      std::all_of(parts.begin(), parts.end(), [&](auto part) { return write_all(file.get(), part); }) &&
      ::fsync(file.get()) == 0 && ::rename(other.c_str(), path.c_str()) == 0;
  if (!written) {
    const int error = errno;
    ::unlink(other.c_str());
    throw EnvironmentError(fmt::format("{}: cannot write {}: {}", where, path.string(), std::strerror(error)));
  }
  // The new name too shall outlive a loss of power. Not all file systems can do that.
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const Descriptor named(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (named.get() >= 0) ::fsync(named.get());
}

}  // namespace xgrad::nn
