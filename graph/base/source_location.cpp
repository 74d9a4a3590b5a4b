#include <xgrad/graph/base/source_location.hpp>

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace xgrad::inline v0 {
namespace {

constexpr std::array<std::string_view, 4> folders{"graph/", "ops/", "autodiff/", "nn/"};

// The library's source folder at build time, with a trailing slash.
constexpr std::string_view root() {
  constexpr std::string_view here = __FILE__;
  constexpr std::string_view below = "graph/base/source_location.cpp";
  return here.ends_with(below) ? here.substr(0, here.size() - below.size()) : std::string_view{};
}

bool in_folder(std::string_view path) {
  for (const std::string_view folder : folders) {
    if (path.starts_with(folder)) return true;
  }
  return false;
}

bool is_of_user(std::string_view file) {
  if (file.find("/include/c++/") != std::string_view::npos) return false;
  if (!root().empty() && file.starts_with(root()) && in_folder(file.substr(root().size()))) return false;
  // Public headers, wherever they are installed.
  const auto at = file.rfind("xgrad/");
  const bool is_header = file.ends_with(".hpp") && at != std::string_view::npos && (at == 0 || file[at - 1] == '/');
  return !is_header || !in_folder(file.substr(at + 6));
}

}  // namespace

bool SourceLocation::known() const {
  if (file_ == nullptr || line_ == 0) return false;
  // Cache the last answer: consecutive lines usually belong to one file.
  thread_local const char* asked = nullptr;
  thread_local bool answer = false;
  if (asked != file_) {
    answer = is_of_user(file_);
    asked = file_;
  }
  return answer;
}

std::string SourceLocation::str() const {
  if (!known()) return {};
  const std::string_view path = file_;
  return fmt::format("{}:{}", path.substr(path.find_last_of("/\\") + 1), line_);
}

}  // namespace xgrad::inline v0
