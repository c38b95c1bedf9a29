# SPDX-License-Identifier: MIT
# temper_developer: what our own programs and tests are compiled with, and users' are not. Warnings are errors here.
include_guard()

set(temper_warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror)

add_library(temper_developer INTERFACE)
target_compile_options(temper_developer INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${temper_warnings}>")
# g++ 12 takes its own AVX-512 header's deliberate 'any value' for a mistake (its bug 105593), and sees overlaps and bounds
# in its own string concatenation (its bug 105651); clang++ still looks, and the address sanitizer knows.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(temper_developer INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Wno-uninitialized;-Wno-maybe-uninitialized;-Wno-array-bounds;-Wno-restrict;-Wno-stringop-overflow>")
endif()

if(TEMPER_NATIVE)
  include(CheckCXXCompilerFlag)
  check_cxx_compiler_flag(-march=native temper_has_march_native)
  if(temper_has_march_native)
    target_compile_options(temper_developer INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-march=native>")
  endif()
endif()

if(TEMPER_SANITIZE)
  string(REPLACE ";" "," sanitizers "${TEMPER_SANITIZE}")
  target_compile_options(temper_developer INTERFACE -fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(temper_developer INTERFACE -fsanitize=${sanitizers})
endif()
