#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Everything that a machine with a GPU can say of the kernels, in under ten minutes: gpu.sh [--rehearse]. Builds the cuda
# preset for the device, runs every kernel test, then under each checker of compute-sanitizer, then times kernels beside
# cuBLAS, and beside torch and bitsandbytes where python3, or the command in PYTHON, has them. The report goes to
# bench/results, as DEVICE_DATE.md and .json. Fails when a test or a checker does. --rehearse needs no GPU: the same steps
# at tiny shapes under the command in TEMPER_GPU_RUNNER, and a report in a scratch folder.
set -euo pipefail
cd "$(dirname "$0")/.."
rehearse=0
case "${1:-}" in
  "") ;;
  --rehearse) rehearse=1 ;;
  *) echo "usage: bash bench/gpu.sh [--rehearse]" >&2; exit 2 ;;
esac
started=$SECONDS
scratch=$(mktemp -d)
if [ "$rehearse" -eq 1 ]; then
  [ -n "${TEMPER_GPU_RUNNER:-}" ] || { echo "gpu.sh --rehearse needs a command in TEMPER_GPU_RUNNER that runs CUDA programs" >&2; exit 2; }
  device="no device, a rehearsal" capability=80 driver=none tiny=(--tiny) results=$scratch
else
  trap 'rm -rf "$scratch"' EXIT
  unset TEMPER_GPU_RUNNER
  command -v nvidia-smi >/dev/null || { echo "gpu.sh needs a GPU and nvidia-smi; --rehearse needs neither" >&2; exit 2; }
  query() { nvidia-smi --query-gpu="$1" --format=csv,noheader | head -n 1; }
  device=$(query name) capability=$(query compute_cap | tr -d .) driver=$(query driver_version) tiny=() results=bench/results
fi
mkdir -p "$results"
report=$results/$(tr -cs '[:alnum:]' '_' <<<"$device" | sed 's/_*$//')_$(date -u +%Y-%m-%d)
# run SECONDS PROGRAM...: at most that long, but a rehearsal takes the time of an emulator.
run() {
  local limit=$1
  shift
  if [ "$rehearse" -eq 1 ]; then limit=1800; fi
  timeout "$limit" bash tests/gpu/run.sh "$@"
}
failed=0

echo "== building for sm_$capability"
architectures=80
[ "$capability" = 80 ] || architectures="80;$capability"
bash cmake/dependencies.sh --program || echo "gpu.sh: goes on with what is there" >&2
cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES="$architectures" >"$scratch/configure" || { cat "$scratch/configure"; exit 1; }
cmake --build --preset cuda -j "$(nproc)" --target gpu bench_gpu_kernels
built=$((SECONDS - started))

echo "== kernel tests"
tests=passed
status=0
run 180 build/cuda/tests/gpu >"$scratch/tests" 2>&1 || status=$?
case $status in
  0) ;;
  124) tests="not finished in time" failed=1 ;;
  *) tests=failed failed=1 ;;
esac
tail -n 1 "$scratch/tests"
grep '^WRONG' "$scratch/tests" || true

# One line a checker: its name, and passed, failed, or why it did not run.
checkers=()
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null || true)
for tool in memcheck racecheck initcheck synccheck; do
  if [ "$rehearse" -eq 1 ] || [ -z "$sanitizer" ]; then
    checkers+=("$tool: not run, there is no compute-sanitizer")
    continue
  fi
  echo "== $tool"
  status=0
  timeout 90 "$sanitizer" --tool "$tool" --error-exitcode 99 build/cuda/tests/gpu >"$scratch/$tool" 2>&1 || status=$?
  case $status in
    0) checkers+=("$tool: passed") ;;
    124) checkers+=("$tool: not finished in 90 s") ;;
    *) checkers+=("$tool: failed"); failed=1; grep -m 20 '=========' "$scratch/$tool" || true ;;
  esac
done

echo "== other libraries"
others=$scratch/others python=${PYTHON:-python3}
: >"$others"
if "$python" -c 'import torch' 2>/dev/null; then
  timeout 150 "$python" bench/reference/gpu_kernels.py "${tiny[@]}" >"$others" 2>"$scratch/python" || tail -n 3 "$scratch/python"
  libraries=$(grep -m 1 '^torch ' "$scratch/python" || echo "torch said no version")
else
  libraries="$python has no torch: attention and NF4 stand alone"
fi

echo "== kernels"
run 240 build/cuda/bench/gpu_kernels "${tiny[@]}" --others "$others" --json "$scratch/kernels.json" | tee "$scratch/kernels.md" ||
  { failed=1; echo "the kernels could not be timed" | tee -a "$scratch/kernels.md"; }
[ -s "$scratch/kernels.json" ] || echo '[]' >"$scratch/kernels.json"

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
git diff --quiet HEAD 2>/dev/null || commit="$commit, changed"
cases=$(tail -n 1 "$scratch/tests")
nvcc=$(sed -n 's/^TEMPER_NVCC:[A-Z]*=//p' build/cuda/CMakeCache.txt)
toolkit=$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')
{
  echo "# $device"
  echo
  echo "By \`bash bench/gpu.sh${1:+ $1}\` on $(date -u +%Y-%m-%d), commit $commit; driver $driver, toolkit $toolkit, code for sm_$capability; built in $built s, all in $((SECONDS - started)) s. $libraries"
  echo
  echo "- kernel tests: $tests, $cases"
  printf -- '- %s\n' "${checkers[@]}"
  echo
  cat "$scratch/kernels.md"
} >"$report.md"
{
  printf '{\n"device": "%s", "capability": "%s", "driver": "%s", "toolkit": "%s",\n' "$device" "$capability" "$driver" "$toolkit"
  printf '"date": "%s", "commit": "%s", "tests": "%s", "cases": "%s",\n"checkers": [' "$(date -u +%Y-%m-%d)" "$commit" "$tests" "$cases"
  printf '"%s"' "${checkers[0]}"
  printf ', "%s"' "${checkers[@]:1}"
  printf '],\n"kernels": '
  cat "$scratch/kernels.json"
  printf '}\n'
} >"$report.json"
echo "== $report.md and .json, after $((SECONDS - started)) s"
[ "$failed" -eq 0 ] || echo "gpu.sh: a test, a checker or the timing failed; see above" >&2
exit "$failed"
