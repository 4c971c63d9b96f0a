#!/usr/bin/env bash
# Trains plain fine-tuning and HAT on six tasks of rendered characters, and prints and draws what each remembers at the end.
# Needs no data and, once installed, no network; about a minute on two cores. Ctrl-C ends one task's training, a second one the run.
#   scripts/quickstart.sh [--picture]    --picture: also make scripts/quickstart.png, the figure of the readme, anew
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
[ $# -eq 0 ] || [ "$*" = --picture ] || { echo "usage: $0 [--picture]" >&2; exit 2; }
for approach in sgd hat; do
  "$PYTHON" "$ROOT/src/run.py" --experiment glyphs --approach $approach --nepochs 10 --overwrite \
    --output res/quickstart/glyphs_${approach}_0.txt
done
echo
"$PYTHON" "$ROOT/src/compare.py" "$ROOT"/res/quickstart/glyphs_{sgd,hat}_0.txt
"$PYTHON" "$ROOT/src/plot_results.py" --figure tasks --experiment glyphs --approaches sgd,hat --folders res/quickstart \
  --output res/quickstart.png
[ $# -eq 0 ] || "$PYTHON" - "$ROOT"/{res,scripts}/quickstart.png <<'END'
import sys
from PIL import Image
Image.open(sys.argv[1]).convert('RGB').quantize(64).save(sys.argv[2], optimize=True)  # 64 colours: a third of the size
END
