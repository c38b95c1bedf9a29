#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs every Debian package that building, running and testing temper needs, from apt alone, as root or with sudo.
# Asks apt nothing when all of them are there. With --program: only what building the program 'temper' takes.
set -eu
packages=(
  # compiler and tools
  g++ cmake ninja-build pkg-config
  # what the library and its components use
  libeigen3-dev libfmt-dev nlohmann-json3-dev libpcre2-dev libutf8proc-dev libssl-dev zlib1g-dev libzstd-dev libsnappy-dev
  # what the program uses
  libcli11-dev
  # what the tests use, and CMake therefore looks for
  doctest-dev
)
case "${1:-}" in
  '') packages+=(clang llvm libclang-rt-14-dev ccache git ca-certificates clang-format clang-tidy) ;;
  --program) ;;
  *) echo "usage: bash cmake/dependencies.sh [--program]" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
  echo "dependencies: all ${#packages[@]} packages are there"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "dependencies: missing ${missing[*]}; run this as root, or install sudo" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "dependencies: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq </dev/null
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
