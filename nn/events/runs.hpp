// Runs: the curves in folders of event files.
//
//   for (const nn::EventRun& run : nn::load_runs("logs"))
//     std::printf("%s: %g\n", run.name.c_str(), run.scalars.at("epoch_loss").back().value);
//
// The files of a run are read one after the other, in the order of their names. Where one goes on at a step that is
// there already, as a fit does that was interrupted or begun anew, what was written last counts, as in TensorBoard.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <xgrad/nn/events/event_reader.hpp>

namespace xgrad::inline v0::nn {

struct ScalarPoint {
  std::int64_t step;
  double wall_time;  // seconds since 1970
  double value;
};

struct EventRun {
  std::string name;  // of the folder, from the one that was asked for; "." for that one itself
  std::map<std::string, std::vector<ScalarPoint>> scalars;  // by tag; steps ascend
  struct Other {
    std::string plugin;
    std::size_t count = 0;
    std::int64_t last_step = 0;
  };
  std::map<std::string, Other> others;                  // histograms, images and all else that has a tag
  std::size_t graphs = 0;                               // of operations
  std::map<std::string, std::string> hyper_parameters;  // by name, as text
  std::vector<std::filesystem::path> files;
  // Values and records that could not be read and are no part of the run.
  std::uint64_t passed_over = 0;
  // What is wrong, with file and byte: the first ten of what was passed over in each file, what ended the reading of a
  // file, and last records that are not whole in files other than the last.
  std::vector<std::string> problems;
};

// The run of one folder. Throws EnvironmentError if it cannot be read.
EventRun load_run(const std::filesystem::path& folder);
// Those of a folder and of all folders below it that have event files, by name. Symbolic links to folders are followed;
// each folder is read once, under a name without links if it has one. Throws EnvironmentError if there is no such
// folder, and UserError if there is none with event files.
std::vector<EventRun> load_runs(const std::filesystem::path& folder);
// The event files right in the folder, in the order of their names.
std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder);
// Gives all that can be read of the events in a run's files to `take`, one file after the other. Sets `passed_over` and
// `problems` of the run.
void load_events(EventRun& run, const std::function<void(const Event&)>& take);

}  // namespace xgrad::inline v0::nn
