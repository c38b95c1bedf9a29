// SPDX-License-Identifier: MIT
// One JSON object of tokenizer.json with its name, such as 'pre_tokenizer.pretokenizers[0]': typed reading of its
// fields, and errors that say which part of which file is wrong or not supported yet.
#pragma once
#include "temper/core/error.hpp"
#include "temper/io/json_events.hpp"
#include "temper/io/printable.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

class TokenizerPart {
  const Json* value_;
  std::string name_, source_;

 public:
  TokenizerPart(const Json& value, std::string name, std::string_view source)
      : value_(&value), name_(std::move(name)), source_(source) {
    require(value.is_object(), Fault::data, "tokenizer.field", "{}: {} is {}; expected an object; {}", source_, name_,
            value.type_name(), advice());
  }

  const std::string& name() const { return name_; }
  const std::string& source() const { return source_; }

  // Null when the field is absent or null.
  const Json* find(const char* field) const {
    const auto at = value_->find(field);
    return at == value_->end() || at->is_null() ? nullptr : &*at;
  }

  bool flag(const char* field, bool fallback) const {
    const Json* const value = find(field);
    if (!value) return fallback;
    if (!value->is_boolean()) wrong(field, *value, "true or false");
    return value->get<bool>();
  }

  const std::string& text(const char* field) const {
    static const Json none;
    const Json* const value = find(field);
    if (!value || !value->is_string()) wrong(field, value ? *value : none, "a string");
    return value->get_ref<const std::string&>();
  }

  // A field whose only supported values are null and the empty string.
  void require_empty(const char* field) const {
    const Json* const value = find(field);
    if (value && !(value->is_string() && value->get_ref<const std::string&>().empty()))
      not_supported(std::string(field), "null");
  }

  std::vector<TokenizerPart> parts(const char* field) const {
    static const Json none;
    const Json* const value = find(field);
    if (!value || !value->is_array()) wrong(field, value ? *value : none, "a list");
    std::vector<TokenizerPart> found;
    found.reserve(value->size());
    for (std::size_t i = 0; i < value->size(); ++i)
      found.emplace_back((*value)[i], fmt::format("{}.{}[{}]", name_, field, i), source_);
    return found;
  }

  TokenizerPart part(const char* field) const {
    static const Json none;
    const Json* const value = find(field);
    return {value ? *value : none, name_ + "." + field, source_};
  }

  [[noreturn]] void wrong(std::string_view field, const Json& value, std::string_view expected) const {
    fail(Fault::data, "tokenizer.field", "{}: {}.{} is {}; expected {}; {}", source_, name_, field,
         value.is_null() ? "missing" : printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), 80),
         expected, advice());
  }

  [[noreturn]] void not_supported(std::string_view what, std::string_view expected) const {
    fail(Fault::data, "tokenizer.not_supported", "{}: {} {} is not supported yet; expected {}; {}", source_, name_,
         printable(what), expected, "use a model with a BPE tokenizer");
  }

  static constexpr std::string_view advice() { return "download the file again or mend it"; }
};

}  // namespace temper
