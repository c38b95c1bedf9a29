// SPDX-License-Identifier: MIT
// The data report as 'temper check' shows it: one JSON object, or a page of text.
#pragma once
#include <string>

#include "recipe.hpp"
#include "temper/data/report/data_report.hpp"
#include "terminal.hpp"

namespace temper_cli {

Json to_json(const temper::DataReport& report);
std::string report_text(const temper::DataReport& report, const Screen& screen);

// A finding in one line, with its first place.
std::string short_text(const temper::Finding& finding);

}  // namespace temper_cli
