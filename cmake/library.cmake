# SPDX-License-Identifier: MIT
# The library's target. It is called temper_headers inside, since 'temper' is the program.
include_guard()

# Without this, somebody who adds temper as a subdirectory could not see the targets that it links.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(fmt 9 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

add_library(temper_headers INTERFACE)
add_library(temper::temper ALIAS temper_headers)
set_target_properties(temper_headers PROPERTIES EXPORT_NAME temper)
target_compile_features(temper_headers INTERFACE cxx_std_20)
target_include_directories(temper_headers INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
                                                    "$<INSTALL_INTERFACE:include>")
if(EXISTS "${PROJECT_SOURCE_DIR}/kernels")
  target_include_directories(temper_headers INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/kernels>")
endif()
target_link_libraries(temper_headers INTERFACE Eigen3::Eigen fmt::fmt nlohmann_json::nlohmann_json Threads::Threads)

include("${CMAKE_CURRENT_LIST_DIR}/components.cmake")
foreach(component IN LISTS temper_components)
  temper_find_component(${component})
  if(NOT TARGET temper::${component})
    message(STATUS "temper::${component} left out: ${temper_${component}_NOT_FOUND_MESSAGE}")
  endif()
endforeach()
