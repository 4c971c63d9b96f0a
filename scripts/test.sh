#!/usr/bin/env bash
# Runs the whole test suite; arguments go to pytest.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
exec "$PYTHON" -m pytest -q "$ROOT/src/tests" "$@"
