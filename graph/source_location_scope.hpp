// SourceLocationScope: sets the source location and the function name that new nodes and errors report. Functions that
// build nodes open it through `composite` (ops/define/composite.hpp); an Operand brings the line of their caller.
//
// Lines of xgrad's own sources and of the standard library never count: what users read is a line of theirs.
#pragma once

#include <cstdint>
#include <string>

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

// While it lives, this thread works for one line of the program: nodes are made at that line, and errors end with it
// and with the scope they happened in. Guards nest and are destroyed in the reverse order of their making.
class SourceLocationScope {
 public:
  // What begins here was asked for at this line, unless it is part of something that was asked for before. So it is
  // with `function`, the name with which errors of operations begin: by default that of the function that makes the
  // guard.
  explicit SourceLocationScope(const Operand& x, const char* function = __builtin_FUNCTION());
  SourceLocationScope(SourceLocation line, const Graph* graph, const char* function = nullptr);
  SourceLocationScope(SourceLocation line, Value x, const char* function = nullptr);
  // The same, whatever it is a part of.
  static SourceLocationScope instead(SourceLocation line, Value x) { return {line, x, Kind::instead}; }
  static SourceLocationScope instead(SourceLocation line, const Graph* graph) { return {line, graph, Kind::instead}; }
  // What is called next may be the user's own: its lines count, and this one only where there is none.
  static SourceLocationScope otherwise(SourceLocation line, Value x) { return {line, x, Kind::otherwise}; }
  static SourceLocationScope otherwise(SourceLocation line, const Graph* graph) {
    return {line, graph, Kind::otherwise};
  }
  // For what concerns a node that exists: its line and its scope.
  static SourceLocationScope of(const Graph& graph, NodeId id);
  ~SourceLocationScope();
  SourceLocationScope(const SourceLocationScope&) = delete;
  SourceLocationScope& operator=(const SourceLocationScope&) = delete;

  // The line of what this thread is working for; unknown if no guard lives.
  static SourceLocation line();
  // The function that this thread works for, such as "max_pool2d", or `own` if no guard names one: users know what they
  // called, and not the operations it is made of.
  static std::string function_or(const std::string& own);
  // The graph of x, whether or not the node still exists; null if x is empty.
  static Graph* graph_of(Value x) { return x.graph_; }
  // `at model.cpp:42, in layer "deep/dense_1"`, or the half of it that is known, or nothing.
  static std::string where();

 private:
  enum class Kind : std::uint8_t { part, instead, otherwise };
  SourceLocationScope(SourceLocation line, Value x, Kind kind);
  SourceLocationScope(SourceLocation line, const Graph* graph, Kind kind, const std::string* scope = nullptr);

  SourceLocation line_;
  const Graph* graph_;
  const SourceLocationScope* before_;
  const char* function_ = nullptr;
  bool decided_;                        // lines of parts do not count
  const std::string* scope_ = nullptr;  // that errors name; null for the one that is open
};

}  // namespace xgrad::inline v0
