// The worker of this library.
#include <string>
#include <xgrad/graph/base/version.hpp>
#include "jobs.hpp"

int main(int argc, char** argv) {
  return bench::serve({.about = std::string("xgrad ") + xgrad::version_text(),
                       .jobs = bench::all_jobs(),
                       .first_step = bench::first_step,
                       .quantities = bench::memory_quantities},
                      argc, argv);
}
