#include <xgrad/nn/events/runs.hpp>

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/nn/events/event_reader.hpp>

namespace xgrad::nn {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void cannot_read(const fs::path& folder, const std::error_code& error) {
  throw EnvironmentError(fmt::format("event reader: cannot read the folder {}: {}", folder.string(), error.message()));
}

// Forgets what has that step or a later one.
void cut(std::vector<ScalarPoint>& points, std::int64_t step) {
  const auto first = std::lower_bound(points.begin(), points.end(), step,
                                      [](const ScalarPoint& p, std::int64_t s) { return p.step < s; });
  points.erase(first, points.end());
}

void take(EventRun& run, const Event& event) {
  if (event.restart) {
    for (auto& [tag, points] : run.scalars) cut(points, event.step);
    for (auto& [tag, other] : run.others) other.last_step = std::min(other.last_step, event.step - 1);
    if (event.step == 0) {
      run.others.clear();
      run.graphs = 0;
    }
  }
  if (!event.graph_def.empty()) ++run.graphs;
  for (const EventValue& value : event.values) {
    if (value.scalar) {
      auto& points = run.scalars[value.tag];
      if (!points.empty() && points.back().step >= event.step) cut(points, event.step);
      points.push_back({event.step, event.wall_time, *value.scalar});
    } else {
      for (const auto& [name, chosen] : value.chosen) run.hyper_parameters[name] = chosen;
      EventRun::Other& other = run.others[value.tag];
      if (!value.plugin.empty()) other.plugin = value.plugin;
      ++other.count;
      other.last_step = event.step;
    }
  }
}

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

EventRun read_run(const fs::path& folder) {
  EventRun run;
  run.name = ".";
  run.files = event_files(folder);
  for (const fs::path& path : run.files) {
    try {
      EventReader reader(path);
      while (const auto event = reader.next()) take(run, *event);
      if (reader.rest() > 0 && path != run.files.back()) {
        run.problems.push_back(
            fmt::format("{}: at byte {}: the last record is not whole", path.string(), reader.offset()));
      }
    } catch (const FormatError& error) {
      run.problems.emplace_back(error.what());
    }
  }
  std::erase_if(run.scalars, [](const auto& entry) { return entry.second.empty(); });
  return run;
}

std::vector<EventRun> read_runs(const fs::path& folder) {
  std::vector<fs::path> folders{folder};
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored)) folders.push_back(entry->path());
  }
  if (error) cannot_read(folder, error);
  std::vector<EventRun> out;
  for (const fs::path& path : folders) {
    if (event_files(path).empty()) continue;
    out.push_back(read_run(path));
    out.back().name = path == folder ? "." : fs::path(path).lexically_relative(folder).generic_string();
  }
  if (out.empty()) {
    throw UserError(fmt::format("event reader: there are no event files in {}\n  hint: their names hold \"tfevents\"",
                                folder.string()));
  }
  std::sort(out.begin(), out.end(), [](const EventRun& a, const EventRun& b) { return a.name < b.name; });
  return out;
}

}  // namespace xgrad::nn
