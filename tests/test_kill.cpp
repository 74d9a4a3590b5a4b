// A training that is killed, again and again and in the middle of writing a checkpoint: what is there can always be
// read, and the end is that of a training that was left alone.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <xgrad/nn/data/safetensors.hpp>

#include "dice.hpp"
#include "scratch.hpp"

using namespace xgrad;
using scratch::ScratchFolder;

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// A run of the program, which goes on in a process of its own.
class Run {
 public:
  Run(const fs::path& checkpoint, const fs::path& result, int threads) {
    std::string words[] = {XGRAD_INTERRUPTED, checkpoint.string(), result.string(), std::to_string(threads)};
    char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    REQUIRE(::posix_spawn(&process_, words[0].c_str(), nullptr, nullptr, arguments, environ) == 0);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    if (!over_) kill();
  }

  // Whether it has come to its end.
  bool over() {
    if (!over_) over_ = ::waitpid(process_, &status_, WNOHANG) == process_;
    return over_;
  }
  void wait() {
    if (!over_) ::waitpid(process_, &status_, 0);
    over_ = true;
  }
  // False if it had come to its end before.
  bool kill() {
    ::kill(process_, SIGKILL);
    wait();
    return WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL;
  }
  bool ended_well() const { return WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }

 private:
  pid_t process_ = 0;
  int status_ = 0;
  bool over_ = false;
};

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string uninterrupted(const ScratchFolder& folder) {
  Run run(folder / "calm", folder / "calm-result", 1);
  run.wait();
  REQUIRE(run.ended_well());
  return content(folder / "calm-result");
}

}  // namespace

TEST_CASE("kill -9 at any moment leaves a checkpoint that can be read and leads to the same end") {
  const ScratchFolder folder;
  const std::string expected = uninterrupted(folder);
  REQUIRE(expected.size() > 100000);
  testing::Dice dice(17);
  const fs::path checkpoint = folder / "c";
  const fs::path result = folder / "result";
  const fs::path half = folder / "c.tmp";
  int kills = 0, while_writing = 0, ends = 0;
  while (kills < 30 || ends == 0) {
    const int attempt = kills + ends;
    REQUIRE(attempt < 200);
    Run run(checkpoint, result, 1 + attempt / 2 % 2);
    if (kills < 30) {
      // Every other time as soon as a file is being written, after some that were let pass; otherwise at any time.
      const bool aimed = attempt % 2 == 0;
      const auto begin = Clock::now();
      const auto until = begin + std::chrono::microseconds(dice.between(0, aimed ? 40000 : 80000));
      const auto latest = begin + std::chrono::seconds(1);
      std::error_code ignored;
      while (!run.over() && (Clock::now() < until || (aimed && Clock::now() < latest && !fs::exists(half, ignored)))) {
        if (!aimed) std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
      if (run.kill()) {
        ++kills;
        while_writing += fs::exists(half) ? 1 : 0;
        if (fs::exists(checkpoint)) REQUIRE_NOTHROW(nn::load_safetensors(checkpoint));
        continue;
      }
    }
    run.wait();
    REQUIRE(run.ended_well());
    CHECK(content(result) == expected);
    ++ends;
    fs::remove(checkpoint);
    fs::remove(result);
  }
  MESSAGE(kills, " kills, ", while_writing, " while a checkpoint was being written, ", ends, " ends");
  CHECK(while_writing >= 10);
}
