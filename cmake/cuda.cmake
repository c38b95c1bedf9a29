# SPDX-License-Identifier: MIT
# temper::cuda, the kernels' side of the library, for those who ask for it. CMake 3.25.1 cannot set the standard of CUDA
# sources to 20 by itself, so the option is handed on with the target; fmt 9 needs its constexpr turned on there, and
# Eigen is kept from its own CUDA support, which warns.
include_guard()
include(CheckLanguage)

# CUDACXX names the compiler itself, not a folder that it is in.
if(NOT TEMPER_NVCC AND EXISTS "$ENV{CUDACXX}" AND NOT IS_DIRECTORY "$ENV{CUDACXX}")
  set(TEMPER_NVCC "$ENV{CUDACXX}" CACHE FILEPATH "The compiler of CUDA sources" FORCE)
endif()
find_program(TEMPER_NVCC nvcc HINTS "$ENV{CUDA_PATH}/bin" /usr/local/cuda/bin)
if(NOT TEMPER_NVCC)
  message(FATAL_ERROR "the kernels need nvcc (CUDA 12.0 or newer), and none was found on PATH or in /usr/local/cuda/bin; "
                      "install the CUDA toolkit or set CUDACXX, or use the preset 'release', which builds without kernels")
endif()
if(NOT CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER "${TEMPER_NVCC}")
endif()
enable_language(CUDA)
find_package(CUDAToolkit 12.0 REQUIRED)

add_library(temper_cuda INTERFACE)
add_library(temper::cuda ALIAS temper_cuda)
target_link_libraries(temper_cuda INTERFACE temper::temper CUDA::cudart CUDA::cublas CUDA::cublasLt)
target_compile_options(temper_cuda INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>")
target_compile_definitions(temper_cuda INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:FMT_USE_CONSTEXPR=1;EIGEN_NO_CUDA>")
if(NOT EXISTS "${PROJECT_SOURCE_DIR}/kernels/temper/kernel")
  message(STATUS "there are no kernels yet: this builds the program as the preset 'release' does")
endif()

# tests/gpu/*.cu make one program, build/<preset>/tests/gpu: every kernel against its host reference. A report of a
# runner names the source line.
if(TEMPER_DEVELOPER)
  file(GLOB gpu_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/gpu/*.cu")
  if(gpu_tests)
    add_executable(gpu ${gpu_tests})
    target_link_libraries(gpu PRIVATE temper::cuda)
    target_include_directories(gpu PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    target_compile_options(gpu PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-lineinfo;-Werror=all-warnings>")
    set_target_properties(gpu PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    enable_testing()
    add_test(NAME gpu COMMAND bash "${PROJECT_SOURCE_DIR}/tests/gpu/run.sh" "$<TARGET_FILE:gpu>")
    set_tests_properties(gpu PROPERTIES LABELS gpu TIMEOUT 900 SKIP_RETURN_CODE 77)
  endif()
  # For bench/gpu.sh, and for counts in emulation.
  add_executable(bench_gpu_kernels EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/bench/gpu_kernels.cu")
  target_link_libraries(bench_gpu_kernels PRIVATE temper::cuda)
  target_include_directories(bench_gpu_kernels PRIVATE "${PROJECT_SOURCE_DIR}/bench")
  target_compile_options(bench_gpu_kernels PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-lineinfo;-Werror=all-warnings>")
  set_target_properties(bench_gpu_kernels PROPERTIES OUTPUT_NAME gpu_kernels RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
endif()
