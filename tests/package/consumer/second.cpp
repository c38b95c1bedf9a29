// SPDX-License-Identifier: MIT
#include "headers.hpp"

const char* version_in_second_unit() { return temper::version.data(); }
