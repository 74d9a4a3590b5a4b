// The program dot.
#pragma once

#include <string>

namespace xgrad::inline v0::dot {

struct Outcome {
  bool started = false;    // false if there is no such program
  bool timed_out = false;  // it was killed
  bool succeeded = false;
  std::string image;
  std::string complaint;  // the beginning of what it wrote to its standard error
};

// Gives the text to dot, which is searched on the PATH, and takes the image in `format`, such as svg. No file is
// written. After `seconds` the program and what it started are killed; infinity waits for as long as it takes.
Outcome run_dot(const std::string& text, const std::string& format, double seconds);

}  // namespace xgrad::inline v0::dot
