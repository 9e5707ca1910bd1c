#!/bin/sh
# Make .venv-peers ready: chymist's peers at the versions of bench/peers.txt, apart from .venv.
# When all is in place it returns at once.
set -eu
cd "$(dirname "$0")/.."

stamp=.venv-peers/ready
wanted="$(cksum <bench/peers.txt) $PWD"
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

rm -rf .venv-peers
"${PYTHON:-python3}" -m venv .venv-peers
log=.venv-peers/install.log
echo "Installing the peers (once, some minutes) into .venv-peers; what pip says is in $log"

pip() {
    .venv-peers/bin/python -m pip install --disable-pip-version-check --no-input \
        --progress-bar off "$@" >>"$log" 2>&1 || {
        echo "The installation failed. The last lines of $log:" >&2
        tail -n 12 "$log" >&2
        exit 1
    }
}

# torch with what its build needs on this machine; everything else exactly as listed.
pip --constraint bench/peers.txt torch
pip --no-deps --requirement bench/peers.txt
echo "$wanted" >"$stamp"
