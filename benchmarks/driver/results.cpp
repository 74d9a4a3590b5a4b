#include "results.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "statistics.hpp"

namespace bench {

using nlohmann::json;

double Entry::middle() const { return median(rounds); }

const Entry* Result::find(const std::string& who) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.who == who; });
  return found == entries.end() ? nullptr : &*found;
}

double Result::ratio(const std::string& who) const {
  const Entry* us = find(ours);
  const Entry* they = find(who);
  if (us == nullptr || they == nullptr) return std::numeric_limits<double>::quiet_NaN();
  return median_ratio(they->rounds, us->rounds);
}

const Result* Results::find(const std::string& job, int threads) const {
  const auto found = std::find_if(results.begin(), results.end(),
                                  [&](const Result& r) { return r.job == job && r.threads == threads; });
  return found == results.end() ? nullptr : &*found;
}

std::vector<int> Results::thread_counts() const {
  std::vector<int> out;
  for (const Result& r : results) out.push_back(r.threads);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

NLOHMANN_JSON_SERIALIZE_ENUM(Unit, {{Unit::nanoseconds, "ns"}, {Unit::bytes, "bytes"}})

namespace {

// The members that are text, with their names.
template <class R, class F>
void each_text(R& results, const F& f) {
  f("command", results.command);
  f("date", results.date);
  f("processor", results.processor);
  f("memory", results.memory);
  f("system", results.system);
  f("compiler", results.compiler);
  f("load", results.load);
}

}  // namespace

std::string to_json(const Results& results) {
  json out;
  each_text(results, [&](const char* name, const std::string& text) { out[name] = text; });
  out["notes"] = results.notes;
  out["workers"] = json::object();
  for (const auto& [name, about] : results.workers) out["workers"][name] = about;
  out["results"] = json::array();
  for (const Result& r : results.results) {
    json entries = json::array();
    for (const Entry& e : r.entries) {
      json entry{{"who", e.who}, {"median", e.middle()}, {"least", e.least}, {"rounds", e.rounds}};
      if (e.who != ours && r.find(ours) != nullptr) entry["ratio"] = r.ratio(e.who);
      entries.push_back(std::move(entry));
    }
    out["results"].push_back({{"job", r.job}, {"threads", r.threads}, {"unit", r.unit}, {"entries", entries}});
  }
  return out.dump(1);
}

Results from_json(const std::string& text) {
  try {
    const json in = json::parse(text);
    Results out;
    each_text(out, [&](const char* name, std::string& member) { member = in.at(name); });
    out.notes = in.at("notes").get<std::vector<std::string>>();
    for (const auto& [name, about] : in.at("workers").items()) out.workers.emplace_back(name, about);
    for (const json& r : in.at("results")) {
      Result result{r.at("job"), r.at("threads"), r.at("unit"), {}};
      for (const json& e : r.at("entries")) {
        result.entries.push_back({e.at("who"), e.at("rounds").get<std::vector<double>>(), e.at("least")});
      }
      out.results.push_back(std::move(result));
    }
    return out;
  } catch (const json::exception& error) {
    throw std::runtime_error(std::string("not results of this driver: ") + error.what());
  }
}

void merge(Results& into, const Results& other) {
  for (const Result& r : other.results) {
    const auto same = std::find_if(into.results.begin(), into.results.end(),
                                   [&](const Result& i) { return i.job == r.job && i.threads == r.threads; });
    if (same == into.results.end())
      into.results.push_back(r);
    else
      *same = r;
  }
  for (const auto& worker : other.workers) {
    if (std::find(into.workers.begin(), into.workers.end(), worker) == into.workers.end())
      into.workers.push_back(worker);
  }
  for (const std::string& note : other.notes) {
    if (std::find(into.notes.begin(), into.notes.end(), note) == into.notes.end()) into.notes.push_back(note);
  }
}

}  // namespace bench
