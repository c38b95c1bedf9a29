#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# clang-tidy with the checks of .clang-tidy: bash tests/house/tidy.sh FILE... Headers of ours that the files include are
# checked with them.
set -u
cd "$(dirname "$0")/../.."
# Warnings of the compiler are the compilers' matter, so they are off here.
flags=(-std=c++20 -w -Iinclude -Ikernels -Itests -isystem /usr/include/eigen3 "-DTEMPER_TESTS=\"tests\"")
check() { clang-tidy --quiet --warnings-as-errors='*' "$1" -- "${@:2}" 2>&1 | grep -vE '^[0-9]+ warnings? (generated|treated)'; return "${PIPESTATUS[0]}"; }
export -f check
printf '%s\0' "$@" | xargs -0 -I{} -P "$(nproc)" bash -c 'check "$@" || { echo "clang-tidy: $1"; exit 1; }' _ {} "${flags[@]}"
