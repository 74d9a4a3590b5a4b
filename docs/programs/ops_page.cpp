// Prints docs/ops.md: every operation and composition of the registry. Formulas are printed from graphs that the
// operations and their rules build here for a sample. Run by `./dev docs`.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/pictures/formulas.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/ops/define/registry.hpp>

using namespace xgrad;

namespace {

using Named = std::vector<std::pair<std::string, Value>>;

constexpr const char* introduction = R"(# Operations

`./dev docs` generates this page from the operations themselves, and a test checks that it is up to date.

**Names.** An input to which a derivative can flow is `x`, or `a`, `b`, `c` if there are several. `i` holds indices and
`m` booleans; of `like`, only the shape is used. `y` is the result, `dy` its cotangent (the derivative of the final
scalar with respect to `y`), and `dx` the cotangent that the backward rule returns for `x`.

**Formulas** are printed from the graphs that the operation and its rule build for one sample. With other attributes, the
graphs may differ. If an input was broadcast, `gradients` sums its cotangent to the shape of the input, so the rules do
not contain this sum.

**Domains.** The text of an operation gives its results and derivatives at kinks, ties and special values. "Checked on" is
the domain of the tests by finite differences, if it is not all of [-2, 2]. It excludes kinks, poles and, for some
operations, equal inputs. An operation without a line on dtypes accepts all four.

**NaN and infinity.** The derivative at NaN is undefined: it may be NaN, 0 or the cotangent. At infinity it is the value of
the formula, which may be NaN.

**FLOPs.** Each operation counts its floating-point operations, and `flops` adds them up (`graph/flops.hpp`). An
elementwise operation counts one per element of its result, whatever the function. A reduction counts one per element
that it reads, and a product of [m, k] and [k, n] counts 2 m n k. Operations that only move or convert elements, and
those on integers and booleans, count none.
)";

constexpr const char* constants = R"(
## Constants

`arange`, `linspace` and `eye` compute a tensor while the graph is built and add it as a constant, so they are not
operations. They, and the random functions that take a shape instead of a tensor, are in `ops/constants.hpp` and
`ops/random.hpp`.
)";

// Names of the inputs in formulas.
std::vector<std::string> names_of(const OpDef* op, const Sample& sample) {
  const auto shape_only = [&](std::size_t i) { return op != nullptr && op->shape_only(static_cast<int>(i)); };
  int floating = 0;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    floating += sample.inputs[i].domain.dtype(f32) == f32 && !shape_only(i) ? 1 : 0;
  }
  std::vector<std::string> out;
  const auto add = [&](std::string name) {
    std::string unique = name;
    for (int k = 2; std::find(out.begin(), out.end(), unique) != out.end(); ++k) unique = fmt::format("{}{}", name, k);
    out.push_back(unique);
  };
  char next = 'a';
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    const DType dtype = sample.inputs[i].domain.dtype(f32);
    if (shape_only(i))
      add("like");
    else if (dtype == i64)
      add("i");
    else if (dtype == boolean)
      add("m");
    else if (floating == 1)
      add("x");
    else
      add(std::string(1, next++));
  }
  return out;
}

bool is_telling(const Sample& sample) {
  return std::all_of(sample.inputs.begin(), sample.inputs.end(), [](const SampleInput& i) {
    return i.shape.elements() > 1 || (i.shape.rank() == 0 && i.shape.elements() == 1);
  });
}

// The most instructive sample: the first with a matrix, or else with a vector, and without empty axes.
const Sample& telling(const std::vector<Sample>& samples) {
  for (const int rank : {2, 1}) {
    for (const Sample& s : samples) {
      const bool enough =
          std::any_of(s.inputs.begin(), s.inputs.end(), [&](const auto& i) { return i.shape.rank() >= rank; });
      if (is_telling(s) && enough) return s;
    }
  }
  return samples.front();
}

// The anchor of a heading, as GitHub makes it.
std::string anchor(const std::string& heading) {
  std::string out;
  for (const char c : heading) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '_' || c == '-')
      out += static_cast<char>(std::tolower(byte));
    else if (c == ' ')
      out += '-';
  }
  return out;
}

// The table at the top of the page: a row per first letter, with a column for operations and one for compositions.
class NameTable {
 public:
  enum Column { operations, compositions };

  // Variants such as "norm, p = 1" share the entry of the name before the space or comma, a link to the first of them.
  void add(Column column, const std::string& heading, const std::string& to) {
    const std::string name = heading.substr(0, heading.find_first_of(", "));
    rows_[name[0]][column].try_emplace(name, to);
  }
  std::string markdown() const {
    std::string out = "| | operations | compositions |\n|---|---|---|\n";
    for (const auto& [letter, columns] : rows_) {
      out += fmt::format("| {} |", letter);
      for (const auto& links : columns) {
        std::string cell;
        for (const auto& [name, to] : links) cell += fmt::format(" [{}](#{})", name, to);
        out += cell + " |";
      }
      out += '\n';
    }
    return out;
  }

 private:
  std::map<char, std::array<std::map<std::string, std::string>, 2>> rows_;
};

struct Page {
  NameTable names;
  std::string text;
};

// A graph of one sample.
struct Built {
  Built(const OpDef* op, const Sample& sample) : names(names_of(op, sample)) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      inputs.push_back(graph.input(names[i], sample.inputs[i].shape, sample.inputs[i].domain.dtype(f32)));
    }
  }
  Graph graph;
  std::vector<std::string> names;
  std::vector<Value> inputs;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string block(const std::string& formulas) {
  return "```\n" + replaced(formulas, "9223372036854775807", "open") + "```\n";
}

// For instance "x f32 f64 i64; i i64". Empty if every input accepts all dtypes.
std::string dtypes_text(const OpDef& op) {
  const Sample& sample = telling(op.samples);
  const auto names = names_of(&op, sample);
  const auto accepts = [&](DType from, DType to) {
    std::vector<TensorType> types;
    for (const SampleInput& i : sample.inputs)
      types.push_back({i.domain.dtype(f32) == from ? to : i.domain.dtype(f32), i.shape});
    try {
      op.infer(Infer(op, types, sample.attrs));
    } catch (const UserError&) {
      return false;
    }
    return true;
  };
  std::vector<std::string> groups;
  bool everything = true;
  for (const DType from : {f32, i64, boolean}) {
    std::vector<std::string> members, taken;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (sample.inputs[i].domain.dtype(f32) == from && !op.shape_only(static_cast<int>(i)))
        members.push_back(names[i]);
    }
    if (members.empty()) continue;
    for (const DType to : {f32, f64, i64, boolean}) {
      if (accepts(from, to)) taken.push_back(name_of(to));
    }
    everything = everything && taken.size() == 4;
    groups.push_back(fmt::format("`{}` {}", fmt::join(members, "`, `"), fmt::join(taken, " ")));
  }
  return everything ? "" : fmt::format("{}", fmt::join(groups, "; "));
}

std::string shapes_text(const OpDef& op) {
  if (op.traits.elementwise) return op.max_inputs == 1 ? "any" : "any that broadcast";
  std::vector<std::string> out;
  for (const Sample& sample : op.samples) {
    if (!is_telling(sample) || out.size() == 4) continue;
    std::vector<TensorType> types;
    std::vector<std::string> shapes;
    for (const SampleInput& i : sample.inputs) {
      types.push_back({i.domain.dtype(f32), i.shape});
      shapes.push_back(i.shape.str());
    }
    std::string text = fmt::format("`{}{}-> {}`", fmt::join(shapes, ", "), shapes.empty() ? "" : " ",
                                   op.infer(Infer(op, types, sample.attrs)).shape.str());
    if (!sample.attrs.empty())
      text += fmt::format(" ({})", replaced(sample.attrs.str(), "9223372036854775807", "open"));
    if (std::find(out.begin(), out.end(), text) == out.end()) out.push_back(text);
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

std::string domain_text(const std::string& name, const Domain& d) {
  if (d.kind == Domain::Kind::distinct) return fmt::format("`{}` without ties", name);
  const bool everywhere = d.low == domain::any().low && d.high == domain::any().high;
  if (d.kind != Domain::Kind::real || (everywhere && d.avoid.empty())) return "";
  std::string out = fmt::format("`{}`", name);
  if (!everywhere) out += fmt::format(" in [{}, {}]", d.low, d.high);
  if (!d.avoid.empty()) out += fmt::format("{} not near {}", everywhere ? "" : ",", fmt::join(d.avoid, ", "));
  return out;
}

std::string domains_text(const OpDef* op, const std::vector<Sample>& samples) {
  const Sample& sample = telling(samples);
  const auto names = names_of(op, sample);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string text = domain_text(names[i], sample.inputs[i].domain);
    if (!text.empty()) out.push_back(text);
  }
  return fmt::format("{}", fmt::join(out, "; "));
}

void add_line(std::string& out, const char* what, const std::string& text) {
  if (!text.empty()) out += fmt::format("- {} {}\n", what, text);
}

// The formulas of the operation and of its backward rule, if it has one.
std::string formulas(const OpDef& op) {
  const Sample& sample = telling(op.samples);
  Built built(&op, sample);
  Named known;
  for (std::size_t i = 0; i < built.names.size(); ++i) known.emplace_back(built.names[i], built.inputs[i]);
  const Value y = built.graph.apply(op, built.inputs, sample.attrs);
  std::string out = to_formulas({{"y", y}}, known);
  if (op.vjp == nullptr || !is_floating(y.dtype())) return out;
  known.emplace_back("y", y);
  known.emplace_back("dy", built.graph.input("dy", y.shape(), y.dtype()));
  const Cotangents given = op.vjp(Vjp(y, known.back().second));
  Named wanted;
  for (std::size_t i = 0; i < built.names.size(); ++i) {
    if (given.values()[i].valid()) wanted.emplace_back("d" + built.names[i], given.values()[i]);
  }
  return out + to_formulas(wanted, known);
}

void add_operation(Page& page, const OpDef& op) {
  page.names.add(NameTable::operations, op.name, anchor(op.name));
  page.text += fmt::format("\n### {}\n\n{}\n\n", op.name, op.doc);
  add_line(page.text, "dtypes:", dtypes_text(op));
  add_line(page.text, "shapes:", shapes_text(op));
  if (op.vjp == nullptr)
    add_line(page.text, "no derivative:", op.no_gradient);
  else
    add_line(page.text, "checked on", domains_text(&op, op.samples));
  page.text += "\n" + block(formulas(op));
}

void add_composite(Page& page, const Composite& c) {
  const Sample& sample = telling(c.samples);
  Built built(nullptr, sample);
  Named known;
  for (std::size_t i = 0; i < built.names.size(); ++i) known.emplace_back(built.names[i], built.inputs[i]);
  page.names.add(NameTable::compositions, c.name, anchor(c.name));
  page.text += fmt::format("\n### {}\n\n{}\n\n", c.name, c.doc);
  add_line(page.text, "checked on", domains_text(nullptr, c.samples));
  if (page.text.back() != '\n' || page.text[page.text.size() - 2] != '\n') page.text += "\n";
  page.text += block(to_formulas({{"y", c.build(built.inputs, sample.attrs)}}, known));
}

struct Section {
  const char* title;
  const char* text;
  bool (*contains)(const OpDef& op);
};

constexpr Section sections[] = {
    {"Elementwise", "Inputs broadcast as in NumPy. Plans fuse connected elementwise operations.",
     [](const OpDef& op) { return op.traits.elementwise && !op.traits.random; }},
    {"Views and broadcasts", "These compute no values. A view is the same memory with another shape.",
     [](const OpDef& op) { return op.traits.view || op.traits.broadcast; }},
    {"Random", "Values are functions of the graph's seed, the step of the run, the node's stream and the element.",
     [](const OpDef& op) { return op.traits.random; }},
    {"Reductions, products, parts of tensors", "All other operations with a kernel.",
     [](const OpDef&) { return true; }},
};

std::size_t section_of(const OpDef& op) {
  const auto* found =
      std::find_if(std::begin(sections), std::end(sections), [&](const Section& s) { return s.contains(op); });
  return static_cast<std::size_t>(found - std::begin(sections));
}

}  // namespace

int main() {
  std::vector<const OpDef*> ops;
  for (const auto& op : builtin_ops().all()) {
    if (op->traits.leaf == Leaf::none) ops.push_back(op.get());
  }
  std::sort(ops.begin(), ops.end(), [](const OpDef* a, const OpDef* b) { return a->name < b->name; });
  std::vector<const Composite*> composites;
  for (const Composite& c : builtin_composites()) composites.push_back(&c);
  std::sort(composites.begin(), composites.end(), [](const auto* a, const auto* b) { return a->name < b->name; });

  Page page;
  std::string titles;
  for (std::size_t s = 0; s < std::size(sections); ++s) {
    titles += fmt::format("[{}](#{}),\n", sections[s].title, anchor(sections[s].title));
    page.text += fmt::format("\n## {}\n\n{}\n", sections[s].title, sections[s].text);
    for (const OpDef* op : ops) {
      if (section_of(*op) == s) add_operation(page, *op);
    }
  }
  page.text +=
      "\n## Compositions\n\nFunctions composed of the operations above. They need no backward rule: their derivatives "
      "follow from those of the\noperations.\n";
  for (const Composite* c : composites) add_composite(page, *c);
  for (const char* name : {"arange", "eye", "linspace"}) page.names.add(NameTable::compositions, name, "constants");
  page.text += constants;
  std::printf("%s\n**Sections:**\n%s[Compositions](#compositions),\n[Constants](#constants).\n\n%s%s", introduction,
              titles.c_str(), page.names.markdown().c_str(), page.text.c_str());
}
