// Process: a worker process that the driver controls by lines of text; see worker.hpp.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace bench {

class Process {
 public:
  // Starts the program with the environment variables set, or removed if the value is empty. Throws std::runtime_error
  // if it cannot be run.
  Process(const std::string& program, const std::string& argument,
          const std::vector<std::pair<std::string, std::string>>& environment);
  ~Process();
  Process(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Reads the next line of the program's output. Throws std::runtime_error if the program ends first.
  std::string read_line();
  // Resumes the program, sends the line and returns the answer without its first word, which must be `expected`. Then
  // stops the program, so that spinning threads of idle workers do not disturb others. Throws std::runtime_error with
  // the program's message if the request failed, or if the program ended.
  std::string ask(const std::string& line, const std::string& expected);

 private:
  std::string program_;
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
  std::string unread_;
};

}  // namespace bench
