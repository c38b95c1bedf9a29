#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is known of every kernel without running it: static.sh [ARCHITECTURE]...; without arguments 80 86 90 120. Prints a
# table of the registers that ptxas gives a thread, the shared memory of a block, and how many blocks both allow on a
# multiprocessor; fails when a kernel spills registers or does not fit.
set -eu
cd "$(dirname "$0")/.."
architectures=("$@")
[ "${#architectures[@]}" -gt 0 ] || architectures=(80 86 90 120)
nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
[ -x "$nvcc" ] || { echo "static.sh needs nvcc on PATH or in /usr/local/cuda/bin" >&2; exit 2; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

short() { c++filt -t | sed -E 's/temper::|kernel::|device::|on_gpu::|on_fibers:://g; s/ +>/>/g; s/ +$//'; }
"${CXX:-g++}" -std=c++20 -Iinclude -Ikernels bench/static/kernel_sizes.cpp -o "$scratch/sizes" -lfmt
"$scratch/sizes" | while IFS=$'\t' read -r type threads shared; do
  printf '%s\t%s\t%s\n' "$(short <<<"$type")" "$threads" "$shared"
done >"$scratch/sizes.tsv"

status=0
for architecture in "${architectures[@]}"; do
  "$nvcc" -std=c++20 -O3 -arch="sm_$architecture" -cubin -Xptxas -v -DFMT_USE_CONSTEXPR=1 -Iinclude -Ikernels \
    bench/static/kernel_code.cu -o "$scratch/code" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
  # ptxas prints, a kernel: its mangled name, its stack and spills, its registers.
  awk '/Compiling entry function/ { split($0, word, "\047"); name = word[2] }
       /bytes stack frame/ { stack = $1; spills = $5 + $9 }
       /Used [0-9]+ registers/ { for (i = 1; i < NF; ++i) if ($i == "Used") print name "\t" $(i + 1) "\t" stack "\t" spills }' \
    "$scratch/log" | while IFS=$'\t' read -r name registers stack spills; do
    type=$(c++filt "$name" | sed -E 's/^void [a-z_:]*entry<(.*)>\(.*$/\1/' | short)
    printf '%s\t%s\t%s\t%s\n' "$type" "$registers" "$stack" "$spills"
  done >"$scratch/code.tsv"
  echo "sm_$architecture"
  # Limits of a multiprocessor: shared memory (of which a block has 1 KiB more than it asks for), threads, blocks.
  awk -F'\t' -v architecture="$architecture" '
    BEGIN {
      total = architecture == 80 ? 164 : architecture == 90 || architecture == 100 ? 228 : 100
      threads_most = architecture == 80 || architecture == 90 || architecture == 100 ? 2048 : 1536
      printf "  %-52s %9s %6s %7s %8s %7s %7s\n", "kernel", "registers", "stack", "spilled", "threads", "shared", "blocks"
    }
    NR == FNR { threads[$1] = $2; shared[$1] = $3; next }
    {
      if (!($1 in threads)) { print "  " $1 ": no size is known"; bad = 1; next }
      t = threads[$1]; registers_of_warp = int(($2 * 32 + 255) / 256) * 256
      blocks = int(65536 / (registers_of_warp * t / 32))
      by_shared = int(total * 1024 / (shared[$1] + 1024)); by_threads = int(threads_most / t)
      if (by_shared < blocks) blocks = by_shared
      if (by_threads < blocks) blocks = by_threads
      printf "  %-52s %9d %6d %7d %8d %7d %7d\n", $1, $2, $3, $4, t, shared[$1], blocks
      if ($4 > 0 || blocks < 1) bad = 1
      ++kernels
    }
    END { if (kernels == 0) { print "  no kernel was found"; bad = 1 } exit bad }' "$scratch/sizes.tsv" "$scratch/code.tsv" || status=1
done
[ "$status" -eq 0 ] || echo "static.sh: a kernel spills, or does not fit; see above" >&2
exit "$status"
