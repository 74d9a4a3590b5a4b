#include "process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace bench {

Process::Process(const std::string& program, const std::string& argument,
                 const std::vector<std::pair<std::string, std::string>>& environment)
    : program_(program) {
  std::array<int, 2> in{}, out{};
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("cannot create a pipe for " + program);
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("cannot start a process for " + program);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a stopped worker would outlive the driver
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    for (const auto& [name, value] : environment) {
      if (value.empty())
        unsetenv(name.c_str());
      else
        setenv(name.c_str(), value.c_str(), 1);
    }
    execl(program.c_str(), program.c_str(), argument.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  to_ = in[1];
  from_ = out[0];
}

Process::Process(Process&& other) noexcept
    : program_(std::move(other.program_)),
      pid_(std::exchange(other.pid_, -1)),
      to_(std::exchange(other.to_, -1)),
      from_(std::exchange(other.from_, -1)),
      unread_(std::move(other.unread_)) {}

Process::~Process() {
  if (pid_ < 0) return;
  close(to_);
  close(from_);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string Process::read_line() {
  while (true) {
    const std::size_t end = unread_.find('\n');
    if (end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4096> part{};
    const ssize_t count = read(from_, part.data(), part.size());
    if (count <= 0) throw std::runtime_error(program_ + " ended without an answer");
    unread_.append(part.data(), static_cast<std::size_t>(count));
  }
}

std::string Process::ask(const std::string& line, const std::string& expected) {
  kill(pid_, SIGCONT);
  const std::string request = line + "\n";
  if (write(to_, request.data(), request.size()) != static_cast<ssize_t>(request.size())) {
    throw std::runtime_error(program_ + " does not accept requests");
  }
  const std::string answer = read_line();
  kill(pid_, SIGSTOP);
  const std::size_t word = answer.find(' ');
  const std::string rest = word == std::string::npos ? "" : answer.substr(word + 1);
  if (answer.substr(0, word) != expected) throw std::runtime_error(rest.empty() ? answer : rest);
  return rest;
}

}  // namespace bench
