#!/usr/bin/env bash
# HAT's accuracy over its two hyper-parameters, lamb and smax (the paper's figure of Section 4.3).
#   scripts/hyperparameters.sh <gpu ids, or cpu> <experiment> [options of work.py]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
[ $# -ge 2 ] || { echo "usage: $0 <gpu ids, or cpu> <experiment> [options of work.py]" >&2; exit 2; }
gpus=$1 experiment=$2; shift 2
"$PYTHON" "$ROOT/src/work.py" "$gpus" "$experiment" hat "res/grid_$experiment" "$@"
[[ " $* " != *" --execute "* ]] ||
  "$PYTHON" "$ROOT/src/plot_results.py" --figure surface --experiment "$experiment" --approaches hat \
    --folders "res/grid_$experiment" --output "res/grid_$experiment.png" --table markdown
