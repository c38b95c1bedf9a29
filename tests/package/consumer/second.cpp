// SPDX-License-Identifier: MIT
#include "every_header.hpp"

const char* version_in_second_unit() { return temper::version.data(); }
