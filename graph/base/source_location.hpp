// SourceLocation: a line of the program that calls xgrad. Nodes remember the one that asked for them, and errors end
// with it.
#pragma once

#include <cstdint>
#include <string>
#include <version>

#ifdef __cpp_lib_source_location
#include <source_location>
#endif

namespace xgrad::inline v0 {

// A file and a line in it. The name is not copied: it must live as long as the program, as that of a source file does.
class SourceLocation {
 public:
  constexpr SourceLocation() = default;  // unknown
  constexpr SourceLocation(const char* file, std::uint32_t line) : file_(file), line_(line) {}
#ifdef __cpp_lib_source_location
  constexpr SourceLocation(const std::source_location& at) : file_(at.file_name()), line_(at.line()) {}
#endif
  // As a default argument, the line of the caller: std::source_location::current, which clang 14 does not have.
  static constexpr SourceLocation here(const char* file = __builtin_FILE(), std::uint32_t line = __builtin_LINE()) {
    return {file, line};
  }

  const char* file() const { return file_ == nullptr ? "" : file_; }
  std::uint32_t line() const { return line_; }
  // Whether it is a line at all, and neither of xgrad itself nor of the standard library.
  bool known() const;
  // `model.cpp:42`, without folders; empty if it is not known.
  std::string str() const;
  friend bool operator==(const SourceLocation&, const SourceLocation&) = default;

 private:
  const char* file_ = nullptr;
  std::uint32_t line_ = 0;
};

}  // namespace xgrad::inline v0
