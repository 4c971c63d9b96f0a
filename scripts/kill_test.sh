#!/usr/bin/env bash
# Kills runs of every approach at random moments, resumes them, and compares what they leave with undisturbed runs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
exec "$PYTHON" "$ROOT/scripts/kill_test.py" "$@"
