#!/usr/bin/env bash
# Measures training and evaluation against the original's way of computing them and against the bare matrix products.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
script=steps.py
case ${1:-} in hat|scaling|methods|small|resnet) script=$1.py; shift;; esac
exec "$PYTHON" "$ROOT/scripts/bench/$script" "$@"
