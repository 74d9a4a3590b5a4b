#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/pictures/dot.hpp>

#include "support/scratch.hpp"
#include "support/text.hpp"
#include "support/tiny_ops.hpp"

using namespace xgrad;
using scratch::ScratchFolder;
using testing::contains;
namespace fs = std::filesystem;

namespace {

std::ptrdiff_t files(const ScratchFolder& folder) {
  return std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator());
}

// Sets PATH in a scope.
class SearchPath {
 public:
  explicit SearchPath(const std::string& path) : before_(std::getenv("PATH") ? std::getenv("PATH") : "") {
    ::setenv("PATH", path.c_str(), 1);
  }
  SearchPath(const SearchPath&) = delete;
  SearchPath& operator=(const SearchPath&) = delete;
  ~SearchPath() { ::setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

bool has_graphviz() {
  static const bool found = std::system("dot -V > /dev/null 2>&1") == 0;
  if (!found) MESSAGE("skipped: Graphviz is not installed");
  return found;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A small network with its backward pass, a constant tensor and an update.
void build(Graph& g) {
  const Value x = g.input("x", {2, 3});
  const Parameter w("outer/dense/kernel", Tensor({3, 4}));
  const auto outer = g.scope("outer");
  const auto scope = g.scope("dense");
  const Value k = g.parameter(w);
  const Value z = g.apply(tiny::matmul, {x, k}, {{"transpose_a", false}, {"transpose_b", false}});
  const Value y = g.apply(tiny::mul, {z, g.constant(2)}).named("y");
  const Value shifted = g.apply(tiny::sub, {y, g.constant(Tensor::full({4}, 1))});
  Value back;
  {
    const auto role = g.role(Role::backward, z);
    const Value d = g.apply(tiny::tanh, {shifted});
    back = g.apply(tiny::matmul, {x, d}, {{"transpose_a", true}});
  }
  const auto role = g.role(Role::update, k);
  g.add_update(w, g.apply(tiny::sub, {k, back}));
}

}  // namespace

TEST_CASE("dot: the text of a small graph") {
  Graph g;
  const Value x = g.input("x", {3});
  g.apply(tiny::sum, {g.apply(tiny::sub, {g.constant(1), x})}, {{"axes", Axes{0}}}).named("y");
  CHECK(to_dot(g, {.title = "t"}) == R"(digraph xgrad {
  graph [rankdir=TB, bgcolor="white", fontname="Helvetica,Arial,sans-serif", fontsize=12, fontcolor="#4b5563", nodesep=0.3, ranksep=0.35, pad=0.2, labelloc=t, label=<<FONT POINT-SIZE="15" COLOR="#1f2937">t</FONT>>];
  node [shape=box, style="rounded,filled", fontname="Helvetica,Arial,sans-serif", fontsize=11, fontcolor="#1f2937", penwidth=0.9, height=0.3, margin="0.12,0.05"];
  edge [fontname="Helvetica,Arial,sans-serif", fontsize=8, fontcolor="#6b7280", penwidth=0.8, arrowsize=0.55];
  n0 [label=<x<BR/><FONT POINT-SIZE="9" COLOR="#6b7280">3</FONT>>, shape=ellipse, style="filled", fillcolor="#e4f5e7", color="#5fae6f"];
  n2 [label=<sub(1, &#183;)>, shape=box, fillcolor="#e6f0fb", color="#5b93cf"];
  n3 [label=<sum<BR/><FONT POINT-SIZE="9" COLOR="#6b7280">axes=[0&#93;</FONT><BR/><FONT POINT-SIZE="9" COLOR="#6b7280"><I>y</I></FONT><BR/><FONT POINT-SIZE="9" COLOR="#6b7280">scalar</FONT>>, shape=box, fillcolor="#e6f0fb", color="#5b93cf", penwidth=2];
  n0 -> n2 [color="#6b8fb5"];
  n2 -> n3 [color="#6b8fb5", label=<&#160;3>, weight=8];
}
)");
}

TEST_CASE("dot: scopes are nested boxes, roles have colors, updates point to parameters") {
  Graph g;
  build(g);
  const std::string text = to_dot(g);
  const auto outer = text.find("label=<outer>");
  const auto inner = text.find("label=<dense>");
  REQUIRE(inner != std::string::npos);
  CHECK(outer < inner);
  CHECK(contains(text, "    n1 [label=<kernel<BR/>"));  // the parameter, without its scope prefix
  CHECK(contains(text, "shape=cylinder"));
  CHECK(contains(text, "shape=note"));
  CHECK(contains(text, "label=<mul(&#183;, 2)"));
  CHECK_FALSE(contains(text, "transpose_b"));  // flags that are off are omitted
  CHECK(contains(text, "fillcolor=\"#fdebdf\""));
  CHECK(contains(text, "fillcolor=\"#efe6fa\""));
  CHECK(contains(text, "[dir=back"));
  CHECK(contains(text, "label=<&#160;update>"));
  CHECK_FALSE(contains(to_dot(g, {.show_constants = false}), "shape=note"));
  CHECK_FALSE(contains(to_dot(g, {.show_attrs = false}), "transpose_a"));
  CHECK_FALSE(contains(to_dot(g, {.show_shapes = false}), "label=<&#160;2&#215;4>"));
  CHECK(contains(text, "label=<&#160;2&#215;4>"));
}

TEST_CASE("dot: equal graphs give the same text") {
  Graph a;
  Graph b;
  build(a);
  build(b);
  CHECK(to_dot(a) == to_dot(b));
}

TEST_CASE("dot: draws only nodes that the outputs need") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = g.apply(tiny::tanh, {x});
  g.input("unneeded", {3});
  g.apply(tiny::add, {y, x});
  const std::string text = to_dot(g, {.outputs = {y}});
  CHECK(contains(text, "tanh"));
  CHECK_FALSE(contains(text, "unneeded"));
  CHECK_FALSE(contains(text, "label=<add"));
  Graph other;
  CHECK_THROWS_AS(to_dot(g, {.outputs = {Value()}}), GraphError);
  CHECK_THROWS_AS(to_dot(g, {.outputs = {other.input("x", {3})}}), GraphError);
  CHECK_THROWS_AS(to_dot(g, {.rankdir = "TB]; evil"}), GraphError);
}

TEST_CASE("dot: unused scalar constants and those of operations with many inputs stay nodes") {
  Graph g;
  const Value lone = g.constant(7);
  CHECK(contains(to_dot(g), "n0 [label=<7"));
  const Value x = g.input("x", {});
  std::vector<Value> many(5, x);
  many.push_back(lone);
  g.apply(tiny::concat, many);
  CHECK(contains(to_dot(g), "n0 -> n2"));
}

TEST_CASE("dot: Graphviz accepts any bytes in names") {
  if (!has_graphviz()) return;
  const ScratchFolder folder;
  const std::string hostile[] = {"\"quoted\"",
                                 "back\\slash\\",
                                 "two\nlines",
                                 "<b>&amp;</b>",
                                 "]]> -->",
                                 " ",
                                 "\xce\xbb \xe2\x86\x92 \xf0\x9f\x98\x80",
                                 "\xff\xfe broken \xc3",
                                 "\x01\x1f\x7f\xc2\x80",
                                 "\xef\xbf\xbf",  // U+FFFF, which XML forbids
                                 "\xed\xa0\x80",  // half of a surrogate pair
                                 "\xc0\xaf",      // an overlong slash
                                 "n0 -> n1; } digraph {",
                                 std::string("nul\0nul", 7),
                                 std::string(5000, 'x')};
  Graph g;
  for (const std::string& name : hostile) {
    const auto scope = g.scope("s" + name);
    const Value x = g.input(name, {2});
    const Value y = g.apply(tiny::tanh, {x}, {{"note", name}}).named(name);
    g.parameter(Parameter(name, Tensor(Shape{2})));
    CHECK(y.valid());
  }
  const std::string text = to_dot(g, {.title = hostile[3] + hostile[0]});
  CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }));
  CHECK(contains(text, "&#34;quoted&#34;"));
  CHECK(contains(text, "&#955; &#8594; &#128512;"));
  CHECK(contains(text, "&#60;b&#62;&#38;amp;&#60;/b&#62;"));
  save_graph(g, folder / "hostile.svg", {.title = hostile[3] + hostile[0]});
  const std::string svg = read(folder / "hostile.svg");
  CHECK(contains(svg, "</svg>"));
  CHECK(files(folder) == 1);
}

TEST_CASE("dot: every name is drawn verbatim") {
  if (!has_graphviz()) return;
  // Graphviz gives a special meaning to each of these, or to its last character.
  const std::string names[] = {"D:\\Games\\New\\Eve\\Tom\\Lea\\Home\\net",
                               "\\\\N\\\\\\G\\",
                               "]",
                               "a]]",
                               "[x]]>",
                               "%5D \\l",
                               "&amp; &#65;",
                               "<b>x",
                               "a  b",
                               "--> <!--",
                               "$(N) {N|M}",
                               "a|b;c\"d"};
  const auto shown = [](std::string name) {  // as in SVG: entities decoded, non-breaking blanks
    const auto replaced = [&](const std::string& from, const std::string& to) {
      for (std::size_t at = name.find(from); at != std::string::npos; at = name.find(from, at + to.size()))
        name.replace(at, from.size(), to);
    };
    replaced("&", "&amp;");
    replaced("<", "&lt;");
    replaced(">", "&gt;");
    replaced("\"", "&quot;");
    replaced("--", "&#45;&#45;");
    replaced("-&gt;", "&#45;&gt;");
    replaced("  ", " &#160;");
    return ">" + name + "</text>";
  };
  for (const std::string& name : names) {
    CAPTURE(name);
    Graph g;
    {
      const auto scope = g.scope(name);
      g.apply(tiny::tanh, {g.input(name, {2})}).named(name);
    }
    const ScratchFolder folder;
    save_graph(g, folder / "x.svg", {.title = name});
    const std::string svg = read(folder / "x.svg");
    CHECK(testing::count(svg, shown(name)) == 4);  // title, scope, input and operation
  }
}

TEST_CASE("dot: every format is written to the given path") {
  const ScratchFolder folder;
  Graph g;
  build(g);
  save_graph(g, folder / "a.dot");
  save_graph(g, folder / "a.gv");
  CHECK(read(folder / "a.dot") == to_dot(g));
  CHECK(read(folder / "a.gv") == to_dot(g));
  if (!has_graphviz()) return;
  const std::string hard = "-o $(touch x) `x` 'y' \"z\"; &.svg";
  save_graph(g, folder / hard);
  save_graph(g, folder / "a.png", {.rankdir = "LR"});
  save_graph(g, folder / "a.pdf");
  CHECK(contains(read(folder / hard), "</svg>"));
  CHECK(read(folder / "a.png").starts_with("\x89PNG"));
  CHECK(read(folder / "a.pdf").starts_with("%PDF"));
  CHECK(files(folder) == 5);
}

TEST_CASE("dot: without Graphviz the text is saved and the error says what to install") {
  const ScratchFolder folder;
  const SearchPath nothing((folder / "no-such-folder").string());
  Graph g;
  build(g);
  try {
    save_graph(g, folder / "net.svg");
    FAIL("drawn without Graphviz");
  } catch (const EnvironmentError& error) {
    const std::string what = error.what();
    CHECK(contains(what, "apt install graphviz"));
    CHECK(contains(what, "net.dot"));
  }
  CHECK(read(folder / "net.dot") == to_dot(g));
  CHECK(files(folder) == 1);
}

TEST_CASE("dot: an existing text file is kept if drawing fails") {
  const ScratchFolder folder;
  const SearchPath nothing((folder / "no-such-folder").string());
  std::ofstream(folder / "net.dot") << "mine";
  Graph g;
  build(g);
  const std::string message = scratch::message_of<EnvironmentError>([&] { save_graph(g, folder / "net.svg"); });
  CHECK(contains(message, "the DOT text was not written: \"" + (folder / "net.dot").string() + "\" exists"));
  CHECK(read(folder / "net.dot") == "mine");
  CHECK(files(folder) == 1);
}

TEST_CASE("dot: an error of Graphviz is quoted, and the old image is kept") {
  const ScratchFolder folder;
  const ScratchFolder programs;
  {
    std::ofstream(programs / "dot") << "#!/bin/sh\necho half\necho 'no such plugin' >&2\nexit 3\n";
    REQUIRE(::chmod((programs / "dot").c_str(), 0755) == 0);
    std::ofstream(folder / "net.svg") << "older";
  }
  const SearchPath only((programs / "").string());
  Graph g;
  build(g);
  try {
    save_graph(g, folder / "net.svg");
    FAIL("the failure was not reported");
  } catch (const EnvironmentError& error) {
    CHECK(contains(error.what(), "failed: no such plugin"));
  }
  CHECK(read(folder / "net.svg") == "older");
  CHECK(files(folder) == 2);
}

TEST_CASE("dot: after a timeout Graphviz and its children are killed, and a coarser diagram is drawn") {
  const ScratchFolder folder;
  const ScratchFolder programs;
  // Writes half an image and hangs, unless the diagram has less detail.
  std::ofstream(programs / "dot") << "#!/bin/sh\nread first; read second\necho \"$second\" >> '" +
                                         (folder / "asked").string() +
                                         "'\necho '<svg half'\ncase \"$second\" in *'too long'*) exit 0;; esac\n"
                                         "/bin/sleep 1000 & echo $! > '" +
                                         (folder / "pid").string() + "'\nwait\n";
  REQUIRE(::chmod((programs / "dot").c_str(), 0755) == 0);
  const SearchPath only((programs / "").string() + ":/bin:/usr/bin");
  Graph g;
  build(g);
  save_graph(g, folder / "net.svg", {.depth = 7, .time_limit = 0.5});
  CHECK(read(folder / "net.svg") == "<svg half\n");
  CHECK_FALSE(contains(read(folder / "asked"), "</svg>"));
  const ::pid_t started = static_cast<::pid_t>(std::stol(read(folder / "pid")));
  // The system may need a moment to remove the process.
  for (int i = 0; i < 1000 && ::kill(started, 0) == 0; ++i) ::usleep(10'000);
  CHECK(::kill(started, 0) != 0);
  CHECK(files(folder) == 3);
}

TEST_CASE("dot: if every diagram times out, the error says so and the text is saved") {
  const ScratchFolder folder;
  const ScratchFolder programs;
  std::ofstream(programs / "dot") << "#!/bin/sh\necho '<svg half'\nexec /bin/sleep 1000\n";
  REQUIRE(::chmod((programs / "dot").c_str(), 0755) == 0);
  const SearchPath only((programs / "").string() + ":/bin:/usr/bin");
  Graph g;
  build(g);
  CHECK_THROWS_WITH_AS(save_graph(g, folder / "net.svg", {.time_limit = 0.2}),
                       doctest::Contains("the program dot took longer than 0.2 seconds"), EnvironmentError);
  CHECK(read(folder / "net.dot") == to_dot(g));
  CHECK(files(folder) == 1);
  CHECK_THROWS_WITH_AS(to_dot(g, {.time_limit = 0}), doctest::Contains("to_dot: time_limit must be positive, got 0"),
                       GraphError);
  CHECK_THROWS_WITH_AS(to_dot(g, {.effort = -1}), doctest::Contains("to_dot: effort must be positive, got -1"),
                       GraphError);
}

TEST_CASE("dot: a missing folder and an unknown extension throw") {
  const ScratchFolder folder;
  Graph g;
  build(g);
  CHECK_THROWS_AS(save_graph(g, folder / "absent/net.dot"), EnvironmentError);
  CHECK_THROWS_AS(save_graph(g, folder / "absent/net.svg"), EnvironmentError);
  CHECK_THROWS_AS(save_graph(g, folder / "net.jpeg"), GraphError);
  CHECK_THROWS_AS(save_graph(g, folder / "net"), GraphError);
  CHECK(files(folder) == 0);
}

TEST_CASE("dot: a thousand nested scopes are drawn with bounded depth") {
  Graph g;
  std::string path = "s";
  for (int i = 0; i < 1000; ++i) path += "/s";
  const auto scope = g.scope(path);
  g.input("x", {2});
  const std::string text = to_dot(g);
  std::size_t boxes = 0;
  for (std::size_t at = text.find("subgraph"); at != std::string::npos; at = text.find("subgraph", at + 1)) ++boxes;
  CHECK(boxes == 24);
}
