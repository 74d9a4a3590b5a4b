// LineGuard: for which line of the program a function works.
//
//   Value relu(Operand x);                   // an Operand is a Value and the line that hands it over
//   Value softmax(Operand x, Index axis) {
//     const LineGuard line(x);               // all that follows is asked for at that line
//     ...
//
// Lines of xgrad's own sources and of the standard library never count: what users read is a line of theirs.
#pragma once

#include <cstdint>
#include <string>

#include <xgrad/graph/value.hpp>

namespace xgrad {

// While it lives, this thread works for one line of the program: nodes are made at that line, and errors end with it
// and with the scope they happened in. Guards nest and are destroyed in the reverse order of their making.
class LineGuard {
 public:
  // What begins here was asked for at this line, unless it is part of something that was asked for before. So it is
  // with `function`, the name with which errors of operations begin: by default that of the function that makes the
  // guard.
  explicit LineGuard(const Operand& x, const char* function = __builtin_FUNCTION());
  LineGuard(CodeLine line, const Graph* graph);
  LineGuard(CodeLine line, Value x, const char* function = nullptr);
  // The same, whatever it is a part of.
  static LineGuard instead(CodeLine line, Value x) { return {line, x, Kind::instead}; }
  static LineGuard instead(CodeLine line, const Graph* graph) { return {line, graph, Kind::instead}; }
  // What is called next may be the user's own: its lines count, and this one only where there is none.
  static LineGuard otherwise(CodeLine line, Value x) { return {line, x, Kind::otherwise}; }
  static LineGuard otherwise(CodeLine line, const Graph* graph) { return {line, graph, Kind::otherwise}; }
  // For what concerns a node that exists: its line and its scope.
  static LineGuard of(const Graph& graph, NodeId id);
  ~LineGuard();
  LineGuard(const LineGuard&) = delete;
  LineGuard& operator=(const LineGuard&) = delete;

  // The line of what this thread is working for; unknown if no guard lives.
  static CodeLine line();
  // The function that this thread works for, such as "max_pool2d", or `own` if no guard names one: users know what they
  // called, and not the operations it is made of.
  static std::string function_or(const std::string& own);
  // `at model.cpp:42, in layer "deep/dense_1"`, or the half of it that is known, or nothing.
  static std::string where();

 private:
  enum class Kind : std::uint8_t { part, instead, otherwise };
  LineGuard(CodeLine line, Value x, Kind kind);
  LineGuard(CodeLine line, const Graph* graph, Kind kind, const std::string* scope = nullptr);

  CodeLine line_;
  const Graph* graph_;
  const LineGuard* before_;
  const char* function_ = nullptr;
  bool decided_;                        // lines of parts do not count
  const std::string* scope_ = nullptr;  // that errors name; null for the one that is open
};

}  // namespace xgrad
