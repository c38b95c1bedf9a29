// SPDX-License-Identifier: MIT
// Today, as templates that print a date see it. A run notes it, so that going on tomorrow renders the same text.
#pragma once
#include "temper/data/chat_template.hpp"

namespace temper_cli {

temper::templates::Date today();
temper::Json to_json(const temper::templates::Date& date);
temper::templates::Date date_of(const temper::Json& json);

}  // namespace temper_cli
