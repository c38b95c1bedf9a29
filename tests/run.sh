#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# All tests, from nothing: bash tests/run.sh [--only PART]...
# Parts: dev (every test, each header alone, the package, formatting, static analysis), sanitize and race
# (the tests again, under clang++'s sanitizers; the first with the parsers' fuzz corpora, the second what runs on threads),
# bits (tests of what must be equal to the bit, at -O3, where compilers make vectors and fused operations),
# cuda (the kernels' tests as nvcc compiles them; where there is an nvcc, and a GPU or something that stands in for one).
# Not without --only: fuzz (the libFuzzer programs are built, none is run; tests/fuzz/run.sh runs them).
set -u
cd "$(dirname "$0")/.."

parts=()
while [ $# -gt 0 ]; do
  case "$1" in
    --only) parts+=("${2:?--only needs a part}"); shift 2 ;;
    *) echo "usage: bash tests/run.sh [--only dev|sanitize|race|bits|fuzz|cuda]..." >&2; exit 2 ;;
  esac
done
[ "${#parts[@]}" -gt 0 ] || parts=(dev sanitize race bits cuda)

bash cmake/dependencies.sh || exit 1
jobs=$(nproc)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
passed=0
failed=0
summary=""

# The thread sanitizer of this age cannot live with as much address randomisation as newer kernels use.
without_randomisation=()
if setarch "$(uname -m)" -R true 2>/dev/null; then without_randomisation=(setarch "$(uname -m)" -R); fi

run_part() {
  local part=$1 started=$SECONDS before=() built line
  echo "== $part"
  [ "$part" != race ] || before=("${without_randomisation[@]}")
  if ! cmake --preset "$part" >"$logs/configure" 2>&1; then
    cat "$logs/configure"
    summary+="$part: cannot be configured"$'\n'; failed=$((failed + 1)); return
  fi
  # Go on after a program that does not compile: its test fails, the others are worth running.
  "${before[@]}" cmake --build --preset "$part" -j "$jobs" -- -k 0
  built=$?
  [ "$built" -eq 0 ] || { summary+="$part: the build failed"$'\n'; failed=$((failed + 1)); }
  echo "== $part: built after $((SECONDS - started)) s"
  [ "$part" != fuzz ] || { [ "$built" -ne 0 ] || passed=$((passed + 1)); return; }
  "${before[@]}" ctest --preset "$part" -j "$jobs" --timeout 900 2>&1 | tee "$logs/ctest"
  line=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$logs/ctest" | tail -n 1)
  if [ -z "$line" ]; then
    summary+="$part: no test was run"$'\n'; failed=$((failed + 1)); return
  fi
  local bad all
  bad=$(sed -E 's/.*, ([0-9]+) tests failed out of ([0-9]+).*/\1/' <<<"$line")
  all=$(sed -E 's/.*, ([0-9]+) tests failed out of ([0-9]+).*/\2/' <<<"$line")
  failed=$((failed + bad))
  passed=$((passed + all - bad))
  summary+="$part: $line, $((SECONDS - started)) s"$'\n'
}

# An emulator of the CUDA runtime may lie beside the project; it checks races and reads of what was never written, and
# a seed shuffles blocks and warps.
run_cuda() {
  local started=$SECONDS seed
  echo "== cuda"
  if ! command -v nvcc >/dev/null && [ ! -x /usr/local/cuda/bin/nvcc ] && [ -z "${CUDACXX:-}" ]; then
    summary+="cuda: skipped, there is no nvcc"$'\n'; return
  fi
  if ! { cmake --preset cuda && cmake --build --preset cuda -j "$jobs" --target gpu bench_gpu_kernels; } >"$logs/cuda" 2>&1; then
    cat "$logs/cuda"
    summary+="cuda: cannot be built"$'\n'; failed=$((failed + 1)); return
  fi
  echo "== cuda: built after $((SECONDS - started)) s"
  # No kernel may spill registers; one architecture stands for all, which bench/static.sh does by itself.
  if bash bench/static.sh --table 80 >"$logs/static"; then passed=$((passed + 1)); else
    cat "$logs/static"
    failed=$((failed + 1))
  fi
  if [ -z "${TEMPER_GPU_RUNNER:-}" ] && ! bash tests/gpu/run.sh true >/dev/null; then
    if [ ! -f ../shared/ptx/run.sh ]; then
      summary+="cuda: compiled, not run: there is neither a GPU nor TEMPER_GPU_RUNNER"$'\n'; passed=$((passed + 1)); return
    fi
    export CUDA_HOME=${CUDA_HOME:-/usr/local/cuda} PTXEMU_BUILD=$logs/ptx PTXEMU_CHECK=all
    if ! bash ../shared/ptx/build.sh "$PTXEMU_BUILD" >"$logs/cuda" 2>&1; then
      cat "$logs/cuda"
      summary+="cuda: the emulator cannot be built"$'\n'; failed=$((failed + 1)); return
    fi
    TEMPER_GPU_RUNNER="bash $PWD/../shared/ptx/run.sh"
    export TEMPER_GPU_RUNNER PTXEMU_PROFILE=1 PTXEMU_PROFILE_FILE=$logs/profile
  fi
  for seed in 0 7; do
    if PTXEMU_SEED=$seed bash tests/gpu/run.sh build/cuda/tests/gpu; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  done
  # The emulator counts accesses: in all tests those of shared memory, at aligned shapes those of global memory, too.
  if [ -n "${PTXEMU_PROFILE_FILE:-}" ]; then
    if bash tests/gpu/counts.sh --shared "$PTXEMU_PROFILE_FILE" &&
      PTXEMU_PROFILE_FILE=$logs/counts bash tests/gpu/run.sh build/cuda/bench/gpu_kernels --tiny >"$logs/kernels" &&
      bash tests/gpu/counts.sh "$logs/counts"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  fi
  summary+="cuda: $((SECONDS - started)) s"$'\n'
}

for part in "${parts[@]}"; do
  case "$part" in
    dev | sanitize | race | bits | fuzz) run_part "$part" ;;
    cuda) run_cuda ;;
    *) echo "tests/run.sh: there is no part '$part'; there are dev, sanitize, race, bits, fuzz, cuda" >&2; exit 2 ;;
  esac
done

printf '\n%s' "$summary"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
