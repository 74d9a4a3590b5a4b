// Tables of results, as text and as Markdown.
#pragma once

#include <string>
#include <vector>

#include "results.hpp"
#include "sections.hpp"

namespace bench {

struct Table {
  std::string title;
  std::vector<std::string> head;               // the first column is left-aligned, the others right-aligned
  std::vector<std::vector<std::string>> rows;  // each of the size of the head

  std::string plain() const;
  std::string markdown() const;
};

// Formats with three digits and a unit: "12.3 us", "4.05 MiB".
std::string with_unit(double value, Unit unit);
// "2.31x"; "-" for NaN.
std::string times(double ratio);
// How texts name a worker: its name, but "memory bandwidth" for "hardware", which measures the machine.
std::string label(const std::string& who);

// Each has no rows if no such job was measured.
Table peer_table(const Results& results, const Section& section);  // compared with libtorch
Table inference_table(const Results& results);                     // compared with onnxruntime
Table hardware_table(const Results& results);                      // compared with memory bandwidth
Table product_table(const Results& results);                       // matrix multiplication, in GFLOP/s
Table product_means(const Results& results);                       // mean ratio of each library over all shapes
Table engine_table(const Results& results);                        // planning and memory, compared with limits
Table node_table(const Results& results);                          // nanoseconds per node, by chain length
std::vector<Table> all_tables(const Results& results);

// A line for each missed target, the furthest from its target first.
std::vector<std::string> missed_targets(const Results& results);
// A line for each job at which a peer is faster by at least half a percent.
std::vector<std::string> slower_jobs(const Results& results);
// A line for each noisy measurement; see Entry::noisy.
std::vector<std::string> noisy_results(const Results& results);

}  // namespace bench
