# SPDX-License-Identifier: MIT
# Records what transformers' sandboxed jinja2 renders: every template of templates/ with every context below, and the
# snippets of snippets.txt. Run: pip install jinja2 transformers && python make.py (writes renderings.json, snippets.json).
import datetime
import json
import pathlib

import transformers
from transformers.utils import chat_template_utils

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2024, 7, 26, 13, 5, 9)


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


chat_template_utils.datetime = Clock

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city, in \u00b0C & <plain> words",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Oslo", "Z\u00fcrich"]}, "days": {"type": "integer", "default": 3}},
            "required": ["city"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "get_time", "description": "Now", "parameters": {"type": "object", "properties": {}}}}
SYSTEM = {"role": "system", "content": "  Be brief.\n"}
USER = {"role": "user", "content": "Hello, who are you?"}
ANSWER = {"role": "assistant", "content": " I am a model.\n"}
MORE = {"role": "user", "content": "Say \"h\u00e9llo\" \U0001f600 in <b>bold</b>"}
LAST = {"role": "assistant", "content": "<b>h\u00e9llo</b> \U0001f600"}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "abc123XYZ", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Z\u00fcrich", "days": 2, "exact": 1.0, "tags": ["a", None, True]}}}],
}
RESULT = {"role": "tool", "name": "get_weather", "content": "21.5", "tool_call_id": "abc123XYZ"}
THOUGHT = {"role": "assistant", "content": "<think>\nlet me see\n</think>\n\nBern."}

CONTEXTS = {
    "user": {"messages": [USER]},
    "one_turn": {"messages": [USER, ANSWER]},
    "system": {"messages": [SYSTEM, USER, ANSWER]},
    "system_only_user": {"messages": [SYSTEM, USER]},
    "two_turns": {"messages": [USER, ANSWER, MORE, LAST]},
    "system_two_turns": {"messages": [SYSTEM, USER, ANSWER, MORE, LAST]},
    "tools": {"messages": [SYSTEM, USER], "tools": [WEATHER, CLOCK]},
    "tools_no_system": {"messages": [USER], "tools": [WEATHER]},
    "tool_call": {"messages": [USER, CALL, RESULT, LAST], "tools": [WEATHER]},
    "two_results": {"messages": [SYSTEM, USER, CALL, RESULT, RESULT, LAST, MORE], "tools": [WEATHER, CLOCK]},
    "thoughts": {"messages": [USER, THOUGHT, MORE, THOUGHT]},
    "no_thinking": {"messages": [USER, THOUGHT, MORE], "arguments": {"enable_thinking": False}},
    "parts": {"messages": [{"role": "system", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}, {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "image"}, {"type": "text", "text": "?"}]}, LAST]},
    "wrong_order": {"messages": [ANSWER, USER, USER]},
    "null_content": {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": None, "name": "x"}]},
    "date_given": {"messages": [USER], "arguments": {"date_string": "1 Jan 2020", "tools_in_user_message": False}, "tools": [CLOCK]},
}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


def render(source, context, prompt):
    messages = [{k: v for k, v in m.items() if v is not None} for m in context["messages"]]
    texts, spans = chat_template_utils.render_jinja_template(
        conversations=[messages], tools=context.get("tools"), documents=context.get("documents"), chat_template=source,
        return_assistant_tokens_mask=True, add_generation_prompt=prompt, **{**SPECIAL, **context.get("arguments", {})},
    )
    text = texts[0]
    to_bytes = lambda at: len(text[:at].encode())
    return text, [[to_bytes(a), to_bytes(b)] for a, b in spans[0] if a < b]


def record(source, context, prompt):
    try:
        text, spans = render(source, context, prompt)
        return {"text": text, **({"generation": spans} if spans else {})}
    except Exception:  # what jinja2 says is not ours to repeat, only that it refuses
        return {"error": True}


renderings = []
for path in sorted((HERE / "templates").glob("*.jinja")):
    for name, context in CONTEXTS.items():
        for prompt in (False, True):
            renderings.append({"template": path.name, "context": name, "prompt": prompt, **record(path.read_text(), context, prompt)})

snippets = []
for block in (HERE / "snippets.txt").read_text().split("\n=====\n"):
    source = block.rstrip("\n") if not block.endswith("\n\n") else block[:-1]
    snippets.append({"source": source, **record(source, CONTEXTS["two_results"], False)})


def write(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=True, indent=0) + "\n")


write("renderings.json", {"made_by": f"transformers {transformers.__version__}", "special_tokens": SPECIAL, "contexts": CONTEXTS, "renderings": renderings})
write("snippets.json", snippets)
print(len(renderings), "renderings,", sum("error" in r for r in renderings), "refused;", len(snippets), "snippets,", sum("error" in s for s in snippets), "refused")
for s in snippets:
    if "error" in s:
        print("refused:", s["source"][:100].replace("\n", "\\n"))
