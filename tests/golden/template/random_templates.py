# SPDX-License-Identifier: MIT
# Random small templates over everything that the engine knows, with what transformers' sandboxed jinja2 makes of them.
# Run: pip install jinja2 transformers && python random_templates.py [count] [seed] [file]; without arguments it writes
# random.json. An 'error' is recorded as such: what jinja2 says is not ours to repeat.
import json
import pathlib
import random
import re
import sys

HERE = pathlib.Path(__file__).parent
spec = (HERE / "make.py").read_text().split("renderings = []")[0]
made = {"__file__": str(HERE / "make.py")}
exec(compile(spec, "make.py", "exec"), made)

CONTEXT = {
    "messages": made["CONTEXTS"]["two_results"]["messages"],
    "tools": made["CONTEXTS"]["two_results"]["tools"],
    "arguments": {
        "s": "Hello, wOrld foo-bar", "e": "", "w": "  a b\tc\n d  ", "u": "\u00dfa\u0130\u03a3 \u00e9\U0001f600", "h": "<b>x & y</b>", "n": 7, "m": -3, "z": 0,
        "f": 2.5, "g": -0.1, "t": True, "no": False, "nil": None, "l": [3, 1, 2, 1], "ls": ["b", "A", "a", "C"], "mix": [1, "a", None, 2.0, [1]],
        "d": {"b": 1, "a": "x", "C": [1, 2]}, "ld": [{"k": "x", "v": 2, "in": {"q": 1}}, {"k": "Y", "v": 1, "in": {"q": 0}}, {"k": "x", "v": 3}],
        "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}], "lines": "one\ntwo\r\n\nthree\n", "num": "42", "hex": "0x1f", "real": " 3.75 ",
    },
}
NAMES = list(CONTEXT["arguments"])
STRINGS = ["'a'", "'abc'", "''", "'a,b,,c'", "' x '", "'%s-%d'", "'k'", "'v'", "'{}-{}'", "'aXbXc'", "'l'", "'\\u00e9\\n'", "'o'", "','", "'Hello World'", "\"it's\""]
NUMBERS = ["0", "1", "2", "3", "-1", "7", "10", "2.5", "0.1", "1e3", "100", "-2", "5", "true", "none"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.locals = []

    def pick(self, *options):
        return self.r.choice(options)

    def name(self):
        return self.r.choice(NAMES + self.locals * 3) if self.r.random() < 0.97 else "missing"

    def text(self, d=0):
        return self.pick(self.r.choice(STRINGS), self.r.choice(STRINGS), self.r.choice(["s", "w", "u", "h", "e", "lines", "num", "real"]))

    def number(self):
        return self.pick(self.r.choice(NUMBERS), "n", "m", "z", "f", "g", self.r.choice(NUMBERS))

    def list(self, d=0):
        return self.pick("l", "ls", "ld", "mix", "[1, 2, 3]", "('a', 'b')", "range(%d)" % self.r.randint(0, 6), "range(%d, %d, %d)" % (self.r.randint(-3, 5), self.r.randint(-3, 9), self.r.choice([1, 2, -1, 3])),
                         "d.items()", "d.keys()", "d.values()", "'a b c'.split()", "[%s, %s]" % (self.expr(d + 1), self.expr(d + 1)), "messages", "d")

    def atom(self, d):
        x = self.r.random()
        if x < 0.3:
            return self.name()
        if x < 0.5:
            return self.text(d)
        if x < 0.7:
            return self.number()
        if x < 0.9:
            return self.list(d)
        return self.pick("{'a': 1, 'b': %s}" % self.number(), "d", "()", "[]", "{}", "dict(a=1, b='x')", "namespace(a=1)", "d['a']", "d.a", "ld[0].k", "mix[%s]" % self.number(), "{%s: %s}" % (self.number(), self.number()), "dict([('q', 1)], z=2)")

    def filter(self, d):
        n, t = self.number, self.text
        attribute = lambda: self.pick("'k'", "'v'", "'in.q'", "'a'", "0", "'k,v'")
        test = lambda: self.pick("'odd'", "'even'", "'string'", "'none'", "'number'", "'defined'", "'mapping'", "'equalto', " + self.expr(d + 2), "'gt', " + n(), "'in', " + self.list(d), "'divisibleby', 2", "'lower'", "'true'", "'eq', 1", "'sameas', true", "'iterable'", "'<', 2", "'ne', none", "'sequence'")
        return self.pick(
            "abs", "attr(%s)" % self.pick("'k'", "'upper'", "'items'"), "batch(%s)|list" % self.pick("2", "3", "1", "2, 'x'", "3, none", "linecount=2, fill_with=0"), "capitalize", "center(%s)" % self.pick("10", "3", "11", "width=8", "2.5"),
            "count", "d(%s)" % t(), "default(%s, %s)" % (t(), self.pick("true", "false", "boolean=true")[:20]), "default", "dictsort", "dictsort(%s)" % self.pick("true", "by='value'", "false, 'value', true", "reverse=true", "by='x'"),
            "e", "escape", "first", "float", "float(1)", "float(default=none)", "forceescape", "groupby(%s)" % attribute(), "groupby('in.q', default=9)", "groupby('k', case_sensitive=true)",
            "indent", "indent(%s)" % self.pick("2", "0", "2, true", "3, blank=true", "'> '", "width='..', first=true", "-1", "2, true, true"), "int", "int(%s)" % self.pick("5", "base=16", "0, 2", "none", "default=-1, base=8", "0, 0"), "items|list", "join", "join(%s)" % self.pick("', '", "'-', attribute='k'", "1", "attribute='v'", "d='|'"),
            "last", "length", "list", "lower", "map(%s)" % self.pick("'upper'", "'string'", "'int'", "attribute='k'", "attribute='in.q', default=0", "'default', 'z'", "'replace', 'a', 'b'", "'length'", "'tojson'", "attribute=0", "'nothing'", "'join', '+'", "'round', 1") + self.pick("|list", "|list", "|join(',')"),
            "max", "min", "max(attribute='v')", "min(attribute='k')", "max(case_sensitive=true)", "min(true)", "reject(%s)|list" % test(), "rejectattr(%s)|list" % attribute(), "rejectattr('k', 'equalto', 'x')|list", "replace('a', 'b')", "replace(%s, %s, %s)" % (t(), t(), self.pick("1", "2", "0", "-1", "none")), "replace('', '-')",
            "reverse", "reverse|list", "round", "round(%s)" % self.pick("1", "2", "1, 'floor'", "0, 'ceil'", "-1", "method='floor'", "2, 'common'", "0, 'x'", "none"), "safe", "select(%s)|list" % test(), "select|list", "selectattr('k')|list", "selectattr(%s, %s)|list" % (self.pick("'k'", "'v'"), test()), "slice(%s)|list" % self.pick("2", "3", "3, 'x'", "slices=1", "0"), "sort", "sort(%s)" % self.pick("reverse=true", "true, true", "attribute='k'", "attribute='k,v'", "attribute='v', reverse=true", "case_sensitive=true", "attribute=0"),
            "string", "striptags", "sum", "sum(%s)" % self.pick("attribute='v'", "start=10", "'v', 2", "start=[]"), "title", "tojson", "tojson(%s)" % self.pick("indent=2", "ensure_ascii=True", "sort_keys=True", "separators=(',', ':')", "indent=1, sort_keys=true", "indent='--'", "indent=0", "false, 4", "indent=none"), "trim", "trim('a ')", "truncate(%s)" % self.pick("5", "9, true", "8, false, '..'", "7, leeway=0", "3, true, '', 1", "end='#', length=4, leeway=2", "2"),
            "unique|list", "unique(true)|list", "unique(attribute='k')|list", "upper", "urlencode", "wordcount", "format(%s)" % self.pick("1", "'a', 2", "n", "a=1", "f", "s, n"), "list|length", "first|upper", "nothing", "string|length")

    def method(self, d):
        t, n = self.text, self.number
        return self.pick(
            "capitalize()", "casefold()", "center(%s)" % self.pick("9", "12, '*'", "4", "7", "n"), "count(%s)" % self.pick("'l'", "''", "'o', 2", "'l', 1, -2", t()), "endswith(%s)" % self.pick("'d'", "('a', 'o')", "'', 3", t()), "expandtabs(4)", "expandtabs()", "find(%s)" % self.pick("'o'", "'l', 4", "''", "'', 99", "'o', -3", t()), "format(%s)" % self.pick("1, 2", "'a', b=1", "*l", "**d", "s, n"), "index('l')", "isalnum()", "isalpha()", "isascii()", "isdecimal()", "isdigit()", "isidentifier()", "islower()", "isnumeric()", "isprintable()", "isspace()", "istitle()", "isupper()",
            "join(ls)", "join(%s)" % self.list(d), "ljust(8, '.')", "lower()", "lstrip()", "lstrip('aH ')", "partition(%s)" % self.pick("'o'", "','", "''", "'zz'"), "removeprefix('He')", "removesuffix('ld')", "replace('o', '0')", "replace(%s, %s, 1)" % (t(), t()), "replace('', '.', 2)", "rfind('o')", "rfind('o', 0, 6)", "rindex('o')", "rjust(9)", "rpartition('o')", "rsplit()", "rsplit(none, 1)", "rsplit(',', 1)", "rsplit(maxsplit=1)", "rstrip()", "rstrip('ld')", "split()", "split(%s)" % self.pick("','", "none, 1", "'o', 1", "sep=' '", "' '", "maxsplit=1", "''", "'o', -1"), "splitlines()", "splitlines(true)", "splitlines(keepends=true)", "startswith('H')", "startswith(('x', 'H'))", "startswith('l', 2)", "strip()", "strip('a')", "swapcase()", "title()", "upper()", "zfill(6)",
            "items()|list", "keys()|list", "values()|list", "get('a')", "get('zz', 5)", "get(%s)" % n(), "copy()", "index(1)", "count(1)", "append(1)", "pop()", "nothing()", "get", "fromkeys([1, 2], 0)", "index(%s, 1)" % n(), "update({})")

    def test(self, d):
        return self.pick("boolean", "callable", "defined", "divisibleby(2)", "divisibleby %s" % self.pick("3", "n", "z"), "eq(1)", "equalto 2", "escaped", "even", "false", "filter", "float", "ge 2", "gt(1)", "in l", "in(s)", "in [1, 'a']", "integer", "iterable", "le 3", "lower", "lt 2", "mapping", "ne 1", "none", "number", "odd", "sameas none", "sameas(true)", "sequence", "string", "test", "true", "undefined", "upper", "== 1", "nothing")[:30]

    def expr(self, d=0):
        if d > 3:
            return self.atom(d)
        x = self.r.random()
        e = lambda: self.expr(d + 1)
        if x < 0.22:
            return self.atom(d)
        if x < 0.42:
            return "%s|%s" % (self.pick(self.list, self.list, self.text, lambda _: "(%s)" % e(), lambda _: self.number(), lambda _: self.name())(d), self.filter(d))
        if x < 0.58:
            return "%s.%s" % (self.pick(self.text(d), self.text(d), self.text(d), "(%s)" % e(), "d", "l", self.name()), self.method(d))
        if x < 0.67:
            return "%s is %s%s" % (self.pick(self.atom(d), "(%s)" % e()), self.pick("", "", "not "), self.test(d))
        if x < 0.73:
            op = self.pick("+", "-", "*", "/", "//", "%", "**", "~", "+", "~")
            if op == "**":  # a fraction would make complex numbers
                return "%s ** %s" % (self.number(), self.pick("2", "3", "-1", "0", "'a'"))
            return "%s %s %s" % (self.pick(self.number(), self.atom(d), "(%s)" % e()), op, self.pick(self.number(), self.atom(d)))
        if x < 0.78:
            ops = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"]
            return "%s %s %s%s" % (self.atom(d), self.r.choice(ops), self.atom(d), self.pick("", "", " %s %s" % (self.r.choice(ops), self.atom(d))))
        if x < 0.82:
            return "%s%s %s %s" % (self.pick("", "not "), self.atom(d), self.pick("and", "or"), e())
        if x < 0.86:
            return "%s if %s%s" % (self.atom(d), self.expr(d + 1), self.pick("", " else " + self.atom(d)))
        if x < 0.92:
            b = lambda: self.pick("", str(self.r.randint(-5, 5)), str(self.r.randint(0, 3)), "none")
            return "(%s)[%s:%s%s]" % (self.pick(self.text(d), self.list(d)), b(), b(), self.pick("", "", ":" + self.pick("-1", "2", "-2", "3", "", "0")))
        if x < 0.95:
            spec = self.pick("'%s'", "'%5s|'", "'%-5s|'", "'%.2s'", "'%d'", "'%05d'", "'%+d'", "'%x'", "'%#x'", "'%o'", "'%5.1f'", "'%e'", "'%g'", "'%r'", "'%%'", "'%c'", "'%(a)s'", "'%(b)03d'", "'%*d'", "'% d'", "'%s %s'", "'%.0f'", "'%i'", "'%-8.3f|'", "'%a'", "'%G'", "'%X'", "'%.3d'")
            return "%s %% %s" % (spec, self.pick(self.number(), "(%s,)" % self.atom(d), "(%s, %s)" % (self.number(), self.number()), "d", self.text(d), "dict(a=1, b=2)"))
        if x < 0.98:
            spec = self.pick("{}", "{0}", "{:>5}", "{:<5}|", "{:^7}", "{:05d}", "{:.2f}", "{:,}", "{!r}", "{:*^9}", "{:+d}", "{:x}", "{:#b}", "{:e}", "{:g}", "{:%}", "{:.3}", "{a}", "{a[0]}", "{0[a]}", "{0.k}", "{} {}", "{{{}}}", "{:{}}", "{:_}", "{:08,.1f}", "{:c}", "{:s}", "{!s:>6}", "{", "}", "{1}{0}", "{:10}|", "{: }", "{:<05}", "{:=+6}", "{:.0f}", "{:G}", "{!a}")
            return "'%s'.format(%s)" % (spec, self.pick(self.number(), self.atom(d), "%s, %s" % (self.number(), self.number()), "a=l", "d", "a=%s" % self.text(d), "ld[0]"))
        return "(%s)[%s]" % (self.pick(self.list(d), self.text(d), "d"), self.pick(self.number(), "'a'", "'k'"))

    def body(self, d):
        return "".join(self.statement(d + 1) for _ in range(self.r.randint(1, 2)))

    def statement(self, d=0):
        x = self.r.random()
        minus = lambda: self.pick("", "", "", "-", "+")
        space = lambda: self.pick("", "", " ", "\n", "\n  ", "x")
        block = lambda inner: space() + "{%" + minus() + " " + inner + " " + minus() + "%}" + space()
        if d > 2 or x < 0.45:
            return "{{" + self.pick("", "", "-") + " " + self.expr(0 if d < 2 else 2) + " " + self.pick("", "", "-") + "}}" + space()
        if x < 0.55:
            middle = block("elif " + self.expr(2)) + self.body(d) if self.r.random() < 0.2 else ""
            other = block("else") + self.body(d) if self.r.random() < 0.4 else ""
            return block("if " + self.expr(2)) + self.body(d) + middle + other + block("endif")
        if x < 0.75:
            target = self.pick("x", "x", "x", "x, y", "(x, y)")
            source = self.pick(self.list(1), self.list(1), "d.items()", "ld", "l|sort", "messages", "ls", self.expr(2))
            condition = self.pick("", "", "", " if x is odd", " if x", " if loop is defined")
            loops = self.pick("{{ loop.index }}", "{{ loop.last }}", "{{ loop.cycle('p', 'q') }}", "{{ loop.previtem }}", "{{ loop.nextitem is defined }}", "{{ loop.changed(x) }}", "{{ loop.revindex0 }}{{ loop.length }}", "{% if loop.index > 2 %}{% break %}{% endif %}", "{% if loop.first %}{% continue %}{% endif %}", "", "{{ loop.depth }}", "{% set acc = (acc|default(0)) + 1 %}{{ acc }}")
            self.locals.append("x")
            inner = self.body(d)
            self.locals.pop()
            other = block("else") + "none" if self.r.random() < 0.2 else ""
            return block("for %s in %s%s" % (target, source, condition)) + loops + inner + other + block("endfor")
        if x < 0.8:
            name = self.pick("p", "q")
            line = block("set %s = %s" % (name, self.expr(1)))
            self.locals.append(name)
            return line
        if x < 0.83:
            self.locals.append("p")
            return block("set p%s" % self.pick("", " | upper", " | trim | replace('a', 'b')")) + self.body(d) + block("endset")
        if x < 0.86:
            name = self.pick("a", "c")
            return block("set ns = namespace(%s=%s)" % (name, self.atom(1))) + block("for i in range(3)") + block("set ns.%s = %s" % (name, self.pick("ns.%s ~ i" % name, "i", "[ns.%s, i]" % name))) + block("endfor") + "{{ ns.%s }}" % name
        if x < 0.91:
            signature = self.pick("a", "a, b=2", "a=1, b='x'", "")
            inside = self.pick("{{ a }}", "{{ a }}{{ b }}", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "{{ a|default('-') }}{{ varargs|length }}", "{{ n }}") + (self.body(d) if self.r.random() < 0.3 else "")
            call = self.pick("m(1)", "m(1, 2)", "m(1, 2, 3)", "m(b=5)", "m(a=1, c=2)", "m()", "m(*l)", "m(**{'a': 4})", "m(1)|upper", "m")
            if self.r.random() < 0.3:
                return block("macro m(%s)" % signature) + inside + block("endmacro") + block("call%s %s" % (self.pick("", "(v)"), call)) + "in {{ v }}" + block("endcall")
            return block("macro m(%s)" % signature) + inside + block("endmacro") + "{{ " + call + " }}"
        if x < 0.93:
            return block("filter %s" % self.pick("upper", "trim", "replace('a', 'b')", "upper|indent(2)", "length", "title")) + self.body(d) + block("endfilter")
        if x < 0.95:
            return block("with p = %s, q = %s" % (self.atom(1), self.atom(1))) + "{{ p }}{{ q }}" + self.body(d) + block("endwith")
        if x < 0.965:
            return block("raw") + self.pick("{{ x }}", "{% if %}", " a ", "\n {# c #}\n") + block("endraw")
        if x < 0.98:
            return "{#" + minus() + " note " + minus() + "#}" + space()
        if x < 0.985:
            return block("for i in tree recursive") + "{{ i.v }}{{ loop.depth }}" + self.pick("{{ loop(i.c) }}", "{% if i.c %}({{ loop(i.c) }}){% endif %}", "{{ loop.index0 }}") + block("endfor")
        if d > 0:  # transformers misplaces blocks in what is captured, and counts nested ones twice
            return "-"
        return block("generation") + "".join("{{ %s }}" % self.expr(1) for _ in range(2)) + block("endgeneration")


ADDRESS = re.compile(r" at 0x|<function|<built-in|<generator|<bound|<method|jinja2\.|<transformers|object>|<list_rev|Namespace \{|cycler|joiner|<reversed|_iterator|reverse.*iterator")
HUGE = re.compile(r"\d{19,}")


def cases(count, seed):
    n = seed * 1_000_000_000
    while count > 0:
        n += 1
        maker = Maker(n)
        source = "".join(maker.statement() for _ in range(maker.r.randint(1, 3)))
        if maker.r.random() < 0.5:
            maker = Maker(n)
            source = "{{ " + maker.expr() + " }}"
        if len(source) > 400:
            continue
        context = {"messages": CONTEXT["messages"], "tools": CONTEXT["tools"], "arguments": CONTEXT["arguments"]}
        result = made["record"](source, context, False)
        text = result.get("text", "")
        if len(text) > 2000 or ADDRESS.search(text) or HUGE.search(text):
            continue
        count -= 1
        yield {"s": source, **({"e": 1} if "error" in result else {"t": text, **({"g": result["generation"]} if "generation" in result else {})})}


if __name__ == "__main__":
    count, seed = int(sys.argv[1]) if len(sys.argv) > 1 else 2400, int(sys.argv[2]) if len(sys.argv) > 2 else 2
    if len(sys.argv) > 3:
        with open(sys.argv[3], "w") as file:
            for case in cases(count, seed):
                file.write(json.dumps(case) + "\n")
    else:
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases(count, seed))
        head = json.dumps({"messages": CONTEXT["messages"], "tools": CONTEXT["tools"], "arguments": CONTEXT["arguments"]}, separators=(",", ":"))
        (HERE / "random.json").write_text('{"context":' + head + ',\n"cases":[\n' + lines + "\n]}\n")
