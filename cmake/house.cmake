# SPDX-License-Identifier: MIT
# Tests of the sources themselves, in the plain build only: each header alone, programs that must not
# compile, the package from outside, the rules of the tree, the excerpts in docs, formatting, static analysis.
include_guard()

set(house_compilers "")
foreach(compiler g++ clang++)
  find_program(TEMPER_${compiler} ${compiler})
  if(TEMPER_${compiler})
    list(APPEND house_compilers ${compiler})
  endif()
endforeach()

set(house_include_flags "-I${PROJECT_SOURCE_DIR}/include" "-I${PROJECT_SOURCE_DIR}/kernels")
get_target_property(eigen_includes Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
foreach(directory IN LISTS eigen_includes)
  list(APPEND house_include_flags -isystem "${directory}")
endforeach()

# --- Headers: each compiles alone. Not under clang++ too: the sanitized builds compile each with its test.
set(house_tests "")
if(TEMPER_g++)
  add_test(NAME house/headers COMMAND bash "${PROJECT_SOURCE_DIR}/tests/house/headers.sh" "${PROJECT_BINARY_DIR}/headers"
    "${TEMPER_g++}" -std=c++20 ${temper_warnings} ${house_include_flags})
  set_tests_properties(house/headers PROPERTIES TIMEOUT 1200 PROCESSORS 2)
  list(APPEND house_tests headers)
endif()

# --- Static analysis reads one unit for all headers, and one for each example: what they share is read once.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/include/*.hpp")
file(GLOB_RECURSE kernel_headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/kernels"
  "${PROJECT_SOURCE_DIR}/kernels/*.hpp" "${PROJECT_SOURCE_DIR}/kernels/*.cuh")
list(FILTER headers EXCLUDE REGEX "/backend/cuda/")
list(APPEND headers ${kernel_headers})
list(TRANSFORM headers REPLACE "(.+)" "#include <\\1>\n")
list(JOIN headers "" all_headers)
set(tidy_units "${PROJECT_BINARY_DIR}/headers/all_headers.cpp")
file(CONFIGURE OUTPUT "${tidy_units}" CONTENT "// Made by the build: every host header.\n${all_headers}" @ONLY)
file(GLOB example_directories CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*/CMakeLists.txt")
foreach(directory IN LISTS example_directories)
  get_filename_component(directory "${directory}" DIRECTORY)
  get_filename_component(name "${directory}" NAME)
  file(GLOB example_sources CONFIGURE_DEPENDS "${directory}/*.cpp")
  list(LENGTH example_sources count)
  if(count EQUAL 1)
    list(APPEND tidy_units ${example_sources})
    continue()
  endif()
  list(TRANSFORM example_sources REPLACE "(.+)" "#include \"\\1\"\n")
  list(JOIN example_sources "" example_unit)
  set(unit "${PROJECT_BINARY_DIR}/headers/example_${name}.cpp")
  file(CONFIGURE OUTPUT "${unit}" CONTENT
    "// Made by the build. NOLINTBEGIN(bugprone-suspicious-include)\n${example_unit}// NOLINTEND(bugprone-suspicious-include)\n" @ONLY)
  list(APPEND tidy_units "${unit}")
endforeach()
add_test(NAME house/tidy COMMAND bash "${PROJECT_SOURCE_DIR}/tests/house/tidy.sh" ${tidy_units})
set_tests_properties(house/tidy PROPERTIES TIMEOUT 900 PROCESSORS 2)

# --- Programs that must not compile.
file(GLOB wrongs CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/must_not_compile/*.cpp")
foreach(wrong IN LISTS wrongs)
  get_filename_component(name "${wrong}" NAME_WE)
  foreach(compiler IN LISTS house_compilers)
    add_test(NAME must_not_compile/${name}/${compiler} COMMAND bash "${PROJECT_SOURCE_DIR}/tests/must_not_compile/check.sh"
      "${wrong}" "${TEMPER_${compiler}}" -std=c++20 ${temper_warnings} ${house_include_flags})
    set_tests_properties(must_not_compile/${name}/${compiler} PROPERTIES LABELS must_not_compile TIMEOUT 120)
  endforeach()
endforeach()

# --- The package, from outside the tree.
foreach(consumer find_package add_subdirectory pkg_config re_export missing_component examples)
  add_test(NAME package/${consumer} COMMAND bash "${PROJECT_SOURCE_DIR}/tests/package/check.sh" ${consumer} "${PROJECT_BINARY_DIR}")
  set_tests_properties(package/${consumer} PROPERTIES LABELS package TIMEOUT 600)
endforeach()

# --- The tree and the docs.
foreach(rule eigen_rooms cuda_rooms openssl_room tables_room ascii spdx tests_for_headers names namespaces)
  add_test(NAME house/${rule} COMMAND bash "${PROJECT_SOURCE_DIR}/tests/house/rules.sh" ${rule})
endforeach()
add_test(NAME house/excerpts COMMAND bash "${PROJECT_SOURCE_DIR}/tests/house/excerpts.sh")
add_test(NAME house/errors COMMAND bash "${PROJECT_SOURCE_DIR}/tests/house/errors.sh")
add_test(NAME house/format COMMAND bash "${PROJECT_SOURCE_DIR}/tests/house/format.sh")
list(APPEND house_tests tidy eigen_rooms cuda_rooms openssl_room tables_room ascii spdx tests_for_headers names namespaces excerpts errors format)
list(TRANSFORM house_tests PREPEND house/)
set_tests_properties(${house_tests} PROPERTIES LABELS house)
