// SPDX-License-Identifier: MIT
// Any bytes as a Parquet file: an Error that names the file, or rows that can be written as JSON. So that most inputs
// get past the ends of the file, bytes without the magic words are taken for what stands between them.
#include "temper/data/table/parquet.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace temper;
  if (size == 0) return 0;
  std::string text(reinterpret_cast<const char*>(data), size);
  if (!text.starts_with("PAR1") && size % 2 == 0) {
    text = "PAR1" + text;
    const std::size_t length = text.size() - 4;
    for (unsigned i = 0; i < 4; ++i) text += static_cast<char>(length >> (8 * i) & 0xffu);
    text += "PAR1";
  }
  try {
    ParquetRows rows(std::make_unique<TextAccess>(text), "fuzz.parquet");
    Record record;
    std::size_t count = 0;
    // A thousand rows show what a million would.
    while (count < 1000 && rows.next(record)) {
      if (record.line != static_cast<Index>(++count) || !record.fields.is_object()) std::abort();
      if (count % 100 == 1) to_text(record.fields);
    }
  } catch (const Error& error) {
    const std::string_view sentence = error.what();
    if (sentence.find("fuzz.parquet") == std::string_view::npos || sentence.size() > 2000) std::abort();
    if (error.fault() != Fault::data) std::abort();
  }
  return 0;
}
