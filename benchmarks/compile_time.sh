#!/usr/bin/env bash
# Measures compile times: a file with all headers, a file with the engine only, and the library from scratch.
#
#   benchmarks/compile_time.sh [COMPILER]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
compiler=${1:-c++}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CCACHE_DISABLE=1

seconds() { local start=$EPOCHREALTIME; "$@" >/dev/null; awk "BEGIN { printf \"%.2f s\", $EPOCHREALTIME - $start }"; }

cmake -S . -B "$scratch/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$compiler" \
  -DXGRAD_BUILD_TESTS=OFF -DXGRAD_BUILD_TOOLS=OFF -DXGRAD_BUILD_EXAMPLES=OFF >/dev/null
for header in engine xgrad; do
  printf '#include <xgrad/%s.hpp>\nint main() { xgrad::Graph g; (void)g; }\n' "$header" >"$scratch/$header.cpp"
  for level in -O0 -O2; do
    took=$(seconds "$compiler" -std=c++20 $level -I"$scratch/build/include" -c "$scratch/$header.cpp" -o "$scratch/$header.o")
    echo "file with <xgrad/$header.hpp>, $level: $took"
  done
done
echo "library from scratch, $(nproc) processors: $(seconds cmake --build "$scratch/build")"
