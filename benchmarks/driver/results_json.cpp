#include <stdexcept>

#include <nlohmann/json.hpp>

#include "results.hpp"

namespace bench {

using nlohmann::json;

NLOHMANN_JSON_SERIALIZE_ENUM(Unit, {{Unit::nanoseconds, "ns"}, {Unit::bytes, "bytes"}})

namespace {

// Calls f(name, member) for each text member.
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
  out["mismatches"] = results.mismatches;
  out["workers"] = results.workers;
  out["results"] = json::array();
  for (const Result& r : results.results) {
    json entries = json::array();
    for (const Entry& e : r.entries) {
      json entry{{"who", e.who}, {"median", e.middle()}, {"least", e.least}, {"rounds", e.rounds}};
      if (!e.how.empty()) entry["how"] = e.how;
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
    out.mismatches = in.value("mismatches", std::vector<std::string>());
    out.workers = in.at("workers").get<decltype(out.workers)>();
    for (const json& r : in.at("results")) {
      Result result{r.at("job"), r.at("threads"), r.at("unit"), {}};
      for (const json& e : r.at("entries")) {
        result.entries.push_back(
            {e.at("who"), e.at("rounds").get<std::vector<double>>(), e.at("least"), e.value("how", "")});
      }
      out.results.push_back(std::move(result));
    }
    return out;
  } catch (const json::exception& error) {
    throw std::runtime_error(std::string("not a results file of this driver: ") + error.what());
  }
}

}  // namespace bench
