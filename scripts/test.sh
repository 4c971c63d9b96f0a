#!/usr/bin/env bash
# Runs the whole test suite, or with --quick as first argument a minute of it: every approach learns two tasks, the
# original's numbers on three tasks of a perceptron, the command line. A process of one thread per core; other arguments go to pytest.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
export OMP_NUM_THREADS=1
tests=("$ROOT/src/tests")
if [ "${1:-}" = --quick ]; then
  tests=("$ROOT"/src/tests/test_{run,parity}.py)
  set -- -m 'not slow' "${@:2}"
fi
exec "$PYTHON" -m pytest -q -n auto --maxprocesses 4 --dist worksteal "${tests[@]}" "$@"
