#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Code in the docs is code that is compiled. A block that follows a line <!-- from: path#name --> must equal the lines
# between '// [name]' and '// [/name]' (or '# [name]') of that file, less the indentation of the first marker.
# 'bash tests/house/excerpts.sh --fix' copies the excerpts into the docs.
set -u
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0
for page in README.md CONTRIBUTING.md docs/*.md examples/*/README.md; do
  [ -f "$page" ] || continue
  awk -v page="$page" '
    function excerpt(path, name,    line, indentation, inside, found, text) {
      inside = 0; found = 0; text = ""
      while ((getline line < path) > 0) {
        if (line ~ "^ *(//|#) \\[/" name "\\]$") { inside = 0; found = 2; break }
        if (inside) text = text (substr(line, 1, indentation) ~ /^ *$/ ? substr(line, indentation + 1) : line) "\n"
        if (line ~ "^ *(//|#) \\[" name "\\]$") { match(line, /^ */); indentation = RLENGTH; inside = 1; found = 1 }
      }
      close(path)
      if (found != 2) print page ": no excerpt [" name "] to [/" name "] in " path > "/dev/stderr"
      return text
    }
    /^<!-- from: .*#.* -->$/ { split($0, word, " "); split(word[3], place, "#"); waiting = 1; print; next }
    waiting && /^```/ { print; printf "%s", excerpt(place[1], place[2]); waiting = 0; skipping = 1; next }
    waiting && !/^$/ { print page ": <!-- from --> is not followed by a code block" > "/dev/stderr"; waiting = 0 }
    skipping && /^```/ { skipping = 0 }
    !skipping { print }
  ' "$page" >"$scratch/page" 2>"$scratch/complaints"
  if [ -s "$scratch/complaints" ]; then
    cat "$scratch/complaints"
    status=1
  elif ! cmp -s "$scratch/page" "$page"; then
    if [ "${1:-}" = --fix ]; then
      cat "$scratch/page" >"$page"
    else
      diff -u "$page" "$scratch/page"
      status=1
    fi
  fi
done
[ "$status" -eq 0 ] || echo "docs differ from the code that they show; bash tests/house/excerpts.sh --fix copies it" >&2
exit "$status"
