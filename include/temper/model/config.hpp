// SPDX-License-Identifier: MIT
// The numbers of an architecture, read from a Hugging Face config.json and checked before anything is allocated. One
// decoder serves Llama 2 and 3, Qwen2 and 2.5, Qwen3 and Mistral: they differ only in what stands here.
#pragma once
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/io/json_fields.hpp"
#include "temper/storage/weight_matrix.hpp"

namespace temper {

// How positions turn into angles. Names and formulas are those of transformers' modeling_rope_utils.
struct Rope {
  enum class Kind { plain, linear, dynamic, llama3 };
  Kind kind = Kind::plain;
  double theta = 10000;
  double factor = 1;                             // linear, dynamic, llama3
  double low_frequency = 1, high_frequency = 4;  // llama3
  Index original_positions = 0;                  // llama3: trained length; dynamic: max_position_embeddings
};

struct Config {
  std::string model_type;  // llama | qwen2 | qwen3 | mistral
  Index vocabulary = 0, width = 0, layers = 0, heads = 0, kv_heads = 0, head_width = 0, feed_forward = 0;
  Index max_positions = 2048;
  double norm_epsilon = 1e-6;
  double initializer_range = 0.02;
  bool tied = false;         // the head is the embedding table
  bool query_bias = false;   // q, k and v projections have a bias
  bool output_bias = false;  // so has the attention's output projection
  bool feed_forward_bias = false;
  bool query_norm = false;     // Qwen3: rms norm of each query and key head
  std::vector<Index> windows;  // a sliding window for each layer, 0: none
  Rope rope;
  Coding coding = Coding::dense;  // of projections that are quantized already
  Json json;                      // the file as it was, for writing it again

  Index query_width() const { return heads * head_width; }
  Index kv_width() const { return kv_heads * head_width; }
};

// Reads the members of one object of config.json; messages name the file and the key.
class ConfigReader {
 public:
  ConfigReader(const Json& object, std::string source) : object_(object), source_(std::move(source)) {
    require(object.is_object(), Fault::data, "config.not_object",
            "{}: this is not a JSON object; expected a model's "
            "configuration",
            source_);
  }

  const Json* find(const char* key) const {
    const auto at = object_.find(key);
    return at == object_.end() || at->is_null() ? nullptr : &*at;
  }
  bool states(const char* key) const { return object_.contains(key); }
  Index integer(const char* key, Index smallest, Index largest) const {
    const Json* value = find(key);
    require(value != nullptr, Fault::data, "config.missing",
            "{}: key '{}' is missing; expected an integer in [{}, {}]; "
            "the file is not a decoder's configuration or was cut",
            source_, key, smallest, largest);
    return checked(*value, key, smallest, largest);
  }
  Index integer_or(const char* key, Index otherwise, Index smallest, Index largest) const {
    const Json* value = find(key);
    return value ? checked(*value, key, smallest, largest) : otherwise;
  }
  double number_or(const char* key, double otherwise, double smallest, double largest) const {
    const Json* value = find(key);
    if (!value) return otherwise;
    require(value->is_number() && value->get<double>() >= smallest && value->get<double>() <= largest, Fault::data,
            "config.number", "{}: key '{}' is {}; expected a number in [{}, {}]", source_, key, shown(*value), smallest,
            largest);
    return value->get<double>();
  }
  bool flag_or(const char* key, bool otherwise) const {
    const Json* value = find(key);
    if (!value) return otherwise;
    require(value->is_boolean(), Fault::data, "config.flag", "{}: key '{}' is {}; expected true or false", source_, key,
            shown(*value));
    return value->get<bool>();
  }
  std::string word_or(const char* key, const std::string& otherwise) const {
    const Json* value = find(key);
    if (!value) return otherwise;
    require(value->is_string(), Fault::data, "config.word", "{}: key '{}' is {}; expected a string", source_, key,
            shown(*value));
    return value->get<std::string>();
  }
  const std::string& source() const { return source_; }

 private:
  Index checked(const Json& value, const char* key, Index smallest, Index largest) const {
    // Unsigned numbers above the signed range would turn negative in get<Index>.
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{1} << 62);
    require(fits && value.get<Index>() >= smallest && value.get<Index>() <= largest, Fault::data, "config.integer",
            "{}: key '{}' is {}; expected an integer in [{}, {}]", source_, key, shown(value), smallest, largest);
    return value.get<Index>();
  }
  static std::string shown(const Json& value) {
    const std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    return text.size() > 80 ? text.substr(0, 80) + "..." : text;
  }

  const Json& object_;
  std::string source_;
};

inline Rope read_rope(const ConfigReader& config, Index max_positions) {
  Rope rope{.theta = config.number_or("rope_theta", 10000, 1e-3, 1e12)};
  const Json* scaling = config.find("rope_parameters");  // transformers 5; before it rope_theta and rope_scaling
  if (!scaling) scaling = config.find("rope_scaling");
  if (!scaling) return rope;

  const ConfigReader reader(*scaling, config.source() + ": rope_scaling");
  rope.theta = reader.number_or("rope_theta", rope.theta, 1e-3, 1e12);
  const std::string kind = reader.word_or("rope_type", reader.word_or("type", "default"));
  if (kind == "default") return rope;
  rope.factor = reader.number_or("factor", 1, 1, 1e6);
  if (kind == "linear") {
    rope.kind = Rope::Kind::linear;
  } else if (kind == "dynamic") {
    rope.kind = Rope::Kind::dynamic;
    rope.original_positions = max_positions;  // not original_max_position_embeddings: so does transformers
  } else if (kind == "llama3") {
    rope.kind = Rope::Kind::llama3;
    rope.low_frequency = reader.number_or("low_freq_factor", 1, 1e-6, 1e6);
    rope.high_frequency = reader.number_or("high_freq_factor", 4, 1e-6, 1e6);
    rope.original_positions = reader.integer("original_max_position_embeddings", 1, Index{1} << 40);
    require(rope.high_frequency > rope.low_frequency, Fault::data, "config.rope",
            "{}: high_freq_factor {} is not above "
            "low_freq_factor {}; expected it to be",
            reader.source(), rope.high_frequency, rope.low_frequency);
  } else {
    fail(Fault::data, "config.rope",
         "{}: rope type '{}' is not known here; expected default, linear, dynamic or llama3; "
         "use a model without it",
         config.source(), printable(kind, 60));
  }
  return rope;
}

// A window for each layer: Mistral has it everywhere, Qwen2 and Qwen3 from max_window_layers on and only when asked.
inline std::vector<Index> read_windows(const ConfigReader& config, const std::string& model_type, Index layers) {
  std::vector<Index> windows(static_cast<std::size_t>(layers), 0);
  const bool qwen = model_type == "qwen2" || model_type == "qwen3";
  if (model_type == "llama" || (qwen && !config.flag_or("use_sliding_window", false))) return windows;
  const bool stated = config.states("sliding_window");  // null says none; silence says the type's own default
  const Index window = stated ? config.integer_or("sliding_window", 0, 0, Index{1} << 40) : 4096;
  const Json* types = config.find("layer_types");
  if (types) {
    require(types->is_array() && types->size() == windows.size(), Fault::data, "config.layer_types",
            "{}: layer_types has {} entries but num_hidden_layers is {}; expected one for each layer", config.source(),
            types->size(), layers);
    for (const Json& kind : *types)
      require(kind == "sliding_attention" || kind == "full_attention", Fault::data, "config.layer_types",
              "{}: layer_types names {}, which is not known here; expected full_attention or sliding_attention",
              config.source(), shown_json(kind));
  }
  const Index first = qwen ? config.integer_or("max_window_layers", 28, 0, Index{1} << 20) : 0;
  for (Index l = 0; l < layers; ++l) {
    const auto at = static_cast<std::size_t>(l);
    const bool slides = types ? (*types)[at] == "sliding_attention" : l >= first;
    windows[at] = slides ? window : 0;
  }
  return windows;
}

// Weights that are quantized already: bitsandbytes' 4 bits, or its 8 bits, and nothing else. What llm_int8_threshold
// says is of activations, which are not quantized here (docs/storages.md).
inline Coding read_coding(const ConfigReader& config) {
  const Json* json = config.find("quantization_config");
  if (!json) return Coding::dense;
  const ConfigReader reader(*json, config.source() + ": quantization_config");
  const std::string method = reader.word_or("quant_method", ""), type = reader.word_or("bnb_4bit_quant_type", "fp4");
  const std::string bytes = reader.word_or("bnb_4bit_quant_storage", "uint8");
  const bool four = reader.flag_or("load_in_4bit", false), eight = reader.flag_or("load_in_8bit", false);
  const bool known = eight || ((type == "nf4" || type == "fp4") && bytes == "uint8");
  require(
      method == "bitsandbytes" && four != eight && known, Fault::data, "config.quantized",
      "{}: the weights are quantized already, by method '{}', load_in_4bit {} (type '{}', held as {}), load_in_8bit "
      "{}; expected bitsandbytes, and either 4 bits of nf4 or fp4, uint8, or 8 bits; use the unquantized original",
      reader.source(), printable(method, 60), four, printable(type, 60), printable(bytes, 60), eight);
  require(!eight || !reader.flag_or("llm_int8_has_fp16_weight", false), Fault::data, "config.quantized",
          "{}: llm_int8_has_fp16_weight is true: such weights are dense, and quantized anew whenever they are used; "
          "expected false; remove quantization_config, and have them quantized on load to int8",
          reader.source());
  return eight ? Coding::int8 : type == "nf4" ? Coding::nf4 : Coding::fp4;
}

inline Config read_config(const Json& json, const std::string& source) {
  const ConfigReader reader(json, source);
  Config config;
  config.model_type = reader.word_or("model_type", "");
  const std::string& type = config.model_type;
  require(type == "llama" || type == "qwen2" || type == "qwen3" || type == "mistral", Fault::data, "config.model_type",
          "{}: model_type '{}' is not known here; expected llama, qwen2, qwen3 or mistral", source,
          printable(type, 60));
  config.coding = read_coding(reader);
  const std::string activation = reader.word_or("hidden_act", "silu");
  require(activation == "silu" || activation == "swish", Fault::data, "config.activation",
          "{}: hidden_act '{}' is not "
          "known here; expected silu",
          source, printable(activation, 60));
  require(reader.number_or("partial_rotary_factor", 1, 0, 1) == 1, Fault::data, "config.partial_rotary",
          "{}: partial_rotary_factor below 1 is not known here; expected 1", source);

  constexpr Index many = Index{1} << 24;  // no dimension of a real model comes near; products stay far below 2^63
  config.vocabulary = reader.integer("vocab_size", 1, many);
  config.width = reader.integer("hidden_size", 1, many);
  config.layers = reader.integer("num_hidden_layers", 1, 4096);
  config.heads = reader.integer("num_attention_heads", 1, 65536);
  config.kv_heads = reader.integer_or("num_key_value_heads", config.heads, 1, config.heads);
  config.feed_forward = reader.integer("intermediate_size", 1, many);
  require(config.heads % config.kv_heads == 0, Fault::data, "config.heads",
          "{}: num_attention_heads {} is not a multiple "
          "of num_key_value_heads {}; expected it to be",
          source, config.heads, config.kv_heads);
  if (reader.find("head_dim")) {
    config.head_width = reader.integer("head_dim", 2, 65536);
  } else {
    config.head_width = type == "qwen3" ? 128 : config.width / config.heads;
    require(type == "qwen3" || config.width % config.heads == 0, Fault::data, "config.heads",
            "{}: hidden_size {} is not "
            "a multiple of num_attention_heads {}; expected it to be, or a head_dim",
            source, config.width, config.heads);
  }
  require(config.head_width >= 2 && config.head_width % 2 == 0 && config.head_width <= 1024, Fault::data,
          "config.head_dim", "{}: a head is {} wide; expected an even width up to 1024 (rotary embedding turns pairs)",
          source, config.head_width);
  config.max_positions = reader.integer_or("max_position_embeddings", 2048, 1, Index{1} << 40);
  config.norm_epsilon = reader.number_or("rms_norm_eps", 1e-6, 0, 1);
  config.initializer_range = reader.number_or("initializer_range", 0.02, 0, 100);
  config.tied = reader.flag_or("tie_word_embeddings", false);
  const bool attention_bias = reader.flag_or("attention_bias", false);
  config.query_bias = type == "qwen2" || (attention_bias && type != "mistral");
  config.output_bias = attention_bias && (type == "llama" || type == "qwen3");
  config.feed_forward_bias = type == "llama" && reader.flag_or("mlp_bias", false);
  config.query_norm = type == "qwen3";
  config.windows = read_windows(reader, type, config.layers);
  config.rope = read_rope(reader, config.max_positions);
  config.json = json;
  return config;
}

inline Config open_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  return read_config(read_json(path), path.string());
}

}  // namespace temper
