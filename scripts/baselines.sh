#!/usr/bin/env bash
# Every approach once, briefly, on split MNIST, three tasks of permuted MNIST and glyphs: figures of src/approaches/readme.md.
#   scripts/baselines.sh [data folder, default dat] [processes, default 2]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
approaches=random,sgd,sgd-frozen,sgd-restart,joint,lwf,lfl,ewc,imm-mean,imm-mode,progressive,pathnet,hat,hat-test
data=${1:-dat} nproc=${2:-2} failed=0
multi() { # experiment, then options of run.py
  "$PYTHON" "$ROOT/src/run_multi.py" --experiments "$1" --approaches $approaches --seeds 0 --nproc "$nproc" \
    --res_folder res/baselines --execute -- --data-dir "$data" "${@:2}" || failed=1
}
multi mnist2 --nepochs 3
multi pmnist --nepochs 2 --tasks 0,1,2
multi glyphs --nepochs 10
for experiment in mnist2 pmnist glyphs; do
  echo
  echo "$experiment:"
  "$PYTHON" "$ROOT/src/plot_results.py" --figure bars --experiment "$experiment" --approaches $approaches \
    --folders res/baselines --table markdown
done
exit $failed
