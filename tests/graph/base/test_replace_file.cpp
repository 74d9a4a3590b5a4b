// Writing files: a writer replaces only its target, or throws with the reason.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/graph/pictures/dot.hpp>
#include <xgrad/graph/profile/profile.hpp>
#include <xgrad/nn/data/image.hpp>
#include <xgrad/nn/data/npy.hpp>
#include <xgrad/nn/data/safetensors.hpp>
#include <xgrad/nn/plots/plot.hpp>

#include "support/event_wire.hpp"
#include "support/scratch.hpp"

using namespace xgrad;
using namespace scratch;
using event_wire::content;

namespace {

// Functions of the library that write a file, each with a valid extension.
struct Writer {
  const char* name;
  const char* extension;
  std::function<void(const fs::path&)> write;
};
std::vector<Writer> writers() {
  const auto draw = [](const fs::path& path) {
    Graph g;
    (void)g.input("x", {2});
    save_graph(g, path);
  };
  return {
      {"replace_file", ".txt", [](const fs::path& path) { replace_file("test", path, "text"); }},
      {"save_npy", ".npy", [](const fs::path& path) { nn::save_npy(path, Tensor(1.0F)); }},
      {"save_npz", ".npz",
       [](const fs::path& path) {
         nn::save_npz(path, {{"a", Tensor(1.0F)}});
       }},
      {"safetensors", ".safetensors",
       [](const fs::path& path) {
         nn::save_safetensors(path, {.tensors = {{"a", Tensor(1.0F)}}});
       }},
      {"save_png", ".png",
       [](const fs::path& path) {
         nn::save_png(path, Tensor({2, 2}));
       }},
      {"plot", ".svg",
       [](const fs::path& path) {
         nn::Plot().line("a", {1, 2}).save(path);
       }},
      {"save_graph", ".dot", draw},
      {"save_graph", ".svg", draw},
      {"save_trace", ".json", [](const fs::path& path) { Profile().save_trace(path); }},
  };
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) out.insert(entry.path().filename().string());
  return out;
}

::mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

// Runs `body` in a child process, which may change process-wide settings, and returns the message it throws.
std::string in_child(const std::function<void()>& body) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  std::fflush(nullptr);  // or the child writes again what is buffered
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::string said = "no error";
    try {
      body();
    } catch (const EnvironmentError& error) {
      said = error.message();
    } catch (const std::exception& error) {
      said = std::string("another error: ") + error.what();
    }
    (void)!::write(ends[1], said.data(), said.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string out;
  char buffer[1000];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return fmt::format("ended by signal {}", WTERMSIG(status));
  return out;
}

// Runs `body` while a thread reads the FIFO; returns the bytes read.
std::string read_while(const fs::path& fifo, const std::function<void()>& body) {
  std::string out;
  std::thread reader([&] { out = content(fifo); });
  try {
    body();
  } catch (...) {
    reader.join();
    throw;
  }
  reader.join();
  return out;
}

}  // namespace

TEST_CASE("writers: a symbolic link is kept and its target replaced") {
  for (const Writer& w : writers()) {
    CAPTURE(w.name);
    const ScratchFolder folder;
    const std::string file = std::string("file") + w.extension, link = std::string("link") + w.extension;
    fs::create_directory(folder / "data");
    fs::create_directory(folder / "links");
    write_file(folder.path() / "data" / file, "old");
    // Relative links to a second link and to a missing file.
    fs::create_symlink("links/second", folder.path() / link);
    fs::create_symlink("../data/" + file, folder / "links/second");
    w.write(folder.path() / link);
    CHECK(fs::is_symlink(folder.path() / link));
    CHECK(fs::is_symlink(folder / "links/second"));
    const std::string written = content(folder.path() / "data" / file);
    CHECK(written.size() > 3);
    fs::remove(folder.path() / "data" / file);
    w.write(folder.path() / link);
    CHECK(fs::is_symlink(folder.path() / link));
    CHECK(content(folder.path() / "data" / file) == written);
    CHECK(names_in(folder.path()) == std::set<std::string>{"data", "links", link});
    CHECK(names_in(folder / "data") == std::set<std::string>{file});
    CHECK(names_in(folder / "links") == std::set<std::string>{"second"});
  }
}

TEST_CASE("writers: a cycle of links is an error") {
  const ScratchFolder folder;
  for (const Writer& w : writers()) {
    const fs::path one = folder / (std::string("one") + w.extension), two = folder / (std::string("two") + w.extension);
    fs::create_symlink(two, one);
    fs::create_symlink(one, two);
    const std::string message = message_of<EnvironmentError>([&] { w.write(one); });
    CHECK_MESSAGE((contains(message, one.string()) && contains(message, std::strerror(ELOOP))), message);
    fs::remove(one), fs::remove(two);
  }
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("writers: an existing file keeps its mode, a new file gets that of the umask") {
  for (const Writer& w : writers()) {
    CAPTURE(w.name);
    const ScratchFolder folder;
    const fs::path path = folder / (std::string("file") + w.extension);
    const ::mode_t before = ::umask(027);
    w.write(path);
    CHECK(mode_of(path) == 0640);
    for (const ::mode_t mode : {0600U, 0666U, 0755U}) {
      REQUIRE(::chmod(path.c_str(), mode) == 0);
      w.write(path);
      CHECK(mode_of(path) == mode);
    }
    ::umask(before);
  }
}

TEST_CASE("writers: owner and group are kept where the system permits it") {
  const ScratchFolder folder;
  const fs::path path = write_file(folder / "file", "old");
  if (::chown(path.c_str(), 12345, 23456) != 0) {
    MESSAGE("skipped: changing the owner needs root");
    return;
  }
  REQUIRE(::chmod(path.c_str(), 0660) == 0);
  replace_file("test", path, "new");
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_uid == 12345 && status.st_gid == 23456 && mode_of(path) == 0660));
  // If the group cannot be kept, its permissions are dropped.
  REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
  REQUIRE(::chmod(path.c_str(), 0666) == 0);
  const std::string said = in_child([&] {
    if (::setgid(34567) != 0 || ::setuid(45678) != 0) throw std::runtime_error("setuid");
    replace_file("test", path, "newer");
  });
  CHECK(said == "no error");
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_uid == 45678 && status.st_gid == 34567 && mode_of(path) == 0606));
  CHECK(content(path) == "newer");
  // A read-only file is not replaced, even if its folder is writable.
  REQUIRE(::chmod(path.c_str(), 0444) == 0);
  const std::string refused = in_child([&] {
    if (::setuid(45678) != 0) throw std::runtime_error("setuid");
    replace_file("test", path, "newest");
  });
  CHECK(refused == "test: cannot write " + path.string() + ": " + std::strerror(EACCES));
  CHECK(content(path) == "newer");
  CHECK(names_in(folder.path()) == std::set<std::string>{"file"});
}

TEST_CASE("writers: existing files with temporary names are kept, and no name is used twice") {
  for (const Writer& w : writers()) {
    CAPTURE(w.name);
    const ScratchFolder folder;
    const fs::path path = folder / (std::string("x") + w.extension);
    const fs::path victim = write_file(folder / "victim", "precious");
    std::set<std::string> expected{"victim", path.filename().string()};
    for (const char* name : {".tmp", "~", ".bak"}) {
      write_file(path.string() + name, "mine");
      expected.insert(path.filename().string() + name);
    }
    // The temporary names of earlier versions, by process id.
    for (int i = 0; i < 5; ++i) {
      const std::string name = fmt::format(".xgrad-{}-{}", ::getpid(), i);
      fs::create_symlink(victim, folder / name);
      expected.insert(name);
    }
    w.write(path);
    fs::remove(path.string() + ".tmp");
    fs::create_symlink(victim, path.string() + ".tmp");
    w.write(path);
    fs::remove(path.string() + ".tmp");
    fs::create_directory(path.string() + ".tmp");
    w.write(path);
    CHECK(content(victim) == "precious");
    CHECK(content(path.string() + "~") == "mine");
    CHECK(fs::is_directory(path.string() + ".tmp"));
    CHECK(names_in(folder.path()) == expected);
  }
}

TEST_CASE("writers: a FIFO with a reader is written in place") {
  for (const Writer& w : writers()) {
    CAPTURE(w.name);
    const ScratchFolder folder;
    const fs::path path = folder / (std::string("x") + w.extension),
                   fifo = folder / (std::string("fifo") + w.extension);
    w.write(path);
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    const std::string got = read_while(fifo, [&] { w.write(fifo); });
    CHECK(got == content(path));
    CHECK(fs::is_fifo(fifo));
    CHECK(names_in(folder.path()).size() == 2);
  }
}

TEST_CASE("writers: a FIFO without a reader, or whose reader closes it, is an error") {
  const ScratchFolder folder;
  const fs::path fifo = folder / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(message_of<EnvironmentError>([&] { replace_file("test", fifo, "x"); }) ==
        "test: cannot write " + fifo.string() + ": the FIFO has no reader");
  // SIGPIPE would end the program.
  const std::string large(1 << 20, 'x');
  std::thread reader([&] {
    const int file = ::open(fifo.c_str(), O_RDONLY);
    char one = 0;
    (void)!::read(file, &one, 1);
    ::close(file);
  });
  const std::string message = message_of<EnvironmentError>([&] { replace_file("test", fifo, large); });
  reader.join();
  CHECK(message == "test: cannot write " + fifo.string() + ": " + std::strerror(EPIPE));
  sigset_t pending;
  REQUIRE(::sigpending(&pending) == 0);
  CHECK(::sigismember(&pending, SIGPIPE) == 0);
}

TEST_CASE("writers: a device is written and not replaced") {
  const ScratchFolder folder;
  for (const Writer& w : writers()) {
    CAPTURE(w.name);
    const fs::path null = folder / (std::string("null") + w.extension),
                   full = folder / (std::string("full") + w.extension);
    fs::create_symlink("/dev/null", null);
    fs::create_symlink("/dev/full", full);
    w.write(null);
    const std::string message = message_of<EnvironmentError>([&] { w.write(full); });
    CHECK_MESSAGE((message.starts_with(w.name) || std::string(w.name) == "replace_file"), message);
    CHECK_MESSAGE((contains(message, full.string()) && contains(message, std::strerror(ENOSPC))), message);
    CHECK((fs::is_symlink(null) && fs::is_symlink(full)));
    fs::remove(null), fs::remove(full);
  }
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(fs::is_character_file("/dev/full"));
  CHECK(names_in(folder.path()).empty());
  CHECK(contains(message_of<EnvironmentError>([&] { replace_file("test", folder.path(), "x"); }), "it is a folder"));
}

TEST_CASE("writers: content is appended to /dev/stdout and other descriptors") {
  const ScratchFolder folder;
  const fs::path path = folder / "out";
  for (const char* name : {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}) {
    CAPTURE(name);
    fs::remove(path);
    const std::string said = in_child([&] {
      const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(file, STDOUT_FILENO);
      ::close(file);
      (void)!::write(STDOUT_FILENO, "before ", 7);
      replace_file("test", name, "text");
      append_to_file("test", name, " more");
      (void)!::write(STDOUT_FILENO, " after", 6);
    });
    CHECK(said == "no error");
    CHECK(content(path) == "before text more after");
  }
  CHECK(in_child([] {
          ::close(STDOUT_FILENO);
          replace_file("test", "/dev/stdout", "text");
        }) == "test: cannot write /dev/stdout: " + std::string(std::strerror(EBADF)));
  CHECK(names_in(folder.path()) == std::set<std::string>{"out"});
}

TEST_CASE("writers: names of the maximum length work, longer ones are an error") {
  const ScratchFolder folder;
  for (const Writer& w : writers()) {
    CAPTURE(w.name);
    const std::string extension = w.extension;
    const fs::path longest = folder / (std::string(255 - extension.size(), 'n') + extension);
    w.write(longest);
    CHECK(fs::file_size(longest) > 0);
    const fs::path longer = folder / (std::string(256 - extension.size(), 'n') + extension);
    const std::string message = message_of<EnvironmentError>([&] { w.write(longer); });
    CHECK_MESSAGE((contains(message, longer.string()) && contains(message, std::strerror(ENAMETOOLONG))), message);
    fs::remove(longest);
  }
  // A path of 4095 bytes whose file name is shorter than a temporary name.
  fs::path deep = folder.path();
  while (deep.native().size() + 203 < 4090) deep /= std::string(200, 'd');
  deep /= std::string(4095 - deep.native().size() - 3, 'e');
  fs::create_directories(deep);
  const fs::path path = deep / "x";
  REQUIRE(path.native().size() == 4095);
  replace_file("test", path, "text");
  CHECK(content(path) == "text");
  CHECK(names_in(deep) == std::set<std::string>{"x"});
  CHECK(contains(message_of<EnvironmentError>([&] { replace_file("test", "", "x"); }), "the path is empty"));
  CHECK(
      contains(message_of<EnvironmentError>([&] { replace_file("test", std::string("a\0b", 3), "x"); }), "zero byte"));
  CHECK(contains(message_of<EnvironmentError>([&] { replace_file("test", folder / "no/", "x"); }), "no folder"));
}

TEST_CASE("writers: without disk space the old file is kept, and the error names path and reason") {
  const ScratchFolder folder;
  for (const Writer& w : writers()) {
    CAPTURE(w.name);
    const fs::path path = write_file(folder / (std::string("x") + w.extension), "old");
    const std::string said = in_child([&] {
      rlimit none{.rlim_cur = 2, .rlim_max = 2};
      if (::setrlimit(RLIMIT_FSIZE, &none) != 0) throw std::runtime_error("setrlimit");
      w.write(path);
    });
    CHECK_MESSAGE((contains(said, "cannot write") && contains(said, std::strerror(EFBIG))), said);
    CHECK(content(path) == "old");
    CHECK(names_in(folder.path()) == std::set<std::string>{path.filename().string()});
    fs::remove(path);
  }
  // A full disk.
  fs::create_directory(folder / "disk");
  if (::mount("none", (folder / "disk").c_str(), "tmpfs", 0, "size=64k") != 0) {
    MESSAGE("skipped: mounting needs root");
    return;
  }
  for (const Writer& w : writers()) {
    CAPTURE(w.name);
    const fs::path path = write_file(folder / (std::string("disk/x") + w.extension), "old");
    std::ofstream fill(folder / "disk/fill", std::ios::binary);
    fill << std::string(200000, 'x');
    fill.close();
    const std::string message = message_of<EnvironmentError>([&] { w.write(path); });
    CHECK_MESSAGE((contains(message, path.string()) && contains(message, std::strerror(ENOSPC))), message);
    CHECK(content(path) == "old");
    CHECK(names_in(folder / "disk") == std::set<std::string>{path.filename().string(), "fill"});
    fs::remove(path);
  }
  CHECK(::umount((folder / "disk").c_str()) == 0);
}

TEST_CASE("writers: without /proc a named temporary file is used and removed") {
  const ScratchFolder folder;
  const fs::path path = write_file(folder / "x", "old");
  const auto without_proc = [] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", "/proc", "tmpfs", 0, nullptr) != 0)
      throw std::runtime_error("no permission");
  };
  if (in_child(without_proc) != "no error") {
    MESSAGE("skipped: unmounting /proc needs root");
    return;
  }
  CHECK(in_child([&] {
          without_proc();
          replace_file("test", path, "new");
        }) == "no error");
  CHECK(content(path) == "new");
  const std::string said = in_child([&] {
    without_proc();
    rlimit none{.rlim_cur = 2, .rlim_max = 2};
    if (::setrlimit(RLIMIT_FSIZE, &none) != 0) throw std::runtime_error("setrlimit");
    replace_file("test", path, "newer");
  });
  CHECK(said == "test: cannot write " + path.string() + ": " + std::strerror(EFBIG));
  CHECK(content(path) == "new");
  CHECK(names_in(folder.path()) == std::set<std::string>{"x"});
}

TEST_CASE("writers: the error names a deleted working folder and a missing folder") {
  const ScratchFolder folder;
  for (const Writer& w : writers()) {
    CAPTURE(w.name);
    const std::string name = std::string("x") + w.extension;
    fs::create_directory(folder / "gone");
    const std::string said = in_child([&] {
      fs::current_path(folder / "gone");
      fs::remove(folder / "gone");
      w.write(name);
    });
    CHECK_MESSAGE((contains(said, "cannot write " + name + ": the working folder was deleted")), said);
    const std::string below = in_child([&] {
      fs::create_directory(folder / "gone");
      fs::current_path(folder / "gone");
      fs::remove(folder / "gone");
      w.write("below/" + name);
    });
    CHECK_MESSAGE(contains(below, "cannot write below/" + name + ": the working folder was deleted"), below);
    const std::string message = message_of<EnvironmentError>([&] { w.write(folder / "none" / name); });
    CHECK_MESSAGE(contains(message, "there is no folder " + (folder / "none").string()), message);
  }
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("writers: concurrent writers each write the complete file") {
  const ScratchFolder folder;
  const fs::path path = folder / "x";
  const std::vector<std::string> texts{std::string(100000, 'a'), std::string(50000, 'b'), std::string(200000, 'c')};
  replace_file("test", path, texts[0]);
  std::vector<std::thread> threads;
  for (const std::string& text : texts)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) replace_file("test", path, text);
    });
  bool whole = true;
  for (int i = 0; i < 50; ++i) {
    const std::string now = content(path);
    whole = whole && std::find(texts.begin(), texts.end(), now) != texts.end();
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(whole);
  CHECK(names_in(folder.path()) == std::set<std::string>{"x"});
}

TEST_CASE("append_to_file: appends all of the text or nothing") {
  const ScratchFolder folder;
  const fs::path path = write_file(folder / "x", "one,");
  fs::create_symlink("x", folder / "link");
  append_to_file("test", folder / "link", "two,");
  CHECK(content(path) == "one,two,");
  const std::string said = in_child([&] {
    rlimit small{.rlim_cur = 10, .rlim_max = 10};
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) throw std::runtime_error("setrlimit");
    append_to_file("test", path, "three,");
  });
  CHECK(said == "test: cannot write " + path.string() + ": " + std::strerror(EFBIG));
  CHECK(content(path) == "one,two,");
  CHECK(
      contains(message_of<EnvironmentError>([&] { append_to_file("test", "/dev/full", "x"); }), std::strerror(ENOSPC)));
  CHECK(contains(message_of<EnvironmentError>([&] { append_to_file("test", folder / "none", "x"); }),
                 std::strerror(ENOENT)));
}
