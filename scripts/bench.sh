#!/usr/bin/env bash
# Measures training and evaluation against the original's way of computing them and against the bare matrix products.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
script=bench.py
if [ "${1:-}" = hat ]; then script=bench_hat.py; shift; fi
exec "$PYTHON" "$ROOT/scripts/$script" "$@"
