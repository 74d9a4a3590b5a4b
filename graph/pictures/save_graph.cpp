// Implements the files of save_graph, save_plan and save_diff, and runs Graphviz.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/graph/pictures/dot.hpp>
#include <xgrad/graph/pictures/graph_diff.hpp>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves the declaration to the program

namespace xgrad::inline v0 {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// ---- the program dot

struct Outcome {
  bool started = false;    // false if the program was not found
  bool timed_out = false;  // the program was killed
  bool succeeded = false;
  std::string image;
  std::string complaint;  // the beginning of its standard error output
};

// Two connected sockets instead of a pipe: writing to a program that has ended would raise SIGPIPE.
struct Channel {
  Descriptor ours{-1}, theirs{-1};
  bool open() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    ours = Descriptor(ends[0]);
    theirs = Descriptor(ends[1]);
    return true;
  }
};

void close(Descriptor& end) { end = Descriptor(-1); }

class Deadline {
 public:
  explicit Deadline(double seconds) {
    constexpr double never = 1e9;
    if (seconds >= never) return;
    end_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  // The timeout for poll; -1 waits forever.
  int milliseconds() const {
    if (end_ == Clock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, 1'000'000));
  }
  bool passed() const { return Clock::now() >= end_; }

 private:
  Clock::time_point end_ = Clock::time_point::max();
};

// Writes the program's input and reads its output until it closes both outputs; false on timeout.
bool converse(Channel& in, Channel& out, Channel& err, std::string_view text, const Deadline& deadline,
              Outcome& outcome) {
  std::vector<char> buffer(1 << 16);
  const auto take = [&](Channel& from, std::string& into, std::size_t limit) {
    const ::ssize_t n = ::recv(from.ours.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) return close(from.ours);
    // Read everything, though only the beginning is kept: a full channel would block the program.
    into.append(buffer.data(), std::min(static_cast<std::size_t>(n), limit - std::min(limit, into.size())));
  };
  while (out.ours || err.ours) {
    // poll ignores descriptors of -1.
    std::array<::pollfd, 3> ends{
        {{in.ours.get(), POLLOUT, 0}, {out.ours.get(), POLLIN, 0}, {err.ours.get(), POLLIN, 0}}};
    if (::poll(ends.data(), ends.size(), deadline.milliseconds()) < 0 && errno != EINTR) return true;
    if (deadline.passed()) return false;
    if (ends[0].revents != 0) {
      const ::ssize_t n = ::send(in.ours.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
      if (text.empty() || (n < 0 && errno != EINTR && errno != EAGAIN)) close(in.ours);
    }
    if (ends[1].revents != 0) take(out, outcome.image, std::string::npos);
    if (ends[2].revents != 0) take(err, outcome.complaint, 2000);
  }
  return true;
}

// Pipes `text` to dot, which is searched on the PATH, and returns the image in `format`, such as svg. Writes no file.
// After `seconds` the program and its children are killed; infinity waits forever.
Outcome run_dot(const std::string& text, const std::string& format, double seconds) {
  Outcome outcome;
  const Deadline deadline(seconds);
  Channel in, out, err;
  if (!in.open() || !out.open() || !err.open()) {
    outcome.complaint = std::strerror(errno);
    return outcome;
  }
  std::vector<std::string> words{"dot", "-T" + format};
  if (format == "png") words.emplace_back("-Gdpi=144");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.theirs.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.theirs.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.theirs.get(), STDERR_FILENO);
  // A separate process group, so that a wrapper script named dot is killed with its children.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  ::pid_t child = 0;
  const int error = ::posix_spawnp(&child, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  for (Channel* channel : {&in, &out, &err}) close(channel->theirs);
  if (error != 0) {
    outcome.complaint = std::strerror(error);
    return outcome;
  }
  outcome.timed_out = !converse(in, out, err, text, deadline, outcome);
  if (outcome.timed_out) ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  outcome.succeeded = !outcome.timed_out && WIFEXITED(status) && WEXITSTATUS(status) == 0 && !outcome.image.empty();
  outcome.started = !(WIFEXITED(status) && WEXITSTATUS(status) == 127);  // how some systems report a failed exec
  while (!outcome.complaint.empty() && outcome.complaint.back() == '\n') outcome.complaint.pop_back();
  return outcome;
}

// ---- files

bool is_text(const fs::path& path) { return path.extension() == ".dot" || path.extension() == ".gv"; }

// Draws with less and less effort until Graphviz finishes in time. `dot_of` returns the text for the options.
template <class Options, class DotOf>
void draw(const char* where, const fs::path& path, Options options, DotOf dot_of) {
  const fs::path extension = path.extension();
  if (!is_text(path) && extension != ".svg" && extension != ".png" && extension != ".pdf")
    throw GraphError(fmt::format("{}: {:?} must end in .svg, .png, .pdf, .dot or .gv", where, path.string()));
  const Clock::time_point begin = Clock::now();
  const std::string whole = dot_of(options);
  if (is_text(path)) return replace_file(where, path, whole);
  const auto left = [&] { return options.time_limit - std::chrono::duration<double>(Clock::now() - begin).count(); };
  const std::string format = extension.string().substr(1);
  Outcome outcome;
  std::string text = whole;
  for (const double share : {0.5, 0.25, 0.0}) {  // fraction of the time reserved for coarser diagrams
    outcome = run_dot(text, format, std::max(left() - share * options.time_limit, 0.01));
    if (outcome.succeeded) return replace_file(where, path, outcome.image);
    if (!outcome.timed_out || share == 0) break;
    options.effort = std::min(options.effort, 1.0) / 4;
    text = dot_of(options);
  }
  // Keep the text for use with Graphviz elsewhere, but never overwrite an existing file.
  fs::path beside = path;
  beside.replace_extension(".dot");
  std::error_code ignored;
  const bool free = fs::symlink_status(beside, ignored).type() == fs::file_type::not_found;
  if (free) replace_file(where, beside, whole);
  const std::string why = outcome.timed_out ? fmt::format("took longer than {} seconds", options.time_limit)
                          : outcome.started ? "failed: " + outcome.complaint
                                            : "could not be started: " + outcome.complaint;
  const std::string rest = free ? fmt::format("the DOT text is in {:?}", beside.string())
                                : fmt::format("the DOT text was not written: {:?} exists", beside.string());
  const char* hint = outcome.timed_out ? "\n  hint: use a larger time_limit"
                     : outcome.started ? ""
                                       : "\n  hint: install Graphviz, for instance with `apt install graphviz`";
  throw EnvironmentError(
      fmt::format("{}: {:?} was not drawn: the program dot {}\n  {}{}", where, path.string(), why, rest, hint));
}

}  // namespace

void save_graph(const Graph& graph, const fs::path& path, const DotOptions& options) {
  draw("save_graph", path, options, [&](const DotOptions& now) { return to_dot(graph, now); });
}

void save_plan(const Plan& plan, const fs::path& path, const PlanDotOptions& options) {
  draw("save_plan", path, options, [&](const PlanDotOptions& now) { return to_dot(plan, now); });
}

void save_diff(const Graph& before, const Graph& after, const fs::path& path, const DiffDotOptions& options) {
  draw("save_diff", path, options, [&](const DiffDotOptions& now) { return diff_to_dot(before, after, now); });
}

}  // namespace xgrad::inline v0
