#!/usr/bin/env bash
# compare.sh BASE MEANT: write the comment's text and the picture to .state/pull-request/, and what fails to `failed`.
# BASE is the branch that the pull request goes to, or its tip: what has come there since this branch left isn't ours.
set -euo pipefail
base=$(git merge-base "$1" HEAD 2> /dev/null || echo "$1") meant=$2  # `diff` says what is wrong with BASE
out=.state/pull-request
rm -rf "$out"
mkdir -p "$out"
touch "$out/failed"

# note COMMAND LOG: the last line that a failed command has said; one that was killed has said nothing.
note() { tail -n 1 "$2" | grep . || echo "error: multiresunet $1 ended without a word"; }

# The tables of both sides are in git; that this side's are its own, within tolerance, is verified by making them.
if .venv/bin/multiresunet verify HEAD > "$out/verify.md" 2> "$out/verify.log"; then
  verdict=$(tail -n 1 "$out/verify.md")
else
  note verify "$out/verify.log" >> "$out/failed"
  verdict=$(sed 's/^error: //' "$out/failed")
fi
flags=()  # which bash 3.2, macOS' own, calls unset while it's empty
if [ "$meant" = true ]; then flags+=(--meant); fi
.venv/bin/multiresunet diff "$base" HEAD --output "$out/diff.md" --picture "$out/diff.png" ${flags[@]+"${flags[@]}"} \
  2> "$out/diff.log" || note diff "$out/diff.log" >> "$out/failed"
{
  echo "<!-- multiresunet metrics -->"
  cat "$out/diff.md" 2> /dev/null || cat "$out/diff.log"
  echo
  if [ "$meant" = true ]; then echo "Labelled as meant: a score below its interval doesn't fail the check."; fi
  echo
  echo "<details><summary>Tables made again: $verdict</summary>"
  echo
  cat "$out/verify.md"
  echo
  echo "</details>"
} > "$out/comment.md"
