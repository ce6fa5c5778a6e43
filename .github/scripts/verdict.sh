#!/usr/bin/env bash
# verdict.sh: fail with what compare.sh noted.
set -euo pipefail
failed=.state/pull-request/failed
if [ -s "$failed" ]; then
  sed 's/^error: /::error::/' "$failed"
  exit 1
fi
