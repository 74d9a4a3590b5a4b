// The sections of the comparison with libtorch.
#pragma once

#include <string>
#include <vector>

namespace bench {

struct Section {
  std::string title;
  std::string text;                   // Markdown, below the title
  std::vector<std::string> families;  // beginnings of the names of its jobs, without the slash after them

  bool has(const std::string& job) const;
};

// Each job is in the first section that has it; the last has all.
const std::vector<Section>& sections();
const Section& section_of(const std::string& job);

}  // namespace bench
