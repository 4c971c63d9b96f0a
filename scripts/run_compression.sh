#!/usr/bin/env bash
# Network compression (Serrà et al., 2018, Section 4.4): HAT on each data set of the mixture alone, recording its masks.
#   scripts/run_compression.sh <gpu id, or cpu> <lamb> <smax> <log base> [options of run.py]
# Each seed's task order begins with the data set wanted. Writes <log base>_<dataset>.pkz for plot_results.py.
# SETS='mnist 10;cifar10 6' restricts it to some. ALONE=1 leaves the other tasks of the mixture out, whose data are then
# not needed; initial weights differ, as fewer heads are drawn. The paper's setting is lamb 1.5, smax 400.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
[ $# -ge 4 ] || { echo "usage: $0 <gpu id, or cpu> <lamb> <smax> <log base> [options of run.py]" >&2; exit 2; }
gpu=$1 lamb=$2 smax=$3 base=$4; shift 4
[ "$gpu" = cpu ] && export CUDA_VISIBLE_DEVICES= || export CUDA_VISIBLE_DEVICES=$gpu
sets=${SETS:-facescrub 0;notmnist 1;fashion-mnist 2;traffic-signs 3;cifar10 6;mnist 10;cifar100 13;svhn 25}
failed=0
while read -r name seed; do
  alone=(); [ -z "${ALONE:-}" ] || alone=(--tasks "$name")
  "$PYTHON" "$ROOT/src/run.py" --experiment mixture --approach hat-test --seed "$seed" \
    --parameter "$lamb,$smax,${base}_$name.pkz,1" --output "res/compression_${name}_$lamb-$smax.txt" "${alone[@]}" "$@" || failed=1
done <<<"${sets//;/$'\n'}"
exit $failed
