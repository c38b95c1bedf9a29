// SPDX-License-Identifier: MIT
// A quantized weight as transformers saves it for bitsandbytes: 'x.weight' holds codes. In 4 bits beside it stand
//   x.weight.absmax            a scale for each block of 64, F32, or with double quantization a byte
//   x.weight.quant_map         the 16 values
//   x.weight.nested_absmax, x.weight.nested_quant_map     of double quantization: a scale for 256 bytes, their values
//   x.weight.quant_state.bitsandbytes__nf4 (or __fp4)     JSON: type, shape, block sizes, offset
// In 8 bits (load_in_8bit) x.weight is I8, a row as long as the matrix's own, and beside it stand
//   x.SCB                      the largest magnitude of each row, F32
//   x.weight_format            one byte: 0, rows one after the other; old files may lack it
// Nothing of it is believed: types, sizes, tables and names must agree with each other.
#pragma once
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "temper/core/weight_source.hpp"
#include "temper/io/json_fields.hpp"
#include "temper/io/weight_folder.hpp"

namespace temper {

inline constexpr std::array<std::string_view, 4> code_parts = {".absmax", ".quant_map", ".nested_absmax",
                                                               ".nested_quant_map"};
inline constexpr std::string_view code_state = ".quant_state.bitsandbytes__";

inline constexpr std::string_view row_scales = ".SCB", row_format = ".weight_format";

inline bool holds_codes(const TensorInfo& tensor) {
  return (tensor.dtype == "U8" || tensor.dtype == "I8") && tensor.name.ends_with(".weight");
}

// 'x' of 'x.weight'.
inline std::string_view module_of_weight(std::string_view name) {
  return name.substr(0, name.size() - std::string_view(".weight").size());
}

// The weight that this tensor is a part of where weights are in that coding, by its name; empty where it is none. What
// another coding would have beside a weight is no part of it, and a folder that holds it is no model.
inline std::string weight_of_part(std::string_view name, Coding coding) {
  const auto without = [name](std::string_view part) { return std::string(name.substr(0, name.size() - part.size())); };
  if (coding == Coding::int8) {
    for (const std::string_view part : {row_scales, row_format})
      if (name.ends_with(part)) return without(part) + ".weight";
    return {};
  }
  const std::string state = std::string(code_state) + std::string(name_of(coding));
  if (name.ends_with(state)) return without(state);
  for (const std::string_view part : code_parts)
    if (name.ends_with(part)) return without(part);
  return {};
}

// Of a quantized weight, which takes all of its parts with it; nested ones only where its scales are coded.
inline bool is_code_part(const WeightFolder& folder, const TensorInfo& tensor, Coding coding) {
  const std::string whole = weight_of_part(tensor.name, coding);
  const TensorInfo* weight = whole.empty() ? nullptr : folder.find(whole);
  if (!weight || !holds_codes(*weight)) return false;
  if (!tensor.name.starts_with(whole + ".nested_")) return true;
  const TensorInfo* scales = folder.find(whole + ".absmax");
  return scales && scales->dtype == "U8";
}

// What the weights of a folder are coded in: dense where no tensor says otherwise.
inline Coding coding_of(const WeightFolder& folder) {
  for (const TensorInfo& tensor : folder.tensors()) {
    for (const Coding coding : {Coding::nf4, Coding::fp4})
      if (tensor.name.ends_with(std::string(code_state) + std::string(name_of(coding)))) return coding;
    if (holds_codes(tensor) && tensor.dtype == "I8") return Coding::int8;
  }
  return Coding::dense;
}

// How scales are held when codes are merged with an adapter into others: as those of a base in 4 bits, else coded.
constexpr ScaleForm merged_form(Coding into, const Codes& base) {
  if (!four_bits(into)) return ScaleForm::plain;
  return four_bits(base.coding) ? base.scales.form : ScaleForm::coded;
}

// F32 where there is none.
inline Element element_of_embedding(const WeightFolder& folder) {
  const TensorInfo* table = folder.find("model.embed_tokens.weight");
  return table && table->element ? *table->element : Element::f32;
}

class StoredCodes {
 public:
  // 'coding' is the folder's, coding_of.
  StoredCodes(const WeightFolder& folder, const TensorInfo& weight, Coding coding)
      : folder_(folder), weight_(weight), coding_(coding) {}

  StoredTensor read() const { return coding_ == Coding::int8 ? read_rows() : read_blocks(); }

  // What the weight was before it was quantized, as its description says; F32 where it says nothing that is known. Of 8
  // bits there is none: it was what the embedding is, which stays dense.
  Element original() const {
    if (coding_ == Coding::int8) return element_of_embedding(folder_);
    const Json state = parsed(packed_state());
    const Json* type = state.is_object() && state.contains("dtype") ? &state["dtype"] : nullptr;
    return type && *type == "bfloat16" ? Element::bf16 : type && *type == "float16" ? Element::f16 : Element::f32;
  }

 private:
  StoredTensor read_blocks() const {
    require_type(weight_, "U8");
    const TensorInfo& packed = packed_state();
    const JsonSource source{shown_tensor(packed)};
    const Json state = parsed(packed);
    const std::string type = require_string(state, "quant_type", source);
    require(type == name_of(coding_), Fault::data, "codes.type",
            "{}: quant_type is '{}'; expected '{}', as the name says; the file was put together wrongly", source.name,
            printable(type, 60), name_of(coding_));
    require_integer(state, "blocksize", source, weight_block, weight_block);
    const Json& shape = require_array(state, "shape", source);
    require(shape.size() == 2, Fault::data, "codes.shape", "{}: shape has {} sizes; expected two, of a matrix",
            source.name, shape.size());
    constexpr Index many = Index{1} << 24;
    const Index rows = as_integer(shape[0], "shape", source, 1, many),
                cols = as_integer(shape[1], "shape", source, 1, many);
    const bool nested = state.contains("nested_offset");
    const ScaleForm form = nested ? ScaleForm::coded : ScaleForm::plain;
    const CodedBytes bytes = coded_bytes(coding_, form, rows, cols);
    require_bytes(weight_, bytes.codes, rows, cols);
    require_values(part(".quant_map", "F32"), table_of(coding_));

    Codes codes{coding_, {.form = form}};
    if (nested) {
      require_integer(state, "nested_blocksize", source, code_block, code_block);
      codes.scales.offset = static_cast<float>(require_number(state, "nested_offset", source));
      require_values(part(".nested_quant_map", "F32"), dynamic_map<Signs::both>.value);
      const TensorInfo& scale_codes = part(".absmax", "U8");
      require_bytes(scale_codes, bytes.scale_codes, rows, cols);
      codes.scales.codes = reinterpret_cast<const std::uint8_t*>(scale_codes.bytes.data());
    }
    const TensorInfo& scales = part(nested ? ".nested_absmax" : ".absmax", "F32");
    require_bytes(scales, bytes.scales, rows, cols);
    codes.scales.values = reinterpret_cast<const float*>(scales.bytes.data());
    return {Element::f32, {rows, cols}, weight_.bytes.data(), codes};
  }

  StoredTensor read_rows() const {
    require_type(weight_, "I8");
    require(weight_.shape.size() == 2, Fault::data, "codes.shape", "{} has shape {}; expected two sizes, of a matrix",
            shown_tensor(weight_), shape_text(weight_.shape));
    const std::string module(module_of_weight(weight_.name));
    const TensorInfo& scales = named(module + std::string(row_scales), "F32");
    require(scales.shape == std::vector<Index>{weight_.shape[0]}, Fault::data, "codes.size",
            "{} has shape {}; expected [{}], a scale for each row of '{}' {}; the file was put together wrongly",
            shown_tensor(scales), shape_text(scales.shape), weight_.shape[0], printable(weight_.name),
            shape_text(weight_.shape));
    require_scales(scales);
    if (folder_.find(module + std::string(row_format))) {
      const TensorInfo& format = named(module + std::string(row_format), "U8");
      const int order = format.bytes.size() == 1 ? std::to_integer<int>(format.bytes[0]) : -1;
      require(
          order == 0, Fault::data, "codes.format",
          "{} is {}; expected 0, which is rows one after the other; codes in the order of a GPU's tensor cores (1 to "
          "3) are not read; save the model again with a newer bitsandbytes",
          shown_tensor(format), order < 0 ? fmt::format("{} bytes", format.bytes.size()) : std::to_string(order));
    }
    return {Element::f32,
            weight_.shape,
            weight_.bytes.data(),
            {Coding::int8, {.values = reinterpret_cast<const float*>(scales.bytes.data())}}};
  }

  // The largest magnitude of a row: what it decodes to must be numbers.
  static void require_scales(const TensorInfo& scales) {
    constexpr float most = std::numeric_limits<float>::max() / 128;
    for (std::size_t row = 0; row < scales.bytes.size() / sizeof(float); ++row) {
      float scale = 0;
      std::memcpy(&scale, scales.bytes.data() + row * sizeof(float), sizeof(float));
      if (!(scale >= 0 && scale <= most))
        fail(Fault::data, "codes.scale", "{} has the scale {} for row {}; expected 0 to {:g}; the file is damaged",
             shown_tensor(scales), scale, row, most);
    }
  }

  const TensorInfo& packed_state() const {
    const TensorInfo& packed = part(std::string(code_state) + std::string(name_of(coding_)), "U8");
    require(packed.bytes.size() <= 4096, Fault::data, "codes.state", "{} has {} bytes; expected a short JSON object",
            shown_tensor(packed), packed.bytes.size());
    return packed;
  }
  static Json parsed(const TensorInfo& packed) {
    const std::string text(reinterpret_cast<const char*>(packed.bytes.data()), packed.bytes.size());
    return parse_json(text, shown_tensor(packed));
  }
  const TensorInfo& part(const std::string& ending, std::string_view dtype) const {
    return named(weight_.name + ending, dtype);
  }
  const TensorInfo& named(const std::string& name, std::string_view dtype) const {
    const TensorInfo* found = folder_.find(name);
    require(found != nullptr, Fault::data, "codes.missing",
            "{} is quantized but the folder has no '{}'; expected every part of it; copy the model again",
            shown_tensor(weight_), printable(name));
    require_type(*found, dtype);
    return *found;
  }
  static void require_type(const TensorInfo& tensor, std::string_view dtype) {
    require(tensor.dtype == dtype, Fault::data, "codes.dtype", "{} has type {}; expected {}", shown_tensor(tensor),
            tensor.dtype, dtype);
  }
  static void require_bytes(const TensorInfo& tensor, std::size_t bytes, Index rows, Index cols) {
    require(tensor.bytes.size() == bytes, Fault::data, "codes.size",
            "{} has {} bytes; expected {} for a matrix of [{}, {}]; the file was put together wrongly",
            shown_tensor(tensor), tensor.bytes.size(), bytes, rows, cols);
  }
  template <std::size_t N>
  static void require_values(const TensorInfo& tensor, const std::array<float, N>& values) {
    std::array<float, N> found{};
    const bool fits = tensor.bytes.size() == sizeof(found);
    if (fits) std::memcpy(found.data(), tensor.bytes.data(), sizeof(found));
    require(fits && found == values, Fault::data, "codes.table",
            "{} is not the table of bitsandbytes' own type; expected its {} values; only these are known here",
            shown_tensor(tensor), N);
  }

  const WeightFolder& folder_;
  const TensorInfo& weight_;
  Coding coding_;
};

}  // namespace temper
