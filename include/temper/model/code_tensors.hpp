// SPDX-License-Identifier: MIT
// A matrix in 4 or 8 bits that was read from a folder or made from floats, and the tensors that transformers saves for
// it (stored_codes.hpp reads them).
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "temper/io/safetensors_write.hpp"
#include "temper/model/stored_codes.hpp"

namespace temper {

class CodedMatrix {
 public:
  CodedMatrix(Coding coding, ScaleForm form, Index rows, Index cols, const FloatSource& source)
      : rows_(rows), cols_(cols), codes_{coding, {.form = form}} {
    const CodedBytes bytes = coded_bytes(coding, form, rows, cols);
    own_.resize(bytes.codes);
    data_ = own_.data();
    scales_ = quantize_pieces(
        OneThread{}, coding, rows, cols, source,
        [&](Index at, std::span<const std::uint8_t> made) { std::copy(made.begin(), made.end(), own_.begin() + at); });
    if (form == ScaleForm::coded) {
      scale_codes_.resize(bytes.scale_codes);
      std::vector<float> values(bytes.scales / sizeof(float));
      codes_.scales.offset = quantize_scales(scales_, scale_codes_.data(), values.data());
      scales_ = std::move(values);
    }
    point_to_scales();
  }
  // The folder must outlive this. Scales are copied: in a file they need not be aligned.
  explicit CodedMatrix(const StoredTensor& stored)
      : rows_(stored.shape[0]),
        cols_(stored.shape[1]),
        codes_(stored.codes),
        data_(static_cast<const std::uint8_t*>(stored.data)) {
    const CodedBytes bytes = coded_bytes(codes_.coding, codes_.scales.form, rows_, cols_);
    scales_.resize(bytes.scales / sizeof(float));
    if (bytes.scales) std::memcpy(scales_.data(), stored.codes.scales.values, bytes.scales);
    scale_codes_.resize(bytes.scale_codes);
    if (bytes.scale_codes) std::memcpy(scale_codes_.data(), stored.codes.scales.codes, bytes.scale_codes);
    point_to_scales();
  }
  CodedMatrix(const CodedMatrix&) = delete;
  CodedMatrix& operator=(const CodedMatrix&) = delete;

  Coding coding() const { return codes_.coding; }
  ScaleForm form() const { return codes_.scales.form; }
  const Codes& codes() const { return codes_; }
  // to[i] = element first + i
  void operator()(Index first, std::span<float> to) const {
    decode(data_, codes_, cols_, first, std::ssize(to), to.data());
  }

  // The parts of 'x.weight', for a matrix that was of type 'original'; they read from this.
  void add_to(std::vector<TensorToWrite>& tensors, const std::string& name, Element original) {
    return coding() == Coding::int8 ? add_rows_to(tensors, name) : add_blocks_to(tensors, name, original);
  }

 private:
  static constexpr std::array<std::uint8_t, 1> by_rows = {0};

  void add_rows_to(std::vector<TensorToWrite>& tensors, const std::string& name) const {
    const std::string module(module_of_weight(name));
    const CodedBytes bytes = coded_bytes(coding(), form(), rows_, cols_);
    tensors.push_back(tensor_of_codes(name, {rows_, cols_}, {data_, bytes.codes}, "I8"));
    tensors.push_back(
        tensor_of_bytes(module + std::string(row_scales), Element::f32, {rows_}, std::as_bytes(std::span(scales_))));
    tensors.push_back(tensor_of_codes(module + std::string(row_format), {}, by_rows));
  }

  void add_blocks_to(std::vector<TensorToWrite>& tensors, const std::string& name, Element original) {
    const bool nested = form() == ScaleForm::coded;
    const CodedBytes bytes = coded_bytes(coding(), form(), rows_, cols_);
    tensors.push_back(tensor_of_codes(name, {static_cast<Index>(bytes.codes), 1}, {data_, bytes.codes}));
    const auto floats = [&](const std::string& ending, std::span<const float> values) {
      tensors.push_back(tensor_of_bytes(name + ending, Element::f32, {std::ssize(values)}, std::as_bytes(values)));
    };
    floats(".quant_map", table_of(coding()));
    floats(nested ? ".nested_absmax" : ".absmax", scales_);
    if (nested) {
      floats(".nested_quant_map", dynamic_map<Signs::both>.value);
      tensors.push_back(tensor_of_codes(name + ".absmax", {std::ssize(scale_codes_)}, scale_codes_));
    }
    state_ = state_text(original);
    const auto* text = reinterpret_cast<const std::uint8_t*>(state_.data());
    tensors.push_back(tensor_of_codes(name + std::string(code_state) + std::string(name_of(coding())),
                                      {std::ssize(state_)}, {text, state_.size()}));
  }

  void point_to_scales() { codes_.scales.values = scales_.data(), codes_.scales.codes = scale_codes_.data(); }

  // As Python's json writes it: numbers in double, the shortest that read back.
  std::string state_text(Element original) const {
    const std::string_view type = original == Element::bf16  ? "bfloat16"
                                  : original == Element::f16 ? "float16"
                                                             : "float32";
    std::string text = fmt::format(R"({{"quant_type": "{}", "blocksize": {}, "dtype": "{}", "shape": [{}, {}])",
                                   name_of(coding()), weight_block, type, rows_, cols_);
    if (form() == ScaleForm::coded)
      text += fmt::format(R"(, "nested_blocksize": {}, "nested_dtype": "float32", "nested_offset": {})", code_block,
                          Json(static_cast<double>(codes_.scales.offset)).dump());
    return text + "}";
  }

  Index rows_, cols_;
  Codes codes_;
  const std::uint8_t* data_ = nullptr;
  std::vector<std::uint8_t> own_, scale_codes_;
  std::vector<float> scales_;
  std::string state_;
};

// quantization_config of such a folder, as transformers writes it. 8 bits have no type to compute in: its 4-bit
// settings are then those that transformers fills in, whatever 'compute' is.
inline Json quantization_config(Coding coding, ScaleForm form, std::string_view compute) {
  const bool eight = coding == Coding::int8;
  return {{"_load_in_4bit", !eight},
          {"_load_in_8bit", eight},
          {"bnb_4bit_compute_dtype", eight ? "float32" : compute},
          {"bnb_4bit_quant_storage", "uint8"},
          {"bnb_4bit_quant_type", eight ? "fp4" : name_of(coding)},
          {"bnb_4bit_use_double_quant", form == ScaleForm::coded},
          {"llm_int8_enable_fp32_cpu_offload", false},
          {"llm_int8_has_fp16_weight", false},
          {"llm_int8_skip_modules", nullptr},
          {"llm_int8_threshold", 6.0},
          {"load_in_4bit", !eight},
          {"load_in_8bit", eight},
          {"quant_method", "bitsandbytes"}};
}

}  // namespace temper
