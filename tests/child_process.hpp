// A program that goes on in a process of its own, to be killed.
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace xgrad::testing {

class ChildProcess {
 public:
  // The program and its arguments.
  explicit ChildProcess(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    REQUIRE(::posix_spawn(&process_, arguments[0], nullptr, nullptr, arguments.data(), environ) == 0);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() {
    if (!over_) kill();
  }

  pid_t id() const { return process_; }
  // Whether it has come to its end.
  bool over() {
    if (!over_) over_ = ::waitpid(process_, &status_, WNOHANG) == process_;
    return over_;
  }
  void wait() {
    if (!over_) ::waitpid(process_, &status_, 0);
    over_ = true;
  }
  // False if it had come to its end before.
  bool kill() {
    ::kill(process_, SIGKILL);
    wait();
    return WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL;
  }
  bool ended_well() const { return WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }

 private:
  pid_t process_ = 0;
  int status_ = 0;
  bool over_ = false;
};

}  // namespace xgrad::testing
