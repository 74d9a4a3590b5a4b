#include <xgrad/nn/data/replace_file.hpp>

#include <unistd.h>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>

namespace xgrad::nn {

namespace fs = std::filesystem;

void replace_file(const char* where, const fs::path& path, const std::function<std::string(const fs::path&)>& write) {
  const fs::path part = path.string() + fmt::format(".{}.part", ::getpid());
  std::error_code error;
  try {
    std::string failure = write(part);
    if (failure.empty()) {
      fs::rename(part, path, error);
      if (error) failure = error.message();
    }
    if (!failure.empty()) throw EnvironmentError(fmt::format("{}: cannot write {}: {}", where, path.string(), failure));
  } catch (...) {
    fs::remove(part, error);
    throw;
  }
}

}  // namespace xgrad::nn
