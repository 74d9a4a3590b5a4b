#include <xgrad/graph/error.hpp>

#include <xgrad/graph/checked_pointer.hpp>
#include <xgrad/graph/line_guard.hpp>

namespace xgrad {
namespace {

std::string with_where(const std::string& message) {
  const std::string where = LineGuard::where();
  return where.empty() ? message : message + "\n  " + where;
}

}  // namespace

Error::Error(const std::string& message) : std::runtime_error(with_where(message)), length_(message.size()) {}

void throw_empty(const char* message) { throw GraphError(message); }

std::string Error::where() const {
  const std::string all = what();
  return all.size() > length_ ? all.substr(length_ + 3) : std::string();
}

}  // namespace xgrad
