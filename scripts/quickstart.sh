#!/usr/bin/env bash
# Trains plain fine-tuning and HAT on six tasks of rendered characters, and prints and draws what each remembers at the end.
# Needs no data and, once installed, no network; about a minute on two cores. Ctrl-C ends one task's training, a second one the run.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
for approach in sgd hat; do
  "$PYTHON" "$ROOT/src/run.py" --experiment glyphs --approach $approach --nepochs 10 --overwrite \
    --output res/quickstart/glyphs_${approach}_0.txt
done
echo
"$PYTHON" "$ROOT/src/compare.py" "$ROOT"/res/quickstart/glyphs_{sgd,hat}_0.txt
"$PYTHON" "$ROOT/src/plot_results.py" --figure tasks --experiment glyphs --approaches sgd,hat --folders res/quickstart \
  --output res/quickstart.png
