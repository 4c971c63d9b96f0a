# To be sourced: sets ROOT, and PYTHON to a Python that has what requirements.txt lists. That is the active virtual
# environment's, or else that of .venv, which is made if there is none. Installs only when requirements.txt is new to it.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=${VIRTUAL_ENV:-$ROOT/.venv}
if [ ! -x "$prefix/bin/python" ]; then
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed" >&2; exit 2; }
  echo "Making a virtual environment in $prefix" >&2
  python3 -m venv "$prefix" || { echo "python3 -m venv failed; on Debian or Ubuntu: apt install python3-venv" >&2; exit 2; }
fi
PYTHON=$prefix/bin/python
stamp=$prefix/.requirements.installed
if ! cmp -s "$ROOT/requirements.txt" "$stamp"; then
  echo "Installing what requirements.txt lists (a few minutes the first time)" >&2
  "$PYTHON" -m pip install --quiet --disable-pip-version-check -r "$ROOT/requirements.txt"
  cp "$ROOT/requirements.txt" "$stamp"
fi
