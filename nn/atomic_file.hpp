// Files that are either wholly written or not at all. Internal: not installed.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace xgrad::nn {

// Writes the parts one after the other to a file of the same name with ".tmp" behind it, waits until the disk has
// them, and renames it: whenever the program or the machine stops, `path` is the old file or the new one. Throws
// EnvironmentError, beginning with `where`, if that cannot be done; `path` is then as it was.
void write_file_atomically(const std::string& where, const std::filesystem::path& path,
                           std::span<const std::string_view> parts);

inline void write_file_atomically(const std::string& where, const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(where, path, std::span(&text, 1));
}

}  // namespace xgrad::nn
