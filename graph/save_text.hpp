// A text file, written whole or not at all. Internal: not installed.
#pragma once

#include <filesystem>
#include <string>

namespace xgrad {

// Throws EnvironmentError, beginning with `where`, if it cannot be done; the file is then as it was.
void save_text(const char* where, const std::filesystem::path& path, const std::string& text);

}  // namespace xgrad
