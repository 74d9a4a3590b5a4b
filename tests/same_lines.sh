#!/usr/bin/env bash
# Whether a program printed what a document says, where `...` stands for anything within a line.
#
#   same_lines.sh EXPECTED.txt PRINTED.txt
set -euo pipefail
mapfile -t expected <"$1"
mapfile -t printed <"$2"
same=true
[ ${#expected[@]} -eq ${#printed[@]} ] || same=false
for i in "${!expected[@]}"; do
  pattern=$(printf '%s' "${expected[$i]}" | sed -e 's/[]\\*?[]/\\&/g' -e 's/\.\.\./*/g')
  # shellcheck disable=SC2053  # the pattern is meant as one
  [[ ${printed[$i]-} == $pattern ]] || { same=false; printf 'expected: %s\nprinted:  %s\n' "${expected[$i]}" "${printed[$i]-}"; }
done
$same
