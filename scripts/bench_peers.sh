#!/bin/sh
# Installs what the benchmarks compare Riser with into an environment of its own, .venv-peers: it wants older libraries.
set -eu
cd "$(dirname "$0")/.."
cmp -s requirements/peers.txt .venv-peers/installed && exit 0
echo "==> Installing what Riser is compared with"
.venv/bin/python -m venv .venv-peers
.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peers.txt
cp requirements/peers.txt .venv-peers/installed
