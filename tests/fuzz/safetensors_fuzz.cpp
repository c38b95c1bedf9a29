// SPDX-License-Identifier: MIT
// Any bytes either give an Error or tensors that cover the data exactly once, all of them readable.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "temper/io/safetensors.hpp"

namespace {

void read(std::span<const std::byte> bytes) {
  try {
    const temper::SafetensorsContent content = temper::read_safetensors(bytes, "fuzz");
    const std::byte* next = nullptr;
    for (const temper::TensorInfo& tensor : content.tensors.all()) {
      if (next && tensor.bytes.data() != next) std::abort();
      next = tensor.bytes.data() + tensor.bytes.size();
      if (content.tensors.find(tensor.name) != &tensor) std::abort();
      if (!tensor.element) continue;
      if (static_cast<std::size_t>(tensor.count()) * temper::bytes_of(*tensor.element) != tensor.bytes.size())
        std::abort();
      if (temper::widen(tensor).size() != static_cast<std::size_t>(tensor.count())) std::abort();
      temper::first_non_finite(tensor);
    }
    if (next && next != bytes.data() + bytes.size()) std::abort();
  } catch (const temper::Error& error) {
    if (error.fault() != temper::Fault::data || std::string_view(error.what()).size() > 2000) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  read(bytes);
  // Again with a length that fits the header, which mutations of the text would otherwise break each time.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.rfind('}');
  if (size < 8 || end == std::string_view::npos || end < 8) return 0;
  std::string mended(text);
  const std::uint64_t length = end + 1 - 8;
  std::memcpy(mended.data(), &length, 8);
  read(std::as_bytes(std::span(mended)));
  return 0;
}
