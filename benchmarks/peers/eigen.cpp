// The worker for Eigen, which is header-only: compiled with -march=native, and with OpenMP for its products.
#include <string>

#include <Eigen/Core>

#include "../shapes.hpp"
#include "../worker.hpp"

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix made_up(int rows, int columns, std::size_t seed) {
  Matrix out(rows, columns);
  bench::fill(out.data(), out.size(), seed);
  return out;
}

bench::Prepared product(const bench::Product& p) {
  Matrix a = p.ta ? made_up(p.k, p.m, 0) : made_up(p.m, p.k, 0);
  Matrix b = p.tb ? made_up(p.n, p.k, 1) : made_up(p.k, p.n, 1);
  Matrix c = p.ta ? Matrix(a.transpose() * b) : p.tb ? Matrix(a * b.transpose()) : Matrix(a * b);
  bench::check(p, a.data(), b.data(), c.data());
  const auto prepared = [results = std::vector<bench::Digest>{bench::digest(c.data(), c.size())}](bench::Run run) {
    return bench::Prepared(std::move(run), [results] { return results; });
  };
  if (p.m == 1 && !p.ta && !p.tb) {  // a vector-matrix product, which Eigen selects by type
    return prepared(
        bench::timed([a = Eigen::RowVectorXf(a), b, c = Eigen::RowVectorXf(c)]() mutable { c.noalias() = a * b; }));
  }
  if (p.ta) return prepared(bench::timed([a, b, c]() mutable { c.noalias() = a.transpose() * b; }));
  if (p.tb) return prepared(bench::timed([a, b, c]() mutable { c.noalias() = a * b.transpose(); }));
  return prepared(bench::timed([a, b, c]() mutable { c.noalias() = a * b; }));
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<bench::Job> jobs;
  for (const bench::Product& p : bench::products) jobs.push_back({p.name(), [p](int) { return product(p); }});
  const std::string version = std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
                              std::to_string(EIGEN_MINOR_VERSION);
  return bench::serve({.about = "Eigen " + version, .jobs = std::move(jobs), .set_threads = Eigen::setNbThreads}, argc,
                      argv);
}
