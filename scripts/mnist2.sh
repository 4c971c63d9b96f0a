#!/usr/bin/env bash
# Split MNIST, digits 0-4 and 5-9, ten seeds: average accuracy of HAT (the paper's appendix: 99.0 %).
# Arguments go to run_multi.py. Without --execute only the plan shows.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
"$PYTHON" "$ROOT/src/run_multi.py" --experiments mnist2 --approaches sgd,hat "$@"
[[ " $* " != *" --execute "* ]] ||
  "$PYTHON" "$ROOT/src/plot_results.py" --figure bars --experiment mnist2 --approaches sgd,hat --output res/mnist2.png --table markdown
