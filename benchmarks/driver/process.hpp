// A worker as the driver holds it: a process that is asked by lines.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace bench {

class Process {
 public:
  // Starts the program with the environment variables added. Throws std::runtime_error if it cannot be run.
  Process(const std::string& program, const std::string& argument,
          const std::vector<std::pair<std::string, std::string>>& environment);
  ~Process();
  Process(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // The next line the program prints. Throws std::runtime_error if it ends before.
  std::string read_line();
  // Lets the program run, gives it the line and returns its answer without the first word, which must be `expected`.
  // Afterwards the program stands still, whatever its threads like to do while they wait: idle workers cost the others
  // nothing. Throws std::runtime_error with its own words if it says that it failed, or if it ended.
  std::string ask(const std::string& line, const std::string& expected);

 private:
  std::string program_;
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
  std::string unread_;
};

}  // namespace bench
