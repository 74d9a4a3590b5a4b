#!/usr/bin/env bash
# Checks the links of Markdown files: the file exists, and so does the heading of an anchor. In tables of architecture.md,
# each name in the last column must occur in one of the files that the row links to.
#
#   links.sh ROOT
set -euo pipefail
cd "$1"
documents=(README.md CONTRIBUTING.md CHANGELOG.md docs/*.md)

# Prints FILE LINE TARGET for each link outside of code blocks.
links() {
  awk '
    /^```/ { code = !code; next }
    code   { next }
    {
      rest = $0
      while (match(rest, /\]\([^) ]+\)/)) {
        print FILENAME, FNR, substr(rest, RSTART + 2, RLENGTH - 3)
        rest = substr(rest, RSTART + RLENGTH)
      }
    }' "$1"
}
# Prints the anchors of a file's headings, as GitHub makes them.
anchors() {
  awk '/^```/ { code = !code } !code && /^#+ /' "$1" | sed -e 's/^#* //' -e 's/[^A-Za-z0-9 _-]//g' -e 's/ /-/g' | tr '[:upper:]' '[:lower:]'
}

failed=0
fail() {
  echo "$1"
  failed=1
}
count=0
for document in "${documents[@]}"; do
  while read -r file line target; do
    case $target in http://* | https://*) continue ;; esac
    count=$((count + 1))
    path=${target%%#*}
    if [ -z "$path" ]; then to=$file; else to=$(dirname "$file")/$path; fi
    [ -e "$to" ] || { fail "$file:$line: there is no $to"; continue; }
    case $target in
      *#*) anchors "$to" | grep -xF -- "${target#*#}" >/dev/null || fail "$file:$line: $to has no heading #${target#*#}" ;;
    esac
  done < <(links "$document")
done

names=0
while IFS='|' read -r line files columns; do
  for name in $columns; do
    names=$((names + 1))
    # Class::name is defined as such, or within the class.
    # shellcheck disable=SC2086  # a list of files
    grep -qF -- "$name" $files || { [[ $name == *::* ]] && grep -qF -- "${name%%::*}" $files && grep -qE -- "\b${name##*::}\b" $files; } ||
      fail "docs/architecture.md:$line: there is no $name in $files"
  done
done < <(awk -F'|' '
  /^\|/ && NF == 5 {
    files = ""; names = ""; rest = $3
    while (match(rest, /\]\([^)]+\)/)) {
      files = files " docs/" substr(rest, RSTART + 2, RLENGTH - 3); rest = substr(rest, RSTART + RLENGTH)
    }
    rest = $4
    while (match(rest, /`[^`]+`/)) {
      names = names " " substr(rest, RSTART + 1, RLENGTH - 2); rest = substr(rest, RSTART + RLENGTH)
    }
    if (files != "") print NR "|" files "|" names
  }' docs/architecture.md)
[ "$names" -gt 0 ] || fail "docs/architecture.md: no name is checked"
[ "$failed" -eq 0 ]
echo "links: $count links lead somewhere, $names names are where the map says"
