// Draws a plan.
#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/pictures/dot.hpp>
#include <xgrad/graph/pictures/internal/coloring.hpp>
#include <xgrad/graph/pictures/internal/dot_text.hpp>
#include <xgrad/graph/pictures/internal/dot_work.hpp>
#include <xgrad/graph/plan/internal/program.hpp>

namespace xgrad::inline v0 {

namespace {

using dot::escaped;
using dot::small_text;

constexpr int ops_per_line = 3;
constexpr std::size_t shown_buffers = 60;  // number of rows, for the largest buffers; a line below counts the others
constexpr std::size_t columns = 96;        // maximum columns of the strip of steps

struct BufferLook {
  const char* fill;
  const char* line;
};
// Adjacent colors are easy to tell apart.
constexpr std::array<BufferLook, 10> buffer_looks{{{"#cfe3f7", "#2f74b5"},
                                                   {"#fbdcc4", "#c8651b"},
                                                   {"#d3ecd0", "#3d8b37"},
                                                   {"#e6dbf3", "#7a55b0"},
                                                   {"#f9d5d9", "#c0404f"},
                                                   {"#cdeeee", "#23878a"},
                                                   {"#f6e7b4", "#a58000"},
                                                   {"#f3d3ea", "#b0458f"},
                                                   {"#dfe3e8", "#5d6b7a"},
                                                   {"#e2ecb9", "#74881a"}}};
const BufferLook& look_of(std::size_t buffer) { return buffer_looks[buffer % buffer_looks.size()]; }

// Label of a step: its name, then the operations of its fusion group, a few per line.
std::string step_label(std::size_t number, const StepLabel& label) {
  std::string out = fmt::format("<B>{}</B>&#160;", number);
  if (!label.own.empty()) out += " " + escaped(label.own);
  if (!label.fused.empty()) {
    out += fmt::format("{}fused {} over {}", label.own.empty() ? " " : "<BR/>then ", label.fused.size(),
                       escaped(label.walked));
    std::string line;
    for (std::size_t i = 0; i < label.fused.size(); ++i) {
      line += (line.empty() ? "" : "&#160;&#160;") + escaped(label.fused[i]);
      if ((i + 1) % ops_per_line == 0 || i + 1 == label.fused.size()) {
        out += "<BR/>" + small_text(line);
        line.clear();
      }
    }
  }
  return out;
}

class PlanPicture {
 public:
  // Draws at most `boxes` step boxes, each of one or several consecutive steps.
  PlanPicture(const Program& program, const PlanDotOptions& options, std::size_t boxes, const dot::Detail& detail)
      : program_(program),
        options_(options),
        detail_(detail),
        each_(std::max<std::size_t>(1, (program.steps.size() + boxes - 1) / boxes)) {
    for (std::size_t b = 0; b < program.lifetimes.size(); ++b) at_offset_[program.offsets[b]].push_back(b);
    for (auto& [offset, buffers] : at_offset_) {
      std::stable_sort(buffers.begin(), buffers.end(), [&](std::size_t a, std::size_t b) {
        return program.lifetimes[a].first < program.lifetimes[b].first;
      });
    }
    find_leaves();
    for (std::size_t i = 0; i < program.outputs.size(); ++i) outputs_of_.emplace(root(program.outputs[i]), i);
    if (!options.annotations) return;
    for (std::size_t first = 0; first < program.steps.size(); first += each_) {
      std::vector<NodeId> steps(std::min(each_, program.steps.size() - first));
      std::iota(steps.begin(), steps.end(), static_cast<NodeId>(first));
      notes_.push_back(options.annotations.note(steps));
    }
    colors_.emplace(options.annotations, notes_, "to_dot");
  }

  // Whether dot finishes in time. Call after str().
  bool fits() const { return dot::fits(sketch_, detail_, options_.effort); }

  std::string str() {
    out_ =
        "digraph plan {\n  graph [rankdir=TB, bgcolor=\"white\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, "
        "fontcolor=\"#4b5563\", ranksep=0.35, nodesep=0.25, pad=0.2";
    out_ += detail_.careful ? "" : dot::quick_layout;
    out_ +=
        "];\n"
        "  node [fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, fontcolor=\"#1f2937\", "
        "style=\"filled,rounded\", shape=box, penwidth=1.0];\n"
        "  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=9, color=\"#6b8fb5\", fontcolor=\"#6b7280\", "
        "arrowsize=0.7];\n";
    out_ += fmt::format("  label=<{}>;\n  labelloc=t;\n", head());
    for (const PlannedInput& input : program_.inputs) {
      if (!input.needed || by_name(input.value)) continue;
      leaf(fmt::format("in{}", input.value), input.name, input.type, "ellipse", "#e4f5e7", "#5fae6f");
      made_by_[input.value] = {fmt::format("in{}", input.value), -1};
    }
    for (std::size_t s = 0; s < program_.steps.size(); s += each_) each_ == 1 ? add_step(s) : add_steps(s);
    for (std::size_t i = 0; i < program_.outputs.size() && each_ == 1; ++i) {
      out_ += fmt::format("  out{} [label=<output {}>, shape=plain, style=\"\"];\n", i, i);
      edge(program_.outputs[i], fmt::format("out{}", i));
    }
    if (options_.show_buffers) out_ += memory_map();
    return out_ + "}\n";
  }

 private:
  struct Maker {
    std::string name;  // name in the diagram
    int step = 0;      // -1 is before the first
  };

  std::string head() const {
    std::string text = escaped(fmt::format("{} steps, {} at peak of {} in all", program_.steps.size(),
                                           memory_text(program_.arena_bytes), memory_text(program_.total_bytes)));
    std::string rows;
    if (!options_.title.empty()) {
      rows += fmt::format("<TR><TD><FONT POINT-SIZE=\"15\" COLOR=\"{}\">{}</FONT></TD></TR>", dot::dark,
                          escaped(options_.title, 200));
    }
    std::string below;
    for (const std::string& line : left_out()) below += "<TR><TD>" + small_text(escaped(line, 200)) + "</TD></TR>";
    below += colors_ ? colors_->legend_rows() : "";
    if (rows.empty() && below.empty()) return text;
    return fmt::format("<TABLE BORDER=\"0\" CELLSPACING=\"2\">{}<TR><TD>{}</TD></TR>{}</TABLE>", rows, text, below);
  }

  // Notes on details that were left out although the options ask for them.
  std::vector<std::string> left_out() const {
    std::vector<std::string> lines;
    if (each_ > 1) {
      lines.push_back(
          fmt::format("up to {} consecutive steps share a box, which names what they read", thousands(each_)));
    } else {
      if (!detail_.leaf_edges && !far_.empty())
        lines.push_back(
            fmt::format("{} of the inputs and parameters are named in the steps that read them", far_.size()));
      if (!detail_.labels) lines.emplace_back("shapes on edges are left out");
    }
    if (options_.effort < 1) lines.emplace_back("Graphviz takes too long for more detail");
    return lines;
  }

  std::uint32_t root(std::uint32_t value) const { return program_.values[value].bytes_of; }
  bool is_parameter(std::uint32_t value) const {
    return program_.values[value].storage.kind == Storage::Kind::parameter;
  }

  // Calls `read` once with each value that the step reads from other steps.
  template <class Read>
  void for_each_read(const Step& step, Read read) const {
    std::set<std::uint32_t> seen;
    for (const auto* values : {&step.operands, &step.inputs}) {
      for (const std::uint32_t value : *values) {
        if (step.op != nullptr && value == step.result) continue;
        if (seen.insert(value).second) read(value);
      }
    }
  }

  // Collects the names of inputs, and the inputs and parameters with at least three readers that are far apart.
  void find_leaves() {
    constexpr std::size_t far = 8;  // steps
    struct Readers {
      std::size_t count = 0, first = 0, last = 0;
    };
    for (const PlannedInput& input : program_.inputs) {
      if (input.needed) input_names_.emplace(input.value, input.name);
    }
    std::map<std::uint32_t, Readers> readers;
    for (std::size_t s = 0; s < program_.steps.size(); ++s) {
      for_each_read(program_.steps[s], [&](std::uint32_t value) {
        const std::uint32_t leaf = root(value);
        if (!is_parameter(leaf) && input_names_.count(leaf) == 0) return;
        Readers& r = readers[leaf];
        if (r.count++ == 0) r.first = s;
        r.last = s;
      });
    }
    for (const auto& [leaf, r] : readers) {
      if (r.count >= 3 && r.last - r.first > far) far_.insert(leaf);
    }
  }

  // Whether the steps that read this input or parameter show its name instead of an edge.
  bool by_name(std::uint32_t leaf) const {
    if (!is_parameter(leaf) && input_names_.count(leaf) == 0) return false;
    return each_ > 1 || (!detail_.leaf_edges && far_.count(leaf) != 0);
  }
  const std::string& leaf_name(std::uint32_t leaf) const {
    return is_parameter(leaf) ? program_.parameters[program_.values[leaf].storage.index].name()
                              : input_names_.find(leaf)->second;
  }

  // Returns a line such as "<BR/>reads x, w and 3 more", without duplicates.
  static std::string line_of(const char* verb, const std::vector<std::string>& names) {
    constexpr std::size_t shown = 4;
    std::vector<std::string_view> once;
    std::set<std::string_view> seen;
    for (const std::string& name : names) {
      if (seen.insert(name).second) once.push_back(name);
    }
    if (once.empty()) return "";
    std::string out = verb;
    for (std::size_t i = 0; i < std::min(once.size(), shown); ++i) out += (i == 0 ? " " : ", ") + escaped(once[i], 30);
    if (once.size() > shown) out += fmt::format(" and {} more", thousands(once.size() - shown));
    return "<BR/>" + small_text(out);
  }

  // Adds one box for the steps from `first` on.
  void add_steps(std::size_t first) {
    const std::size_t end = std::min(first + each_, program_.steps.size());
    const std::string name = fmt::format("s{}", first);
    std::vector<std::string> reads, updates, outputs;
    std::map<std::string, std::size_t> operations;
    for (std::size_t s = first; s < end; ++s) {
      const Step& step = program_.steps[s];
      if (step.op != nullptr)
        ++operations[step.op->name];
      else
        ++operations["fused"];
      for_each_read(step, [&](std::uint32_t value) {
        if (by_name(root(value)))
          reads.push_back(leaf_name(root(value)));
        else
          edge(value, name);
      });
      std::vector<std::uint32_t> made = step.outputs;
      if (step.op != nullptr) made.insert(made.begin(), step.result);
      for (const std::uint32_t value : made) {
        made_by_[value] = {name, static_cast<int>(s)};
        if (is_parameter(value)) updates.push_back(leaf_name(value));
        const auto [begin, last] = outputs_of_.equal_range(value);
        for (auto i = begin; i != last; ++i) outputs.push_back(std::to_string(i->second));
      }
    }
    const std::size_t steps = end - first;
    std::string label = steps == 1 ? fmt::format("<B>{}</B>&#160; 1 step", first)
                                   : fmt::format("<B>{}&#8211;{}</B>&#160; {} steps", first, end - 1, steps);
    label += "<BR/>" + small_text(escaped(dot::most(operations)));
    label += line_of("reads", reads) + line_of("updates", updates) + line_of("returns output", outputs);
    box(name, first / each_, label, "#e6f0fb", "#5b93cf");
  }

  void box(const std::string& name, std::size_t note, std::string label, std::string fill, const std::string& border) {
    const std::string font = colors_ ? colors_->annotate(notes_[note], label, fill) : "";
    out_ += fmt::format("  {} [label=<{}>, fillcolor=\"{}\", color=\"{}\"{}];\n", name, label, fill, border, font);
  }

  // The buffer that holds a step's value; none for a parameter, a constant or a shape.
  std::optional<std::size_t> buffer_of(std::uint32_t value, int step) const {
    const PlannedValue& planned = program_.values[value];
    const auto found = at_offset_.find(planned.storage.offset);
    if (planned.storage.kind != Storage::Kind::arena || found == at_offset_.end()) return std::nullopt;
    // Search back from the last buffer whose lifetime has begun: buffers of 0 bytes have the same offset.
    const auto& buffers = found->second;
    auto after = std::upper_bound(buffers.begin(), buffers.end(), step,
                                  [&](int s, std::size_t b) { return s < program_.lifetimes[b].first; });
    for (; after != buffers.begin(); --after) {
      const std::size_t b = *(after - 1);
      const Lifetime& life = program_.lifetimes[b];
      if (life.bytes >= planned.type.bytes() && step <= life.last) return b;
      if (life.bytes > 0) break;
    }
    return std::nullopt;
  }

  void add_step(std::size_t s) {
    const Step& step = program_.steps[s];
    const std::string name = fmt::format("s{}", s);
    const bool fused = step.block != nullptr;
    std::vector<std::uint32_t> made = step.outputs;
    if (step.op != nullptr) made.insert(made.begin(), step.result);
    std::string label = step_label(s, step.label);
    std::string fill = fused ? "#e6f0fb" : "#f1f2f4";
    std::string border = fused ? "#5b93cf" : "#9aa1ab";
    if (step.in_place) label += "<BR/>" + small_text(in_place(s, made));
    if (options_.show_buffers) {
      std::string list;
      for (const std::uint32_t value : made) {
        const auto buffer = buffer_of(value, static_cast<int>(s));
        if (!buffer) continue;
        if (list.empty()) {
          fill = look_of(*buffer).fill;
          border = look_of(*buffer).line;
        }
        const std::string place = fmt::format("b{}", *buffer);
        if (list.ends_with(' ' + place)) continue;  // the anchor's result and its in-place epilogue share a buffer
        list += (list.empty() ? "&#8594; " : ", ") + place;
      }
      if (!list.empty()) label += "<BR/>" + small_text(list);
    }
    std::vector<std::string> reads;
    for_each_read(step, [&](std::uint32_t value) {
      if (by_name(root(value))) reads.push_back(leaf_name(root(value)));
    });
    label += line_of("reads", reads);
    box(name, s, label, fill, border);
    for_each_read(step, [&](std::uint32_t value) {
      if (!by_name(root(value))) edge(value, name);
    });
    for (const std::uint32_t value : made) {
      made_by_[value] = {name, static_cast<int>(s)};
      const Storage& storage = program_.values[value].storage;
      if (storage.kind == Storage::Kind::parameter)
        update(name, program_.parameters[storage.index], program_.values[value]);
    }
  }

  // Names what an in-place step overwrites: a parameter's old value, or the buffer of an earlier value.
  std::string in_place(std::size_t s, const std::vector<std::uint32_t>& made) const {
    std::string over;
    for (const std::uint32_t value : made) {
      const Storage& storage = program_.values[value].storage;
      const auto buffer = buffer_of(value, static_cast<int>(s));
      if (storage.kind == Storage::Kind::parameter)
        over += (over.empty() ? " over " : ", ") + escaped(program_.parameters[storage.index].name());
      else if (options_.show_buffers && buffer && program_.lifetimes[*buffer].first < static_cast<int>(s))
        over += fmt::format("{}b{}", over.empty() ? " over " : ", ", *buffer);
    }
    return "in place" + over;
  }

  // Draws the edge from a step to a parameter that it writes.
  void update(const std::string& step, const Parameter& parameter, const PlannedValue& value) {
    const std::string name = fmt::format("u{}", updates_++);
    leaf(name, parameter.name(), value.type, "cylinder", "#efe6fa", "#9a74cc");
    out_ += fmt::format("  {} -> {} [color=\"#a58bcb\"];\n", step, name);
    sketch_.edges.push_back({node(step), node(name)});
  }

  void leaf(const std::string& name, const std::string& text, const TensorType& type, const char* shape,
            const char* fill, const char* border) {
    out_ += fmt::format("  {} [label=<{}<BR/>{}>, shape={}, style=filled, fillcolor=\"{}\", color=\"{}\"];\n", name,
                        escaped(text), small_text(escaped(type.str())), shape, fill, border);
  }

  void edge(std::uint32_t value, const std::string& to) {
    const std::uint32_t from = root(value);
    const Storage& storage = program_.values[from].storage;
    auto maker = made_by_.find(from);
    if (maker == made_by_.end()) {
      if (storage.kind != Storage::Kind::parameter) return;  // skip constants and shapes
      const std::string name = fmt::format("p{}", from);
      leaf(name, program_.parameters[storage.index].name(), program_.values[from].type, "cylinder", "#fff5d1",
           "#d4a72c");
      maker = made_by_.emplace(from, Maker{name, 0}).first;
    }
    const std::string& source = maker->second.name;
    if (each_ > 1 && (source == to || !drawn_.emplace(source, to).second)) return;
    const bool labeled = detail_.labels && each_ == 1;
    std::string text = is_parameter(from) || !labeled ? "" : escaped(program_.values[value].type.shape.str());
    std::string look;
    const auto buffer = options_.show_buffers ? buffer_of(from, maker->second.step) : std::nullopt;
    if (buffer) {
      if (labeled) text += fmt::format(" b{}", *buffer);
      look = fmt::format(", color=\"{0}\", fontcolor=\"{0}\", penwidth=1.4", look_of(*buffer).line);
    }
    out_ += labeled ? fmt::format("  {} -> {} [label=<{}>{}];\n", source, to, text, look)
                    : fmt::format("  {} -> {} [{}];\n", source, to, look.empty() ? "" : look.substr(2));
    sketch_.edges.push_back({node(source), node(to), 1, !text.empty()});
  }

  std::uint32_t node(const std::string& name) {
    const auto [found, fresh] = nodes_.try_emplace(name, sketch_.nodes);
    if (fresh) ++sketch_.nodes;
    return found->second;
  }

  // The memory map as a table: a row per buffer, by offset, with a strip that shows its live range.
  std::string memory_map() const {
    std::vector<std::size_t> shown(program_.lifetimes.size());
    std::iota(shown.begin(), shown.end(), std::size_t{0});
    const auto life = [&](std::size_t b) -> const Lifetime& { return program_.lifetimes[b]; };
    std::stable_sort(shown.begin(), shown.end(), [&](auto a, auto b) { return life(a).bytes > life(b).bytes; });
    std::size_t rest = 0;
    for (std::size_t i = shown_buffers; i < shown.size(); ++i) rest += life(shown[i]).bytes;
    const std::size_t left_out = shown.size() - std::min(shown.size(), shown_buffers);
    shown.resize(shown.size() - left_out);
    std::stable_sort(shown.begin(), shown.end(), [&](auto a, auto b) {
      return std::pair(program_.offsets[a], life(a).first) < std::pair(program_.offsets[b], life(b).first);
    });

    // One column per step, or per several steps, and one for buffers that exist before the first.
    const auto steps = static_cast<int>(program_.steps.size());
    const int each = std::max(1, (steps + static_cast<int>(columns) - 1) / static_cast<int>(columns));
    const int count = (steps + each - 1) / each + 1;
    const int width = std::clamp(480 / count, 5, 24);
    const auto column = [&](int step) { return step < 0 ? 0 : 1 + std::min(step, steps - 1) / each; };
    const auto text = [](const std::string& what, const char* align) {
      return fmt::format("<TD ALIGN=\"{}\"><FONT POINT-SIZE=\"9\">{}</FONT></TD>", align, what);
    };
    const auto gap = [&](int cells) {
      return cells > 0 ? fmt::format("<TD COLSPAN=\"{}\" WIDTH=\"{}\"></TD>", cells, cells * width) : std::string();
    };
    std::string rows;
    for (const std::size_t b : shown) {
      const int first = column(life(b).first);
      const int last = life(b).last >= steps ? count - 1 : column(life(b).last);
      const std::string span = life(b).last >= steps ? fmt::format("{}&#8211;", std::max(life(b).first, 0))
                               : life(b).first == life(b).last
                                   ? fmt::format("{}", life(b).first)
                                   : fmt::format("{}&#8211;{}", life(b).first, life(b).last);
      rows += "<TR>" + text(fmt::format("<B>b{}</B>", b), "RIGHT") +
              text(fmt::format("@{}", program_.offsets[b]), "RIGHT") + text(memory_text(life(b).bytes), "RIGHT") +
              text(span, "RIGHT") + gap(first) +
              fmt::format("<TD COLSPAN=\"{}\" WIDTH=\"{}\" HEIGHT=\"9\" BGCOLOR=\"{}\" BORDER=\"1\" COLOR=\"{}\"></TD>",
                          last - first + 1, (last - first + 1) * width, look_of(b).fill, look_of(b).line) +
              gap(count - 1 - last) + "</TR>";
    }
    if (left_out > 0) {
      rows += fmt::format(
          "<TR><TD COLSPAN=\"{}\" ALIGN=\"LEFT\"><FONT POINT-SIZE=\"9\">and {} smaller ones, {} in total"
          "</FONT></TD></TR>",
          count + 4, left_out, memory_text(rest));
    }
    std::string heading = "<TR>";
    for (const char* name : {"buffer", "offset", "size", "steps"}) heading += text(name, "RIGHT");
    heading += fmt::format(
        "<TD COLSPAN=\"{}\" ALIGN=\"LEFT\"><FONT POINT-SIZE=\"9\">from the first step to the last</FONT>"
        "</TD></TR>",
        count);
    // An invisible row that fixes the column widths.
    std::string ruler = "<TR><TD></TD><TD></TD><TD></TD><TD></TD>";
    for (int c = 0; c < count; ++c) ruler += fmt::format("<TD WIDTH=\"{}\" HEIGHT=\"1\"></TD>", width);
    return fmt::format(
        "  memory [shape=plain, style=\"\", fontcolor=\"#4b5563\", label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" "
        "CELLSPACING=\"1\" CELLPADDING=\"1\">{}{}{}</TR></TABLE>>];\n",
        heading, rows, ruler);
  }

  const Program& program_;
  const PlanDotOptions& options_;
  dot::Detail detail_;
  std::size_t each_ = 1;                                  // steps per box
  std::map<std::uint32_t, std::string> input_names_;      // by value
  std::set<std::uint32_t> far_;                           // inputs and parameters with distant readers
  std::set<std::pair<std::string, std::string>> drawn_;   // edges between boxes of several steps
  std::multimap<std::uint32_t, std::size_t> outputs_of_;  // by value
  dot::Sketch sketch_;
  std::map<std::string, std::uint32_t> nodes_;                 // index in the sketch
  std::map<std::size_t, std::vector<std::size_t>> at_offset_;  // buffers
  std::map<std::uint32_t, Maker> made_by_;                     // by value
  std::vector<NodeNote> notes_;                                // by box
  std::optional<ColorMap> colors_;
  int updates_ = 0;
  std::string out_;
};

}  // namespace

std::string to_dot(const Plan& plan, const PlanDotOptions& options) {
  dot::check_limits("to_dot", options.effort, options.time_limit);
  std::string text;
  for (std::size_t boxes = dot::usual_boxes; boxes >= dot::fewest_boxes; boxes /= 2) {
    for (const dot::Detail& detail : dot::details) {
      if (detail.labels && plan.program_->steps.size() > boxes) continue;  // boxes of several steps have no edge labels
      PlanPicture picture(*plan.program_, options, boxes, detail);
      text = picture.str();
      if (picture.fits()) return text;
    }
  }
  return text;
}

}  // namespace xgrad::inline v0
