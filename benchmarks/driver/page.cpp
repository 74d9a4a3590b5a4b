#include "page.hpp"

#include <fmt/format.h>

#include <vector>

#include "tables.hpp"

namespace bench {
namespace {

std::string section(const std::string& title, const std::string& words, const Table& table) {
  if (table.rows.empty()) return "";
  return "## " + title + "\n\n" + words + "\n\n" + table.markdown() + "\n";
}

std::string list(const std::vector<std::string>& lines, const std::string& otherwise) {
  if (lines.empty()) return otherwise + "\n";
  std::string out;
  for (const std::string& line : lines) out += "- " + line + "\n";
  return out;
}

}  // namespace

std::string page(const Results& results) {
  std::string out = fmt::format(R"(# Performance

This page is written by

```sh
{}
```

and never by hand. Run it on a machine of your own: the ratios are what counts, and they differ from processor to processor.

| | |
|---|---|
| date | {} |
| processor | {} |
| memory | {} |
| system | {} |
| compiler | {} |
| load before the run | {} |
)",
                                results.command, results.date, results.processor, results.memory, results.system,
                                results.compiler, results.load);
  for (const auto& [name, about] : results.workers) out += fmt::format("| {} | {} |\n", name, about);
  out += R"(
How it is measured: each library runs in a process of its own, with as many threads as the table says, and they take turns
at the same job, round after round; while one runs, the others are stopped. Times are medians over the rounds. A ratio is
the median of the ratios within each round, since the machine may be slower in the next: how many times as long as xgrad the
other one takes, so that 2x means that xgrad is twice as fast. *Wanted* is what the project has set itself as its aim, and
*reached* says whether this run was there. All get huge pages from the C library, and peers are set
up as they run fastest: see the comments in [benchmarks/peers](../benchmarks/peers).

)";
  out += section(
      "Networks and single operations",
      "Against libtorch's C++ front end with OpenBLAS. The *seed net* is 784-64-64-64-10 with batch normalization "
      "after each\nhidden layer, dropout and Adam, on batches of 128; *step* is one batch again and again, *in "
      "order* and *shuffled* are\nepochs over 60,000 rows with all that `fit` does. The *wide net* is "
      "784-1024-1024-1024-10 on batches of 256, the *Boston net*\n13-32-16-1 with batch normalization and dropout "
      "on batches of 8. The *tanh net* has three layers of 64; its penalties need\nderivatives of derivatives. "
      "Batch normalization, softmax and the losses are compositions of primitives here, and hand-written\nkernels "
      "there.",
      peer_table(results));
  out +=
      section("Memory bandwidth",
              "Sums read a matrix of 64 MiB and should cost what reading it costs. A chain of eight cheap elementwise "
              "operations on 64 MiB\nshould cost little more than a copy.",
              hardware_table(results));
  out += section(
      "Products of matrices",
      "`128x784x64` is a [128, 784] by [784, 64] product; with `ta` the first operand is stored transposed, with "
      "`tb` the second. The\nshapes are those of the nets above, forward and backward. Numbers are GFLOP/s.",
      product_table(results));
  if (const Table means = product_means(results); !means.rows.empty()) {
    out += "Over all shapes, the geometric mean of each library's time over ours:\n\n" + means.markdown() + "\n";
  }
  out += section(
      "Planning, start and memory",
      "`plan/seed` makes the plan of the seed net's step of training. `start` is a program from its start to the end "
      "of its first\nstep, and its memory above its data. `memory` is what the plan of a step of training takes, "
      "beside the sum of all its\nvalues.",
      engine_table(results));
  out += section("What a node costs",
                 "Chains of tiny operations: building the graph, differentiating it, planning it and running the plan. "
                 "The cost of a "
                 "node should\nnot depend on the length of the chain.",
                 node_table(results));
  out += "## Slower than peers\n\n" + list(slower_jobs(results), "Nowhere in this run.");
  out += "\n## Missed targets\n\n" + list(missed_targets(results), "Everything wanted was reached in this run.");
  if (const auto lines = noisy_results(results); !lines.empty()) {
    out +=
        "\n## Noisy measurements\n\nSomething else ran meanwhile, so these numbers, and the ratios with them, are not "
        "to be "
        "relied on:\n\n" +
        list(lines, "");
  }
  if (!results.notes.empty()) out += "\n## What was left out\n\n" + list(results.notes, "");
  return out;
}

}  // namespace bench
