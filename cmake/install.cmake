# SPDX-License-Identifier: MIT
# What 'cmake --install' copies: both include roots into one folder, the package's files, a pkg-config file. All paths
# are relative to where the files lie, so that the installed tree can be moved.
include_guard()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_directory "${CMAKE_INSTALL_DATADIR}/cmake/temper")
install(DIRECTORY include/temper DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
if(EXISTS "${PROJECT_SOURCE_DIR}/kernels/temper")
  install(DIRECTORY kernels/temper DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cuh")
endif()

install(TARGETS temper_headers EXPORT temper)
install(EXPORT temper NAMESPACE temper:: FILE temper-targets.cmake DESTINATION "${package_directory}")
configure_package_config_file(cmake/temper-config.cmake.in "${PROJECT_BINARY_DIR}/temper-config.cmake"
  INSTALL_DESTINATION "${package_directory}" NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/temper-config-version.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/temper-config.cmake" "${PROJECT_BINARY_DIR}/temper-config-version.cmake"
  cmake/components.cmake DESTINATION "${package_directory}")

configure_file(cmake/temper.pc.in "${PROJECT_BINARY_DIR}/temper.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/temper.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
