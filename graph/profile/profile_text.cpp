// The tables of a profile.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <xgrad/graph/profile/profile.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr std::size_t longest_name = 28;
constexpr std::size_t longest_label = 64;

std::string shortened(const std::string& text, std::size_t most) {
  return text.size() <= most ? text : text.substr(0, most - 3) + "...";
}

std::string micro(double seconds) { return fmt::format("{:.1f}", seconds * 1e6); }
std::string share(double part, double whole) { return fmt::format("{:.1f}%", whole > 0 ? 100 * part / whole : 0); }
// Amount per second in units of 1e9; empty for 0.
std::string giga(double amount, double seconds) {
  return amount > 0 && seconds > 0 ? fmt::format("{:.1f}", amount / seconds * 1e-9) : "";
}
std::string mega(double amount) { return amount > 0 ? fmt::format("{:.3g}", amount * 1e-6) : ""; }
std::string kilo(double bytes) { return fmt::format("{:.1f}", bytes * 1e-3); }

class Tables {
 public:
  Tables(const Profile& profile, const ProfileTable& how) : p_(profile), how_(how) {}

  std::string str() {
    head();
    layers();
    steps();
    return out_;
  }

 private:
  void head() {
    out_ += fmt::format(
        "profile: {} steps in {} us per run, {} run{} with {} thread{}: {} MFLOP, {} GFLOP/s, {} GB/s\n",
        p_.steps.size(), micro(p_.seconds), p_.runs, p_.runs == 1 ? "" : "s", p_.threads, p_.threads == 1 ? "" : "s",
        p_.flops > 0 ? mega(p_.flops) : "0", dashed(giga(p_.flops, p_.seconds)), dashed(giga(p_.bytes, p_.seconds)));
    if (!p_.peak) return;
    out_ += fmt::format(
        "peak, measured with {} thread{}: {:.1f} GFLOP/s in f32, {:.1f} in f64; {:.1f} GB/s within a cache, {:.1f} in "
        "memory\n",
        p_.peak->threads, p_.peak->threads == 1 ? "" : "s", p_.peak->f32 * 1e-9, p_.peak->f64 * 1e-9,
        p_.peak->cache * 1e-9, p_.peak->memory * 1e-9);
  }
  static std::string dashed(const std::string& text) { return text.empty() ? "-" : text; }

  void layers() {
    std::vector<ProfileLayer> layers = p_.layers(how_.depth);
    std::size_t width = 12;
    double rest = p_.seconds;  // time that no layer accounts for: the copies at the end
    for (ProfileLayer& layer : layers) {
      layer.name = layer.name.empty() ? "(no layer)" : shortened(layer.name, longest_name);
      width = std::max(width, layer.name.size());
      rest -= layer.total().seconds;
    }
    out_ += fmt::format("\n  {:<{}} {:>9} {:>9} {:>9} {:>9} {:>8} {:>6} {:>10} {:>9} {:>8} {:>7}\n", "layer", width,
                        "forward", "backward", "update", "us", "share", "calls", "kB", "MFLOP", "GFLOP/s", "GB/s");
    const auto part = [](const ProfileCost& x) { return x.calls > 0 ? micro(x.seconds) : std::string(); };
    for (const ProfileLayer& layer : layers) {
      const ProfileCost all = layer.total();
      out_ += fmt::format("  {:<{}} {:>9} {:>9} {:>9} {:>9} {:>8} {:>6} {:>10} {:>9} {:>8} {:>7}\n", layer.name, width,
                          part(layer.forward), part(layer.backward), part(layer.update), micro(all.seconds),
                          share(all.seconds, p_.seconds), all.calls, kilo(all.bytes), mega(all.flops),
                          giga(all.flops, all.seconds), giga(all.bytes, all.seconds));
    }
    const bool copies = !p_.steps.empty() && p_.steps.back().nodes.empty();
    if (copies) {
      out_ +=
          fmt::format("  {:<{}} {:>39} {:>8}\n", p_.steps.back().label, width, micro(rest), share(rest, p_.seconds));
    }
  }

  void steps() {
    std::vector<std::size_t> order(p_.steps.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return p_.steps[a].seconds > p_.steps[b].seconds; });
    const std::size_t shown = std::min(order.size(), static_cast<std::size_t>(std::max(how_.steps, 0)));
    if (shown == 0) return;
    out_ += fmt::format("\n  {:>4} {:>9} {:>8} {:>6} {:>10} {:>9} {:>8} {:>7} {}what\n", "step", "us", "share", "calls",
                        "kB", "MFLOP", "GFLOP/s", "GB/s", p_.peak ? fmt::format("{:>9}  ", "of peak") : " ");
    for (std::size_t i = 0; i < shown; ++i) {
      const ProfileStep& step = p_.steps[order[i]];
      out_ += fmt::format("  {:>4} {:>9} {:>8} {:>6} {:>10} {:>9} {:>8} {:>7} {}{}\n", order[i], micro(step.seconds),
                          share(step.seconds, p_.seconds), step.nodes.size(), kilo(step.bytes), mega(step.flops),
                          giga(step.flops, step.seconds), giga(step.bytes, step.seconds), of_peak(step),
                          shortened(step.label, longest_label));
    }
    if (shown == order.size()) return;
    double rest = 0;
    for (std::size_t i = shown; i < order.size(); ++i) rest += p_.steps[order[i]].seconds;
    out_ +=
        fmt::format("  {:>4} {:>9} {:>8}  {} more\n", "", micro(rest), share(rest, p_.seconds), order.size() - shown);
  }

  std::string of_peak(const ProfileStep& step) const {
    if (!p_.peak) return " ";
    return fmt::format("{:>6.0f}% {}  ", 100 * p_.efficiency(step), p_.bound_by_memory(step) ? 'B' : 'F');
  }

  const Profile& p_;
  const ProfileTable& how_;
  std::string out_;
};

}  // namespace

std::string Profile::str(const ProfileTable& table) const { return Tables(*this, table).str(); }

}  // namespace xgrad::inline v0
