#include <xgrad/graph/base/error.hpp>

#include <xgrad/graph/base/checked_pointer.hpp>
#include <xgrad/graph/base/internal/error_context.hpp>

namespace xgrad::inline v0 {
namespace {

thread_local ErrorContext context = nullptr;

std::string with_where(const std::string& message) {
  const std::string where = context == nullptr ? std::string() : context();
  return where.empty() ? message : message + "\n  " + where;
}

}  // namespace

Error::Error(const std::string& message) : std::runtime_error(with_where(message)), length_(message.size()) {}

void set_error_context(ErrorContext now) { context = now; }

void throw_empty(const char* message) { throw GraphError(message); }

std::string Error::where() const {
  const std::string all = what();
  return all.size() > length_ ? all.substr(length_ + 3) : std::string();
}

}  // namespace xgrad::inline v0
