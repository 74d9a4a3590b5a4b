// Files and the Graphviz program behind save_graph, save_plan and save_diff.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include <xgrad/graph/dot.hpp>
#include <xgrad/graph/error.hpp>
#include <xgrad/graph/graph_diff.hpp>
#include <xgrad/graph/run_dot.hpp>
#include <xgrad/graph/save_text.hpp>

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

bool is_text(const fs::path& path) { return path.extension() == ".dot" || path.extension() == ".gv"; }

void check_format(const char* where, const fs::path& path) {
  const fs::path extension = path.extension();
  if (is_text(path) || extension == ".svg" || extension == ".png" || extension == ".pdf") return;
  throw GraphError(fmt::format("{}: the extension of {:?} is not .svg, .png, .pdf, .dot or .gv", where, path.string()));
}

// Less and less of what `text_of` gives for an effort, until Graphviz has drawn it in time.
template <class TextOf>
void draw(const char* where, const fs::path& path, double effort, double time_limit, TextOf text_of) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  const std::string whole = text_of(effort);
  if (is_text(path)) return save_text(where, path, whole);
  const auto left = [&] { return time_limit - std::chrono::duration<double>(Clock::now() - begin).count(); };
  const std::string format = path.extension().string().substr(1);
  dot::Outcome outcome;
  std::string text = whole;
  for (const double share : {0.5, 0.25, 0.0}) {  // of the time, what is kept for coarser diagrams
    outcome = dot::run_dot(text, format, std::max(left() - share * time_limit, 0.01));
    if (outcome.succeeded) return save_text(where, path, outcome.image);
    if (!outcome.timed_out || share == 0) break;
    effort = std::min(effort, 1.0) / 4;
    text = text_of(effort);
  }
  fs::path beside = path;
  beside.replace_extension(".dot");
  save_text(where, beside, whole);
  const std::string why = outcome.timed_out ? fmt::format("took longer than {} seconds", time_limit)
                          : outcome.started ? "failed: " + outcome.complaint
                                            : "could not be started: " + outcome.complaint;
  const char* hint = outcome.timed_out ? "\n  hint: a larger time_limit"
                     : outcome.started ? ""
                                       : "\n  hint: install Graphviz, for instance with `apt install graphviz`";
  throw EnvironmentError(fmt::format("{}: {:?} was not drawn: the program dot {}\n  the text is in {:?}{}", where,
                                     path.string(), why, beside.string(), hint));
}

}  // namespace

void save_graph(const Graph& graph, const fs::path& path, const DotOptions& options) {
  check_format("save_graph", path);
  draw("save_graph", path, options.effort, options.time_limit, [&, with = options](double effort) mutable {
    with.effort = effort;
    return to_dot(graph, with);
  });
}

void save_plan(const Plan& plan, const fs::path& path, const PlanDotOptions& options) {
  check_format("save_plan", path);
  draw("save_plan", path, options.effort, options.time_limit, [&, with = options](double effort) mutable {
    with.effort = effort;
    return to_dot(plan, with);
  });
}

void save_diff(const Graph& before, const Graph& after, const fs::path& path, const DiffDotOptions& options) {
  check_format("save_diff", path);
  draw("save_diff", path, options.effort, options.time_limit, [&, with = options](double effort) mutable {
    with.effort = effort;
    return diff_to_dot(before, after, with);
  });
}

}  // namespace xgrad
