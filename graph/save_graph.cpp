// Files and the Graphviz program behind save_graph, save_plan and save_diff.
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <xgrad/graph/dot.hpp>
#include <xgrad/graph/error.hpp>
#include <xgrad/graph/graph_diff.hpp>
#include <xgrad/graph/save_text.hpp>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX wants the program to declare it

namespace xgrad {
namespace {

namespace fs = std::filesystem;

// A file of a name of its own in the target's folder, removed unless it was renamed: a rename within one folder is
// atomic.
class TemporaryFile {
 public:
  TemporaryFile(const char* where, const fs::path& target) : where_(where) {
    // Absolute, so that no folder's name is taken for an option of the program that gets the path.
    const fs::path folder = fs::absolute(target).parent_path();
    int fd = -1;
    for (int i = 0; fd < 0; ++i) {
      path_ = folder / fmt::format(".xgrad-{}-{}", ::getpid(), i);
      fd = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
      if (fd < 0 && (errno != EEXIST || i == 1000)) {
        throw EnvironmentError(
            fmt::format("{}: cannot write in {:?}: {}", where, folder.string(), std::strerror(errno)));
      }
    }
    ::close(fd);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove(path_, ignored);
  }

  const fs::path& path() const { return path_; }
  void rename_to(const fs::path& target) {
    std::error_code error;
    fs::rename(path_, target, error);
    if (error) {
      throw EnvironmentError(fmt::format("{}: cannot write {:?}: {}", where_, target.string(), error.message()));
    }
    path_.clear();
  }

 private:
  const char* where_;
  fs::path path_;
};

void write_text(const char* where, const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) throw EnvironmentError(fmt::format("{}: cannot write {:?}", where, path.string()));
}

}  // namespace

void save_text(const char* where, const fs::path& path, const std::string& text) {
  TemporaryFile file(where, path);
  write_text(where, file.path(), text);
  file.rename_to(path);
}

namespace {

// What a program wrote to its standard error, and how it ended.
struct Outcome {
  bool started = false;
  bool succeeded = false;
  std::string complaint;
};

// Runs a program found on the PATH, without a shell, so that no character of a path has a meaning.
Outcome run_program(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return {.complaint = std::strerror(errno)};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDERR_FILENO);
  ::pid_t child = 0;
  const int error = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe_ends[1]);
  Outcome outcome;
  outcome.started = error == 0;
  if (error != 0) {
    outcome.complaint = std::strerror(error);
  } else {
    char buffer[512];
    for (;;) {  // to the end, though only the beginning is kept: a full pipe would stop the program
      const ::ssize_t n = ::read(pipe_ends[0], buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      if (outcome.complaint.size() < 2000) outcome.complaint.append(buffer, static_cast<std::size_t>(n));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    outcome.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    outcome.started = !(WIFEXITED(status) && WEXITSTATUS(status) == 127);  // how some systems report a failed exec
  }
  ::close(pipe_ends[0]);
  while (!outcome.complaint.empty() && outcome.complaint.back() == '\n') outcome.complaint.pop_back();
  return outcome;
}

bool is_text(const fs::path& path) { return path.extension() == ".dot" || path.extension() == ".gv"; }

void check_format(const char* where, const fs::path& path) {
  const fs::path extension = path.extension();
  if (is_text(path) || extension == ".svg" || extension == ".png" || extension == ".pdf") return;
  throw GraphError(fmt::format("{}: the extension of {:?} is not .svg, .png, .pdf, .dot or .gv", where, path.string()));
}

void draw(const char* where, const fs::path& path, const std::string& text) {
  if (is_text(path)) return save_text(where, path, text);
  const std::string extension = path.extension().string();
  TemporaryFile source(where, path);
  TemporaryFile picture(where, path);
  write_text(where, source.path(), text);
  std::vector<std::string> words{"dot", "-T" + extension.substr(1)};
  if (extension == ".png") words.push_back("-Gdpi=144");
  words.insert(words.end(), {"-o", picture.path().string(), source.path().string()});
  const Outcome outcome = run_program(words);
  std::error_code ignored;
  if (outcome.succeeded && fs::file_size(picture.path(), ignored) > 0) return picture.rename_to(path);

  fs::path beside = path;
  beside.replace_extension(".dot");
  source.rename_to(beside);
  throw EnvironmentError(
      fmt::format("{}: {:?} was not drawn: the program dot {}: {}\n  the text is in {:?}{}", where, path.string(),
                  outcome.started ? "failed" : "could not be started", outcome.complaint, beside.string(),
                  outcome.started ? "" : "\n  hint: install Graphviz, for instance with `apt install graphviz`"));
}

}  // namespace

void save_graph(const Graph& graph, const fs::path& path, const DotOptions& options) {
  check_format("save_graph", path);
  draw("save_graph", path, to_dot(graph, options));
}

void save_plan(const Plan& plan, const fs::path& path, const PlanDotOptions& options) {
  check_format("save_plan", path);
  draw("save_plan", path, to_dot(plan, options));
}

void save_diff(const Graph& before, const Graph& after, const fs::path& path, const DiffDotOptions& options) {
  check_format("save_diff", path);
  draw("save_diff", path, diff_to_dot(before, after, options));
}

}  // namespace xgrad
