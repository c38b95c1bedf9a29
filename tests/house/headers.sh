#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each header compiles when it is the first that a program includes: headers.sh FOLDER COMPILER FLAGS...
# One compilation reads a chain of headers, the smallest first: each includes, itself or through others, all that stand
# before it. So it sees what it would see alone, and a third of the compilations do; that holds as all includes stand
# above all code, which is checked. A chain is compiled again when a byte of what it includes of temper's headers has
# changed: FOLDER keeps an empty file for each that passed, named by the hash of what it read.
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/../.."
version=$("$1" --version | head -n 1)
export folder version

# A line is the unit: the chain's headers, then '|', then all that the last of them includes.
chains() {
  find include kernels -name '*.hpp' -o -name '*.cuh' | grep -v /backend/cuda/ | sort | awk '
    { file = $0; sub(/^[a-z]*\//, ""); names[++count] = $0
      code = 0
      while ((more = (getline line < file)) > 0)
        if (match(line, /^#include [<"]temper\/[^>"]+/)) {
          included = substr(line, RSTART + 10, RLENGTH - 10)
          includes[$0, ++edges[$0]] = included
          if (code) refuse(file ": includes " included " below code; every include stands above it")
        } else if (line !~ /^ *(\/\/|#|$)/) code = 1
      if (more < 0) refuse(file ": cannot be read")
      close(file); paths[$0] = file }
    function refuse(why) { print why > "/dev/stderr"; refused = 1 }
    function close_over(header,   i, j, next_one) {
      if (header in size) return
      size[header] = 0
      for (i = 1; i <= edges[header]; ++i) {
        next_one = includes[header, i]
        close_over(next_one)
        add(header, next_one)
        for (j = 1; j <= size[next_one]; ++j) add(header, reached[next_one, j])
      }
    }
    function add(header, other) {
      if (!((header, other) in reaches)) { reaches[header, other] = 1; reached[header, ++size[header]] = other }
    }
    function largest_below(header,   i, best) {  # the largest that no chain has yet; of all, where header is empty
      best = ""
      if (header == "") { for (i = 1; i <= count; ++i) if (!(names[i] in taken) && (best == "" || size[names[i]] > size[best])) best = names[i] }
      else for (i = 1; i <= size[header]; ++i) if (!(reached[header, i] in taken) && (best == "" || size[reached[header, i]] > size[best])) best = reached[header, i]
      return best
    }
    END {
      if (refused) exit 1
      for (i = 1; i <= count; ++i) close_over(names[i])
      while ((top = largest_below("")) != "") {
        chain = ""
        for (header = top; header != ""; header = largest_below(header)) { taken[header] = 1; chain = header " " chain }
        read = paths[top]
        for (i = 1; i <= size[top]; ++i) read = read " " paths[reached[top, i]]
        print chain "|" read
      }
    }'
}

check() {
  local line=$1 chain files header unit
  shift
  read -ra chain <<<"${line%%|*}"
  read -ra files <<<"${line##*|}"
  unit=$({ printf '%s\n' "$version" "$*" "${chain[@]}"; cat "${files[@]}"; } | sha256sum | cut -c1-32)
  [ ! -e "$folder/$unit" ] || return 0
  for header in "${chain[@]}"; do printf '#include <%s>\n#include <%s>\n' "$header" "$header"; done >"$folder/$unit.cpp"
  "$@" -fsyntax-only "$folder/$unit.cpp" || { echo "headers that do not stand alone, in the chain: ${chain[*]}"; exit 1; }
  rm "$folder/$unit.cpp"
  touch "$folder/$unit"
}
export -f check

list=$(chains)
[ -n "$list" ] || { echo "headers.sh: no headers were found" >&2; exit 1; }
tr '\n' '\0' <<<"$list" | xargs -0 -I{} -P "$(nproc)" bash -c 'check "$@"' _ {} "$@"
