// Bytes as a person says them. Internal: not installed.
#pragma once

#include <cstddef>
#include <string>

namespace xgrad {

// Such as "12 bytes", "217.0 KiB" or "1.5 MiB".
std::string memory_text(std::size_t bytes);

}  // namespace xgrad
