# SPDX-License-Identifier: MIT
# Every option of the build, its default and what it means. Nothing here changes the flags of a project that uses temper.
include_guard()

option(TEMPER_DEVELOPER "Build the program, examples, tests and benchmarks, with our warnings" ${PROJECT_IS_TOP_LEVEL})
option(TEMPER_INSTALL   "Define what 'cmake --install' copies"                                 ${PROJECT_IS_TOP_LEVEL})
option(TEMPER_NATIVE    "Compile our own programs for the processor of this machine"           ON)
option(TEMPER_CUDA      "Build the kernels too; needs nvcc"                                    OFF)
option(TEMPER_FUZZ      "Build the fuzz targets with libFuzzer, and nothing else; needs clang" OFF)
set(TEMPER_SANITIZE ""  CACHE STRING "Sanitizers for our own programs, such as address;undefined or thread")
set(TEMPER_ONLY_TESTS "" CACHE STRING "A regular expression of files in tests/; where it is given, nothing but their tests is built")
