// xgrad-events: shows TensorBoard event files as tables in a terminal, SVG plots and PNG images.
//
//   xgrad-events logs                                       a table of all runs
//   xgrad-events compare logs/a logs/b --tag loss           runs side by side
//   xgrad-events plot logs --tag epoch_ -o curves.svg
//   xgrad-events images logs -o images
//   xgrad-events check logs
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/graph/base/internal/text_width.hpp>
#include <xgrad/nn/events/event_reader.hpp>
#include <xgrad/nn/events/runs.hpp>
#include <xgrad/nn/plots/plot.hpp>
#include "curves.hpp"

namespace {

namespace fs = std::filesystem;
namespace nn = xgrad::nn;
namespace tool = xgrad::nn::tool;

struct Arguments {
  std::vector<std::string> logs;
  std::string tag = ".*", run = ".*", output;
  std::size_t rows = 25;
  double smoothing = 0;
  bool all = false, csv = false, logarithmic = false, wall_time = false;
};

// Loads the runs of all folders that match --run. With several folders, run names include the folder.
std::vector<nn::EventRun> read(const Arguments& arguments) {
  const tool::Pattern pattern(arguments.run);
  std::vector<nn::EventRun> out;
  for (const std::string& folder : arguments.logs) {
    for (nn::EventRun& run : nn::load_runs(folder)) {
      if (arguments.logs.size() > 1) {
        run.name = (fs::path(folder) / run.name).lexically_normal().generic_string();
        if (run.name.size() > 1 && run.name.back() == '/') run.name.pop_back();
      }
      if (pattern.is_in(run.name)) out.push_back(std::move(run));
    }
  }
  if (out.empty()) throw xgrad::UserError(fmt::format("no run name matches \"{}\"", arguments.run));
  return out;
}

std::string skipped_text(std::uint64_t count) {
  return fmt::format("{} value{} or record{} could not be read", count, count == 1 ? "" : "s", count == 1 ? "" : "s");
}

void warn(const std::vector<nn::EventRun>& runs) {
  for (const nn::EventRun& run : runs) {
    for (const std::string& problem : run.problems)
      fmt::print(stderr, "xgrad-events: warning: {}\n", xgrad::without_controls(problem));
    if (run.skipped > 0)
      fmt::print(stderr, "xgrad-events: warning: {}: {}\n", xgrad::without_controls(run.name),
                 skipped_text(run.skipped));
  }
}

void show(const Arguments& arguments) {
  const auto runs = read(arguments);
  fmt::print("{}", tool::summary(runs, arguments.all));
  warn(runs);
}

void compare(const Arguments& arguments) {
  const auto runs = read(arguments);
  bool first = true;
  for (const tool::Chart& chart : tool::charts(runs, tool::Pattern(arguments.tag))) {
    fmt::print("{}{}", first ? "" : "\n",
               arguments.csv ? tool::comparison_csv(chart) : tool::comparison(chart, arguments.rows));
    first = false;
  }
  warn(runs);
}

void plot(const Arguments& arguments) {
  const auto runs = read(arguments);
  const std::vector<tool::Chart> charts = tool::charts(runs, tool::Pattern(arguments.tag));
  double begin = std::numeric_limits<double>::infinity();
  for (const tool::Chart& chart : charts) {
    for (const tool::Curve& curve : chart.curves) begin = std::min(begin, curve.points.front().wall_time);
  }
  std::vector<nn::Plot> plots;
  for (const tool::Chart& chart : charts) {
    const bool epochs = chart.tag.starts_with("epoch_");
    nn::Plot one({.title = chart.tag,
                  .x = arguments.wall_time ? "seconds"
                       : epochs            ? "epoch"
                                           : "step",
                  .y_scale = arguments.logarithmic ? nn::Scale::logarithmic : nn::Scale::linear});
    for (const tool::Curve& curve : chart.curves) {
      std::vector<double> x;
      for (const nn::ScalarPoint& p : curve.points)
        x.push_back(arguments.wall_time ? p.wall_time - begin : static_cast<double>(p.step));
      one.line(curve.run, x, tool::smoothed(curve.points, arguments.smoothing));
    }
    plots.push_back(std::move(one));
  }
  if (plots.size() == 1)
    plots[0].save(arguments.output);
  else
    nn::save_plots(arguments.output, plots);
  fmt::print("{}: {}\n", arguments.output, plots.size() == 1 ? "1 plot" : fmt::format("{} plots", plots.size()));
  warn(runs);
}

// Unique, short file names for runs and tags, without path separators or special characters.
class FileNames {
 public:
  const std::string& of(const std::string& run, const std::string& tag) {
    const auto [found, is_new] = names_.try_emplace({run, tag});
    if (is_new) {
      const std::string name = plain(run == "." ? "run" : run) + "-" + plain(tag);
      found->second = name;
      for (int i = 2; !taken_.insert(found->second).second; ++i) found->second = fmt::format("{}~{}", name, i);
    }
    return found->second;
  }

 private:
  static std::string plain(const std::string& text) {
    std::string out = text.substr(0, 80);
    for (char& c : out) {
      const bool keep =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
      if (!keep) c = '_';
    }
    return out;
  }

  std::map<std::pair<std::string, std::string>, std::string> names_;
  std::set<std::string> taken_;
};

void images(const Arguments& arguments) {
  auto runs = read(arguments);
  const tool::Pattern pattern(arguments.tag);
  std::error_code error;
  fs::create_directories(arguments.output, error);
  if (error) {
    throw xgrad::EnvironmentError(fmt::format("cannot create the folder {}: {}", arguments.output, error.message()));
  }
  std::size_t count = 0;
  FileNames names;
  for (nn::EventRun& run : runs) {
    nn::load_events(run, [&](const nn::Event& event) {
      for (const nn::EventValue& value : event.values) {
        if (value.plugin != "images" || !pattern.is_in(value.tag)) continue;
        for (std::size_t i = 2; i < value.strings.size(); ++i) {
          const std::string name = fmt::format("{}-{}{}.png", names.of(run.name, value.tag), event.step,
                                               i == 2 ? "" : fmt::format("-{}", i - 2));
          xgrad::replace_file("xgrad-events", fs::path(arguments.output) / name, value.strings[i]);
          ++count;
        }
      }
    });
  }
  fmt::print("{}: {} image{}\n", arguments.output, count, count == 1 ? "" : "s");
  warn(runs);
}

// Whether all values and records of all files can be read.
bool check(const Arguments& arguments) {
  bool good = true;
  for (const nn::EventRun& run : read(arguments)) {
    const auto plugins = std::make_shared<std::map<std::string, std::string>>();
    for (const fs::path& path : run.files) {
      std::size_t events = 0;
      std::string state;
      std::vector<std::string> problems;
      std::optional<nn::EventReader> reader;
      try {
        reader.emplace(path, nn::EventReaderOptions{.plugins = plugins});
        while (reader->next()) ++events;
        if (reader->partial_bytes() > 0)
          state = fmt::format(", and {} bytes of a partial record", reader->partial_bytes());
      } catch (const xgrad::Error& error) {
        problems.emplace_back(error.what());
      }
      if (reader && reader->skipped() > 0) {
        state += "; " + skipped_text(reader->skipped());
        problems.insert(problems.begin(), reader->problems().begin(), reader->problems().end());
      }
      good = good && problems.empty();
      fmt::print("{}: {} events{}\n", xgrad::without_controls(path.string()), events, state);
      for (const std::string& problem : problems) fmt::print("  {}\n", xgrad::without_controls(problem));
    }
  }
  return good;
}

// Whether all output was written to stdout.
bool written() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
  fmt::print(stderr, "xgrad-events: cannot write to standard output: {}\n", std::strerror(errno != 0 ? errno : EIO));
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  bool good = true;
  CLI::App app{"Shows TensorBoard event files: tables, plots and comparisons of runs."};
  app.require_subcommand(0, 1);
  const auto logs = [&](CLI::App& command) -> CLI::Option* {
    return command.add_option("logs", arguments.logs, "folders with runs, searched recursively")
        ->check(CLI::ExistingDirectory);
  };
  const auto of_runs = [&](CLI::App& command) {
    command.add_option("--run", arguments.run, "only runs whose name matches this regular expression");
  };
  const auto of_tags = [&](CLI::App& command) {
    command.add_option("--tag", arguments.tag, "only tags that match this regular expression");
  };
  const auto of_tables = [&](CLI::App& command) {
    command.add_flag("--all", arguments.all, "also list the tags of histograms, images and other values");
  };
  logs(app);
  of_runs(app);
  of_tables(app);
  const auto add = [&](const char* name, const char* what, std::function<void()> run) {
    CLI::App* command = app.add_subcommand(name, what);
    logs(*command)->required();
    of_runs(*command);
    command->final_callback(std::move(run));
    return command;
  };
  of_tables(
      *add("show", "table of runs: steps, last and best value of each tag (the default)", [&] { show(arguments); }));
  CLI::App* comparing = add("compare", "values of a tag, runs side by side", [&] { compare(arguments); });
  of_tags(*comparing);
  comparing->add_option("--rows", arguments.rows, "maximum number of steps, evenly spaced")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{2}, std::size_t{1} << 30U));
  comparing->add_flag("--csv", arguments.csv, "print all steps as CSV");
  CLI::App* plotting =
      add("plot", "curves as an SVG file: one plot per tag, one line per run", [&] { plot(arguments); });
  of_tags(*plotting);
  plotting->add_option("-o,--output", arguments.output, "output file")->required();
  plotting->add_option("--smoothing", arguments.smoothing, "smoothing weight, as TensorBoard's slider; 0 for none")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.999));
  plotting->add_flag("--log", arguments.logarithmic, "logarithmic y axis");
  plotting->add_flag("--wall-time", arguments.wall_time, "seconds since the first value instead of steps");
  CLI::App* extracting = add("images", "write images to a folder", [&] { images(arguments); });
  of_tags(*extracting);
  extracting->add_option("-o,--output", arguments.output, "output folder")->required();
  add("check", "read all files completely; fail if one is damaged", [&] { good = check(arguments); });
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) {
      if (arguments.logs.empty()) throw CLI::RequiredError("logs");
      show(arguments);
    }
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return written() ? status : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "xgrad-events: {}\n", error.what());
    return 1;
  }
  return written() && good ? 0 : 1;
}
