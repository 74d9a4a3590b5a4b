// This library's worker.
#include "jobs.hpp"

int main(int argc, char** argv) {
  return bench::serve({.about = "xgrad " XGRAD_VERSION,
                       .jobs = bench::all_jobs(),
                       .first_step = bench::first_step,
                       .numbers = bench::memory_numbers},
                      argc, argv);
}
