// SPDX-License-Identifier: MIT
// Jinja's tests: what may follow 'is', and what select and reject take by name.
#pragma once
#include "temper/data/template/filter_names.hpp"
#include "temper/data/template/methods.hpp"

namespace temper::templates {

inline bool is_test_name(std::string_view name);

struct Test {
  std::string_view name;
  Signature signature;
  bool (*holds)(Machine& machine, const Value& value, const Given& given);
};

inline bool is_iterable(const Value& value) {
  return value.text() || value.sequence() || value.dict() || value.is_undefined() || value.loop();
}
inline bool is_sequence(const Value& value) {
  const Sequence* list = value.sequence();
  return list ? list->is_indexed() : is_iterable(value) && !value.loop();
}
inline bool is_callable(const Value& value) {
  const Namespace* object = value.name_space();
  return value.callable() || value.is_undefined() || value.loop() ||
         (object && object->kind == Namespace::Kind::joiner);
}

// Python's 'is': containers by identity, all else by type and value.
inline bool is_same_object(Machine& machine, const Value& a, const Value& b) {
  if (a.form().index() != b.form().index()) return false;
  if (a.sequence()) return a.sequence() == b.sequence();
  if (a.dict()) return a.dict() == b.dict();
  return machine.same(a, b);
}

inline bool has_remainder(Machine& machine, const Value& value, const Value& divisor, std::int64_t wanted) {
  return equal(arithmetic(machine, "%", value, divisor), Value(wanted));
}

inline bool is_in_case(Machine& machine, const Value& value, LetterCase wanted) {
  const Text text = to_text(machine, value);
  charge_characters(machine, text);
  return all_cased(text, wanted);
}

// 'is filter', 'is test': whether there is one of that name.
inline bool is_name_in(Machine& machine, const Value& value, bool (*known)(std::string_view)) {
  require_hashable(machine, value);
  return value.text() && known(value.text()->bytes());
}

template <const char* Sign>
bool compared(Machine& machine, const Value& value, const Given& given) {
  return compare(machine, Sign, value, given.at(0));
}
namespace signs {
inline constexpr char equal[] = "==", unequal[] = "!=", less[] = "<", at_most[] = "<=", greater[] = ">",
                      at_least[] = ">=", in[] = "in";
}

inline constexpr Signature one_operand = takes({""}, 1);

// clang-format off
inline constexpr Test tests[] = {
    {"boolean", {}, [](Machine&, const Value& v, const Given&) { return v.is<bool>(); }},
    {"callable", {}, [](Machine&, const Value& v, const Given&) { return is_callable(v); }},
    {"defined", {}, [](Machine&, const Value& v, const Given&) { return !v.is_undefined(); }},
    {"divisibleby", takes({"num"}, 1), [](Machine& m, const Value& v, const Given& g) { return has_remainder(m, v, g.at(0), 0); }},
    {"escaped", {}, [](Machine&, const Value& v, const Given&) { return v.text() && v.text()->is_markup(); }},
    {"even", {}, [](Machine& m, const Value& v, const Given&) { return has_remainder(m, v, Value(std::int64_t{2}), 0); }},
    {"false", {}, [](Machine&, const Value& v, const Given&) { return v.is<bool>() && !truth(v); }},
    {"filter", {}, [](Machine& m, const Value& v, const Given&) { return is_name_in(m, v, is_filter_name); }},
    {"float", {}, [](Machine&, const Value& v, const Given&) { return v.is<double>(); }},
    {"in", takes({"seq"}, 1), compared<signs::in>},
    {"integer", {}, [](Machine&, const Value& v, const Given&) { return v.is<std::int64_t>(); }},
    {"iterable", {}, [](Machine&, const Value& v, const Given&) { return is_iterable(v); }},
    {"lower", {}, [](Machine& m, const Value& v, const Given&) { return is_in_case(m, v, LetterCase::lower); }},
    {"mapping", {}, [](Machine&, const Value& v, const Given&) { return v.dict() != nullptr; }},
    {"none", {}, [](Machine&, const Value& v, const Given&) { return v.is_none(); }},
    {"number", {}, [](Machine&, const Value& v, const Given&) { return v.is<bool>() || v.is<std::int64_t>() || v.is<double>(); }},
    {"odd", {}, [](Machine& m, const Value& v, const Given&) { return has_remainder(m, v, Value(std::int64_t{2}), 1); }},
    {"sameas", takes({"other"}, 1), [](Machine& m, const Value& v, const Given& g) { return is_same_object(m, v, g.at(0)); }},
    {"sequence", {}, [](Machine&, const Value& v, const Given&) { return is_sequence(v); }},
    {"string", {}, [](Machine&, const Value& v, const Given&) { return v.text() != nullptr; }},
    {"test", {}, [](Machine& m, const Value& v, const Given&) { return is_name_in(m, v, is_test_name); }},
    {"true", {}, [](Machine&, const Value& v, const Given&) { return v.is<bool>() && truth(v); }},
    {"undefined", {}, [](Machine&, const Value& v, const Given&) { return v.is_undefined(); }},
    {"upper", {}, [](Machine& m, const Value& v, const Given&) { return is_in_case(m, v, LetterCase::upper); }},
    {"==", one_operand, compared<signs::equal>},
    {"eq", one_operand, compared<signs::equal>},
    {"equalto", one_operand, compared<signs::equal>},
    {"!=", one_operand, compared<signs::unequal>},
    {"ne", one_operand, compared<signs::unequal>},
    {">", one_operand, compared<signs::greater>},
    {"gt", one_operand, compared<signs::greater>},
    {"greaterthan", one_operand, compared<signs::greater>},
    {">=", one_operand, compared<signs::at_least>},
    {"ge", one_operand, compared<signs::at_least>},
    {"<", one_operand, compared<signs::less>},
    {"lt", one_operand, compared<signs::less>},
    {"lessthan", one_operand, compared<signs::less>},
    {"<=", one_operand, compared<signs::at_most>},
    {"le", one_operand, compared<signs::at_most>},
};
// clang-format on

inline bool is_test_name(std::string_view name) { return find_entry<Test>(tests, name) != nullptr; }

inline bool apply_test(Machine& machine, std::string_view name, const Value& value, const Arguments& arguments) {
  const Test* test = find_entry<Test>(tests, name);
  if (!test) machine.error("no test named '{}'", name);
  return test->holds(machine, value, Given(machine, name, test->signature, arguments));
}

}  // namespace temper::templates
