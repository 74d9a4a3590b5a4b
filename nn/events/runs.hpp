// Runs: the scalars in folders of event files.
//
//   for (const nn::EventRun& run : nn::load_runs("logs"))
//     std::printf("%s: %g\n", run.name.c_str(), run.scalars.at("epoch_loss").back().value);
//
// The files of a run are read in the order of their names. If a step occurs again, as after a resumed or repeated fit,
// the last value counts, as in TensorBoard.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <xgrad/nn/events/event_reader.hpp>

namespace xgrad::inline v0::nn {

// A scalar of one step.
struct ScalarPoint {
  std::int64_t step;
  double wall_time;  // seconds since 1970
  double value;
};

// The content of one run's event files.
struct EventRun {
  std::string name;  // path relative to the requested folder; "." for that folder itself
  std::map<std::string, std::vector<ScalarPoint>> scalars;  // by tag; steps ascend
  struct Other {
    std::string plugin;
    std::size_t count = 0;
    std::int64_t last_step = 0;
  };
  std::map<std::string, Other> others;                  // histograms, images and other values, by tag
  std::size_t graphs = 0;                               // number of operation graphs
  std::map<std::string, std::string> hyper_parameters;  // by name, as text
  std::vector<std::filesystem::path> files;
  // Number of values and records that could not be read.
  std::uint64_t skipped = 0;
  // Messages with file and byte: the first ten skipped values and records of each file, errors that ended the reading
  // of a file, and truncated last records of files other than the last.
  std::vector<std::string> problems;
};

// Loads the run of one folder. Throws EnvironmentError if the folder cannot be read.
EventRun load_run(const std::filesystem::path& folder);
// Loads the runs of a folder and all folders below it, sorted by name. Follows symbolic links; each folder is read
// once, under a path without links if it has one. Throws EnvironmentError if the folder does not exist, UserError if
// there are no event files.
std::vector<EventRun> load_runs(const std::filesystem::path& folder);
// The event files directly in the folder, sorted by name.
std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder);
// Passes all readable events of a run's files to `take`, file by file. Sets `skipped` and `problems` of the run.
void load_events(EventRun& run, const std::function<void(const Event&)>& take);

}  // namespace xgrad::inline v0::nn
