#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check.sh FILE COMPILER FLAGS...: FILE must compile as it stands, and with -DTEMPER_WRONG must be refused with the text
# that a line of its head names: '// expects: <text>'; by clang with that error alone, so that one sentence is all that
# is read.
set -u
file=$1
shift
expected=$(sed -n '1,3s|^// expects: ||p' "$file")
[ -n "$expected" ] || { echo "$file: no line '// expects: <text>' among the first three"; exit 1; }
# Under one compiler is enough for what is right: both compile the like of it in the tests.
if [[ $1 != *clang++ ]] && ! output=$("$@" -fsyntax-only "$file" 2>&1); then
  echo "$file: must compile without TEMPER_WRONG, so that its wrong part alone is what is refused"
  echo "$output" | head -n 40
  exit 1
fi
if output=$("$@" -fsyntax-only -DTEMPER_WRONG "$file" 2>&1); then
  echo "$file: compiles with TEMPER_WRONG and must not"
  exit 1
fi
errors=$(grep -c 'error:' <<<"$output")
if [[ $1 == *clang++ ]] && [ "$errors" -ne 1 ]; then
  echo "$file: $errors errors; expected one"
  echo "$output" | head -n 40
  exit 1
fi
grep -qF -- "$expected" <<<"$output" && exit 0
echo "$file: refused, but not with: $expected"
echo "$output" | head -n 40
exit 1
