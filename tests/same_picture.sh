#!/usr/bin/env bash
# Whether a picture of the documentation is what a program draws: the same nodes, edges and labels. Where they lie is up to the
# version of Graphviz. Of plots the numbers may be others, since those that training gives depend on the processor.
#
#   same_picture.sh SHOWN.svg DRAWN.svg
set -euo pipefail
content() {
  grep -oE '<(title|text[^>]*)>[^<]*<' "$1" | sed 's/^<[^>]*>//' | {
    if grep -q xgrad-scale "$1"; then sed -E 's/(\xe2\x88\x92)?[0-9][0-9.]*/0/g' | sort -u; else sort; fi
  }
}
diff <(content "$1") <(content "$2") || { echo "$1 is not what the program draws: $2"; exit 1; }
