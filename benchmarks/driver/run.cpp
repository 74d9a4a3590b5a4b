#include "run.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "../operations.hpp"
#include "peers.hpp"
#include "process.hpp"
#include "statistics.hpp"

namespace bench {
namespace {

// Length and number of turns. Long jobs get fewer rounds.
struct Pace {
  double turn_milliseconds;
  int rounds, least_rounds;
  double job_seconds;
};
constexpr Pace full{60, 11, 5, 6};
constexpr Pace quick{6, 4, 2, 0.2};

std::string program(const RunOptions& options, const std::string& name) {
  return options.folder + "/bench_worker_" + name;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// Jobs that use one thread only, so they are measured once.
bool single_threaded(const std::string& job) {
  return job.starts_with("nodes/") || job.starts_with("plan/") || job.starts_with("graph/");
}

// The value of the first line of a /proc or configuration file that begins with `key`.
std::string system_line(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) != 0) continue;
    const std::size_t value = line.find_first_not_of(" \t:=\"", key.size());
    return value == std::string::npos ? "" : line.substr(value, line.find_last_not_of(" \t\"") + 1 - value);
  }
  return "unknown";
}

void describe_machine(Results& out) {
  out.processor =
      fmt::format("{}, {} in use", system_line("/proc/cpuinfo", "model name"), sysconf(_SC_NPROCESSORS_ONLN));
  out.memory = fmt::format("{:.0f} GiB", std::stod(system_line("/proc/meminfo", "MemTotal")) / (1024 * 1024));
  utsname kernel{};
  uname(&kernel);
  const std::string release = kernel.release;
  out.system = system_line("/etc/os-release", "PRETTY_NAME") + ", Linux " + release.substr(0, release.find('-'));
#ifdef __clang__
  out.compiler = __VERSION__;
#else
  out.compiler = "GCC " __VERSION__;
#endif
  std::time_t now = std::time(nullptr);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", std::gmtime(&now));
  out.date = date;
  double load = 0;
  (void)getloadavg(&load, 1);
  out.load = fmt::format("{:.1f}", load);
}

// The workers for one number of threads. A peer with several settings has a process for each.
class Team {
 public:
  struct Member {
    std::string name, setting;
    Process process;
    std::vector<std::string> jobs;
  };

  Team(const RunOptions& options, int threads, Results& results) : results_(results) {
    const Processor processor = this_processor();
    for (const Peer& peer : peers(processor)) {
      const std::string file = program(options, peer.name);
      if (access(file.c_str(), X_OK) != 0) {
        if (peer.name == ours) throw std::runtime_error("missing worker " + file);
        note(fmt::format("{} is omitted: its worker was not built (Debian: {})", peer.name, peer.package));
        continue;
      }
      for (const Setting& setting : peer.settings) {
        try {
          Environment variables = environment(processor, threads);
          variables.insert(variables.end(), setting.environment.begin(), setting.environment.end());
          Member member{peer.name, setting.name, Process(file, std::to_string(threads), variables), {}};
          describe(peer, member);
          member.jobs = words(member.process.ask("jobs", "jobs"));
          members_.push_back(std::move(member));
        } catch (const std::runtime_error& error) {
          if (peer.name == ours) throw;
          note(fmt::format("{} is omitted: {}", named(peer.name, setting.name), error.what()));
        }
      }
    }
  }

  Member& us() { return members_.front(); }

  Result measure(const std::string& job, int threads, const Pace& pace) {
    Result out{job, threads, Unit::nanoseconds, {}};
    std::vector<Member*> players;
    const auto add = [&](Member& member, std::string how) {
      players.push_back(&member);
      out.entries.push_back({member.name, {}, std::numeric_limits<double>::infinity(), std::move(how)});
    };
    us().process.ask("prepare " + job, "ready");
    const std::vector<Digest> results = parse_results(us().process.ask("results", "results"));
    add(us(), "");
    for (std::size_t first = 1; first < members_.size();) {
      std::size_t end = first;
      std::vector<Candidate> candidates;
      for (; end < members_.size() && members_[end].name == members_[first].name; ++end) {
        for (const std::string& name : members_[end].jobs) {
          if (job_and_implementation(name).first == job) candidates.push_back({&members_[end], name});
        }
      }
      first = end;
      if (const Candidate* best = fastest(candidates, results, job, pace)) {
        add(*best->member, candidates.size() > 1 ? best->how() : "");
      }
    }
    const std::string request = fmt::format("run {}", pace.turn_milliseconds);
    const auto start = std::chrono::steady_clock::now();
    for (int round = 0;; ++round) {
      const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
      // On a busy machine, run up to four times as many rounds, until no worker's median is noisy.
      const int patience = std::any_of(out.entries.begin(), out.entries.end(), std::mem_fn(&Entry::noisy)) ? 4 : 1;
      if (round >= pace.rounds * patience) break;
      if (round >= pace.least_rounds && spent.count() > pace.job_seconds * patience) break;
      for (std::size_t i = 0; i < players.size(); ++i) {
        // Reverse the order in every other round, so that no worker always follows the same other worker.
        const std::size_t who = round % 2 == 0 ? i : players.size() - 1 - i;
        const std::vector<double> samples = numbers(players[who]->process.ask(request, "ns"));
        out.entries[who].least = std::min(out.entries[who].least, *std::min_element(samples.begin(), samples.end()));
        out.entries[who].rounds.push_back(median(samples));
      }
    }
    for (Member* m : players) m->process.ask("drop", "dropped");
    return out;
  }

 private:
  // A worker that can run a job, and its name of the job.
  struct Candidate {
    Member* member;
    std::string job;
    std::string how() const {
      const std::string implementation = job_and_implementation(job).second;
      return member->setting + (member->setting.empty() || implementation.empty() ? "" : ", ") + implementation;
    }
  };

  // The fastest candidate whose results equal ours, prepared; null without one. A mismatch is noted.
  const Candidate* fastest(const std::vector<Candidate>& candidates, const std::vector<Digest>& results,
                           const std::string& job, const Pace& pace) {
    const Candidate* best = nullptr;
    double least = std::numeric_limits<double>::infinity();
    for (const Candidate& c : candidates) {
      Process& process = c.member->process;
      const std::string who = named(c.member->name, c.how());
      try {
        process.ask("prepare " + c.job, "ready");
        const auto theirs = parse_results(process.ask("results", "results"));
        if (const std::string what = difference(results, theirs, tolerance(job)); !what.empty()) {
          add_new(results_.mismatches, fmt::format("{}, {}: {}", job, who, what));
          process.ask("drop", "dropped");
          continue;
        }
        double took = 0;
        if (candidates.size() > 1) {
          const std::string request = fmt::format("run {}", pace.turn_milliseconds / 2);
          took = median(numbers(process.ask(request, "ns")));
          took = std::min(took, median(numbers(process.ask(request, "ns"))));
          process.ask("drop", "dropped");
        }
        if (took < least) {
          least = took;
          best = &c;
        }
      } catch (const std::runtime_error& error) {
        note(fmt::format("{}, {}: {}", who, job, error.what()));
      }
    }
    if (best != nullptr && candidates.size() > 1) best->member->process.ask("prepare " + best->job, "ready");
    return best;
  }

  static std::string named(const std::string& worker, const std::string& how) {
    return how.empty() ? worker : worker + " (" + how + ")";
  }

  static std::vector<double> numbers(const std::string& text) {
    std::vector<double> out;
    for (const std::string& word : words(text)) out.push_back(std::stod(word));
    return out;
  }

  // Adds the description of the worker, with the names of its settings.
  void describe(const Peer& peer, Member& member) {
    std::string about = member.process.ask("about", "about");
    if (peer.settings.size() > 1) {
      std::string settings;
      for (const Setting& s : peer.settings) settings += (settings.empty() ? "" : " or ") + s.name;
      about += ", " + settings + ": the faster one at each job";
    }
    const std::pair<std::string, std::string> line{peer.name, about};
    if (std::find(results_.workers.begin(), results_.workers.end(), line) == results_.workers.end())
      results_.workers.push_back(line);
  }

  static void add_new(std::vector<std::string>& to, const std::string& text) {
    if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(text);
  }
  void note(const std::string& text) { add_new(results_.notes, text); }

  Results& results_;
  std::vector<Member> members_;
};

// Measures the time from program start to the end of the first training step, and the memory beyond the data.
void measure_start(const RunOptions& options, int threads, const Pace& pace, Results& results) {
  Result time{"start/first-step", threads, Unit::nanoseconds, {}}, memory{"start/memory", threads, Unit::bytes, {}};
  constexpr double most = std::numeric_limits<double>::infinity();
  for (const char* who : {ours, "torch"}) {
    if (access(program(options, who).c_str(), X_OK) != 0) continue;
    time.entries.push_back({who, {}, most});
    memory.entries.push_back({who, {}, most});
  }
  for (int round = 0; round < pace.least_rounds; ++round) {
    for (std::size_t i = 0; i < time.entries.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      Process process(program(options, time.entries[i].who), "--first-step", environment(this_processor(), threads));
      std::istringstream line(process.read_line());
      const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
      std::string verb;
      double peak = 0, data = 0;
      if (!(line >> verb >> peak >> data) || verb != "first-step") throw std::runtime_error("no first step");
      const auto add = [&](Entry& e, double value) {
        e.rounds.push_back(value);
        e.least = std::min(e.least, value);
      };
      add(time.entries[i], took.count());
      add(memory.entries[i], peak - data);
    }
  }
  results.results.push_back(std::move(time));
  results.results.push_back(std::move(memory));
}

// Adds the arena sizes of plans, compared with the total size of all values.
void add_plan_memory(Team& team, const std::regex& filter, Results& results) {
  for (const std::string& word : words(team.us().process.ask("quantities", "quantities"))) {
    const std::size_t equals = word.find('='), slash = word.rfind('/', equals);
    const std::string job = "memory/" + word.substr(0, slash), kind = word.substr(slash + 1, equals - slash - 1);
    if (!std::regex_search(job, filter)) continue;
    const double value = std::stod(word.substr(equals + 1));
    if (results.results.empty() || results.results.back().job != job) {
      results.results.push_back({job, 1, Unit::bytes, {}});
    }
    results.results.back().entries.push_back({kind == "peak" ? ours : kind, {value}, value});
  }
}

}  // namespace

Results run(const RunOptions& options) {
  Results out;
  describe_machine(out);
  const Pace& pace = options.quick ? quick : full;
  const std::regex filter(options.filter);
  bool first = true;
  for (const int threads : options.threads) {
    if (first && (std::regex_search("start/first-step", filter) || std::regex_search("start/memory", filter))) {
      measure_start(options, threads, pace, out);
    }
    Team team(options, threads, out);
    if (first) add_plan_memory(team, filter, out);
    std::vector<std::string> jobs;
    for (const std::string& job : team.us().jobs) {
      if (std::regex_search(job, filter) && (first || !single_threaded(job))) jobs.push_back(job);
    }
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (options.progress) {
        fmt::print(stderr, "\r\033[K[{}/{}] {}, {} thread{}", i + 1, jobs.size(), jobs[i], threads,
                   threads > 1 ? "s" : "");
        std::fflush(stderr);
      }
      out.results.push_back(team.measure(jobs[i], threads, pace));
    }
    first = false;
  }
  if (options.progress) fmt::print(stderr, "\r\033[K");
  if (out.results.empty()) throw std::runtime_error("no job matches " + options.filter);
  return out;
}

}  // namespace bench
