// SPDX-License-Identifier: MIT
// Any bytes either give an Error or a value that is written and read back as the same value; places lie in the text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "temper/io/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  temper::JsonOptions options;
  options.comments = size % 2 == 0 ? temper::Comments::allowed : temper::Comments::refused;
  try {
    const temper::LocatedJson located = temper::parse_located_json(text, "fuzz", options);
    for (const auto& [pointer, place] : located.values)
      if (place.line < 1 || place.column < 1) std::abort();
    const std::string written = temper::to_text(located.value);
    if (temper::to_text(temper::parse_json(written, "again")) != written) std::abort();
    if (located.duplicates.empty() && temper::parse_json(text, "fuzz", options) != located.value) std::abort();
  } catch (const temper::Error& error) {
    if (error.fault() != temper::Fault::data || std::string_view(error.what()).size() > 2000) std::abort();
  }
  return 0;
}
