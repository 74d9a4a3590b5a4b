// The worker for libraries with the CBLAS interface, compiled once for each: OpenBLAS, BLIS. Products with a single row
// call the matrix-vector product, as a caller who knows the shapes would.
#include <cstdlib>
#include <string>

#include <cblas.h>

#include "../shapes.hpp"
#include "../worker.hpp"

// Returns the library's version string.
extern "C" char* BENCH_VERSION_FUNCTION();

namespace {

void multiply(const bench::Product& p, const float* a, const float* b, float* c) {
  if (p.m == 1 && !p.tb) {
    cblas_sgemv(CblasRowMajor, CblasTrans, p.k, p.n, 1, b, p.n, a, 1, 0, c, 1);
    return;
  }
  cblas_sgemm(CblasRowMajor, p.ta ? CblasTrans : CblasNoTrans, p.tb ? CblasTrans : CblasNoTrans, p.m, p.n, p.k, 1, a,
              p.ta ? p.m : p.k, b, p.tb ? p.k : p.n, 0, c, p.n);
}

bench::Prepared product(const bench::Product& p) {
  const auto a = bench::values(std::int64_t{p.m} * p.k), b = bench::values(std::int64_t{p.k} * p.n, 1);
  auto c = bench::values(std::int64_t{p.m} * p.n);
  multiply(p, a.data(), b.data(), c.data());
  bench::check(p, a.data(), b.data(), c.data());
  const std::vector<bench::Digest> results{bench::digest(c.data(), std::int64_t{p.m} * p.n)};
  return {bench::timed([=]() mutable { multiply(p, a.data(), b.data(), c.data()); }), [results] { return results; }};
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<bench::Job> jobs;
  for (const bench::Product& p : bench::products) jobs.push_back({p.name(), [p](int) { return product(p); }});
  return bench::serve({.about = std::string(BENCH_NAME) + BENCH_VERSION_FUNCTION(), .jobs = std::move(jobs)}, argc,
                      argv);
}
