// Human-readable byte sizes and counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace xgrad::inline v0 {

// For example "12 bytes", "217.0 KiB" or "1.5 MiB".
std::string memory_text(std::size_t bytes);
// For example "12,345".
std::string thousands(std::uint64_t n);

}  // namespace xgrad::inline v0
