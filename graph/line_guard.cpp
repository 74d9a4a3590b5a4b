#include <xgrad/graph/line_guard.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/error_context.hpp>
#include <xgrad/graph/graph.hpp>

namespace xgrad {
namespace {

thread_local const LineGuard* innermost = nullptr;

}  // namespace

LineGuard::LineGuard(CodeLine line, const Graph* graph, Kind kind, const std::string* scope)
    : line_(line), graph_(graph), before_(innermost), decided_(kind != Kind::otherwise), scope_(scope) {
  const bool is_part = kind == Kind::part && before_ != nullptr && before_->decided_;
  if (before_ != nullptr && scope == nullptr && (is_part || !line.known())) line_ = before_->line_;
  if (kind == Kind::part && before_ != nullptr) function_ = before_->function_;
  innermost = this;
  set_error_context(&LineGuard::where);
}

LineGuard::LineGuard(CodeLine line, Value x, Kind kind) : LineGuard(line, x.graph_, kind) {}
LineGuard::LineGuard(CodeLine line, const Graph* graph) : LineGuard(line, graph, Kind::part) {}
LineGuard::LineGuard(CodeLine line, Value x, const char* function) : LineGuard(line, x, Kind::part) {
  if (function_ == nullptr) function_ = function;
}
LineGuard::LineGuard(const Operand& x, const char* function) : LineGuard(x.line(), x, function) {}
LineGuard::~LineGuard() { innermost = before_; }

CodeLine LineGuard::line() { return innermost == nullptr ? CodeLine() : innermost->line_; }

std::string LineGuard::function_or(const std::string& own) {
  return innermost == nullptr || innermost->function_ == nullptr ? own : innermost->function_;
}

LineGuard LineGuard::of(const Graph& graph, NodeId id) {
  return {graph.line_of(id), &graph, Kind::instead, &graph.scope_of(id)};
}

std::string LineGuard::where() {
  if (innermost == nullptr) return {};
  const LineGuard& now = *innermost;
  std::string out = now.line_.str();
  if (!out.empty()) out.insert(0, "at ");
  const std::string* scope = now.scope_;
  if (scope == nullptr && now.graph_ != nullptr) scope = &now.graph_->current_scope();
  if (scope != nullptr && !scope->empty()) out += fmt::format("{}in layer {:?}", out.empty() ? "" : ", ", *scope);
  return out;
}

}  // namespace xgrad
