#!/usr/bin/env bash
# Split MNIST with the task known, unknown and all-so-far competing, and as domains; permuted MNIST as domains: figures of src/approaches/readme.md.
#   scripts/scenarios.sh [data folder, default dat] [processes, default 2] [seeds, default 0-2]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
data=${1:-dat} nproc=${2:-2} seeds=${3:-0-2} failed=0
multi() { # experiment, approaches, scenario, then options of run.py
  "$PYTHON" "$ROOT/src/run_multi.py" --experiments "$1" --approaches "$2" --seeds "$seeds" --nproc "$nproc" \
    --res_folder res/scenarios --execute -- --data-dir "$data" --scenario "$3" "${@:4}" || failed=1
}
smnist=random,sgd,joint,ewc,lwf,hat pmnist=sgd,ewc,joint,hat
for scenario in task class domain; do
  multi smnist $smnist $scenario --nepochs 5
done
multi pmnist $pmnist domain --nepochs 2 --tasks 0,1,2
for experiment in smnist smnist-class smnist-domain pmnist-domain; do
  echo
  echo "$experiment:"
  approaches=$smnist
  if [ $experiment = pmnist-domain ]; then approaches=$pmnist; fi
  "$PYTHON" "$ROOT/src/plot_results.py" --figure bars --experiment $experiment --approaches $approaches \
    --folders res/scenarios --table markdown
done
exit $failed
