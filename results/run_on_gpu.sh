#!/usr/bin/env bash
# Run a plan on a lent machine, in the repository's root: OUT=folder bash results/run_on_gpu.sh [plan] [minutes]
# Needs .state/lent/packed.tar.xz (`python -m flows.lent pack`), and what Python lacks there as wheels in .whl/.
set -euo pipefail
plan=${1:-results/gpu/plan.yaml} minutes=${2:-9} out=${OUT:-.state/lent/out}
if compgen -G '.whl/*.whl' >/dev/null; then
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target .state/site .whl/*.whl
  export PYTHONPATH="$PWD/.state/site${PYTHONPATH:+:$PYTHONPATH}"
fi
export PYTHONUNBUFFERED=1
python3 -m flows.lent run "$plan" --minutes "$minutes" --out "$out"
