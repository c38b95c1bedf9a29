// SPDX-License-Identifier: MIT
// Any JSON given as config.json or adapter_config.json is an Error or settings that fit together.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "temper/adapter/peft.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto attempt = [](auto&& read) {
    try {
      read();
    } catch (const temper::Error& error) {
      if (error.fault() != temper::Fault::data || std::string_view(error.what()).size() > 4000) std::abort();
    }
  };
  attempt([&] {
    const temper::Json json = temper::parse_json(text, "fuzz");
    attempt([&] {
      const temper::Config config = temper::read_config(json, "fuzz");
      if (config.heads % config.kv_heads != 0 || config.head_width % 2 != 0) std::abort();
      if (std::ssize(config.windows) != config.layers || config.rope.factor < 1) std::abort();
    });
    attempt([&] {
      const temper::Lora<> lora = temper::read_peft_config(json, "fuzz");
      if (lora.rank < 1 || !(lora.dropout >= 0 && lora.dropout < 1)) std::abort();
    });
    attempt([&] {
      if (temper::read_peft_dora(json, "fuzz").lora.rank < 1) std::abort();
    });
    attempt([&] {
      if (temper::read_peft_prompt(json, "fuzz").virtual_tokens < 1) std::abort();
    });
  });
  return 0;
}
