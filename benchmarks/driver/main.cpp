// xgrad_bench: runs the same jobs with xgrad and other libraries in turns, and prints a comparison.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <stdexcept>

#include <CLI/CLI.hpp>

#include "page.hpp"
#include "run.hpp"
#include "tables.hpp"

namespace {

std::string read(const std::string& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  out.close();
  if (!out) throw std::runtime_error("cannot write " + file);
}

// Throws before measuring if a file cannot be written.
void require_writable(const std::string& file) {
  if (file.empty()) return;
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  if (access(folder.c_str(), W_OK) != 0) throw std::runtime_error("cannot write " + file);
}

// The command line of ./dev bench.
std::string command_line(int argc, char** argv) {
  std::string out = "./dev bench";
  for (int i = 1; i < argc; ++i) out += std::string(" ") + argv[i];
  return out;
}

void print(const bench::Results& results) {
  fmt::print("{}, {}\n", results.processor, results.date);
  for (const auto& [name, about] : results.workers) fmt::print("  {}: {}\n", name, about);
  for (const bench::Table& table : bench::all_tables(results)) fmt::print("\n{}", table.plain());
  const auto list = [](const char* title, const std::vector<std::string>& lines) {
    if (!lines.empty()) fmt::print("\n{}\n\n", title);
    for (const std::string& line : lines) fmt::print("  {}\n", line);
  };
  list("Missed targets", bench::missed_targets(results));
  list("Different results, not timed", results.mismatches);
  list("Noisy measurements, not reliable", bench::noisy_results(results));
  list("Omitted jobs", results.notes);
}

}  // namespace

int main(int argc, char** argv) {
  std::string json, page;
  std::vector<std::string> from;
  bench::RunOptions options;
  CLI::App app{"Runs the same jobs with xgrad and other libraries in turns, and prints a comparison."};
  app.add_option("--filter", options.filter, "only jobs that match this regular expression");
  app.add_option("--threads", options.threads, "comma-separated numbers of threads")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  app.add_flag("--quick", options.quick, "fewer and shorter rounds: about a minute in total");
  app.add_option("--json", json, "write all measurements to this file");
  app.add_option("--page", page, "write the page docs/performance.md to this file");
  app.add_option("--from", from, "do not measure: show files written with --json; later files override earlier ones");
  CLI11_PARSE(app, argc, argv);
  try {
    std::signal(SIGPIPE, SIG_IGN);  // report a worker that ended as an error
    (void)std::regex(options.filter);
    require_writable(json);
    require_writable(page);
    options.folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    options.progress = isatty(STDERR_FILENO) == 1;
    bench::Results results;
    if (from.empty()) {
      results = bench::run(options);
      results.command = command_line(argc, argv);
    } else {
      results = bench::from_json(read(from.front()));
      for (std::size_t i = 1; i < from.size(); ++i) bench::merge(results, bench::from_json(read(from[i])));
    }
    print(results);
    if (!json.empty()) write(json, bench::to_json(results));
    if (!page.empty()) write(page, bench::page(results));
  } catch (const std::exception& error) {
    fmt::print(stderr, "xgrad_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
