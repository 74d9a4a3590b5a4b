// The picture of a plan.
#include <map>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/dot.hpp>
#include <xgrad/graph/dot_text.hpp>
#include <xgrad/graph/memory_text.hpp>
#include <xgrad/graph/program.hpp>

namespace xgrad {

namespace {

using dot::escaped;
using dot::small_text;

constexpr int ops_per_line = 3;

// What the step is called, then the operations it runs together, a few on each line.
std::string step_label(std::size_t number, const Step& step, const StepLabel& label) {
  std::string out = fmt::format("<B>{}</B>", number);
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
  if (step.in_place) out += "<BR/>" + small_text("in place");
  return out;
}

class PlanPicture {
 public:
  explicit PlanPicture(const Program& program) : program_(program) {}

  std::string str() {
    out_ =
        "digraph plan {\n  graph [rankdir=TB, fontname=\"Helvetica\", ranksep=0.35, nodesep=0.25];\n"
        "  node [fontname=\"Helvetica\", fontsize=11, style=\"filled,rounded\", shape=box, penwidth=1.2];\n"
        "  edge [fontname=\"Helvetica\", fontsize=9, color=\"#6b8fb5\", fontcolor=\"#6b7280\", arrowsize=0.7];\n";
    out_ += fmt::format("  label=<{} steps, {} at peak of {} in all>;\n  labelloc=t;\n", program_.steps.size(),
                        memory_text(program_.arena_bytes), memory_text(program_.total_bytes));
    for (const PlannedInput& input : program_.inputs) {
      if (!input.needed) continue;
      leaf(fmt::format("in{}", input.value), input.name, input.type, "ellipse", "#e4f5e7", "#5fae6f");
      made_by_[input.value] = fmt::format("in{}", input.value);
    }
    for (std::size_t s = 0; s < program_.steps.size(); ++s) add_step(s);
    for (std::size_t i = 0; i < program_.outputs.size(); ++i) {
      out_ += fmt::format("  out{} [label=<output {}>, shape=plain, style=\"\"];\n", i, i);
      edge(program_.outputs[i], fmt::format("out{}", i));
    }
    return out_ + "}\n";
  }

 private:
  void add_step(std::size_t s) {
    const Step& step = program_.steps[s];
    const std::string name = fmt::format("s{}", s);
    const bool fused = step.block != nullptr;
    out_ += fmt::format("  {} [label=<{}>, fillcolor=\"{}\", color=\"{}\"];\n", name,
                        step_label(s, step, program_.labels[s]), fused ? "#e6f0fb" : "#f1f2f4",
                        fused ? "#5b93cf" : "#9aa1ab");
    std::set<std::uint32_t> read;
    for (const auto* values : {&step.operands, &step.inputs}) {
      for (const std::uint32_t value : *values) {
        if (step.op != nullptr && value == step.result) continue;
        if (read.insert(value).second) edge(value, name);
      }
    }
    std::vector<std::uint32_t> made = step.outputs;
    if (step.op != nullptr) made.push_back(step.result);
    for (const std::uint32_t value : made) {
      made_by_[value] = name;
      const Place& place = program_.values[value].place;
      if (place.kind == Place::Kind::parameter) update(name, program_.parameters[place.index], program_.values[value]);
    }
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
      maker = made_by_.emplace(from, name).first;
    }
    out_ += fmt::format("  {} -> {} [label=<{}>];\n", maker->second, to,
                        place.kind == Place::Kind::parameter ? "" : escaped(program_.values[value].type.shape.str()));
  }

  const Program& program_;
  std::map<std::uint32_t, std::string> made_by_;  // value -> node of the picture
  int updates_ = 0;
  std::string out_;
};

}  // namespace

std::string to_dot(const Plan& plan) { return PlanPicture(*plan.program_).str(); }

}  // namespace xgrad
