// SPDX-License-Identifier: MIT
// The version of the headers, read by the build from these three lines. Versions of file formats are numbered apart.
#pragma once
#include <string_view>

#define TEMPER_VERSION_MAJOR 0
#define TEMPER_VERSION_MINOR 1
#define TEMPER_VERSION_PATCH 0

namespace temper {

inline constexpr int version_major = TEMPER_VERSION_MAJOR;
inline constexpr int version_minor = TEMPER_VERSION_MINOR;
inline constexpr int version_patch = TEMPER_VERSION_PATCH;

#define TEMPER_TEXT_OF(x) #x
#define TEMPER_TEXT(x) TEMPER_TEXT_OF(x)
inline constexpr std::string_view version =
    TEMPER_TEXT(TEMPER_VERSION_MAJOR) "." TEMPER_TEXT(TEMPER_VERSION_MINOR) "." TEMPER_TEXT(TEMPER_VERSION_PATCH);
#undef TEMPER_TEXT
#undef TEMPER_TEXT_OF

}  // namespace temper
