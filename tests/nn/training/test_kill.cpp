// A training process that is killed repeatedly, also while it writes a checkpoint: the checkpoint is always readable,
// and the final result and logged curves equal those of an uninterrupted run.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/nn/data/safetensors.hpp>
#include <xgrad/nn/events/runs.hpp>

#include "support/child_process.hpp"
#include "support/dice.hpp"
#include "support/places.hpp"
#include "support/scratch.hpp"

using namespace xgrad;
using scratch::ScratchFolder;

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// A run of the training program.
class Run : public testing::ChildProcess {
 public:
  Run(const fs::path& checkpoint, const fs::path& result, int threads)
      : ChildProcess({places::interrupted().string(), checkpoint.string(), result.string(), std::to_string(threads)}) {}
};

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Whether a process has a temporary file open that will replace another: unnamed or named.
bool writes_file(pid_t process, const fs::path& folder) {
  std::error_code error;
  const std::string nameless = (folder / "#").string(), named = (folder / ".xgrad-").string();
  for (fs::directory_iterator entry(fmt::format("/proc/{}/fd", process), error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code closed;
    const std::string path = fs::read_symlink(entry->path(), closed).string();
    if (path.starts_with(nameless) || path.starts_with(named)) return true;
  }
  return false;
}

// The curves that the TensorBoard callback logged: (step, value) pairs by tag.
std::map<std::string, std::vector<std::pair<std::int64_t, double>>> curves(const fs::path& checkpoint) {
  const nn::EventRun run = nn::load_run(checkpoint.string() + ".logs/train");
  std::map<std::string, std::vector<std::pair<std::int64_t, double>>> out;
  for (const auto& [tag, points] : run.scalars) {
    for (const nn::ScalarPoint& p : points) out[tag].emplace_back(p.step, p.value);
  }
  return out;
}

std::string uninterrupted(const ScratchFolder& folder) {
  Run run(folder / "uninterrupted", folder / "uninterrupted-result", 1);
  run.wait();
  REQUIRE(run.ended_well());
  return content(folder / "uninterrupted-result");
}

}  // namespace

TEST_CASE("checkpoint: kill -9 at any time leaves a readable checkpoint, and resuming gives the same result") {
  const ScratchFolder folder;
  const std::string expected = uninterrupted(folder);
  REQUIRE(expected.size() > 100000);
  const auto expected_curves = curves(folder / "uninterrupted");
  REQUIRE(expected_curves.at("batch_loss").size() == 20);
  testing::Dice dice(17);
  const fs::path checkpoint = folder / "c";
  const fs::path result = folder / "result";
  int kills = 0, while_writing = 0, completed = 0;
  while (kills < 30 || completed == 0) {
    const int attempt = kills + completed;
    REQUIRE(attempt < 200);
    Run run(checkpoint, result, 1 + attempt / 2 % 2);
    if (kills < 30) {
      // Every other run is killed while it writes a file, after a random delay; the others at a random time.
      const bool aimed = attempt % 2 == 0;
      const auto begin = Clock::now();
      const auto until = begin + std::chrono::microseconds(dice.between(0, aimed ? 40000 : 80000));
      // Under a sanitizer on a busy machine the first checkpoint takes long.
      const auto latest = begin + std::chrono::minutes(1);
      bool writing = false;
      while (!run.over() && (Clock::now() < until || (aimed && Clock::now() < latest && !writing))) {
        if (!aimed) std::this_thread::sleep_for(std::chrono::microseconds(200));
        writing = aimed && writes_file(run.id(), folder.path());
      }
      if (run.kill()) {
        ++kills;
        while_writing += writing ? 1 : 0;
        if (fs::exists(checkpoint)) REQUIRE_NOTHROW(nn::load_safetensors(checkpoint));
        continue;
      }
    }
    run.wait();
    REQUIRE(run.ended_well());
    CHECK(content(result) == expected);
    CHECK(curves(checkpoint) == expected_curves);
    ++completed;
    fs::remove_all(checkpoint.string() + ".logs");
    fs::remove(checkpoint);
    fs::remove(result);
  }
  MESSAGE(kills, " kills, ", while_writing, " while a checkpoint was being written, ", completed, " completed runs");
  CHECK(while_writing >= 10);
}
