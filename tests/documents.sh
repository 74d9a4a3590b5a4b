#!/usr/bin/env bash
# Compiles and runs every C++ program of a Markdown file and compares its output with the text block that follows it. In
# the expected output `...` matches any text within a line.
#
#   documents.sh FILE.md SCRATCH_FOLDER COMPILER INCLUDE_FOLDER LIBRARY [FLAG ...]
set -euo pipefail
tests=$(dirname "${BASH_SOURCE[0]}")
document=$1 scratch=$2 compiler=$3 include=$4 library=$5
shift 5
rm -rf "$scratch"
mkdir -p "$scratch"

# program_1.cpp, program_1.txt, program_2.cpp ...: a text block belongs to the program before it.
awk -v to="$scratch" '
  /^```cpp$/  { n++; file = to "/program_" n ".cpp"; next }
  /^```text$/ { file = to "/program_" n ".txt"; next }
  /^```/      { file = ""; next }
  file != ""  { print > file }
' "$document"

count=0
for program in "$scratch"/program_*.cpp; do
  [ -f "$program" ] || { echo "$document: no programs found"; exit 1; }
  base=${program%.cpp}
  "$compiler" -std=c++20 -O0 "$@" -I"$include" "$program" "$library" -lfmt -lzip -lpng -lz -lprotobuf-lite -pthread -o "$base"
  (cd "$scratch" && "$base" >"$base.out")
  if [ -f "$base.txt" ]; then
    "$tests/same_lines.sh" "$base.txt" "$base.out" || { echo "$document: program $(basename "$base") prints different output:"; cat "$base.out"; exit 1; }
  fi
  count=$((count + 1))
done
# Images shown next to the programs must be those that the programs draw.
for shown in "$(dirname "$document")"/{docs/,}images/*.svg; do
  drawn=$scratch/$(basename "$shown")
  [ -f "$shown" ] && [ -f "$drawn" ] || continue
  "$tests/same_picture.sh" "$shown" "$drawn"
done
echo "$document: $count programs print the expected output"
