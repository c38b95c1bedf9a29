# SPDX-License-Identifier: MIT
# Programs, benchmarks, tests and fuzz targets, all found by where they lie:
#   examples/<name>/CMakeLists.txt     an example, the same file that a user would start from
#   bench/<name>.cpp                   a program in build/<preset>/bench
#   tests/<folder>/<name>_test.cpp     a test <folder>/<name>, labelled <folder>; a folder's tests are one program
#   tests/program/<name>_test.cpp      the same, with the parts of the program 'temper' and the program itself
#   tests/fuzz/<name>_fuzz.cpp         a test fuzz/<name> over tests/fuzz/corpus/<name> (sanitize), a libFuzzer program (fuzz)
include_guard()

# Everything that any of our own tests or benchmarks may link.
function(temper_link_all target)
  target_link_libraries(${target} PRIVATE temper::temper temper_developer)
  foreach(component IN LISTS temper_components)
    if(TARGET temper::${component})
      target_link_libraries(${target} PRIVATE temper::${component})
    endif()
  endforeach()
endfunction()

# Examples take our warnings from the directory, so that their own files need not name them.
macro(temper_add_examples)
  file(GLOB example_files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*/CMakeLists.txt")
  if("thread" IN_LIST TEMPER_SANITIZE)
    set(example_files "")  # their threads are the library's
  elseif(TEMPER_SANITIZE)
    list(FILTER example_files INCLUDE REGEX "/temper/")  # the others' steps are those of tests/train, a hundred times over
  endif()
  foreach(example_file IN LISTS example_files)
    get_filename_component(example_directory "${example_file}" DIRECTORY)
    temper_add_example("${example_directory}")
  endforeach()
endmacro()

function(temper_add_example directory)
  link_libraries(temper_developer)
  get_filename_component(name "${directory}" NAME)
  add_subdirectory("${directory}" "${PROJECT_BINARY_DIR}/examples/${name}")
  get_property(targets DIRECTORY "${directory}" PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "EXECUTABLE" AND NOT target STREQUAL "temper")
      add_test(NAME examples/${name} COMMAND ${target} WORKING_DIRECTORY "${PROJECT_BINARY_DIR}/examples/${name}")
      set_tests_properties(examples/${name} PROPERTIES LABELS examples TIMEOUT 300)
    endif()
  endforeach()
endfunction()

# Benchmarks are numbers, so sanitized builds leave them out; the dev build compiles them so that they stay compilable.
function(temper_add_benchmarks)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.cpp")
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(bench_${name} "${source}")
    temper_link_all(bench_${name})
    set_target_properties(bench_${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
    if(TEMPER_SANITIZE)
      set_target_properties(bench_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    elseif(CMAKE_BUILD_TYPE STREQUAL "Debug")
      target_compile_options(bench_${name} PRIVATE -O0)  # nobody runs it
    endif()
  endforeach()
endfunction()

# One program a folder, and in it one test a file. CMAKE_UNITY_BUILD (on in the presets) compiles several files at once,
# which reads the headers and instantiates the templates that they share once: each file keeps its names in a namespace
# of its own. The precompiled header holds the four large headers that nearly every test reads.
function(temper_add_tests)
  if(NOT EXISTS "${PROJECT_SOURCE_DIR}/tests/support/main.cpp")
    return()
  endif()
  find_package(doctest 2.4 REQUIRED)
  add_library(test_main OBJECT "${PROJECT_SOURCE_DIR}/tests/support/main.cpp")
  temper_link_test(test_main)
  # The precompiled header needs a target with a source that uses it. It is not main.cpp, which needs doctest's body.
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/tests/precompiled.cpp" CONTENT "// Made by the build.\n" @ONLY)
  add_library(test_precompiled OBJECT "${PROJECT_BINARY_DIR}/tests/precompiled.cpp")
  temper_link_test(test_precompiled)
  target_precompile_headers(test_precompiled PRIVATE <Eigen/Core> <fmt/format.h> <nlohmann/json.hpp> <doctest/doctest.h>)

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/tests/*_test.cpp")
  list(FILTER sources EXCLUDE REGEX "^(package|must_not_compile)/")
  if("thread" IN_LIST TEMPER_SANITIZE)  # what never runs on two threads cannot race
    list(FILTER sources INCLUDE REGEX
      "^(backend|kernel|model|optimizer|train)/|^data/(parallel_rows|dataset_reader)")
  elseif(TEMPER_SANITIZE)  # each cell of the matrix is made of what other tests run, and it compiles for minutes
    list(FILTER sources EXCLUDE REGEX "^matrix/")
  endif()
  # Replaces operator new for its whole program, and so does the thread sanitizer.
  set(alone train/no_allocation_test.cpp)
  list(REMOVE_ITEM sources ${alone})
  if(TEMPER_ONLY_TESTS)
    list(FILTER sources INCLUDE REGEX "${TEMPER_ONLY_TESTS}")
  elseif(NOT "thread" IN_LIST TEMPER_SANITIZE)
    temper_add_test_program(no_allocation train ${alone})
  endif()

  set(folders ${sources})
  list(TRANSFORM folders REPLACE "/.*" "")
  list(REMOVE_DUPLICATES folders)
  foreach(folder IN LISTS folders)
    set(of_folder ${sources})
    list(FILTER of_folder INCLUDE REGEX "^${folder}/")
    temper_add_test_program(${folder} ${folder} ${of_folder})
  endforeach()
  temper_add_planted_bugs()
endfunction()

# The bugs of tests/kernel/planted_bugs.hpp that a sanitizer reports, and ends the program: each must be reported.
function(temper_add_planted_bugs)
  set(bugs "")
  if("address" IN_LIST TEMPER_SANITIZE)
    set(bugs shared_overflow missing_tail_read_guard missing_tail_write_guard)
    set(report "AddressSanitizer: heap-buffer-overflow")
  elseif("thread" IN_LIST TEMPER_SANITIZE)
    set(bugs missing_sync missing_wait weak_wait missing_sync_after_wait stale_stage)
    set(report "ThreadSanitizer: data race")
  endif()
  if(bugs)
    add_executable(planted_bugs "${PROJECT_SOURCE_DIR}/tests/kernel/planted_bugs.cpp")
    temper_link_test(planted_bugs)
    set_target_properties(planted_bugs PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  endif()
  foreach(bug IN LISTS bugs)
    add_test(NAME kernel/planted/${bug} COMMAND planted_bugs ${bug})
    set_tests_properties(kernel/planted/${bug} PROPERTIES LABELS kernel TIMEOUT 60 PASS_REGULAR_EXPRESSION "${report}")
  endforeach()
endfunction()

# The program build/<preset>/tests/<name>; a test a source file, named by its path and labelled.
function(temper_add_test_program name label)
  set(target test_${name})
  set(paths ${ARGN})
  list(TRANSFORM paths PREPEND "${PROJECT_SOURCE_DIR}/tests/")
  add_executable(${target} ${paths} $<TARGET_OBJECTS:test_main>)
  temper_link_test(${target})
  target_precompile_headers(${target} REUSE_FROM test_precompiled)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  # A test in tests/program may call the parts of the program, and run it at the path TEMPER_PROGRAM.
  if(TARGET temper AND label STREQUAL "program")
    target_link_libraries(${target} PRIVATE temper_parts)
    add_dependencies(${target} temper)
  endif()
  # Long runs are for their numbers; each is marked doctest::test_suite("long"). Threads do the same in double as in float.
  set(but "")
  if(TEMPER_SANITIZE)
    set(but --test-suite-exclude=long)
  endif()
  if("thread" IN_LIST TEMPER_SANITIZE)
    list(APPEND but "--test-case-exclude=*in double*")
  endif()
  foreach(source IN LISTS ARGN)
    string(REGEX REPLACE "_test\\.cpp$" "" test "${source}")
    add_test(NAME ${test} COMMAND ${target} "--source-file=*/tests/${source}" ${but})
    set_tests_properties(${test} PROPERTIES LABELS "${label}" TIMEOUT 300)
    if(test MATCHES "^(train/|program/resume|backend/cpu/attention|adapter/prompt)")
      set_tests_properties(${test} PROPERTIES COST 100)  # long ones first, so that none is left over at the end
    endif()
  endforeach()
endfunction()

function(temper_link_test target)
  temper_link_all(${target})
  target_link_libraries(${target} PRIVATE doctest::doctest)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_compile_definitions(${target} PRIVATE "TEMPER_BUILD_VERSION=\"${PROJECT_VERSION}\""
                                               "TEMPER_TESTS=\"${PROJECT_SOURCE_DIR}/tests\""
                                               "TEMPER_PROGRAM=\"${PROJECT_BINARY_DIR}/temper\"")
endfunction()

function(temper_add_fuzz_targets)
  if(TEMPER_FUZZ AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "TEMPER_FUZZ needs clang++, whose libFuzzer it uses; the compiler is ${CMAKE_CXX_COMPILER_ID}")
  endif()
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/*_fuzz.cpp")
  if(NOT TEMPER_FUZZ AND NOT "address" IN_LIST TEMPER_SANITIZE)
    set(sources "")  # the replays are for the sanitizers that see bad accesses; parsers have no threads
  endif()
  foreach(source IN LISTS sources)
    get_filename_component(program "${source}" NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" name "${program}")
    add_executable(${program} "${source}")
    temper_link_all(${program})
    set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
    target_include_directories(${program} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    if(TEMPER_FUZZ)
      target_compile_options(${program} PRIVATE -fsanitize=fuzzer)
      target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    else()
      target_sources(${program} PRIVATE "${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cpp")
      add_test(NAME fuzz/${name} COMMAND ${program} "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}")
      set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz TIMEOUT 120)
    endif()
  endforeach()
endfunction()
