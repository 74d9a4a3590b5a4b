#include "peers.hpp"

#include <fmt/format.h>

#include <sstream>
#include <stdexcept>

#include "results.hpp"

namespace bench {

Processor this_processor() {
  Processor out;
#ifdef __x86_64__
  out.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  out.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  out.amd = __builtin_cpu_is("amd");
#endif
  return out;
}

std::vector<Peer> peers(const Processor& processor) {
  std::vector<Setting> torch, blis{{"own choice", {{"BLIS_ARCH_TYPE", ""}}}};
  if (processor.avx2) torch.push_back({"AVX2", {{"ATEN_CPU_CAPABILITY", "avx2"}}});
  if (processor.avx512) {
    torch.push_back({"AVX-512", {{"ATEN_CPU_CAPABILITY", "avx512"}}});
    // BLIS finds its AVX-512 kernels by the model name, which virtual machines and newer processors do not have.
    blis.push_back({"SKX", {{"BLIS_ARCH_TYPE", "0"}}});
  }
  if (torch.empty()) torch.push_back({"", {{"ATEN_CPU_CAPABILITY", ""}}});
  if (blis.size() == 1) blis[0].name.clear();
  const std::vector<Setting> one{{}};
  return {
      {ours, "", one},
      {"torch", "libtorch-dev libopenblas-openmp-dev", torch},
      {"openblas", "libopenblas-openmp-dev", one},
      {"blis", "libblis-openmp-dev", blis},
      {"onednn", "libdnnl-dev", one},
      {"libxsmm", "libxsmm-dev", one},
      {"eigen", "libeigen3-dev", one},
      {"onnxruntime", "nodejs npm, then npm install --global --ignore-scripts onnxruntime-node", one},
      {"hardware", "libgomp1", one},
  };
}

Environment environment(const Processor& processor, int threads) {
  const std::string count = std::to_string(threads);
  // OpenBLAS falls back to its oldest kernels on processors newer than itself, which slows it and libtorch several
  // times; an inherited value may do the same.
  const char* core = processor.avx512 ? "SkylakeX" : !processor.avx2 ? "" : processor.amd ? "Zen" : "Haswell";
  return {{"XGRAD_THREADS", count},
          {"OMP_NUM_THREADS", count},
          {"OPENBLAS_NUM_THREADS", count},
          {"BLIS_NUM_THREADS", count},
          {"OPENBLAS_CORETYPE", core},
          // Huge pages for malloc, and no return of freed memory to the system: the peers allocate their results, and
          // are faster without page faults.
          {"GLIBC_TUNABLES",
           "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8000000000:glibc.malloc.trim_threshold=16000000000:"
           "glibc.malloc.top_pad=67108864"}};
}

std::pair<std::string, std::string> job_and_implementation(const std::string& name) {
  const std::size_t at = name.find('@');
  if (at == std::string::npos) return {name, ""};
  return {name.substr(0, at), name.substr(at + 1)};
}

std::vector<Digest> parse_results(const std::string& answer) {
  std::istringstream in(answer);
  std::vector<Digest> out;
  // Not >> for double, which does not read "nan".
  for (std::string count, projection, norm; in >> count;) {
    if (!(in >> projection >> norm)) throw std::runtime_error("not digests of results: " + answer);
    try {
      out.push_back({std::stod(count), std::stod(projection), std::stod(norm)});
    } catch (const std::logic_error&) {
      throw std::runtime_error("not digests of results: " + answer);
    }
  }
  return out;
}

std::string difference(const std::vector<Digest>& us, const std::vector<Digest>& they, double tolerance) {
  if (us.empty() || they.empty()) return "";
  if (us.size() != they.size()) return fmt::format("{} results instead of {}", they.size(), us.size());
  for (std::size_t i = 0; i < us.size(); ++i) {
    const Digest &a = us[i], &b = they[i];
    if (equal(a, b, tolerance)) continue;
    const std::string which = us.size() > 1 ? fmt::format("result {} has", i) : "the result has";
    if (a.count != b.count) return fmt::format("{} {:.0f} elements instead of {:.0f}", which, b.count, a.count);
    return fmt::format("{} norm {:.6g} and projection {:.6g} instead of {:.6g} and {:.6g}", which, b.norm, b.projection,
                       a.norm, a.projection);
  }
  return "";
}

}  // namespace bench
