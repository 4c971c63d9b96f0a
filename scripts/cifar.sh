#!/usr/bin/env bash
# Incremental CIFAR: forgetting ratios of HAT and EWC after ten tasks, ten seeds (the paper's appendix).
# Arguments go to run_multi.py. Without --execute only the plan shows.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
approaches=random,joint,sgd,ewc,hat
"$PYTHON" "$ROOT/src/run_multi.py" --experiments cifar --approaches $approaches "$@"
[[ " $* " != *" --execute "* ]] ||
  "$PYTHON" "$ROOT/src/plot_results.py" --experiment cifar --approaches $approaches --output res/cifar.png --table markdown
