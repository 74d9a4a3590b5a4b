// Runs a program or a function in a child process, to kill it, let it exit or lower its limits.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <malloc.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace xgrad::testing {

class ChildProcess {
 public:
  // Starts a program with arguments.
  explicit ChildProcess(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    REQUIRE(::posix_spawn(&process_, arguments[0], nullptr, nullptr, arguments.data(), environ) == 0);
  }
  // Takes over an existing child process.
  explicit ChildProcess(pid_t process) : process_(process) { REQUIRE(process > 0); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() {
    if (!over_) kill();
  }

  pid_t id() const { return process_; }
  // Whether the process has ended.
  bool over() {
    if (!over_) over_ = ::waitpid(process_, &status_, WNOHANG) == process_;
    return over_;
  }
  void wait() {
    if (!over_) ::waitpid(process_, &status_, 0);
    over_ = true;
  }
  // Returns false if the process had ended before.
  bool kill() {
    ::kill(process_, SIGKILL);
    wait();
    return WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL;
  }
  bool ended_well() const { return WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }
  // Waits for the process; -1 if a signal ended it.
  int exit_code() {
    wait();
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  }

 private:
  pid_t process_ = 0;
  int status_ = 0;
  bool over_ = false;
};

// Calls f in a child process and returns its exit status: 0, or 99 after an exception, or f's own exit code; -1 if a
// signal ended it, such as the alarm after `seconds`. Destructors of globals do not run.
template <class F>
int exit_code_of(F f, unsigned seconds = 60) {
  std::fflush(nullptr);
  const pid_t process = ::fork();
  if (process == 0) {
    ::alarm(seconds);
    int status = 0;
    try {
      f();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
      status = 99;
    }
    ::_exit(status);
  }
  return ChildProcess(process).exit_code();
}

// Limits further allocations of this process to `bytes`.
inline void limit_memory(std::size_t bytes) {
  malloc_trim(0);  // return memory freed by earlier tests
  std::size_t pages = 0;
  FILE* file = std::fopen("/proc/self/statm", "r");
  const bool read = file != nullptr && std::fscanf(file, "%zu", &pages) == 1;
  if (file != nullptr) std::fclose(file);
  const rlim_t all = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + bytes;
  rlimit limit{};
  const bool known = read && getrlimit(RLIMIT_AS, &limit) == 0;
  limit.rlim_cur = all;
  if (!known || setrlimit(RLIMIT_AS, &limit) != 0) throw std::runtime_error("the memory cannot be limited");
}

}  // namespace xgrad::testing
