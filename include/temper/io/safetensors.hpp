// SPDX-License-Identifier: MIT
// Reader of safetensors files that trusts nothing: 8 bytes of header length, a JSON header, then the tensors' bytes
// without holes or overlaps. Every rule is checked before a tensor is handed out; the bytes themselves are not touched.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/core/types.hpp"
#include "temper/io/file.hpp"
#include "temper/io/json_events.hpp"
#include "temper/io/tensors.hpp"

namespace temper {

static_assert(std::endian::native == std::endian::little, "temper: safetensors are read in place, little-endian");

// Far above what models need, far below what harms.
constexpr std::size_t max_safetensors_header = 100'000'000;
constexpr std::size_t max_tensors = 1'000'000;
constexpr std::size_t max_metadata_entries = 100'000;
constexpr std::size_t max_tensor_rank = 8;
constexpr std::uint64_t max_tensor_elements = std::uint64_t{1} << 48;

struct SafetensorsType {
  std::string_view name;
  unsigned bits;
};
inline constexpr std::array<SafetensorsType, 22> safetensors_types = {{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"F64", 64},    {"C64", 64},    {"I64", 64},    {"U64", 64},
}};

// Receives the header's tokens (json_events.hpp) and checks each tensor when its object closes.
class SafetensorsHeader final : public JsonEvents {
  enum class Field { none, dtype, shape, offsets };

  std::string file_;
  std::span<const std::byte> data_;  // what follows the header
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
  std::size_t depth_ = 0;
  bool in_metadata_ = false, metadata_seen_ = false;
  std::string name_, metadata_key_;
  Field field_ = Field::none;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  std::string dtype_;
  std::vector<std::uint64_t> shape_, offsets_;

 public:
  SafetensorsHeader(std::string file, std::span<const std::byte> data) : file_(std::move(file)), data_(data) {}

  void begin_object(std::size_t) override {
    if (depth_ == 2) refuse_value("an object");
    if (depth_ == 1) {
      has_dtype_ = has_shape_ = has_offsets_ = false;
      shape_.clear();
      offsets_.clear();
    }
    ++depth_;
  }
  void begin_array(std::size_t) override {
    if (depth_ == 0) refuse("the header is an array; expected an object");
    if (depth_ != 2 || in_metadata_ || (field_ != Field::shape && field_ != Field::offsets)) refuse_value("an array");
    ++depth_;
  }
  void end_object() override {
    --depth_;
    if (depth_ != 1) return;
    if (!in_metadata_) finish_tensor();
    in_metadata_ = false;
  }
  void end_array() override { --depth_; }

  void key(std::string& key, std::size_t) override {
    if (depth_ == 1) {
      in_metadata_ = key == "__metadata__";
      if (in_metadata_) {
        require(!metadata_seen_, Fault::data, "safetensors.duplicate", "{}: '__metadata__' stands twice", file_);
        metadata_seen_ = true;
      }
      name_ = std::move(key);
    } else if (in_metadata_) {
      require(metadata_.size() < max_metadata_entries, Fault::data, "safetensors.metadata",
              "{}: more than {} entries of '__metadata__'; expected fewer", file_, max_metadata_entries);
      metadata_key_ = std::move(key);
    } else {
      set_field(key);
    }
  }

  void scalar(Json&& value, std::size_t) override {
    if (depth_ == 0) refuse("the header is not an object");
    if (depth_ == 1) refuse_value(value.type_name());
    if (in_metadata_) {
      if (!value.is_string()) refuse_value(value.type_name());
      require(metadata_.emplace(std::move(metadata_key_), std::move(value.get_ref<std::string&>())).second, Fault::data,
              "safetensors.duplicate", "{}: a key of '__metadata__' stands twice; expected it once", file_);
    } else if (field_ == Field::dtype) {
      if (!value.is_string()) refuse_value(value.type_name());
      dtype_ = std::move(value.get_ref<std::string&>());
    } else {
      add_number(value);
    }
  }

  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // Tensors in the order of their bytes. Each begins where the one before it ends, and the last ends with the file.
  std::vector<TensorInfo> finish() {
    std::sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
      return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
    });
    std::size_t end = 0;
    for (const TensorInfo& tensor : tensors_) {
      const auto begin = static_cast<std::size_t>(tensor.bytes.data() - data_.data());
      name_ = tensor.name;
      require(begin >= end, Fault::data, "safetensors.overlap",
              "{}: tensor '{}' begins at byte {} but the one before it ends at {}; expected no overlap", file_, shown(),
              begin, end);
      require(begin == end, Fault::data, "safetensors.hole",
              "{}: tensor '{}' begins at byte {} but the one before it ends at {}; expected no unused bytes", file_,
              shown(), begin, end);
      end += tensor.bytes.size();
    }
    require(end == data_.size(), Fault::data, "safetensors.trailing",
            "{}: tensors end at byte {} of the data but there are {} bytes; expected the file to end there", file_, end,
            data_.size());
    return std::move(tensors_);
  }

 private:
  std::string shown() const { return printable(name_); }

  [[noreturn]] void refuse(std::string_view what) const {
    fail(Fault::data, "safetensors.header", "{}: {}", file_, what);
  }
  [[noreturn]] void refuse_value(std::string_view kind) const {
    if (in_metadata_)
      fail(Fault::data, "safetensors.metadata", "{}: '__metadata__' holds {}; expected strings by name only", file_,
           kind);
    if (depth_ == 1)
      fail(Fault::data, "safetensors.field", "{}: tensor '{}' is {}; expected an object", file_, shown(), kind);
    fail(Fault::data, "safetensors.field", "{}: tensor '{}': {} holds {}; expected {}", file_, shown(),
         field_ == Field::dtype   ? "dtype"
         : field_ == Field::shape ? "shape"
                                  : "data_offsets",
         kind, field_ == Field::dtype ? "a string" : "a list of non-negative integers");
  }

  void set_field(const std::string& key) {
    field_ = key == "dtype"          ? Field::dtype
             : key == "shape"        ? Field::shape
             : key == "data_offsets" ? Field::offsets
                                     : Field::none;
    require(field_ != Field::none, Fault::data, "safetensors.field",
            "{}: tensor '{}' has a field '{}'; expected dtype, shape and data_offsets", file_, shown(), printable(key));
    bool& seen = field_ == Field::dtype ? has_dtype_ : field_ == Field::shape ? has_shape_ : has_offsets_;
    require(!seen, Fault::data, "safetensors.duplicate", "{}: tensor '{}' has '{}' twice; expected it once", file_,
            shown(), key);
    seen = true;
  }

  void add_number(const Json& value) {
    if (depth_ != 3 || !value.is_number_unsigned()) refuse_value(value.type_name());
    std::vector<std::uint64_t>& numbers = field_ == Field::shape ? shape_ : offsets_;
    const std::size_t most = field_ == Field::shape ? max_tensor_rank : 2;
    require(numbers.size() < most, Fault::data, "safetensors.shape",
            "{}: tensor '{}' has more than {} numbers in its {}; expected at most that", file_, shown(), most,
            field_ == Field::shape ? "shape" : "data_offsets");
    numbers.push_back(value.get<std::uint64_t>());
  }

  void finish_tensor() {
    require(has_dtype_ && has_shape_ && has_offsets_, Fault::data, "safetensors.field",
            "{}: tensor '{}' has no {}; expected dtype, shape and data_offsets", file_, shown(),
            !has_dtype_   ? "dtype"
            : !has_shape_ ? "shape"
                          : "data_offsets");
    require(tensors_.size() < max_tensors, Fault::data, "safetensors.tensors",
            "{}: more than {} tensors; expected fewer", file_, max_tensors);
    TensorInfo tensor;
    const SafetensorsType type = find_type();
    tensor.dtype = type.name;
    for (const Element element : {Element::f32, Element::bf16, Element::f16, Element::f64})
      if (type.name == name_of(element)) tensor.element = element;

    std::uint64_t elements = 1;
    for (const std::uint64_t size : shape_) {
      // Also where another size is 0: the limit on each keeps every later product in range.
      require(size <= max_tensor_elements && elements <= max_tensor_elements / std::max<std::uint64_t>(size, 1),
              Fault::data, "safetensors.shape", "{}: tensor '{}' has shape [{}]; expected at most {} elements", file_,
              shown(), shown_shape(shape_), max_tensor_elements);
      elements *= size;
      tensor.shape.push_back(static_cast<Index>(size));
    }
    const std::uint64_t bits = elements * type.bits;  // below 2^54
    require(bits % 8 == 0, Fault::data, "safetensors.shape",
            "{}: tensor '{}' has {} elements of {} bits; expected whole bytes", file_, shown(), elements, type.bits);

    require(offsets_.size() == 2, Fault::data, "safetensors.offsets",
            "{}: tensor '{}' has {} data_offsets; expected begin and end", file_, shown(), offsets_.size());
    const std::uint64_t begin = offsets_[0], end = offsets_[1];
    require(begin <= end && end <= data_.size(), Fault::data, "safetensors.offsets",
            "{}: tensor '{}' lies at bytes {} to {} but the file has {} bytes of data; expected it inside; the file is "
            "cut or damaged",
            file_, shown(), begin, end, data_.size());
    require(end - begin == bits / 8, Fault::data, "safetensors.size",
            "{}: tensor '{}' has {} bytes but shape [{}] of {} needs {}; expected them equal", file_, shown(),
            end - begin, shown_shape(shape_), type.name, bits / 8);
    tensor.bytes = data_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    tensor.name = std::move(name_);
    tensors_.push_back(std::move(tensor));
  }

  SafetensorsType find_type() const {
    for (const SafetensorsType& type : safetensors_types)
      if (type.name == dtype_) return type;
    fail(Fault::data, "safetensors.dtype",
         "{}: tensor '{}' has type '{}'; expected one of safetensors' types such as F32", file_, shown(),
         printable(dtype_));
  }
};

struct SafetensorsContent {
  TensorTable tensors;
  std::map<std::string, std::string> metadata;
};

// The header's text. Its length is compared with the file before it is used for anything.
inline std::string_view safetensors_header(std::span<const std::byte> bytes, const std::string& shown) {
  require(bytes.size() >= 8, Fault::data, "safetensors.too_short",
          "{}: has {} bytes; expected at least 8; the file is cut short or not safetensors", shown, bytes.size());
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  require(length <= bytes.size() - 8, Fault::data, "safetensors.header_too_long",
          "{}: header says {} bytes but the file has {}; the file is cut short or not safetensors", shown, length,
          bytes.size());
  require(length <= max_safetensors_header, Fault::data, "safetensors.header_too_long",
          "{}: header has {} bytes; expected at most {}", shown, length, max_safetensors_header);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<std::size_t>(length));
  require(text.starts_with('{'), Fault::data, "safetensors.header",
          "{}: the header does not begin with '{{'; expected a JSON object; the file is damaged or not safetensors",
          shown);
  return text;
}

// 'shown' is what messages call the bytes, 'file' what keeps them alive (null: the caller).
inline SafetensorsContent read_safetensors(std::span<const std::byte> bytes, const std::string& shown,
                                           const std::shared_ptr<const MappedFile>& file = nullptr) {
  const std::string_view text = safetensors_header(bytes, shown);
  SafetensorsHeader header(shown, bytes.subspan(8 + text.size()));
  JsonOptions options;
  options.max_depth = 3;  // header, tensor, shape
  read_json_events(text, shown + " (header)", options, header);
  std::vector<TensorInfo> tensors = header.finish();
  for (TensorInfo& tensor : tensors) tensor.file = file;
  SafetensorsContent content{TensorTable(std::move(tensors)), header.metadata()};
  if (const std::string* const repeated = content.tensors.repeated_name())
    fail(Fault::data, "safetensors.duplicate", "{}: two tensors are named '{}'; expected different names", shown,
         printable(*repeated));
  return content;
}

class SafetensorsFile {
  std::shared_ptr<const MappedFile> file_;
  SafetensorsContent content_;

 public:
  explicit SafetensorsFile(const std::filesystem::path& path)
      : file_(std::make_shared<MappedFile>(path)),
        content_(read_safetensors(file_->bytes(), shown_path(path), file_)) {}

  const std::filesystem::path& path() const { return file_->path(); }
  const std::vector<TensorInfo>& tensors() const { return content_.tensors.all(); }
  const TensorInfo* find(std::string_view name) const { return content_.tensors.find(name); }
  const std::map<std::string, std::string>& metadata() const { return content_.metadata; }
};

}  // namespace temper
