#!/usr/bin/env bash
# Permuted MNIST, ten tasks, ten seeds: average accuracy of HAT (the paper's appendix: 98.6 %).
# Arguments go to run_multi.py. Without --execute only the plan shows.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
"$PYTHON" "$ROOT/src/run_multi.py" --experiments pmnist --approaches sgd,hat "$@"
[[ " $* " != *" --execute "* ]] ||
  "$PYTHON" "$ROOT/src/plot_results.py" --figure bars --experiment pmnist --approaches sgd,hat --output res/pmnist.png --table markdown
