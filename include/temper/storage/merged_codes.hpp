// SPDX-License-Identifier: MIT
// What merges, one after another, will make of a model's codes: known before any of them is done, for planning.
#pragma once
#include <optional>

#include "temper/storage/weight_matrix.hpp"

namespace temper {

struct MergedCodes {
  Coding coding = Coding::dense;    // after the last merge; before the first, the model's own
  std::optional<ScaleForm> form{};  // of scales in 4 bits; nothing: as the model's own
  Coding through = Coding::dense;   // int8 where that lay between: it does not say what the weights were

  // One merge more. Scales are of the form that is asked for, else as they were; from int8, which has no such, coded.
  constexpr MergedCodes then(Coding into, std::optional<ScaleForm> asked = std::nullopt) const {
    MergedCodes next = *this;
    next.coding = into;
    if (into == Coding::int8) next.through = into;
    if (!four_bits(into)) return next;
    if (asked)
      next.form = asked;
    else if (!four_bits(coding))
      next.form = ScaleForm::coded;
    return next;
  }
};

}  // namespace temper
