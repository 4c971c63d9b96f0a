#!/usr/bin/env bash
# Runs the whole test suite, a process of one thread per core; arguments go to pytest.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
export OMP_NUM_THREADS=1
exec "$PYTHON" -m pytest -q -n auto --maxprocesses 4 "$ROOT/src/tests" "$@"
