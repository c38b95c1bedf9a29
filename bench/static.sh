#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is known of every kernel without running it: static.sh [--table] [ARCHITECTURE]...; without arguments 80 86 90 120.
# Prints, an architecture: registers, spills, shared memory, how many blocks a multiprocessor holds, the instructions of
# the main loop, and a roofline by shape; with --table not the roofline. Fails when a kernel spills or does not fit. Needs
# nvcc; for the main loops also cuobjdump, which comes with the toolkit: on PATH, beside nvcc or in CUOBJDUMP.
set -eu
cd "$(dirname "$0")/.."
roofline=1
if [ "${1:-}" = --table ]; then roofline=0; shift; fi
architectures=("$@")
[ "${#architectures[@]}" -gt 0 ] || architectures=(80 86 90 120)
nvcc=${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || { echo "static.sh needs nvcc on PATH, in /usr/local/cuda/bin or in CUDACXX" >&2; exit 2; }
cuobjdump=${CUOBJDUMP:-$(command -v cuobjdump || echo "$(dirname "$nvcc")/cuobjdump")}
[ -x "$cuobjdump" ] || {
  echo "static.sh: there is no cuobjdump, so main loops are left out, and the roofline, which follows from them" >&2
  cuobjdump='' roofline=0
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"${CXX:-g++}" -std=c++20 -O1 -Iinclude -Ikernels bench/static/tables.cpp -o "$scratch/tables" -lfmt
status=0
for architecture in "${architectures[@]}"; do
  "$nvcc" -std=c++20 -O3 -arch="sm_$architecture" -cubin -Xptxas -v -DFMT_USE_CONSTEXPR=1 -Iinclude -Ikernels \
    bench/static/kernel_code.cu -o "$scratch/code" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
  [ -z "$cuobjdump" ] || "$cuobjdump" -sass "$scratch/code" >"$scratch/listing"
  "$scratch/tables" "$architecture" "$scratch/log" "$scratch/listing" >"$scratch/out" || status=1
  if [ "$roofline" -eq 1 ]; then cat "$scratch/out"; else sed '/^$/,$d' "$scratch/out"; fi
  echo
done
[ "$status" -eq 0 ] || echo "static.sh: a kernel spills, does not fit or was not compiled; see above" >&2
exit "$status"
