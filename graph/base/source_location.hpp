// SourceLocation: a line of the calling program.
#pragma once

#include <cstdint>
#include <string>
#include <version>

#ifdef __cpp_lib_source_location
#include <source_location>
#endif

namespace xgrad::inline v0 {

// A file and a line. Nodes store the location that created them, and errors end with it. The file name is not copied:
// it must live as long as the program, as __FILE__ does.
class SourceLocation {
 public:
  constexpr SourceLocation() = default;  // unknown
  constexpr SourceLocation(const char* file, std::uint32_t line) : file_(file), line_(line) {}
#ifdef __cpp_lib_source_location
  constexpr SourceLocation(const std::source_location& at) : file_(at.file_name()), line_(at.line()) {}
#endif
  // The caller's line when used as a default argument. Clang 14 lacks std::source_location::current.
  static constexpr SourceLocation here(const char* file = __builtin_FILE(), std::uint32_t line = __builtin_LINE()) {
    return {file, line};
  }

  const char* file() const { return file_ == nullptr ? "" : file_; }
  std::uint32_t line() const { return line_; }
  // Whether the location is set and lies outside of xgrad and the standard library.
  bool known() const;
  // For example `model.cpp:42`, without folders; empty if not known.
  std::string str() const;
  friend bool operator==(const SourceLocation&, const SourceLocation&) = default;

 private:
  const char* file_ = nullptr;
  std::uint32_t line_ = 0;
};

}  // namespace xgrad::inline v0
