// The worker for oneDNN: a matmul primitive per shape, on row-major memory as in the other workers.
#include <string>

#include <dnnl.hpp>

#include "../shapes.hpp"
#include "../worker.hpp"

namespace {

bench::Prepared product(const bench::Product& p) {
  using dnnl::memory;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  const auto of = [](int rows, int columns, bool transposed) {
    return memory::desc({rows, columns}, memory::data_type::f32,
                        transposed ? memory::format_tag::ba : memory::format_tag::ab);
  };
  const auto filled = [&](const memory::desc& desc, std::size_t seed) {
    memory out(desc, engine);
    bench::fill(static_cast<float*>(out.get_data_handle()), static_cast<std::int64_t>(desc.get_size() / sizeof(float)),
                seed);
    return out;
  };
  const memory a = filled(of(p.m, p.k, p.ta), 0), b = filled(of(p.k, p.n, p.tb), 1), c = filled(of(p.m, p.n, false), 2);
  const dnnl::matmul matmul(
      dnnl::matmul::primitive_desc(dnnl::matmul::desc(a.get_desc(), b.get_desc(), c.get_desc()), engine));
  dnnl::stream stream(engine);
  const auto once = [=]() mutable {
    matmul.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
    stream.wait();
  };
  bench::Run run = bench::timed(once);
  (void)run(1);
  const auto values = [](const memory& m) { return static_cast<const float*>(m.get_data_handle()); };
  bench::check(p, values(a), values(b), values(c));
  const std::vector<bench::Digest> results{bench::digest(values(c), std::int64_t{p.m} * p.n)};
  return {run, [results] { return results; }};
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<bench::Job> jobs;
  for (const bench::Product& p : bench::products) jobs.push_back({p.name(), [p](int) { return product(p); }});
  const dnnl_version_t* v = dnnl_version();
  return bench::serve(
      {.about = "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch),
       .jobs = std::move(jobs)},
      argc, argv);
}
