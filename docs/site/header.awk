# Doxygen's filter for headers. Public headers have plain `//` comments, as C++ readers expect them; this makes those that
# precede or follow a declaration comments that Doxygen reads, with their special characters escaped and examples as code.
function escaped(text,  parts, n, i, out) {
  n = split(text, parts, "`")
  for (i = 1; i <= n; ++i) {
    if (i % 2 == 1 || n % 2 == 0) {
      gsub(/\\/, "\\\\", parts[i])
      gsub(/[@#<>%&$*|~\[\]_^]/, "\\\\&", parts[i])
      gsub(/\\\^/, "^", parts[i]); gsub(/\\~/, "~", parts[i]); gsub(/\\_/, "_", parts[i]); gsub(/\\\|/, "|", parts[i])
      gsub(/\\\[/, "[", parts[i]); gsub(/\\\]/, "]", parts[i])
    }
    out = out (i > 1 ? "`" : "") parts[i]
  }
  return out
}
function end_code() { if (in_code) print indent "/// @endcode"; in_code = 0 }
{
  sub(/namespace xgrad::inline v0/, "namespace xgrad")
  at = match($0, /\/\//)
  before = at ? substr($0, 1, at - 1) : $0
  text = at ? substr($0, at + 2) : ""
}
# A comment of its own line.
at && before ~ /^ *$/ {
  if (text ~ /^ ----/ || text ~ /^ NOLINT/) { end_code(); print; next }
  if (at == trailing) { print before "///<" escaped(text); next }
  indent = before
  if (NR == 1) print "/// @file"
  if (text ~ /^   /) {
    if (!in_code) print indent "/// @code"
    in_code = 1
    print indent "///" text
    next
  }
  if (in_code && text ~ /^ *$/) { print indent "///"; next }
  end_code()
  print indent "///" escaped(text)
  in_block = 1
  next
}
{ end_code(); trailing = 0 }
# One that follows a function with a body on one line.
at && before ~ /\) *(const *)?(noexcept *)?\{.*\} *$/ {
  match(before, /^ */)
  print substr(before, 1, RLENGTH) "///" escaped(text)
  print before
  next
}
# One that follows a declaration.
at && before ~ /[,;{}] *$/ && before !~ /^ *}/ && before !~ /^ *#/ && before !~ /"[^"]*$/ {
  if (before ~ /[;,] *$/) { trailing = at; print before "///<" escaped(text); next }
}
{ print }
