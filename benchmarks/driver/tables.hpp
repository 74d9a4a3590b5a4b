// Results as tables, for a terminal and for a page.
#pragma once

#include <string>
#include <vector>

#include "results.hpp"

namespace bench {

struct Table {
  std::string title;
  std::vector<std::string> head;               // the first column is aligned left, the others right
  std::vector<std::vector<std::string>> rows;  // each as long as the head

  std::string plain() const;
  std::string markdown() const;
};

// Three digits and a unit: "12.3 us", "4.05 MiB".
std::string with_unit(double value, Unit unit);
// "2.31x"; "-" for NaN.
std::string times(double ratio);

// Each is without rows if nothing of its kind was measured.
Table peer_table(const Results& results);      // against libtorch
Table hardware_table(const Results& results);  // against the machine's memory
Table product_table(const Results& results);   // products of matrices, in GFLOP/s
Table product_means(const Results& results);   // against each library over all shapes
Table engine_table(const Results& results);    // planning and memory, against limits
Table node_table(const Results& results);      // nanoseconds a node, by length of the chain
std::vector<Table> all_tables(const Results& results);

// A line for everything wanted that was measured and not reached, the furthest from its aim first.
std::vector<std::string> missed_targets(const Results& results);
// A line for each job at which a peer is faster than we are, by half a percent or more.
std::vector<std::string> slower_jobs(const Results& results);
// A line for everything during which something else seems to have run.
std::vector<std::string> noisy_results(const Results& results);

}  // namespace bench
