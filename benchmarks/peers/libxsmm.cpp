// The worker for libxsmm, which generates a kernel for each shape when a job is prepared. Its kernels are
// single-threaded; large products split their rows among threads. Kernels do not support a transposed first operand, so
// libxsmm transposes it first, within the measured time.
#include <memory>
#include <stdexcept>
#include <string>

#include <libxsmm.h>

#include "../shapes.hpp"
#include "../worker.hpp"

namespace {

constexpr double parallel_min_flops = 4e5;

// libxsmm is column-major: row-major c = a . b is c' = b' . a', so its first operand is b.
bench::Prepared product(const bench::Product& p, int threads) {
  const int parts = p.flops() < parallel_min_flops ? 1 : std::min(threads, p.m);
  const int rows = (p.m + parts - 1) / parts;
  const int lda = p.n, ldb = p.ta ? p.m : p.k, ldc = p.n;
  const int flags = p.ta ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
  const float one = 1, zero = 0;
  const auto kernel = [&](int of_rows) {
    const libxsmm_smmfunction made =
        libxsmm_smmdispatch(p.n, of_rows, p.k, &lda, &ldb, &ldc, &one, &zero, &flags, nullptr);
    if (made == nullptr) throw std::runtime_error("libxsmm has no kernel for " + p.name());
    return made;
  };
  const libxsmm_smmfunction whole = kernel(rows), rest = kernel(p.m - rows * (parts - 1));
  const auto a = bench::values(std::int64_t{p.m} * p.k), b = bench::values(std::int64_t{p.k} * p.n, 1);
  const auto c = std::make_shared<std::vector<float>>(bench::values(std::int64_t{p.m} * p.n));
  const auto straight = std::make_shared<std::vector<float>>(b);
  bench::Run run = bench::timed([=] {
    if (p.tb) {
      libxsmm_otrans(straight->data(), b.data(), sizeof(float), static_cast<libxsmm_blasint>(p.k),
                     static_cast<libxsmm_blasint>(p.n), static_cast<libxsmm_blasint>(p.k),
                     static_cast<libxsmm_blasint>(p.n));
    }
    const float* right = p.tb ? straight->data() : b.data();
    const auto part = [&](int i) {
      const std::size_t first = static_cast<std::size_t>(i) * static_cast<std::size_t>(rows);
      const float* left = a.data() + (p.ta ? first : first * static_cast<std::size_t>(p.k));
      (i + 1 < parts ? whole : rest)(right, left, c->data() + first * static_cast<std::size_t>(p.n));
    };
    if (parts == 1) {
      part(0);
      return;
    }
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int i = 0; i < parts; ++i) part(i);
  });
  (void)run(1);
  bench::check(p, a.data(), b.data(), c->data());
  const std::vector<bench::Digest> results{bench::digest(c->data(), std::int64_t{p.m} * p.n)};
  return {run, [results] { return results; }};
}

}  // namespace

int main(int argc, char** argv) {
  libxsmm_init();
  std::vector<bench::Job> jobs;
  for (const bench::Product& p : bench::products) {
    jobs.push_back({p.name(), [p](int threads) { return product(p, threads); }});
  }
  return bench::serve({.about = "libxsmm " LIBXSMM_VERSION, .jobs = std::move(jobs)}, argc, argv);
}
