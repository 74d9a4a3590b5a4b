#!/usr/bin/env bash
# Compares the output of a program with the expected output, in which `...` matches any text within a line.
#
#   same_lines.sh EXPECTED.txt PRINTED.txt
set -euo pipefail
mapfile -t expected <"$1"
mapfile -t printed <"$2"
same=true
[ ${#expected[@]} -eq ${#printed[@]} ] || same=false
for i in "${!expected[@]}"; do
  pattern=$(printf '%s' "${expected[$i]}" | sed -e 's/[]\\*?[]/\\&/g' -e 's/\.\.\./*/g')
  # shellcheck disable=SC2053  # intentional pattern match
  [[ ${printed[$i]-} == $pattern ]] || { same=false; printf 'expected: %s\nprinted:  %s\n' "${expected[$i]}" "${printed[$i]-}"; }
done
$same
