#include <xgrad/graph/source_location_scope.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/error_context.hpp>
#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {
namespace {

thread_local const SourceLocationScope* innermost = nullptr;

}  // namespace

SourceLocationScope::SourceLocationScope(SourceLocation line, const Graph* graph, Kind kind, const std::string* scope)
    : line_(line), graph_(graph), before_(innermost), decided_(kind != Kind::otherwise), scope_(scope) {
  const bool is_part = kind == Kind::part && before_ != nullptr && before_->decided_;
  if (before_ != nullptr && scope == nullptr && (is_part || !line.known())) line_ = before_->line_;
  if (kind == Kind::part && before_ != nullptr) function_ = before_->function_;
  innermost = this;
  set_error_context(&SourceLocationScope::where);
}

SourceLocationScope::SourceLocationScope(SourceLocation line, Value x, Kind kind)
    : SourceLocationScope(line, x.graph_, kind) {}
SourceLocationScope::SourceLocationScope(SourceLocation line, const Graph* graph, const char* function)
    : SourceLocationScope(line, graph, Kind::part) {
  if (function_ == nullptr) function_ = function;
}
SourceLocationScope::SourceLocationScope(SourceLocation line, Value x, const char* function)
    : SourceLocationScope(line, x.graph_, function) {}
SourceLocationScope::SourceLocationScope(const Operand& x, const char* function)
    : SourceLocationScope(x.line(), x, function) {}
SourceLocationScope::~SourceLocationScope() { innermost = before_; }

SourceLocation SourceLocationScope::line() { return innermost == nullptr ? SourceLocation() : innermost->line_; }

std::string SourceLocationScope::function_or(const std::string& own) {
  return innermost == nullptr || innermost->function_ == nullptr ? own : innermost->function_;
}

SourceLocationScope SourceLocationScope::of(const Graph& graph, NodeId id) {
  return {graph.line_of(id), &graph, Kind::instead, &graph.scope_of(id)};
}

std::string SourceLocationScope::where() {
  if (innermost == nullptr) return {};
  const SourceLocationScope& now = *innermost;
  std::string out = now.line_.str();
  if (!out.empty()) out.insert(0, "at ");
  const std::string* scope = now.scope_;
  if (scope == nullptr && now.graph_ != nullptr) scope = &now.graph_->current_scope();
  if (scope != nullptr && !scope->empty()) out += fmt::format("{}in layer {:?}", out.empty() ? "" : ", ", *scope);
  return out;
}

}  // namespace xgrad::inline v0
