#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# counts.sh [--shared] PROFILE: holds what an emulator has counted of each kernel's accesses (PTXEMU_PROFILE) to limits:
# sectors of global loads and stores, and wavefronts of shared memory, against the fewest possible. Meant for the aligned
# shapes of 'build/cuda/bench/gpu_kernels --tiny'; with --shared only shared memory counts, whose limit holds for every shape.
set -eu
shared_only=0
if [ "${1:-}" = --shared ]; then shared_only=1; shift; fi
profile=${1:?usage: counts.sh [--shared] PROFILE}

# kernel, loads, stores: those that may take more than 1.01 times the fewest, and why.
exceptions='
AttentionDecode<          1.03  1.14  queries in halves of a sector; of a tile l and m, five floats, beside f
AttentionForward<         1.01  1.04  a float of each row and head, lse, heads apart
AttentionKeyGradient<     1.03  1.01  the same, four bytes a copy
DoraColumns               1.18  1.01  factors: a float of each column, four columns a lane
Nf4InputGradient<bf16     1.38  1.01  scales: one of each feature, a row apart
'
awk -v shared_only="$shared_only" -v exceptions="$exceptions" '
  BEGIN {
    lines = split(exceptions, line, "\n")
    for (i = 1; i <= lines; ++i) if (split(line[i], word, " +") > 3) { ++known; kernel[known] = word[1]; loads[known] = word[2]; stores[known] = word[3] }
  }
  function times(text, what) { return sub(".*" what " \\(", "", text) && text ~ /^[0-9.]+x/ ? text + 0 : -1 }
  function hold(value, limit, what) {
    if (value < 0) { printf "%s: the profile does not say how many %s there were\n", name, what; bad = 1 }
    if (value > limit) { printf "%s: %s %.2f times the fewest, where at most %.2f are allowed\n", name, what, value, limit; bad = 1 }
  }
  /temper::kernel::/ && /entry</ {
    name = $0
    sub(/>\(.*/, ">", name); sub(/^void /, "", name); gsub(/temper::|kernel::|device::|on_gpu::/, "", name); sub(/^entry</, "", name); gsub(/ +>/, ">", name)
    if (substr(name, length(name)) == ">" && gsub(/>/, ">", name) > gsub(/</, "<", name)) name = substr(name, 1, length(name) - 1)
    ours = 1; next
  }
  /entry</ { ours = 0 }
  /wavefronts \(/ && ours {
    ours = 0; ++count
    most_loads = 1.01; most_stores = 1.01
    for (i = 1; i <= known; ++i) if (name ~ "^" kernel[i]) { most_loads = loads[i]; most_stores = stores[i] }
    hold(times($0, "wavefronts"), 1.01, "wavefronts of shared memory")
    if (!shared_only) {
      split($0, part, "; ")
      hold(times(part[1], "sectors"), most_loads, "sectors of loads"); hold(times(part[2], "sectors"), most_stores, "sectors of stores")
    }
  }
  END {
    if (!count) print "the profile counts no kernel"
    printf "%d kernels counted, %s\n", count, bad ? "over their limits" : "within their limits"
    exit bad || !count
  }' "$profile"
