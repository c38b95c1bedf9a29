#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One rule of the tree a call: bash tests/house/rules.sh RULE. Prints each place that breaks it; fails if there is one.
set -u
cd "$(dirname "$0")/../.."

list_files() {  # every file of the project, of the kinds named: those of git, or, in a copy without git, all but build
  local pattern=$1
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -co --exclude-standard
  else
    find . -path ./build -prune -o -type f -print | sed 's|^\./||'
  fi | grep -E "$pattern" | while read -r file; do [ -f "$file" ] && echo "$file"; done
}
sources='\.(hpp|cuh|cpp|cu)$'
headers='^(include|kernels)/.*\.(hpp|cuh)$'

# Code with its // comments blanked, as file:line:text, so that prose may name what code may not.
code_of() { while read -r file; do sed 's|//.*||' "$file" | awk -v f="$file" '{ print f ":" NR ":" $0 }'; done; }

found=""
case "${1:-}" in
  eigen_rooms)  # Eigen is named in the CPU backend and nowhere else in the library.
    found=$(list_files "$headers" | grep -v '^include/temper/backend/cpu/' | code_of | grep -E '\bEigen::|<Eigen/|<unsupported/Eigen') ;;
  cuda_rooms)  # CUDA is named in the CUDA backend and the device layer and nowhere else in the library.
    found=$(list_files "$headers" | grep -Ev '^include/temper/backend/cuda/|^kernels/temper/device/' | code_of |
      grep -E '\b(__global__|__device__|__host__|__shared__|__launch_bounds__|threadIdx|blockIdx|blockDim)\b|\bcu(da|blas)[A-Z]\w+|<cu(da|blas)') ;;
  openssl_room)  # One header needs the component hash.
    found=$(list_files "$headers" | grep -v '^include/temper/io/hash\.hpp$' | code_of | grep -E '<openssl/') ;;
  tables_room)  # Two headers need the component tables, and what includes them.
    found=$(list_files "$headers" | grep -Ev '^include/temper/data/table/(page_compression|compressed_bytes)\.hpp$' | code_of |
      grep -E '<(zlib|zstd|snappy)') ;;
  ascii)  # Sources and docs are ASCII.
    found=$(list_files "$sources|\.(md|cmake|sh|in)$|CMakeLists\.txt$" | LC_ALL=C xargs -r grep -nP '[^\x00-\x7F]') ;;
  spdx)  # The licence stands in the first lines of each source.
    found=$(list_files "$sources|\.(cmake|sh)$|CMakeLists\.txt$" | while read -r file; do
      head -n 2 "$file" | grep -q 'SPDX-License-Identifier: MIT' || echo "$file: no SPDX line"
    done) ;;
  tests_for_headers)  # include/temper/a/b.hpp has tests/a/b_test.cpp; kernels/temper/kernel/b.cuh has tests/kernel/b_test.cpp.
    without_test=$(grep -v '^#' tests/house/headers_without_test.txt)
    found=$(list_files '^include/temper/.*\.hpp$|^kernels/temper/.*\.(hpp|cuh)$' | while read -r file; do
      name=${file#*/temper/}
      name=${name%.*}
      [ -f "tests/${name}_test.cpp" ] && continue
      grep -qxF "$file" <<<"$without_test" || echo "$file: no tests/${name}_test.cpp"
    done
    while read -r file; do
      [ -z "$file" ] || [ -f "$file" ] || echo "tests/house/headers_without_test.txt: $file is not there any more"
    done <<<"$without_test") ;;
  names)  # Words that say nothing have no place in a file's name or as a type.
    found=$(list_files '(^|/|_)(util|utils|helper|helpers|manager|impl|misc|common)(_|\.|/)'
      list_files "$headers" | code_of | grep -E '\b(class|struct) \w*(Helper|Manager|Util|Impl)\b'
      list_files "$sources|\.(cmake|sh)$" | grep -v '^tests/house/' | xargs -r grep -nE '\bTO[D]O\b|\bFIX[M]E\b') ;;
  namespaces)  # Several test files are compiled at once, so each keeps its names in a namespace of its own.
    found=$(list_files '^tests/.*_test\.cpp$' | grep -v '^tests/train/no_allocation_test\.cpp$' | while read -r file; do
      name=$(basename "$file" .cpp)
      grep -qE "^namespace ([a-z_:]*::)*$name \{" "$file" || echo "$file: no namespace $name"
      grep -qE '^namespace \{' "$file" && echo "$file: a namespace without a name"
    done) ;;
  *) echo "usage: rules.sh eigen_rooms|cuda_rooms|openssl_room|tables_room|ascii|spdx|tests_for_headers|names|namespaces" >&2; exit 2 ;;
esac
[ -z "$found" ] || { echo "$found"; echo "rule '$1' is broken in the places above; see tests/house/rules.sh" >&2; exit 1; }
