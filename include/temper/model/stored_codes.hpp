// SPDX-License-Identifier: MIT
// A weight in 4 bits as transformers saves it for bitsandbytes: 'x.weight' holds codes, and beside it stand
//   x.weight.absmax            a scale for each block of 64, F32, or with double quantization a byte
//   x.weight.quant_map         the 16 values
//   x.weight.nested_absmax, x.weight.nested_quant_map     of double quantization: a scale for 256 bytes, their values
//   x.weight.quant_state.bitsandbytes__nf4 (or __fp4)     JSON: type, shape, block sizes, offset
// Nothing of it is believed: types, sizes, tables and names must agree with each other.
#pragma once
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>

#include "temper/core/weight_source.hpp"
#include "temper/io/json_fields.hpp"
#include "temper/io/weight_folder.hpp"

namespace temper {

inline constexpr std::array<std::string_view, 4> code_parts = {".absmax", ".quant_map", ".nested_absmax",
                                                               ".nested_quant_map"};
inline constexpr std::string_view code_state = ".quant_state.bitsandbytes__";

inline bool holds_codes(const TensorInfo& tensor) { return tensor.dtype == "U8" && tensor.name.ends_with(".weight"); }

// The weight that this tensor is a part of, by its name; empty where it is none.
inline std::string_view weight_of_part(std::string_view name) {
  const std::size_t state = name.rfind(code_state);
  if (state != std::string_view::npos) return name.substr(0, state);
  for (const std::string_view part : code_parts)
    if (name.ends_with(part)) return name.substr(0, name.size() - part.size());
  return {};
}

// Of a quantized weight, which takes all of its parts with it.
inline bool is_code_part(const WeightFolder& folder, const TensorInfo& tensor) {
  const std::string_view whole = weight_of_part(tensor.name);
  const TensorInfo* weight = whole.empty() ? nullptr : folder.find(whole);
  return weight && holds_codes(*weight);
}

// What the weights of a folder are coded in: dense where no tensor says otherwise.
inline Coding coding_of(const WeightFolder& folder) {
  for (const TensorInfo& tensor : folder.tensors())
    for (const Coding coding : {Coding::nf4, Coding::fp4})
      if (tensor.name.ends_with(std::string(code_state) + std::string(name_of(coding)))) return coding;
  return Coding::dense;
}

class StoredCodes {
 public:
  StoredCodes(const WeightFolder& folder, const TensorInfo& weight) : folder_(folder), weight_(weight) {}

  StoredTensor read() const {
    const Coding coding = coding_of(folder_);
    const TensorInfo& packed = packed_state(coding);
    const JsonSource source{shown_tensor(packed)};
    const Json state = parsed(packed);
    const std::string type = require_string(state, "quant_type", source);
    require(type == name_of(coding), Fault::data, "codes.type",
            "{}: quant_type is '{}'; expected '{}', as the name says; the file was put together wrongly", source.name,
            printable(type, 60), name_of(coding));
    require_integer(state, "blocksize", source, weight_block, weight_block);
    const Json& shape = require_array(state, "shape", source);
    require(shape.size() == 2, Fault::data, "codes.shape", "{}: shape has {} sizes; expected two, of a matrix",
            source.name, shape.size());
    constexpr Index many = Index{1} << 24;
    const Index rows = as_integer(shape[0], "shape", source, 1, many),
                cols = as_integer(shape[1], "shape", source, 1, many);
    const bool nested = state.contains("nested_offset");
    const ScaleForm form = nested ? ScaleForm::coded : ScaleForm::plain;
    const CodedBytes bytes = coded_bytes(coding, form, rows, cols);
    require_bytes(weight_, bytes.codes, rows, cols);
    require_values(part(".quant_map", "F32"), table_of(coding));

    Codes codes{coding, {.form = form}};
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

  // What the weight was before it was quantized, as its description says; F32 where it says nothing that is known.
  Element original() const {
    const Json state = parsed(packed_state(coding_of(folder_)));
    const Json* type = state.is_object() && state.contains("dtype") ? &state["dtype"] : nullptr;
    return type && *type == "bfloat16" ? Element::bf16 : type && *type == "float16" ? Element::f16 : Element::f32;
  }

 private:
  const TensorInfo& packed_state(Coding coding) const {
    const TensorInfo& packed = part(std::string(code_state) + std::string(name_of(coding)), "U8");
    require(packed.bytes.size() <= 4096, Fault::data, "codes.state", "{} has {} bytes; expected a short JSON object",
            shown_tensor(packed), packed.bytes.size());
    return packed;
  }
  static Json parsed(const TensorInfo& packed) {
    const std::string text(reinterpret_cast<const char*>(packed.bytes.data()), packed.bytes.size());
    return parse_json(text, shown_tensor(packed));
  }
  const TensorInfo& part(const std::string& ending, std::string_view dtype) const {
    const TensorInfo* found = folder_.find(weight_.name + ending);
    require(found != nullptr, Fault::data, "codes.missing",
            "{} is quantized but the folder has no '{}{}'; expected every part of it; copy the model again",
            shown_tensor(weight_), printable(weight_.name), ending);
    require(found->dtype == dtype, Fault::data, "codes.dtype", "{} has type {}; expected {}", shown_tensor(*found),
            found->dtype, dtype);
    return *found;
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
};

}  // namespace temper
