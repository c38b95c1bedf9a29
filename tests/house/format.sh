#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks that clang-format would change nothing; 'bash tests/house/format.sh --fix' lets it.
set -u
cd "$(dirname "$0")/../.."
how=(--dry-run --Werror)
[ "${1:-}" != --fix ] || how=(-i)
find include kernels examples tests bench -type f \( -name '*.hpp' -o -name '*.cuh' -o -name '*.cpp' -o -name '*.cu' \) -print0 2>/dev/null |
  xargs -0 -r -n 8 -P "$(nproc)" clang-format --style=file "${how[@]}"
