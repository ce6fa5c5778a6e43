#!/usr/bin/env bash
# keep_picture.sh NUMBER URL: put the picture into the branch pull-request-pictures, and into the comment.
set -euo pipefail
number=$1 url=$2
out=$PWD/.state/pull-request
if [ ! -s "$out/diff.png" ]; then exit 0; fi
branch=pull-request-pictures
folder=$(mktemp -d)
git fetch --quiet origin "$branch:refs/remotes/origin/$branch" 2> /dev/null || true
if git rev-parse --quiet --verify "refs/remotes/origin/$branch" > /dev/null; then
  git worktree add --quiet --detach "$folder" "refs/remotes/origin/$branch"
else
  git worktree add --quiet --detach "$folder" HEAD
  git -C "$folder" checkout --quiet --orphan "$branch-$$"
  git -C "$folder" rm -r --quiet --force .
fi
name=$number-$(git hash-object "$out/diff.png" | cut -c 1-12).png  # a new name for each, since browsers keep the old
cp "$out/diff.png" "$folder/$name"
git -C "$folder" add "$name"
git -C "$folder" -c user.name=metrics -c user.email=metrics@users.noreply.github.com \
  commit --quiet --allow-empty -m "Pull request $number"
git -C "$folder" push --quiet origin "HEAD:refs/heads/$branch"
git worktree remove --force "$folder"
printf '\n![What changed most](%s/%s?raw=true)\n' "$url" "$name" > "$out/picture.md"
# Behind the verdicts, which are the first list.
awk -v picture="$(cat "$out/picture.md")" '
  /^- / { seen = 1 } seen && !done && /^$/ { print picture; done = 1 } { print }
' "$out/comment.md" > "$out/comment.new"
mv "$out/comment.new" "$out/comment.md"
