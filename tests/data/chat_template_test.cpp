// SPDX-License-Identifier: MIT
// The template engine against what transformers' jinja2 renders (tests/golden/template, with the script that made it),
// its messages, its caps, and its record of who wrote what.
#include "temper/data/chat_template.hpp"
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "temper/io/file.hpp"

namespace temper::chat_template_test {

const std::string golden = TEMPER_TESTS "/golden/template/";

struct Rendered {
  std::string text, error, code;
  std::vector<std::pair<Index, Index>> generation;
};

Rendered render(const std::string& source, const Json& context, GenerationPrompt prompt,
                templates::Limits limits = {}) {
  Rendered result;
  try {
    TemplateContext seen;
    if (context.contains("tools")) seen.tools = context["tools"];
    if (context.contains("arguments")) seen.arguments = context["arguments"];
    seen.generation_prompt = prompt;
    seen.special_tokens = Json{{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"pad_token", "<pad>"}};
    seen.date = templates::Date{2024, 7, 26, 13, 5, 9};
    const Rendering rendering = ChatTemplate(source, limits).render(context["messages"], seen);
    result.text = rendering.text;
    for (const GenerationBlock& block : rendering.generation)
      result.generation.emplace_back(block.span.begin, block.span.end);
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::data);
    result.error = error.what();
    result.code = error.code();
  }
  return result;
}

void check_against(const Json& expected, const Rendered& actual) {
  if (expected.contains("error")) {
    CHECK_MESSAGE(!actual.error.empty(), "rendered: " << actual.text);
    return;
  }
  CHECK(actual.error == "");
  CHECK(actual.text == expected["text"].get<std::string>());
  const auto spans = expected.value("generation", Json::array()).get<std::vector<std::pair<Index, Index>>>();
  CHECK(actual.generation == spans);
}

Rendered render_text(const std::string& source, templates::Limits limits = {}) {
  return render(source, Json::parse(R"({"messages": [{"role": "user", "content": "hi"}]})"), GenerationPrompt::none,
                limits);
}

TEST_CASE("chat template: whole templates render as in transformers") {
  const Json file = read_json(golden + "renderings.json");
  for (const Json& expected : file["renderings"]) {
    const auto name = expected["template"].get<std::string>(), context = expected["context"].get<std::string>();
    CAPTURE(name);
    CAPTURE(context);
    const GenerationPrompt prompt = expected["prompt"].get<bool>() ? GenerationPrompt::added : GenerationPrompt::none;
    const std::string source = read_file(golden + "templates/" + name, 1 << 20);
    check_against(expected, render(source, file["contexts"][context], prompt));
  }
}

TEST_CASE("chat template: every feature behaves as in jinja2") {
  const Json contexts = read_json(golden + "renderings.json")["contexts"];
  for (const Json& expected : read_json(golden + "snippets.json")) {
    const auto source = expected["source"].get<std::string>();
    CAPTURE(source);
    check_against(expected, render(source, contexts["two_results"], GenerationPrompt::none));
  }
}

TEST_CASE("chat template: random templates render as in jinja2") {
  const Json file = read_json(golden + "random.json");
  for (const Json& expected : file["cases"]) {
    const auto source = expected["s"].get<std::string>();
    CAPTURE(source);
    const Rendered actual = render(source, file["context"], GenerationPrompt::none);
    if (expected.contains("e")) {
      CHECK_MESSAGE(!actual.error.empty(), "rendered: " << actual.text);
      continue;
    }
    CHECK(actual.error == "");
    CHECK(actual.text == expected["t"].get<std::string>());
    CHECK(actual.generation == expected.value("g", Json::array()).get<std::vector<std::pair<Index, Index>>>());
  }
}

TEST_CASE("chat template: an unknown filter is an error before rendering, but not behind a condition") {
  CHECK(render_text("{% for x in [] %}{{ x|nothing }}{% endfor %}").code == "chat_template.syntax");
  CHECK(render_text("{% if false %}{{ 1|nothing }}{{ 1 is nothing }}{% endif %}ok").text == "ok");
  CHECK(render_text("{{ 1 if true else 2|nothing }}").text == "1");
  CHECK(render_text("{% if true %}{{ 1|nothing }}{% endif %}").code == "chat_template.value");
}

TEST_CASE("chat template: the fallback template writes headings and marks each answer with its end") {
  const Json messages = Json::parse(R"([{"role": "system", "content": "S"}, {"role": "user", "content": "Q"},
                                        {"role": "assistant", "content": "A"}])");
  CHECK(std::string(fallback_chat_template) + "\n" == read_file(golden + "templates/fallback.jinja", 4096));
  TemplateContext context;
  context.special_tokens = Json{{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  const Rendering rendering = ChatTemplate(fallback_chat_template).render(messages, context);
  CHECK(rendering.text == "<s>### System:\nS\n\n### User:\nQ\n\n### Assistant:\nA</s>\n\n");
  REQUIRE(rendering.generation.size() == 1);
  const TextSpan span = rendering.generation[0].span;
  CHECK(rendering.text.substr(static_cast<std::size_t>(span.begin), static_cast<std::size_t>(span.end - span.begin)) ==
        "A</s>");
  CHECK(rendering.generation[0].message == 2);
}

TEST_CASE("chat template: a rendering says which message wrote each byte") {
  const Json messages =
      Json::parse(R"([{"role": "user", "content": " one "}, {"role": "assistant", "content": "two"}])");
  const ChatTemplate chat("start {% for m in messages %}<{{ m.role }}>{{ m.content | trim | upper }}{% endfor %} end");
  const Rendering rendering = chat.render(messages, {});
  CHECK(rendering.text == "start <user>ONE<assistant>TWO end");
  std::string author, content;
  std::size_t at = 0;
  for (const templates::Run& run : rendering.runs)
    for (; at < run.end; ++at) {
      author += run.writer.author < 0 ? '.' : static_cast<char>('0' + run.writer.author);
      content += run.writer.content < 0 ? '.' : static_cast<char>('0' + run.writer.content);
    }
  //               start <user>ONE<assistant>TWO end
  CHECK(author == "......00000000011111111111111....");
  CHECK(content == "............000...........111....");
}

TEST_CASE("chat template: a loop over numbers stands at the message that it takes") {
  const Json messages = Json::parse(R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])");
  const ChatTemplate chat("{% for i in range(2) %}{% set m = messages[i] %}[{{ m.content }}]{% endfor %}");
  const Rendering rendering = chat.render(messages, {});
  REQUIRE(rendering.runs.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(rendering.runs[i].writer.author == static_cast<int>(i / 3));
}

bool is_over_limit(const std::string& source) {
  templates::Limits limits;
  limits.work = 32 << 20;  // less than the default, to be quick
  return render_text(source, limits).code == "chat_template.limit";
}

TEST_CASE("chat template: errors name the place and what is wrong") {
  CHECK(render_text("a\n{{ missing.x }}").error == "temper: chat_template: line 2, column 4: 'missing' is undefined");
  CHECK(render_text("{% if x %}\n\n{{ raise_exception('no way') }}{% else %}{{ raise_exception('other') }}{% endif %}")
            .error == "temper: chat_template: line 3, column 45: the template raised: other");
  CHECK(render_text("{{ raise_exception('x') }}").code == "chat_template.raised");
  CHECK(render_text("\n\n{% frobnicate %}").error ==
        "temper: chat_template: line 3, column 1: unknown tag 'frobnicate'");
  CHECK(render_text("{% frobnicate %}").code == "chat_template.syntax");
  CHECK(render_text("{{ messages|nothing }}").error ==
        "temper: chat_template: line 1, column 13: no filter named 'nothing'");
  CHECK(render_text("{{ messages[0].content.pop() }}").error.find("no attribute 'pop'") != std::string::npos);
  CHECK(render_text("{{ messages.append(1) }}").error.find("read-only") != std::string::npos);
  CHECK(render_text("\xff").code == "chat_template.utf8");
  CHECK(render_text("\u00e9{{ '\u00e9' + 1 }}").error ==
        "temper: chat_template: line 1, column 9: '+' is not supported between 'str' and 'int'");
  CHECK(render_text("{% include 'x' %}").error ==
        "temper: chat_template: line 1, column 1: 'include' is not supported: a chat template is one file");
  CHECK(render_text("{{ [1]|random }}").error.find("the filter 'random' is not supported") != std::string::npos);
  CHECK(render_text("{{ 2 ** 64 }}").error.find("an integer does not fit in 64 bits") != std::string::npos);
  CHECK(render_text("{{ [1]|map('upper') }}").error.find("a generator cannot be printed; add '|list'") !=
        std::string::npos);
  CHECK(render_text("{% break %}").error.find("'break' stands outside a loop") != std::string::npos);
  CHECK(render_text("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}").error.find("takes at most 1 arguments") !=
        std::string::npos);
  CHECK(render_text("{{ 'a'|replace('b') }}").error.find("replace needs an argument 'new'") != std::string::npos);
}

TEST_CASE("chat template: no template nests deeper than the stack allows") {
  CHECK(is_over_limit(std::string(300'000, ' ')));
  CHECK(is_over_limit(std::string("{{ ") + std::string(50'000, '(') + "1" + std::string(50'000, ')') + " }}"));
  CHECK(is_over_limit(std::string("{{ ") + std::string(50'000, '-') + "1 }}"));
  std::string chain = "{{ 1", nots = "{{ ", blocks, items = "{{ messages", conditions = "{{ 1";
  for (int i = 0; i < 20'000; ++i)
    chain += "+1", nots += "not ", blocks += "{% if 1 %}", items += "[0]", conditions += " if 1 else 2";
  CHECK(is_over_limit(chain + " }}"));
  CHECK(is_over_limit(nots + "1 }}"));
  CHECK(is_over_limit(blocks));
  CHECK(is_over_limit(items + " }}"));
  CHECK(is_over_limit(conditions + " }}"));
  CHECK(is_over_limit("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"));
  CHECK(is_over_limit("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}"));
  CHECK(is_over_limit("{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}"));
}

TEST_CASE("chat template: no template makes what does not fit into memory") {
  const auto grows = [](const std::string& step) {
    return is_over_limit("{% set ns = namespace(x='ab', l=['ab']) %}{% for i in range(999) %}{% set " + step +
                         " %}{% endfor %}");
  };
  CHECK(grows("ns.x = ns.x + ns.x"));
  CHECK(grows("ns.x = ns.x ~ ns.x"));
  CHECK(grows("ns.x = ns.x|replace('a', 'aa')|replace('b', 'ab')"));
  CHECK(grows("ns.l = ns.l + ns.l"));
  CHECK(grows("ns.l = [ns.l, ns.l]"));
  CHECK(is_over_limit("{{ 'x' * 10 ** 9 }}"));
  CHECK(is_over_limit("{{ [1] * 999999999999 }}"));
  CHECK(is_over_limit("{{ range(99999999999) }}"));
  CHECK(is_over_limit("{{ '%1000000000d' % 5 }}"));
  CHECK(is_over_limit("{{ '%.1000000000f' % 5.0 }}"));
  CHECK(is_over_limit("{{ '%*d' % (999999999, 1) }}"));
  CHECK(is_over_limit("{{ '{:>1000000000}'.format(1) }}"));
  CHECK(is_over_limit("{{ '{:01000000000,}'.format(1) }}"));
  CHECK(is_over_limit("{{ 'x'|center(1000000000) }}"));
  CHECK(is_over_limit("{{ 'x'.zfill(1000000000) }}"));
  CHECK(is_over_limit("{{ 'x'|indent(1000000000) }}"));
  CHECK(is_over_limit("{{ messages|tojson(indent=1000000000) }}"));
  CHECK(is_over_limit("{{ range(9)|batch(1000000000, 'x')|list }}"));
  CHECK(is_over_limit("{{ range(9)|slice(1000000000)|list }}"));
  CHECK(is_over_limit("{{ range(100000)|join('x' * 100000) }}"));
}

TEST_CASE("chat template: no template hangs") {
  CHECK(is_over_limit("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"));
  CHECK(is_over_limit("{% set x = 'a' * 10000000 %}{{ (x + 'b') in x or x.find('a' * 5000000 ~ 'b') }}"));
  CHECK(is_over_limit("{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}"));
  const auto repeats = [](const std::string& what) {
    return is_over_limit(
        "{% set x = 'a ' * 500000 %}{% set l = range(9999)|list %}{% set d = dict.fromkeys(l) %}"
        "{% for i in range(99999) %}{% set y = " +
        what + " %}{% endfor %}");
  };
  CHECK(repeats("x|upper"));
  CHECK(repeats("x|length"));
  CHECK(repeats("x is lower"));
  CHECK(repeats("x.split()"));
  CHECK(repeats("x[5:6]"));
  CHECK(repeats("-1 in l"));
  CHECK(repeats("d == dict.fromkeys(l)"));
  CHECK(repeats("l|unique|list"));
}

TEST_CASE("chat template: macros deep inside macros stop before the stack does") {
  std::string source = "{% macro m(n) %}{% if n %}{{ ", nested = "m(n - 1)";
  for (int i = 0; i < 40; ++i) nested = "(1 and " + nested + ")";
  source += nested + " }}{% endif %}{% endmacro %}{{ m(60) }}";
  CHECK(render_text(source).code == "chat_template.limit");
}

TEST_CASE("chat template: what holds itself is released") {
  CHECK(render_text("{% set ns = namespace() %}{% set ns.ns = ns %}{% macro m() %}{% endmacro %}{% set ns.m = m %}"
                    "{% for i in [1] %}{% set ns.loop = loop %}{{ loop.changed(loop) }}{% endfor %}ok")
            .text == "Trueok");
}

}  // namespace temper::chat_template_test
