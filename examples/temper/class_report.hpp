// SPDX-License-Identifier: MIT
// How an evaluated classification went, class by class.
#pragma once
#include <string>

#include "temper/io/json.hpp"
#include "temper/model/score_labels.hpp"
#include "temper/objective/class_tally.hpp"

namespace temper_cli {

using temper::Index;
using temper::Json;

// 'validation/classes': for each label its counts and F1; with a single label a row 'validation/confusion': the matrix
// [actual][predicted], or with very many labels its cells that are not zero as [actual, predicted, rows].
Json class_report(const temper::ClassTally& tally, const temper::ScoreLabels& labels);

// A line for each label, and the matrix where it fits a screen.
std::string class_text(const temper::ClassTally& tally, const temper::ScoreLabels& labels);

}  // namespace temper_cli
