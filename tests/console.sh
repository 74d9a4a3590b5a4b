#!/usr/bin/env bash
# Runs the commands of a Markdown file's console blocks and compares their output with the block. Lines that start with
# "$ " are commands; in the expected output `...` matches any text within a line. Images that the commands draw must be
# those in the document.
#
#   console.sh FILE.md FOLDER_TO_RUN_IN FOLDER_OF_PROGRAMS ...
set -euo pipefail
tests=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
document=$(realpath "$1") folder=$2
shift 2
for programs in "$@"; do PATH=$programs:$PATH; done
export PATH TZ=UTC
cd "$folder"
rm -f console_*

awk '
  /^```console$/ { inside = 1; next }
  /^```/         { inside = 0; next }
  !inside        { next }
  /^\$ /         { n++; print substr($0, 3) > ("console_" n ".sh"); printf "" > ("console_" n ".txt"); next }
                 { print > ("console_" n ".txt") }
' "$document"

count=0
for command in console_*.sh; do
  [ -f "$command" ] || { echo "$document: no commands found"; exit 1; }
  base=${command%.sh}
  bash "$command" >"$base.out" 2>&1 || { echo "$document: \`$(cat "$command")\` fails:"; cat "$base.out"; exit 1; }
  "$tests/same_lines.sh" "$base.txt" "$base.out" || { echo "$document: \`$(cat "$command")\` prints different output:"; cat "$base.out"; exit 1; }
  count=$((count + 1))
done
# Compares all numbers, unlike same_picture.sh: these images do not depend on the processor.
content() { grep -oE '<(title|text[^>]*)>[^<]*<' "$1" | sed 's/^<[^>]*>//' | sort; }
for drawn in *.svg; do
  shown=$(dirname "$document")/images/$drawn
  [ -f "$drawn" ] && [ -f "$shown" ] || continue
  diff <(content "$shown") <(content "$drawn") || { echo "$document: $shown differs from the image that the command draws"; exit 1; }
done
echo "$document: $count commands print the expected output"
