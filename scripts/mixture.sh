#!/usr/bin/env bash
# The paper's mixture of eight data sets: the figure and table of forgetting ratios, ten seeds (Section 4.2).
# Arguments go to run_multi.py: --nproc 4, --launcher slurm, ..., -- --data-dir D. Without --execute only the plan shows.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
approaches=random,joint,sgd,sgd-frozen,lfl,lwf,ewc,imm-mean,imm-mode,pathnet,progressive,hat
"$PYTHON" "$ROOT/src/run_multi.py" --experiments mixture --approaches $approaches "$@"
[[ " $* " != *" --execute "* ]] ||
  "$PYTHON" "$ROOT/src/plot_results.py" --experiment mixture --approaches $approaches --output res/mixture.png --table markdown
