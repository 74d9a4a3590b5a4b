#!/usr/bin/env bash
# Compares an image of the documentation with the one that a program draws: the same nodes, edges and labels, at any
# position, since layouts depend on the version of Graphviz. In plots numbers may differ, since training results depend
# on the processor.
#
#   same_picture.sh SHOWN.svg DRAWN.svg
set -euo pipefail
content() {
  grep -oE '<(title|text[^>]*)>[^<]*<' "$1" | sed 's/^<[^>]*>//' | {
    if grep -q xgrad-scale "$1"; then sed -E 's/(\xe2\x88\x92)?[0-9][0-9.]*/0/g' | sort -u; else sort; fi
  }
}
diff <(content "$1") <(content "$2") || { echo "$1 differs from the image that the program draws: $2"; exit 1; }
