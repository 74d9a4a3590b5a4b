// The picture of a plan.
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

#include <xgrad/graph/colouring.hpp>
#include <xgrad/graph/dot.hpp>
#include <xgrad/graph/dot_text.hpp>
#include <xgrad/graph/memory_text.hpp>
#include <xgrad/graph/program.hpp>

namespace xgrad {

namespace {

using dot::escaped;
using dot::small_text;

constexpr int ops_per_line = 3;
constexpr std::size_t shown_buffers = 60;  // the largest; the rest are counted below them
constexpr std::size_t columns = 96;        // of the strip of steps, at most

struct BufferLook {
  const char* fill;
  const char* line;
};
// Neighbours in the order of the plan can be told apart.
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

// What the step is called, then the operations it runs together, a few on each line.
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
  PlanPicture(const Program& program, const PlanDotOptions& options) : program_(program), options_(options) {
    for (std::size_t b = 0; b < program.lifetimes.size(); ++b) at_offset_[program.offsets[b]].push_back(b);
    if (!options.annotations) return;
    std::vector<double> numbers;
    for (NodeId s = 0; s < program.steps.size(); ++s) {
      notes_.push_back(options.annotations.note(std::span(&s, 1)));
      if (notes_.back().number) numbers.push_back(*notes_.back().number);
    }
    colours_.emplace(options.annotations, numbers, "to_dot");
  }

  std::string str() {
    out_ =
        "digraph plan {\n  graph [rankdir=TB, bgcolor=\"white\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, "
        "fontcolor=\"#4b5563\", ranksep=0.35, nodesep=0.25, pad=0.2];\n"
        "  node [fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, fontcolor=\"#1f2937\", "
        "style=\"filled,rounded\", shape=box, penwidth=1.0];\n"
        "  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=9, color=\"#6b8fb5\", fontcolor=\"#6b7280\", "
        "arrowsize=0.7];\n";
    out_ += fmt::format("  label=<{}>;\n  labelloc=t;\n", head());
    for (const PlannedInput& input : program_.inputs) {
      if (!input.needed) continue;
      leaf(fmt::format("in{}", input.value), input.name, input.type, "ellipse", "#e4f5e7", "#5fae6f");
      made_by_[input.value] = {fmt::format("in{}", input.value), -1};
    }
    for (std::size_t s = 0; s < program_.steps.size(); ++s) add_step(s);
    for (std::size_t i = 0; i < program_.outputs.size(); ++i) {
      out_ += fmt::format("  out{} [label=<output {}>, shape=plain, style=\"\"];\n", i, i);
      edge(program_.outputs[i], fmt::format("out{}", i));
    }
    if (options_.show_buffers) out_ += memory_map();
    return out_ + "}\n";
  }

 private:
  struct Maker {
    std::string name;  // in the picture
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
    const std::string legend = colours_ ? colours_->legend_rows() : "";
    if (rows.empty() && legend.empty()) return text;
    return fmt::format("<TABLE BORDER=\"0\" CELLSPACING=\"2\">{}<TR><TD>{}</TD></TR>{}</TABLE>", rows, text, legend);
  }

  // The buffer in which the value of that step lies; none if it is a parameter, a constant or a shape.
  std::optional<std::size_t> buffer_of(std::uint32_t value, int step) const {
    const PlannedValue& planned = program_.values[value];
    const auto found = at_offset_.find(planned.place.offset);
    if (planned.place.kind != Place::Kind::arena || found == at_offset_.end()) return std::nullopt;
    for (const std::size_t b : found->second) {
      const Lifetime& life = program_.lifetimes[b];
      if (life.bytes >= planned.type.bytes() && life.first <= step && step <= life.last) return b;
    }
    return std::nullopt;
  }

  void add_step(std::size_t s) {
    const Step& step = program_.steps[s];
    const std::string name = fmt::format("s{}", s);
    const bool fused = step.block != nullptr;
    std::vector<std::uint32_t> made = step.outputs;
    if (step.op != nullptr) made.insert(made.begin(), step.result);
    std::string label = step_label(s, program_.labels[s]);
    std::string fill = fused ? "#e6f0fb" : "#f1f2f4";
    std::string border = fused ? "#5b93cf" : "#9aa1ab";
    std::string font;
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
        if (list.ends_with(' ' + place)) continue;  // a kernel's result, and what is made of its rows in place
        list += (list.empty() ? "&#8594; " : ", ") + place;
      }
      if (!list.empty()) label += "<BR/>" + small_text(list);
    }
    if (colours_) {
      const NodeColour colour =
          notes_[s].number ? colours_->colour(*notes_[s].number) : NodeColour{"#ffffff", dot::dark};
      fill = colour.fill;
      for (const std::string& line : notes_[s].lines) label += "<BR/>" + small_text(escaped(line, 200));
      if (colour.text != dot::dark) font = fmt::format(", fontcolor=\"{}\"", colour.text);
      if (notes_[s].number) label = dot::on_colour(label, colour.text);
    }
    out_ += fmt::format("  {} [label=<{}>, fillcolor=\"{}\", color=\"{}\"{}];\n", name, label, fill, border, font);
    std::set<std::uint32_t> read;
    for (const auto* values : {&step.operands, &step.inputs}) {
      for (const std::uint32_t value : *values) {
        if (step.op != nullptr && value == step.result) continue;
        if (read.insert(value).second) edge(value, name);
      }
    }
    for (const std::uint32_t value : made) {
      made_by_[value] = {name, static_cast<int>(s)};
      const Place& place = program_.values[value].place;
      if (place.kind == Place::Kind::parameter) update(name, program_.parameters[place.index], program_.values[value]);
    }
  }

  // Over what the step writes: a parameter's old numbers, or a buffer that lived before.
  std::string in_place(std::size_t s, const std::vector<std::uint32_t>& made) const {
    std::string over;
    for (const std::uint32_t value : made) {
      const Place& place = program_.values[value].place;
      const auto buffer = buffer_of(value, static_cast<int>(s));
      if (place.kind == Place::Kind::parameter)
        over += (over.empty() ? " over " : ", ") + escaped(program_.parameters[place.index].name());
      else if (options_.show_buffers && buffer && program_.lifetimes[*buffer].first < static_cast<int>(s))
        over += fmt::format("{}b{}", over.empty() ? " over " : ", ", *buffer);
    }
    return "in place" + over;
  }

  // A parameter that a step writes.
  void update(const std::string& step, const Parameter& parameter, const PlannedValue& value) {
    const std::string name = fmt::format("u{}", updates_++);
    leaf(name, parameter.name(), value.type, "cylinder", "#efe6fa", "#9a74cc");
    out_ += fmt::format("  {} -> {} [color=\"#a58bcb\"];\n", step, name);
  }

  void leaf(const std::string& name, const std::string& text, const TensorType& type, const char* shape,
            const char* fill, const char* border) {
    out_ += fmt::format("  {} [label=<{}<BR/>{}>, shape={}, style=filled, fillcolor=\"{}\", color=\"{}\"];\n", name,
                        escaped(text), small_text(escaped(type.str())), shape, fill, border);
  }

  void edge(std::uint32_t value, const std::string& to) {
    std::uint32_t from = value;
    while (program_.values[from].shown != PlannedValue::no_value) from = program_.values[from].shown;
    const Place& place = program_.values[from].place;
    auto maker = made_by_.find(from);
    if (maker == made_by_.end()) {
      if (place.kind != Place::Kind::parameter) return;  // constants and shapes: too many, and they say little
      const std::string name = fmt::format("p{}", from);
      leaf(name, program_.parameters[place.index].name(), program_.values[from].type, "cylinder", "#fff5d1", "#d4a72c");
      maker = made_by_.emplace(from, Maker{name, 0}).first;
    }
    const bool parameter = place.kind == Place::Kind::parameter;
    std::string text = parameter ? "" : escaped(program_.values[value].type.shape.str());
    std::string look;
    const auto buffer = options_.show_buffers ? buffer_of(from, maker->second.step) : std::nullopt;
    if (buffer) {
      text += fmt::format(" b{}", *buffer);
      look = fmt::format(", color=\"{0}\", fontcolor=\"{0}\", penwidth=1.4", look_of(*buffer).line);
    }
    out_ += fmt::format("  {} -> {} [label=<{}>{}];\n", maker->second.name, to, text, look);
  }

  // The workspace as a table: a row for each buffer, in the order of their offsets, with a strip from the first step to
  // the last in which it must exist.
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

    // A column for each step and one for what is there before the first, or several steps in one.
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
          "<TR><TD COLSPAN=\"{}\" ALIGN=\"LEFT\"><FONT POINT-SIZE=\"9\">and {} smaller ones, {} in all"
          "</FONT></TD></TR>",
          count + 4, left_out, memory_text(rest));
    }
    std::string heading = "<TR>";
    for (const char* name : {"buffer", "offset", "size", "steps"}) heading += text(name, "RIGHT");
    heading += fmt::format(
        "<TD COLSPAN=\"{}\" ALIGN=\"LEFT\"><FONT POINT-SIZE=\"9\">from the first step to the last</FONT>"
        "</TD></TR>",
        count);
    // Columns are as wide as this row says, whatever spans them.
    std::string ruler = "<TR><TD></TD><TD></TD><TD></TD><TD></TD>";
    for (int c = 0; c < count; ++c) ruler += fmt::format("<TD WIDTH=\"{}\" HEIGHT=\"1\"></TD>", width);
    return fmt::format(
        "  memory [shape=plain, style=\"\", fontcolor=\"#4b5563\", label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" "
        "CELLSPACING=\"1\" CELLPADDING=\"1\">{}{}{}</TR></TABLE>>];\n",
        heading, rows, ruler);
  }

  const Program& program_;
  const PlanDotOptions& options_;
  std::map<std::size_t, std::vector<std::size_t>> at_offset_;  // buffers
  std::map<std::uint32_t, Maker> made_by_;                     // by value
  std::vector<NodeNote> notes_;                                // of steps
  std::optional<Colouring> colours_;
  int updates_ = 0;
  std::string out_;
};

}  // namespace

std::string to_dot(const Plan& plan, const PlanDotOptions& options) {
  return PlanPicture(*plan.program_, options).str();
}

}  // namespace xgrad
