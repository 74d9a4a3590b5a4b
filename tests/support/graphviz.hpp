// Parses diagrams with Graphviz.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

#include "scratch.hpp"

namespace graphviz {

inline bool found() {
  static const bool there = std::system("dot -V > /dev/null 2>&1") == 0;
  if (!there) MESSAGE("skipped: Graphviz is not installed");
  return there;
}

struct Picture {
  int nodes = 0, edges = 0, clusters = 0;
  std::string drawn;  // the diagram as SVG
};

// Runs a command. Throws if Graphviz prints an error or a warning.
inline std::string run(const std::string& command, const scratch::ScratchFolder& folder) {
  const auto text_of = [&](const char* name) {
    std::ifstream file(folder / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string path = (folder / "").string();
  const int status = std::system(("cd '" + path + "' && " + command + " > out 2> complaint").c_str());
  const std::string complaint = text_of("complaint");
  if (status != 0 || !complaint.empty()) throw std::runtime_error(command + ": " + complaint);
  return text_of("out");
}

// Parses the text and, if `draw`, lays it out and draws it, since labels are parsed only then.
inline Picture read(const std::string& dot, bool draw = true) {
  const scratch::ScratchFolder folder;
  std::ofstream(folder / "in.dot", std::ios::binary) << dot;
  Picture picture;
  // gvpr counts what the parser read.
  const std::string counts = run("gvpr 'BEG_G { printf(\"%d %d\\n\", nNodes($G), nEdges($G)); }' in.dot", folder);
  if (std::sscanf(counts.c_str(), "%d %d", &picture.nodes, &picture.edges) != 2)
    throw std::runtime_error("gvpr printed: " + counts);
  if (draw) picture.drawn = run("dot -Tsvg in.dot", folder);
  for (std::size_t at = picture.drawn.find("class=\"cluster\""); at != std::string::npos;
       at = picture.drawn.find("class=\"cluster\"", at + 1))
    ++picture.clusters;
  return picture;
}

}  // namespace graphviz
