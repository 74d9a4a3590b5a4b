// SourceLocationScope: sets the source location and the function name that new nodes and errors report.
#pragma once

#include <cstdint>
#include <string>

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

// A guard that sets the source location of this thread: new nodes store it, and errors end with it and with the scope
// in which they happened. Lines of xgrad's own sources and of the standard library are ignored, so that users read a
// line of their own. Guards nest and must be destroyed in the reverse order of construction. Functions that build nodes
// open one through `composite` (ops/define/composite.hpp); an Operand brings the line of their caller.
class SourceLocationScope {
 public:
  // Sets the location and `function`, with which errors of operations begin, unless an outer guard has set them: inside
  // a composite function, its caller's line and its own name stay in effect. The default of `function` is the name of
  // the function that makes the guard.
  explicit SourceLocationScope(const Operand& x, const char* function = __builtin_FUNCTION());
  SourceLocationScope(SourceLocation line, const Graph* graph, const char* function = nullptr);
  SourceLocationScope(SourceLocation line, Value x, const char* function = nullptr);
  // Sets the location even if an outer guard has set one.
  static SourceLocationScope instead(SourceLocation line, Value x) { return {line, x, Kind::instead}; }
  static SourceLocationScope instead(SourceLocation line, const Graph* graph) { return {line, graph, Kind::instead}; }
  // Sets the location as a fallback, before calling a function of the user: guards inside it may set their own lines.
  static SourceLocationScope otherwise(SourceLocation line, Value x) { return {line, x, Kind::otherwise}; }
  static SourceLocationScope otherwise(SourceLocation line, const Graph* graph) {
    return {line, graph, Kind::otherwise};
  }
  // Sets the location and the scope of an existing node, for errors about it.
  static SourceLocationScope of(const Graph& graph, NodeId id);
  ~SourceLocationScope();
  SourceLocationScope(const SourceLocationScope&) = delete;
  SourceLocationScope& operator=(const SourceLocationScope&) = delete;

  // The current location of this thread; unknown if no guard lives.
  static SourceLocation line();
  // The function that the user called, such as "max_pool2d"; `own`, an operation it is composed of, if no guard names a
  // function.
  static std::string function_or(const std::string& own);
  // The graph of x, whether or not the node still exists; null if x is empty.
  static Graph* graph_of(Value x) { return x.graph_; }
  // `at model.cpp:42, in layer "deep/dense_1"`; only one of the two parts, or an empty text, if the others are unknown.
  static std::string where();

 private:
  enum class Kind : std::uint8_t { part, instead, otherwise };
  SourceLocationScope(SourceLocation line, Value x, Kind kind);
  SourceLocationScope(SourceLocation line, const Graph* graph, Kind kind, const std::string* scope = nullptr);

  SourceLocation line_;
  const Graph* graph_;
  const SourceLocationScope* before_;
  const char* function_ = nullptr;
  bool decided_;                        // inner guards of kind `part` do not change the location
  const std::string* scope_ = nullptr;  // the scope that errors name; null: the open scope of the graph
};

}  // namespace xgrad::inline v0
