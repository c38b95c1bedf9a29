# SPDX-License-Identifier: MIT
# What is built when temper is the top project: the program, the examples, the benchmarks, the tests.
include_guard()
include(cmake/warnings.cmake)
include(cmake/testing.cmake)

# ccache cannot know a precompiled header's content by itself; these two words allow it to trust the compiler's record.
find_program(TEMPER_CCACHE ccache)
if(TEMPER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${TEMPER_CCACHE}")
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_EXTENSIONS OFF)

enable_testing()
if(TEMPER_FUZZ)
  temper_add_fuzz_targets()
  return()
endif()

if(TEMPER_ONLY_TESTS)
  temper_add_tests()
  return()
endif()

temper_add_examples()
temper_add_benchmarks()
temper_add_tests()
temper_add_fuzz_targets()
if(NOT TEMPER_SANITIZE AND NOT TEMPER_CUDA)
  include(cmake/house.cmake)
endif()
