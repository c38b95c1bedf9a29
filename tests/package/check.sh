#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check.sh CONSUMER BUILD_FOLDER: installs what BUILD_FOLDER has, moves it elsewhere, and uses it from a folder outside
# the tree, with no CUDA toolkit to be found.
set -eu
consumer=$1
build=$(cd "$2" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT
cd "$outside"

unset CUDACXX CUDA_PATH CUDA_HOME CMAKE_PREFIX_PATH CPATH CPLUS_INCLUDE_PATH PKG_CONFIG_PATH
PATH=$(tr ':' '\n' <<<"$PATH" | while read -r folder; do [ -x "$folder/nvcc" ] || echo "$folder"; done | paste -sd:)
export PATH
quietly() { "$@" >log 2>&1 || { cat log; echo "failed: $*"; exit 1; }; }

quietly cmake --install "$build" --prefix "$outside/first"
mv first prefix
if grep -rlF -e "$root" -e "$outside/first" prefix/include prefix/share; then
  echo "the files above name a folder of the machine that made them: the package cannot be moved"
  exit 1
fi

# Two units that include the headers: all that a user without further components can have, once; else a few of them.
cp -r "$root/tests/package/consumer" "$root/tests/package/re_export" .
headers=(temper/core/types.hpp temper/core/error.hpp temper/core/version.hpp temper/backend/cpu.hpp)
if [ "$consumer" = find_package ]; then
  mapfile -t headers < <(cd prefix/include && find temper -name '*.hpp' ! -path '*/cuda/*' ! -name fibers.hpp | sort)
fi
{ echo '#pragma once' && printf '#include <%s>\n' "${headers[@]}"; } >consumer/headers.hpp

use() {
  quietly cmake -G Ninja -S "$outside/consumer" -B "$outside/use" -DCMAKE_DISABLE_FIND_PACKAGE_CUDAToolkit=ON "$@"
  quietly cmake --build "$outside/use"
  "$outside/use/consumer"
}

case "$consumer" in
  find_package) use -DHOW=find_package -DCMAKE_PREFIX_PATH="$outside/prefix" ;;
  add_subdirectory) use -DHOW=add_subdirectory -DTEMPER_SOURCE="$root" ;;
  re_export)
    quietly cmake -G Ninja -S re_export -B dependent -DCMAKE_PREFIX_PATH="$outside/prefix"
    quietly cmake --install dependent --prefix "$outside/dependent_prefix"
    use -DHOW=re_export "-DCMAKE_PREFIX_PATH=$outside/prefix;$outside/dependent_prefix"
    ;;
  missing_component)
    cmake -G Ninja -S consumer -B use -DHOW=missing_component -DCMAKE_PREFIX_PATH="$outside/prefix" | tee log
    grep -q 'reason: component cuda_of_tomorrow: there is no component of this name' log
    ;;
  pkg_config)
    export PKG_CONFIG_PATH="$outside/prefix/share/pkgconfig"
    read -ra flags <<<"$(pkg-config --cflags temper)"
    read -ra libraries <<<"$(pkg-config --libs temper)"
    g++ "${flags[@]}" consumer/main.cpp consumer/second.cpp -o program "${libraries[@]}"
    ./program
    ;;
  examples)
    for example in "$root"/examples/*/CMakeLists.txt; do
      name=$(basename "$(dirname "$example")")
      # The program is large and is built from the same file in the tree.
      [ "$name" != temper ] || continue
      cp -r "$(dirname "$example")" "$outside/$name"
      quietly cmake -G Ninja -S "$outside/$name" -B "$outside/$name/build" -DCMAKE_PREFIX_PATH="$outside/prefix"
      # What each says is configured; that it compiles is seen in the tree, and here once.
      [ "$name" != 06_custom_kernel ] || quietly cmake --build "$outside/$name/build"
    done
    if [ -x prefix/bin/temper ]; then prefix/bin/temper --help >/dev/null; fi
    ;;
  *) echo "check.sh: there is no consumer '$consumer'"; exit 2 ;;
esac
