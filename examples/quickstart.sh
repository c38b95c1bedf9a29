#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# From nothing to a fine-tuned model: bash examples/quickstart.sh [--fast]
# Installs what is missing (apt only), builds temper, pre-trains a small Llama on a novel, fine-tunes it with LoRA on
# questions and answers, and shows what both say. All results lie in build/quickstart. What is there already and was
# made from the same files is not made again. --fast (or QUICKSTART_FAST=1): a few steps only, to see that all works.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$root/examples/quickstart
results=$root/build/quickstart
fast=${QUICKSTART_FAST:-0}
for word in "$@"; do
  case "$word" in
    --fast) fast=1 ;;
    *) echo "usage: bash examples/quickstart.sh [--fast]" >&2; exit 2 ;;
  esac
done
[ "$fast" = 0 ] || results=$results-fast
short_path() { case "$1" in "$PWD"/*) echo "${1#"$PWD"/}" ;; *) echo "$1" ;; esac; }

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
section() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

# --- What is needed, and the program.
section "1/5  Packages"
bash "$root/cmake/dependencies.sh" --program

section "2/5  The program"
temper=$root/build/release/temper
started=$SECONDS
log=$root/build/quickstart-build.log
mkdir -p "$root/build"
echo "building; from nothing this takes two or three minutes on two cores"
show_build() {  # on a terminal the compiler's last line stands there while it works
  if [ -t 1 ]; then awk -v width=95 '{ printf "\r\033[K%s", substr($0, 1, width); fflush() } END { printf "\r\033[K" }'; else cat >/dev/null; fi
}
if ! (cd "$root" && cmake --preset release && cmake --build --preset release --target temper) 2>&1 | tee "$log" | show_build; then
  tail -n 40 "$log" >&2
  echo "quickstart: the build failed; all of its output is in $(short_path "$log")" >&2
  exit 1
fi
build_seconds=$((SECONDS - started))
echo "$("$temper" --version), built in $build_seconds s: $(short_path "$temper")"

# --- Training. A run is made again only when something it was made from has changed.
train() {  # name, recipe, the weights that it starts from or an empty file, options of temper train
  local name=$1 recipe=$2 weights=$3 inputs
  shift 3
  inputs=$("$temper" --version; printf '%s\n' "$@"; cat "$recipe" "$here"/*.jsonl "$here"/model/* "$weights" | sha256sum)
  if [ "$(cat "$results/$name.inputs" 2>/dev/null)" = "$inputs" ] && grep -q '"state": *"completed"' "$results/$name/run.json"; then
    echo "is there from an earlier time: $(short_path "$results/$name")"
    return
  fi
  mkdir -p "$results"
  rm -f "$results/$name.inputs"
  "$temper" train "$recipe" --force --set output="$results/$name" "$@" >/dev/null
  printf '%s\n' "$inputs" >"$results/$name.inputs"
}
base=$results/pretrain/model
adapter=$results/finetune/adapter
fewer=()
[ "$fast" = 0 ] || fewer=(--set training.max_steps=10)

section "3/5  Pre-training: a Llama of 2 million parameters reads Pride and Prejudice"
train pretrain "$here/pretrain.json" /dev/null "${fewer[@]}"

section "4/5  Fine-tuning: LoRA learns to answer questions about it"
train finetune "$here/finetune.json" "$base/model.safetensors" --set model="$base" "${fewer[@]}"

# --- The same prompts before and after, each cell wrapped to its column.
say() {  # prompt, options: the answer on one line, with an ellipsis where the model did not stop by itself
  local prompt=$1 answer
  shift
  answer=$("$temper" generate --model "$base" "$@" --prompt "$prompt" --temperature 0.6 --max-new-tokens 24 --json) || return
  sed -E 's/^\{"text": ?"(([^"\\]|\\.)*)".*"stopped": ?(true|false).*/\3 \1/; s/\\n/ /g; s/\\u[0-9a-f]{4}/?/g; s/\\(.)/\1/g; s/^true //; s/^false (.*)/\1.../; s/  +/ /g; s/ \.\.\.$/.../' <<<"$answer"
}

section "5/5  The same questions, before and after"
table() {
  awk -F '\t' '
    function wrap(text, width, lines,    words, n, i, count) {
      n = split(text, words, " "); count = 1; lines[1] = ""
      for (i = 1; i <= n; i++) {
        if (lines[count] != "" && length(lines[count]) + 1 + length(words[i]) > width) lines[++count] = ""
        lines[count] = lines[count] (lines[count] == "" ? "" : " ") substr(words[i], 1, width)
      }
      return count
    }
    {
      n1 = wrap($1, 26, a); n2 = wrap($2, 38, b); n3 = wrap($3, 28, c)
      n = n1 > n2 ? n1 : n2; if (n3 > n) n = n3
      for (i = 1; i <= n; i++) {
        line = sprintf("%-26s  %-38s  %s", i <= n1 ? a[i] : "", i <= n2 ? b[i] : "", i <= n3 ? c[i] : "")
        sub(/ +$/, "", line)
        print line
      }
      if (NR == 1) { line = sprintf("%96s", ""); gsub(/ /, "-", line); print line }
    }'
}
answers=$'QUESTION\tBEFORE (pre-trained)\tAFTER (fine-tuned)\n'
while IFS= read -r prompt; do
  before=$(say "${prompt#\* }")
  after=$(say "${prompt#\* }" --adapter "$adapter")
  answers+=$prompt$'\t'$before$'\t'$after$'\n'
done <"$here/prompts.txt"
printf '%s' "$answers" | table | tee "$results/answers.txt"
echo
echo "*    asked in words that fine-tuning has not seen"
echo "...  cut after 24 tokens: the model did not stop by itself"

# --- What it took.
section "Summary"
stage() {  # name, folder: from the run's metrics
  awk -v name="$1" '
    function value(key,    at) { at = index($0, "\"" key "\":"); return at ? substr($0, at + length(key) + 3) + 0 : 0 }
    /"training\/loss"/ {
      loss[++steps] = value("training/loss"); tokens += value("training/tokens"); seconds = value("time")
    }
    END {
      from = steps > 10 ? steps - 9 : 1
      for (i = from; i <= steps; i++) last += loss[i] / (steps - from + 1)
      printf "%-12s %6d   %6.2f -> %-6.2f %9d %9.0f %8.1f\n", name, steps, loss[1], last, tokens, tokens / seconds, seconds
    }' "$2/metrics.jsonl"
}
{
  printf '%-12s %6s   %-16s %9s %9s %8s\n' STAGE STEPS "LOSS" TOKENS TOKENS/S SECONDS
  stage pre-training "$results/pretrain"
  stage fine-tuning "$results/finetune"
} | tee "$results/summary.txt"
cat <<END
(loss: of the first step -> mean of the last ten; this time $SECONDS s in all, $build_seconds of them for the build)

the model     $(short_path "$base")
the adapter   $(short_path "$adapter")   (PEFT loads it)
the metrics   $(short_path "$results/finetune/metrics.jsonl")
talk to it    $(short_path "$temper") chat --model $(short_path "$base") --adapter $(short_path "$adapter")
END
