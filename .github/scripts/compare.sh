#!/usr/bin/env bash
# compare.sh BASE MEANT: write the comment's text and the picture to .state/pull-request/, and what fails to `failed`.
set -euo pipefail
base=$1 meant=$2
out=.state/pull-request
rm -rf "$out"
mkdir -p "$out"
touch "$out/failed"

# note COMMAND LOG: the last line that a failed command has said; one that was killed has said nothing.
note() { tail -n 1 "$2" | grep . || echo "error: multiresunet $1 ended without a word"; }

# The tables of both sides are in git; that this side's are its own is verified by making them.
.venv/bin/multiresunet verify HEAD > "$out/verify.txt" 2> "$out/verify.log" || note verify "$out/verify.log" >> "$out/failed"
flags=()
if [ "$meant" = true ]; then flags+=(--meant); fi
.venv/bin/multiresunet diff "$base" HEAD --output "$out/diff.md" --picture "$out/diff.png" "${flags[@]}" \
  2> "$out/diff.log" || note diff "$out/diff.log" >> "$out/failed"
{
  echo "<!-- multiresunet metrics -->"
  cat "$out/diff.md" 2> /dev/null || cat "$out/diff.log"
  echo
  if [ "$meant" = true ]; then echo "Labelled as meant: a score below its interval doesn't fail the check."; fi
  echo
  echo "<details><summary>Are the tables this commit's own?</summary>"
  echo
  echo '```'
  cat "$out/verify.txt"
  echo '```'
  echo
  echo "</details>"
} > "$out/comment.md"
