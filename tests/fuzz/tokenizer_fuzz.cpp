// SPDX-License-Identifier: MIT
// Bytes up to the first zero byte are a tokenizer.json, the rest is a text for it. Any file gives an Error or a
// tokenizer; any text gives an Error or spans that lie in it; decoding piece by piece equals decoding at once.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "temper/data/stream_decoder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace temper;
  if (size == 0) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = all.find('\0');
  const std::string_view text = zero == std::string_view::npos ? std::string_view() : all.substr(zero + 1);
  try {
    const Tokenizer tokenizer = Tokenizer::from_json(all.substr(0, zero), "fuzz");
    const Encoding encoding = tokenizer.encode(text, SpecialTokens::added);
    if (encoding.ids.size() != encoding.spans.size()) std::abort();
    StreamDecoder stream(tokenizer);
    std::string pieces;
    for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
      const TextSpan span = encoding.spans[i];
      if (span.begin < 0 || span.begin > span.end || span.end > static_cast<Index>(text.size())) std::abort();
      if (encoding.ids[i] < 0 || encoding.ids[i] >= tokenizer.vocabulary()) std::abort();
      pieces += stream.push(encoding.ids[i]);
    }
    pieces += stream.finish();
    if (pieces != tokenizer.decode(encoding.ids, SpecialTokens::none)) std::abort();
  } catch (const Error& error) {
    if (error.fault() != Fault::data || std::string_view(error.what()).size() > 4000) std::abort();
  }
  return 0;
}
