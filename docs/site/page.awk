# Doxygen's filter for the guide's pages: headings get names, and links go to them. Links to sources that the reference
# does not have become code.
function base(path) {
  sub(/.*\//, "", path)
  sub(/\.md$/, "", path)
  return tolower(path)
}
function slug(text) {
  text = tolower(text)
  gsub(/[^a-z0-9 _-]/, "", text)
  gsub(/ /, "-", text)
  return text
}
# The name of the page that `path` is; README.md in docs is another than that above.
function page_of(path) {
  if (base(path) == "readme") return path ~ /docs\// || (in_docs && path !~ /\.\.\//) ? "guide" : "readme"
  return "page_" base(path)
}
function link_to(text, target,  hash, anchor) {
  gsub(/\n */, " ", text)
  if (target ~ /^https?:/) return "[" text "](" target ")"
  if ((hash = index(target, "#")) > 0) {
    anchor = "_" substr(target, hash + 1)
    target = substr(target, 1, hash - 1)
  }
  if (target == "") return "[" text "](@ref " own anchor ")"
  if (target !~ /\.md$/) return text ~ /`/ ? text : "`" text "`"
  target = page_of(target) anchor
  return "[" text "](@ref " (target == "readme" ? "index" : target) ")"
}
# Prints the lines that were kept: a link may go from one to the next.
function flush(  link, middle, target) {
  while (match(kept, /!?\[[^][]*\]\([^() ]+\)/)) {
    printf "%s", substr(kept, 1, RSTART - 1)
    link = substr(kept, RSTART, RLENGTH)
    kept = substr(kept, RSTART + RLENGTH)
    middle = index(link, "](")
    target = substr(link, middle + 2, length(link) - middle - 2)
    if (link ~ /^!/) {
      sub(/.*\//, "", target)
      printf "%s](%s)", substr(link, 1, middle - 1), target
    } else {
      printf "%s", link_to(substr(link, 2, middle - 2), target)
    }
  }
  printf "%s", kept
  kept = ""
}
BEGIN {
  path = ARGV[1]
  if (index(path, ENVIRON["PWD"] "/") == 1) path = substr(path, length(ENVIRON["PWD"]) + 2)
  in_docs = path ~ /^docs\//
  own = page_of(path ~ /^docs\// ? substr(path, 6) : path)
}
/^```/ {
  flush()
  code = !code
  sub(/^```(text|console|sh)$/, "```{.txt}")
  print
  next
}
code { print; next }
/^#+ / {
  flush()
  title = $0
  sub(/^#+ /, "", title)
  print $0 " {#" (!/^# / ? own "_" slug(title) : own == "readme" ? "mainpage" : own) "}"
  next
}
/^$/ { flush(); print; next }
{ kept = kept $0 "\n" }
END { flush() }
