// Runs the Graphviz program dot.
#pragma once

#include <string>

namespace xgrad::inline v0::dot {

struct Outcome {
  bool started = false;    // false if the program was not found
  bool timed_out = false;  // the program was killed
  bool succeeded = false;
  std::string image;
  std::string complaint;  // the beginning of the program's standard error output
};

// Pipes `text` to dot, which is searched on the PATH, and returns the image in `format`, such as svg. Writes no file.
// After `seconds` the program and its children are killed; infinity waits forever.
Outcome run_dot(const std::string& text, const std::string& format, double seconds);

}  // namespace xgrad::inline v0::dot
