#include <xgrad/nn/events/runs.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/internal/input_file.hpp>

namespace xgrad::inline v0::nn {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void cannot_read(const fs::path& folder, const std::error_code& error) {
  throw EnvironmentError(fmt::format("event reader: cannot read the folder {}: {}", folder.string(), error.message()));
}

// The restarts of a run, each of which discards earlier points with its step or a later one. A restart that follows one
// with a larger step replaces it. The kept restarts have ascending steps, so that binary search finds the one that
// applies to a tag.
class Restarts {
 public:
  void add(std::int64_t step) {
    while (!kept_.empty() && kept_.back().step >= step) kept_.pop_back();
    kept_.push_back({++count_, step});
  }
  std::size_t count() const { return count_; }
  // The least step among the restarts after the first `known` ones.
  std::optional<std::int64_t> least_since(std::size_t known) const {
    const auto found = std::upper_bound(kept_.begin(), kept_.end(), known,
                                        [](std::size_t n, const Restart& restart) { return n < restart.number; });
    return found == kept_.end() ? std::nullopt : std::optional(found->step);
  }

 private:
  struct Restart {
    std::size_t number;
    std::int64_t step;
  };
  std::vector<Restart> kept_;  // indices and steps ascend
  std::size_t count_ = 0;
};

// Collects the events of a run.
class Collector {
 public:
  explicit Collector(EventRun& run) : run_(run) {}

  void take(const Event& event) {
    if (event.restart) {
      restarts_.add(event.step);
      if (event.step == 0) {
        others_.clear();
        run_.graphs = 0;
      }
    }
    if (!event.graph_def.empty()) ++run_.graphs;
    for (const EventValue& value : event.values) {
      if (value.scalar) {
        auto& points = up_to_date(curves_[value.tag]);
        if (!points.empty() && points.back().step >= event.step) cut(points, event.step);
        points.push_back({event.step, event.wall_time, *value.scalar});
      } else {
        for (const auto& [name, text] : value.hyper_parameters) run_.hyper_parameters[name] = text;
        EventRun::Other& other = up_to_date(others_[value.tag]);
        if (!value.plugin.empty()) other.plugin = value.plugin;
        ++other.count;
        other.last_step = event.step;
      }
    }
  }
  void finish() {
    for (auto& [tag, curve] : curves_) {
      if (!up_to_date(curve).empty()) run_.scalars[tag] = std::move(curve.what);
    }
    for (auto& [tag, other] : others_) run_.others[tag] = up_to_date(other);
  }

 private:
  template <class T>
  struct Tagged {
    T what{};
    std::size_t known = 0;  // number of restarts applied so far
  };

  static void cut(std::vector<ScalarPoint>& points, std::int64_t step) {
    const auto first = std::lower_bound(points.begin(), points.end(), step,
                                        [](const ScalarPoint& p, std::int64_t s) { return p.step < s; });
    points.erase(first, points.end());
  }
  static void cut(EventRun::Other& other, std::int64_t step) { other.last_step = std::min(other.last_step, step - 1); }
  template <class T>
  T& up_to_date(Tagged<T>& tagged) const {
    if (const auto step = restarts_.least_since(tagged.known)) cut(tagged.what, *step);
    tagged.known = restarts_.count();
    return tagged.what;
  }

  EventRun& run_;
  Restarts restarts_;
  std::map<std::string, Tagged<std::vector<ScalarPoint>>> curves_;
  std::map<std::string, Tagged<EventRun::Other>> others_;
};

}  // namespace

std::vector<fs::path> event_files(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> out;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (entry->path().filename().string().find("tfevents") != std::string::npos && entry->is_regular_file(ignored))
      out.push_back(entry->path());
  }
  if (error) cannot_read(folder, error);
  std::sort(out.begin(), out.end());
  return out;
}

void load_events(EventRun& run, const std::function<void(const Event&)>& take) {
  run.skipped = 0;
  run.problems.clear();
  const auto plugins = std::make_shared<std::map<std::string, std::string>>();
  const auto succeeds = [&](const auto& body) {
    try {
      body();
      return true;
    } catch (const Error& error) {
      run.problems.emplace_back(error.what());
      return false;
    }
  };
  for (const fs::path& path : run.files) {
    std::optional<EventReader> reader;
    std::optional<Event> event;
    if (!succeeds([&] { reader.emplace(path, EventReaderOptions{.plugins = plugins}); })) continue;
    const auto next = [&] { event = reader->next(); };
    bool good = succeeds(next);
    for (; good && event; good = succeeds(next)) take(*event);
    if (good && reader->partial_bytes() > 0 && path != run.files.back()) {
      run.problems.push_back(
          fmt::format("{}: at byte {}: the last record is truncated", path.string(), reader->offset()));
    }
    run.skipped += reader->skipped();
    run.problems.insert(run.problems.end(), reader->problems().begin(), reader->problems().end());
  }
}

EventRun load_run(const fs::path& folder) {
  const auto read = [&] {
    EventRun run;
    run.name = ".";
    run.files = event_files(folder);
    Collector collector(run);
    load_events(run, [&](const Event& event) { collector.take(event); });
    collector.finish();
    return run;
  };
  return with_file_memory([&] { return "event reader: " + folder.string(); }, read,
                          [] { return std::string("the events of its files"); });
}

std::vector<EventRun> load_runs(const fs::path& folder) {
  std::error_code missing;
  if (!fs::is_directory(folder, missing))
    cannot_read(folder, missing ? missing : std::make_error_code(std::errc::not_a_directory));
  std::vector<fs::path> folders;
  // Symbolic links may form cycles: visit each folder once, folders without links in their path first.
  std::set<std::pair<dev_t, ino_t>> seen;
  std::deque<fs::path> next{folder}, links;
  while (!next.empty() || !links.empty()) {
    auto& from = next.empty() ? links : next;
    const fs::path path = std::move(from.front());
    from.pop_front();
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
        !seen.emplace(status.st_dev, status.st_ino).second)
      continue;
    std::error_code error;
    std::vector<fs::path> below;
    fs::directory_iterator entry(path, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) below.push_back(entry->path());
    if (error && path == folder) cannot_read(path, error);
    if (error) continue;  // skip unreadable folders
    folders.push_back(path);
    std::sort(below.begin(), below.end());
    for (fs::path& one : below) {
      std::error_code ignored;
      if (fs::is_directory(one, ignored)) (fs::is_symlink(one, ignored) ? links : next).push_back(std::move(one));
    }
  }
  std::vector<EventRun> out;
  for (const fs::path& path : folders) {
    if (event_files(path).empty()) continue;
    out.push_back(load_run(path));
    out.back().name = path == folder ? "." : fs::path(path).lexically_relative(folder).generic_string();
  }
  if (out.empty()) {
    throw UserError(
        fmt::format("event reader: no event files in {}\n  hint: their names contain \"tfevents\"", folder.string()));
  }
  std::sort(out.begin(), out.end(), [](const EventRun& a, const EventRun& b) { return a.name < b.name; });
  return out;
}

}  // namespace xgrad::inline v0::nn
