#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Public kernels that do what ours do, counted in the same way: reference_kernels.sh [--bitsandbytes CHECKOUT]
# [--llm.c CHECKOUT], each a clone of its repository, of which nothing is kept here. Compiles them beside ours by nvcc,
# runs both on one input under the command in TEMPER_GPU_RUNNER, an emulator that counts (PTXEMU_PROFILE), and prints a
# table: instructions of warps as nvcc's PTX has them, tensor-core instructions, sectors of global memory, wavefronts of
# shared memory, each with its ratio to ours. Results must agree. With cuobjdump, main loops in machine code, too.
set -euo pipefail
cd "$(dirname "$0")/.."
bitsandbytes="" llmc=""
while [ $# -gt 0 ]; do
  case "$1" in
    --bitsandbytes) bitsandbytes=$(cd "${2:?}" && pwd); shift 2 ;;
    --llm.c) llmc=$(cd "${2:?}" && pwd); shift 2 ;;
    *) echo "usage: bash bench/reference_kernels.sh [--bitsandbytes CHECKOUT] [--llm.c CHECKOUT]" >&2; exit 2 ;;
  esac
done
[ -n "$bitsandbytes$llmc" ] || { echo "reference_kernels.sh needs a checkout of bitsandbytes or of llm.c" >&2; exit 2; }
[ -n "${TEMPER_GPU_RUNNER:-}" ] || { echo "reference_kernels.sh needs an emulator that counts in TEMPER_GPU_RUNNER" >&2; exit 2; }
nvcc=${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
cuobjdump=${CUOBJDUMP:-$(command -v cuobjdump || echo "$(dirname "$nvcc")/cuobjdump")}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
compile() {  # their own flags, ours with them; PTX for the emulator and machine code for the listing
  "$nvcc" -std=c++20 -O3 --use_fast_math -w -cudart shared -DFMT_USE_CONSTEXPR=1 -Iinclude -Ikernels \
    -gencode arch=compute_80,code=compute_80 -gencode arch=compute_80,code=sm_80 "$@"
}

# count PROGRAM ARGUMENTS... -- LABEL=REGULAR_EXPRESSION...: rows of a table; the first label is ours, to which ratios are.
count() {
  local program=() shape
  while [ "$1" != -- ]; do program+=("$1"); shift; done
  shift
  shape="${program[*]:1}"
  PTXEMU_CHECK=none PTXEMU_STRICT='' PTXEMU_PROFILE=1 PTXEMU_PROFILE_FILE=$scratch/profile \
    bash tests/gpu/run.sh "${program[@]}" >"$scratch/said" || { cat "$scratch/said"; exit 1; }
  awk -v shape="$shape" -v groups="$(printf '%s\n' "$@")" '
    function number(text, what) { return match(text, what " [0-9]+") ? substr(text, RSTART + length(what) + 1, RLENGTH - length(what) - 1) : 0 }
    function before(text, what) { sub(" " what ".*", "", text); sub(/.* /, "", text); return text + 0 }
    function cell(what, ours) { return ours > 0 && g > 1 ? sprintf("%d (%.2f)", what, what / ours) : sprintf("%d", what) }
    BEGIN { n = split(groups, line, "\n"); for (i = 1; i <= n; ++i) { label[i] = line[i]; sub(/=.*/, "", label[i]); pattern[i] = substr(line[i], length(label[i]) + 2) } }
    /^[^ ].*\(/ { now = 0; for (i = n; i >= 1; --i) if ($0 ~ pattern[i]) now = i; next }
    now && /warp instructions/ { run[now] += number($0, "warp instructions") }
    now && /^  mma/ { mma[now] += number($0, "mma") }
    now && /global loads/ { split($0, part, "; "); loads[now] += before(part[1], "sectors"); stores[now] += before(part[2], "sectors"); waves[now] += before(part[3], "wavefronts") }
    END {
      for (g = 1; g <= n; ++g) if (run[g])
        printf "| %s | %s | %s | %s | %s | %s | %s |\n", shape, label[g], cell(run[g], run[1]), cell(mma[g], mma[1]), cell(loads[g], loads[1]), cell(stores[g], stores[1]), cell(waves[g], waves[1])
    }' "$scratch/profile"
}
head_of() { printf '\n%s\n\n| %s | kernel | instructions | tensor | sectors loaded | stored | wavefronts |\n|---|---|---|---|---|---|---|\n' "$1" "$2"; }
loops() {  # LISTED FILE...: main loops in machine code
  [ -x "$cuobjdump" ] || return 0
  local file
  for file in "$@"; do "$cuobjdump" -arch sm_80 -sass "$file" >>"$scratch/listing"; done
}
at() { git -C "$1" rev-parse --short HEAD 2>/dev/null || echo "an unknown commit"; }

: >"$scratch/listing"
if [ -n "$bitsandbytes" ]; then
  source=$bitsandbytes/csrc
  for name in gemm_4bit_simt gemm_4bit_sm80; do
    compile -DBNB_HAS_GEMM4BIT_SM80 "-I$source" -c "$source/$name.cu" -o "$scratch/$name.o"
  done
  compile -DBNB_HAS_GEMM4BIT_SM80 "-I$source" bench/reference/bitsandbytes.cu "$scratch/gemm_4bit_simt.o" \
    "$scratch/gemm_4bit_sm80.o" -o "$scratch/bitsandbytes" -lfmt
  head_of "bitsandbytes at $(at "$bitsandbytes")" "tokens out in"
  for tokens in 1 4 8 16 32 64 128; do
    count "$scratch/bitsandbytes" "$tokens" 256 4096 -- 'ours=temper::kernel' 'kgemm_4bit_inference_naive=kgemm_4bit' \
      'gemm_4bit_simt=gemm_4bit_simt' 'gemm_4bit_sm80_m16n8k16=gemm_4bit_sm80'
  done
  loops "$scratch/bitsandbytes"
fi
if [ -n "$llmc" ]; then
  compile "-I$llmc/dev/cuda" bench/reference/llmc_attention.cu -o "$scratch/llmc" -lcublas -lcublasLt -lfmt
  head_of "llm.c at $(at "$llmc"); of version 5 without its two products, which cuBLAS makes" "tokens heads width"
  count "$scratch/llmc" 256 2 64 -- 'ours=temper::kernel' 'attention_forward5, without products=_lowp[(]' \
    'attention_forward2=attention_forward_kernel2|permute_kernel[(]'
  loops "$scratch/llmc"
fi
if [ -s "$scratch/listing" ]; then
  "${CXX:-g++}" -std=c++20 -O1 -Iinclude -Ikernels bench/static/loops.cpp -o "$scratch/loops"
  printf '\nMain loops in machine code of sm_80\n\n'
  "$scratch/loops" "$scratch/listing" | grep -v __half
fi
