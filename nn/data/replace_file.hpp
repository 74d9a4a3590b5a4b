// Files that are either written as a whole or stay as they were. Internal: not installed.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace xgrad::nn {

// Writes beside the file and puts it in its place when all is written. `write` gets the path to write to, and returns
// why it could not, or "" if it could. Throws EnvironmentError.
void replace_file(const char* where, const std::filesystem::path& path,
                  const std::function<std::string(const std::filesystem::path&)>& write);

}  // namespace xgrad::nn
