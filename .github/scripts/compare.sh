#!/usr/bin/env bash
# compare.sh BASE MEANT: write the comment's text and the picture to .state/pull-request/, and what fails to `failed`.
set -euo pipefail
PATH="$PWD/.venv/bin:$PATH"
base=$1 meant=$2
out=.state/pull-request
rm -rf "$out"
mkdir -p "$out"
touch "$out/failed"

# The tables of both sides are in git; that this side's are its own is verified by making them.
python -m multiresunet verify HEAD > "$out/verify.txt" 2> "$out/verify.log" || tail -n 1 "$out/verify.log" >> "$out/failed"
flags=()
if [ "$meant" = true ]; then flags+=(--meant); fi
python -m multiresunet diff "$base" HEAD --output "$out/diff.md" --picture "$out/diff.png" "${flags[@]}" \
  2> "$out/diff.log" || tail -n 1 "$out/diff.log" >> "$out/failed"
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
