#!/usr/bin/env bash
# Every approach once, briefly, on split MNIST, on three tasks of permuted MNIST and on glyphs; prints the readme's table.
#   scripts/baselines.sh [data folder, default dat] [processes, default 2]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
export OMP_NUM_THREADS=1
mkdir -p "$ROOT/logs/baselines"
run() { # experiment approach data folder, then options
  local name=$1_$2; local -a where=(--experiment "$1" --approach "$2" --data-dir "$3"); shift 3
  "$PYTHON" "$ROOT/src/run.py" "${where[@]}" --output "res/baselines/$name.txt" "$@" \
    >"$ROOT/logs/baselines/$name.log" 2>&1 || echo "failed: see logs/baselines/$name.log" >&2
}
export -f run; export PYTHON ROOT
for a in random sgd sgd-frozen sgd-restart joint lwf lfl ewc imm-mean imm-mode progressive pathnet hat hat-test; do
  echo "mnist2 $a ${1:-dat} --nepochs 3"
  echo "pmnist $a ${1:-dat} --nepochs 2 --tasks 0,1,2"
  echo "glyphs $a ${1:-dat} --nepochs 10"
done | xargs -P "${2:-2}" -I{} bash -c 'run {}'
"$PYTHON" "$ROOT/src/results.py" --markdown "$ROOT"/res/baselines/*.txt
