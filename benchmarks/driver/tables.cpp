#include "tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "../shapes.hpp"
#include "statistics.hpp"
#include "targets.hpp"

namespace bench {
namespace {

// "yes" or "no"; empty without a target.
std::string verdict(std::optional<double> target, double reached) {
  if (!target) return "";
  return reached >= *target ? "yes" : "no";
}

std::string text(std::optional<double> target) { return target ? fmt::format("{:g}x", *target) : ""; }

std::string percent(double fraction) { return std::isnan(fraction) ? "-" : fmt::format("{:.0f}%", 100 * fraction); }

// A row for each job of the section that both workers ran, except jobs with absolute limits, which engine_table shows.
// A column has the worker's fastest settings, if it has several.
Table against(const Results& results, const std::string& who, const std::string& title, const std::string& name,
              const Section* section) {
  Table out{title, {"job", "threads", "xgrad", name, "with", "ratio", "target", "met"}, {}};
  constexpr std::ptrdiff_t with = 4;
  bool choices = false;
  for (const Result& r : results.results) {
    const Entry* us = r.find(ours);
    const Entry* they = r.find(who);
    if (us == nullptr || they == nullptr || target_limit(r.job)) continue;
    if (section != nullptr && &section_of(r.job) != section) continue;
    choices = choices || !they->how.empty();
    const auto target = target_ratio(r.job, who, r.threads);
    out.rows.push_back({r.job, std::to_string(r.threads), with_unit(us->middle(), r.unit),
                        with_unit(they->middle(), r.unit), they->how, times(r.ratio(who)), text(target),
                        verdict(target, r.ratio(who))});
  }
  if (!choices) {
    out.head.erase(out.head.begin() + with);
    for (auto& row : out.rows) row.erase(row.begin() + with);
  }
  return out;
}

const Product* product_of(const std::string& job) {
  const auto* found = std::find_if(products.begin(), products.end(), [&](const Product& p) { return p.name() == job; });
  return found == products.end() ? nullptr : found;
}

// Such as "train/wide, 2 threads".
std::string at(const Result& r) { return fmt::format("{}, {} thread{}", r.job, r.threads, r.threads > 1 ? "s" : ""); }

// Planning, building graphs and memory of plans, which have no peer.
bool is_about_engine(const std::string& job) {
  return job.starts_with("memory/") || job.starts_with("plan/") || job.starts_with("graph/");
}

// A target and the achieved fraction of it, below 1 if missed.
struct Target {
  std::string text;
  double achieved;
};

std::vector<Target> targets(const Results& results) {
  std::vector<Target> out;
  for (const Result& r : results.results) {
    for (const Entry& e : r.entries) {
      const auto target = target_ratio(r.job, e.who, r.threads);
      const double ratio = r.ratio(e.who);
      if (target && !std::isnan(ratio)) {
        out.push_back(
            {fmt::format("{}: {} compared with {}, target {}", at(r), times(ratio), label(e.who), text(target)),
             ratio / *target});
      }
    }
    const Entry* us = r.find(ours);
    if (const auto limit = target_limit(r.job); limit && us != nullptr) {
      out.push_back(
          {fmt::format("{}: {}, target at most {}", at(r), with_unit(us->middle(), r.unit), with_unit(*limit, r.unit)),
           *limit / us->middle()});
    }
    if (product_of(r.job) == nullptr) continue;
    if (const double fraction = fraction_of_best(r); !std::isnan(fraction)) {
      out.push_back(
          {fmt::format("{}: {} of the best library, target {}", at(r), percent(fraction), percent(target_of_best)),
           fraction / target_of_best});
    }
  }
  return out;
}

}  // namespace

std::string with_unit(double value, Unit unit) {
  static constexpr const char* names[2][4] = {{"ns", "us", "ms", "s"}, {"B", "KiB", "MiB", "GiB"}};
  const double base = unit == Unit::nanoseconds ? 1000 : 1024;
  int power = 0;
  while (value >= 999.5 && power < 3) {
    value /= base;
    ++power;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, names[unit == Unit::nanoseconds ? 0 : 1][power]);
}

std::string times(double ratio) {
  if (std::isnan(ratio)) return "-";
  return fmt::format("{:.{}f}x", ratio, ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0);
}

std::string label(const std::string& who) { return who == "hardware" ? "memory bandwidth" : who; }

std::string Table::plain() const {
  std::vector<std::size_t> width;
  for (const std::string& cell : head) width.push_back(cell.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string out = title + "\n\n";
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i == 0 ? fmt::format("  {:<{}}", row[i], width[i]) : fmt::format("  {:>{}}", row[i], width[i]);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  add(head);
  for (const auto& row : rows) add(row);
  return out;
}

std::string Table::markdown() const {
  std::string out = "|";
  for (const std::string& cell : head) out += " " + cell + " |";
  out += "\n|";
  for (std::size_t i = 0; i < head.size(); ++i) out += i == 0 ? "---|" : "--:|";
  out += "\n";
  for (const auto& row : rows) {
    out += "|";
    for (const std::string& cell : row) out += " " + cell + (cell.empty() ? "|" : " |");
    out += "\n";
  }
  return out;
}

Table peer_table(const Results& results, const Section& section) {
  return against(results, "torch", section.title + ", compared with libtorch", "libtorch", &section);
}

Table inference_table(const Results& results) {
  return against(results, "onnxruntime", "Inference, compared with onnxruntime", "onnxruntime", nullptr);
}

Table hardware_table(const Results& results) {
  return against(results, "hardware", "Compared with one pass over the same memory", "one pass", nullptr);
}

Table product_table(const Results& results) {
  Table out{"Matrix multiplication, GFLOP/s", {"shape", "threads", ours}, {}};
  out.head.insert(out.head.end(), product_peers.begin(), product_peers.end());
  for (const char* more : {"of the best", "met"}) out.head.emplace_back(more);
  for (const Result& r : results.results) {
    const Product* product = product_of(r.job);
    if (product == nullptr) continue;
    std::vector<std::string> row{r.job.substr(r.job.find('/') + 1), std::to_string(r.threads)};
    const auto add = [&](const char* who) {
      const Entry* e = r.find(who);
      row.push_back(e == nullptr ? "-" : fmt::format("{:.1f}", product->flops() / e->middle()));
    };
    add(ours);
    for (const char* who : product_peers) add(who);
    const double fraction = fraction_of_best(r);
    row.push_back(percent(fraction));
    row.push_back(std::isnan(fraction) ? "" : verdict(target_of_best, fraction));
    out.rows.push_back(std::move(row));
  }
  return out;
}

Table product_means(const Results& results) {
  Table out{"Matrix multiplication, geometric mean of the other library's time divided by that of xgrad",
            {"library", "threads", "ratio", "met"},
            {}};
  for (const char* who : product_peers) {
    for (const int threads : results.thread_counts()) {
      std::vector<double> ratios;
      for (const Result& r : results.results) {
        if (r.threads == threads && product_of(r.job) != nullptr && r.find(who) != nullptr)
          ratios.push_back(r.ratio(who));
      }
      if (ratios.empty()) continue;
      const double mean = geometric_mean(ratios);
      out.rows.push_back({who, std::to_string(threads), times(mean), verdict(1.0, mean)});
    }
  }
  return out;
}

Table engine_table(const Results& results) {
  Table out{"Planning, start and memory", {"", "xgrad", "compared with", "", "target at most", "met"}, {}};
  for (const Result& r : results.results) {
    const auto limit = target_limit(r.job);
    const Entry* us = r.find(ours);
    if (us == nullptr || (!limit && !is_about_engine(r.job))) continue;
    const Entry* other = r.entries.size() > 1 ? &r.entries[1] : nullptr;
    out.rows.push_back({r.job, with_unit(us->middle(), r.unit), other == nullptr ? "" : other->who,
                        other == nullptr ? "" : with_unit(other->middle(), r.unit),
                        limit ? with_unit(*limit, r.unit) : "",
                        limit ? verdict(*limit, 2 * *limit - us->middle()) : ""});
  }
  return out;
}

Table node_table(const Results& results) {
  std::vector<int> lengths;
  std::map<std::string, std::map<int, double>> kinds;
  for (const Result& r : results.results) {
    if (!r.job.starts_with("nodes/") || r.entries.empty()) continue;
    const std::size_t slash = r.job.rfind('/');
    const int length = std::stoi(r.job.substr(slash + 1));
    lengths.push_back(length);
    kinds[r.job.substr(6, slash - 6)][length] = r.entries[0].middle();
  }
  std::sort(lengths.begin(), lengths.end());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  Table out{"Per-node overhead, by chain length", {"chain"}, {}};
  for (const int length : lengths) out.head.push_back(std::to_string(length));
  for (const auto& [kind, costs] : kinds) {
    std::vector<std::string> row{kind};
    for (const int length : lengths) {
      row.push_back(costs.contains(length) ? with_unit(costs.at(length), Unit::nanoseconds) : "-");
    }
    out.rows.push_back(std::move(row));
  }
  return out;
}

std::vector<Table> all_tables(const Results& results) {
  std::vector<Table> out;
  for (const Section& section : sections()) {
    if (Table table = peer_table(results, section); !table.rows.empty()) out.push_back(std::move(table));
  }
  for (auto* make : {inference_table, hardware_table, product_table, product_means, engine_table, node_table}) {
    if (Table table = make(results); !table.rows.empty()) out.push_back(std::move(table));
  }
  return out;
}

std::vector<std::string> missed_targets(const Results& results) {
  std::vector<Target> all = targets(results);
  std::erase_if(all, [](const Target& t) { return t.achieved >= 1; });
  std::stable_sort(all.begin(), all.end(), [](const Target& a, const Target& b) { return a.achieved < b.achieved; });
  std::vector<std::string> out;
  for (const Target& t : all) out.push_back(t.text);
  return out;
}

std::vector<std::string> slower_jobs(const Results& results) {
  std::vector<std::string> out;
  for (const Result& r : results.results) {
    const Entry* best = nullptr;
    for (const Entry& e : r.entries) {
      // "hardware" is the memory bandwidth of the machine, not a library.
      if (e.who == ours || e.who == "hardware" || !(r.ratio(e.who) < 0.995)) continue;
      if (best == nullptr || r.ratio(e.who) < r.ratio(best->who)) best = &e;
    }
    if (best == nullptr) continue;
    out.push_back(fmt::format("{}: {} takes {:.0f}% of xgrad's {}", at(r), best->who, 100 * r.ratio(best->who),
                              r.unit == Unit::nanoseconds ? "time" : "memory"));
  }
  return out;
}

std::vector<std::string> noisy_results(const Results& results) {
  std::vector<std::string> out;
  for (const Result& r : results.results) {
    for (const Entry& e : r.entries) {
      if (!e.noisy()) continue;
      const auto [least, most] = std::minmax_element(e.rounds.begin(), e.rounds.end());
      out.push_back(fmt::format("{}, {}: median {}, rounds from {} to {}", at(r), label(e.who),
                                with_unit(e.middle(), r.unit), with_unit(*least, r.unit), with_unit(*most, r.unit)));
    }
  }
  return out;
}

}  // namespace bench
