#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh PROGRAM ARGUMENTS...: on this machine's GPU, or under the command in TEMPER_GPU_RUNNER, which may be an emulator
# or a checker. Exit code 77 where there is neither.
if [ -n "${TEMPER_GPU_RUNNER:-}" ]; then
  # The words of the command are several, so they must be split.
  exec $TEMPER_GPU_RUNNER "$@"
fi
# Linux under Windows has another device, and the driver of one from NVIDIA in a place of its own.
if [ -e /dev/nvidiactl ] || { [ -e /dev/dxg ] && [ -e /usr/lib/wsl/lib/libcuda.so.1 ]; }; then exec "$@"; fi
echo "skipped: there is no GPU, and TEMPER_GPU_RUNNER names no command to run programs for one"
exit 77
