#!/usr/bin/env bash
# Measures training and evaluation against the original's way of computing them and against the bare matrix products.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
exec "$PYTHON" "$ROOT/scripts/bench.py" "$@"
