#!/usr/bin/env bash
# comment.sh NUMBER: write the pull request's comment, or rewrite the one that is there.
set -euo pipefail
number=$1
file=.state/pull-request/comment.md
found=$(gh api "repos/{owner}/{repo}/issues/$number/comments" --paginate \
  --jq '.[] | select(.body | startswith("<!-- multiresunet metrics -->")) | .id' | head -n 1)
if [ -n "$found" ]; then
  gh api --method PATCH "repos/{owner}/{repo}/issues/comments/$found" --field "body=@$file" > /dev/null
else
  gh api --method POST "repos/{owner}/{repo}/issues/$number/comments" --field "body=@$file" > /dev/null
fi
