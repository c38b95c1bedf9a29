#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every code that an error may carry stands in docs/errors.md, and the page names none that is gone. Codes are found
# behind 'Fault::x,'; in the library also as any other literal of the same area, for codes that are handed on.
set -u
cd "$(dirname "$0")/../.."

# Files without their comments, as one line each, since a call may go over several.
joined() { find "$@" \( -name '*.[ch]pp' -o -name '*.cuh' \) -exec sed 's|^ *//.*||' {} + | tr '\n' ' '; }
after_fault() { grep -oE 'Fault::[a-z_]+, *"[a-z_0-9]+\.[a-z_0-9]+"' | grep -oE '[a-z_0-9]+\.[a-z_0-9]+"$' | tr -d '"' | sort -u; }

library=$(joined include kernels)
codes=$(after_fault <<<"$library")
areas=$(cut -d. -f1 <<<"$codes" | sort -u | paste -sd'|')
handed_on=$(grep -oE "\"($areas)\.[a-z_0-9]+\"" <<<"$library" | tr -d '"' | grep -vE '\.(json|safetensors|jinja|model|txt)$' | sort -u)
program=$(joined examples/temper | after_fault)
wanted=$(printf '%s\n' "$codes" "$handed_on" "$program" | sort -u)
stated=$(grep -oE '`[a-z_0-9]+\.[a-z_0-9]+`' docs/errors.md | tr -d '`' | sort -u)

[ -n "$codes" ] || { echo "no code was found in include/: this test looks for the wrong thing"; exit 1; }
missing=$(comm -23 <(echo "$wanted") <(echo "$stated"))
gone=$(comm -13 <(echo "$wanted") <(echo "$stated"))
[ -z "$missing" ] || printf 'docs/errors.md does not say what these codes mean:\n%s\n' "$missing"
[ -z "$gone" ] || printf 'docs/errors.md explains codes that no source has:\n%s\n' "$gone"
[ -z "$missing$gone" ]
