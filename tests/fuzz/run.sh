#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzzes every target for some seconds: bash tests/fuzz/run.sh [seconds] [target]. New inputs stay in build/fuzz/found;
# an input that crashes is left beside them, to be added to tests/fuzz/corpus/<target> with the mend.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
failed=0
for program in build/fuzz/fuzz/${2:-*}_fuzz; do
  [ -x "$program" ] || continue
  name=$(basename "$program" _fuzz)
  mkdir -p "build/fuzz/found/$name"
  echo "== $name, $seconds s"
  "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/found/$name" "tests/fuzz/corpus/$name" || failed=$((failed + 1))
done
echo "$failed targets failed"
[ "$failed" -eq 0 ]
