#include <xgrad/graph/base/internal/replace_file.hpp>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {
namespace {

namespace fs = std::filesystem;

// The function name and the path of a write, for its errors.
struct Request {
  const std::string& where;
  const fs::path& path;

  [[noreturn]] void fail(const std::string& reason) const {
    throw EnvironmentError(fmt::format("{}: cannot write {}: {}", where, path.c_str(), reason));
  }
  [[noreturn]] void fail(int error) const { fail(reason_of(error, path)); }
};

int error_if(bool failed) { return failed ? errno : 0; }

// Blocks SIGPIPE and SIGXFSZ, which would end the program when a write meets a closed pipe or the file size limit.
class SignalsAsErrors {
 public:
  SignalsAsErrors() {
    sigemptyset(&ours_);
    sigaddset(&ours_, SIGPIPE);
    sigaddset(&ours_, SIGXFSZ);
    sigpending(&before_);
    pthread_sigmask(SIG_BLOCK, &ours_, &mask_);
  }
  SignalsAsErrors(const SignalsAsErrors&) = delete;
  SignalsAsErrors& operator=(const SignalsAsErrors&) = delete;
  ~SignalsAsErrors() { pthread_sigmask(SIG_SETMASK, &mask_, nullptr); }

  // Consumes the signal that came with an error.
  void take() {
    for (const int signal : {SIGPIPE, SIGXFSZ})
      if (sigismember(&before_, signal) == 1) sigdelset(&ours_, signal);
    const timespec now{};
    while (sigtimedwait(&ours_, nullptr, &now) < 0 && errno == EINTR) {}
  }

 private:
  sigset_t ours_{}, before_{}, mask_{};
};

// Whether the path is in /proc, whose links point to open files and not to paths.
bool is_in_proc(const fs::path& path) {
  std::error_code failed;
  return fs::canonical(path.parent_path(), failed).native().starts_with("/proc/");
}

// The descriptor number of this process that a path in /proc names.
std::optional<int> own_descriptor(const fs::path& path) {
  std::error_code failed, no_proc;
  const fs::path folder = fs::canonical(path.parent_path(), failed);
  if (failed || folder != fs::canonical("/proc/self/fd", no_proc)) return std::nullopt;
  const std::string name = path.filename().string();
  int out = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out);
  return error == std::errc() && end == name.data() + name.size() ? std::optional(out) : std::nullopt;
}

// Resolves symbolic links. /dev/stdout becomes the path of the descriptor in /proc.
fs::path follow_links(const Request& request) {
  constexpr int most_links = 40;  // as Linux follows
  fs::path at = request.path;
  for (int i = 0; i <= most_links; ++i) {
    std::error_code no_link;
    const fs::path next = fs::read_symlink(at, no_link);
    if (no_link || is_in_proc(at)) return at;
    at = at.parent_path() / next;
  }
  request.fail(ELOOP);
}

// Opens a target that is not a regular file, such as a FIFO or a device, for writing.
Descriptor open_in_place(const Request& request, int flags) {
  if (const auto own = own_descriptor(follow_links(request))) {
    // Duplicate the descriptor, so that later output of the program follows this write.
    Descriptor file(::fcntl(*own, F_DUPFD_CLOEXEC, 0));
    if (!file) request.fail(errno);
    return file;
  }
  // Opening a FIFO without a reader would block forever. Retry, since the reader may be about to start.
  const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  struct stat status {};
  while (true) {
    Descriptor file(::open(request.path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags));
    const int error = errno;
    if (file) {
      ::fcntl(file.get(), F_SETFL, ::fcntl(file.get(), F_GETFL) & ~O_NONBLOCK);
      return file;
    }
    const bool fifo = ::stat(request.path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
    if (error == ENXIO && fifo && std::chrono::steady_clock::now() > latest) request.fail("the FIFO has no reader");
    if (error == ENXIO && fifo)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    else if (error != EINTR)
      request.fail(error);
  }
}

int write_parts(int file, std::span<const std::string_view> parts) {
  // Batch small parts: one system call per part would take longer than the write.
  constexpr std::size_t small = std::size_t{64} << 10U;
  std::string together;
  int error = 0;
  const auto flush = [&] {
    error = write_all(file, together);
    together.clear();
  };
  for (const std::string_view part : parts) {
    if (part.size() < small) together += part;
    if (together.size() >= small || part.size() >= small) flush();
    if (error == 0 && part.size() >= small) error = write_all(file, part);
    if (error != 0) return error;
  }
  flush();
  return error;
}

void write_in_place(const Request& request, const struct stat& status, std::span<const std::string_view> parts) {
  if (S_ISDIR(status.st_mode)) request.fail("it is a folder");
  if (S_ISBLK(status.st_mode)) request.fail("it is a block device");
  if (S_ISSOCK(status.st_mode)) request.fail("it is a socket");
  const Descriptor file = open_in_place(request, O_TRUNC);
  if (const int error = write_parts(file.get(), parts)) request.fail(error);
}

// An unpredictable name, so that nobody can create it beforehand; short enough for every file system.
std::string secret_name() {
  std::uint64_t number = 0;
  while (::getrandom(&number, sizeof(number), 0) != sizeof(number)) {}
  return fmt::format(".xgrad-{:016x}", number);
}

// The new content, in the folder of the file that it will replace.
class NewFile {
 public:
  NewFile(int folder, ::mode_t mode) : folder_(folder), file_(::openat(folder, ".", O_TMPFILE | flags, mode)) {
    if (file_ && ::access(own_path().c_str(), F_OK) == 0) return;
    // Without O_TMPFILE, or without /proc to link it, the file needs a name from the start.
    do {
      name_ = secret_name();
      file_ = Descriptor(::openat(folder, name_.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | flags, mode));
    } while (!file_ && errno == EEXIST);
    if (!file_) name_.clear();
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (!name_.empty()) ::unlinkat(folder_, name_.c_str(), 0);
  }

  int get() const { return file_.get(); }
  explicit operator bool() const { return static_cast<bool>(file_); }

  void keep_attributes(const struct stat& old) const {
    struct stat ours {};
    if (::fstat(file_.get(), &ours) != 0) return;
    constexpr auto unchanged = static_cast<::uid_t>(-1);
    ::mode_t mode = old.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
    // The old group's permissions must not apply to another group.
    if (ours.st_gid != old.st_gid && ::fchown(file_.get(), unchanged, old.st_gid) != 0) mode &= S_IRWXU | S_IRWXO;
    if (ours.st_uid != old.st_uid) (void)!::fchown(file_.get(), old.st_uid, unchanged);
    ::fchmod(file_.get(), mode);
  }

  // Returns whether the file now has the name; sets errno otherwise.
  bool rename_to(const fs::path& name) {
    while (name_.empty()) {
      std::string given = secret_name();
      if (::linkat(AT_FDCWD, own_path().c_str(), folder_, given.c_str(), AT_SYMLINK_FOLLOW) == 0)
        name_ = std::move(given);  // moves, since an allocation could throw with the file linked
      else if (errno != EEXIST)
        return false;
    }
    if (::renameat(folder_, name_.c_str(), folder_, name.c_str()) != 0) return false;
    name_.clear();
    return true;
  }

 private:
  static constexpr int flags = O_WRONLY | O_CLOEXEC;
  std::string own_path() const { return fmt::format("/proc/self/fd/{}", file_.get()); }

  int folder_;
  Descriptor file_;
  std::string name_;  // empty while the file has no name
};

}  // namespace

std::string reason_of(int error, const fs::path& path) {
  struct stat working {};
  if (error == ENOENT && path.is_relative() && ::stat(".", &working) == 0 && working.st_nlink == 0)
    return "the working folder was deleted";
  return std::strerror(error);
}

int write_all(int file, std::string_view bytes) {
  SignalsAsErrors signals;
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    const int error = written < 0 ? errno : 0;
    if (error == EINTR) continue;
    if (error == EAGAIN) {  // another owner of the descriptor may have made it non-blocking
      pollfd ready{.fd = file, .events = POLLOUT, .revents = 0};
      ::poll(&ready, 1, -1);
      continue;
    }
    if (error == EPIPE || error == EFBIG) signals.take();
    if (error != 0) return error;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

void replace_file(const std::string& where, const fs::path& path, std::span<const std::string_view> parts) {
  const Request request{where, path};
  if (path.empty()) request.fail("the path is empty");
  if (path.native().find('\0') != std::string::npos) request.fail("the path has a zero byte");
  struct stat status {};
  const bool found = ::stat(path.c_str(), &status) == 0;
  if (!found && errno != ENOENT) request.fail(errno);
  const fs::path target = follow_links(request);
  if ((found && !S_ISREG(status.st_mode)) || is_in_proc(target)) return write_in_place(request, status, parts);

  // Hold the folder open: it may be renamed meanwhile, and its path may leave no room for a longer name.
  const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
  const Descriptor folder(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) {
    const std::string reason = reason_of(errno, parent);
    request.fail(reason == std::strerror(ENOENT) ? "there is no folder " + parent.string() : reason);
  }
  const fs::path name = target.filename();
  if (name.empty()) request.fail("the path ends with a slash");
  struct stat old {};
  const bool exists = ::fstatat(folder.get(), name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(old.st_mode);
  if (exists && ::faccessat(folder.get(), name.c_str(), W_OK, AT_EACCESS) != 0) request.fail(errno);

  const auto require = [&](int error) {
    struct stat gone {};
    if (error == ENOENT && parent != "." && ::fstat(folder.get(), &gone) == 0 && gone.st_nlink == 0)
      request.fail("the folder was deleted");
    if (error != 0) request.fail(error);
  };
  NewFile file(folder.get(), exists ? 0600 : 0666);
  require(error_if(!file));
  if (exists) file.keep_attributes(old);
  require(write_parts(file.get(), parts));
  require(error_if(::fsync(file.get()) != 0));
  require(error_if(!file.rename_to(name)));
  // Sync the folder, so that the new name survives a power loss. Some file systems do not support it.
  const Descriptor named(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (named) ::fsync(named.get());
}

void append_to_file(const std::string& where, const fs::path& path, std::string_view text) {
  const Request request{where, path};
  const Descriptor file = open_in_place(request, O_APPEND);
  struct stat before {};
  if (::fstat(file.get(), &before) != 0) request.fail(errno);
  const int error = write_all(file.get(), text);
  if (error == 0) return;
  const bool undone = !S_ISREG(before.st_mode) || ::ftruncate(file.get(), before.st_size) == 0;
  request.fail(std::strerror(error) + std::string(undone ? "" : "; the file ends with a partial write"));
}

}  // namespace xgrad::inline v0
