#!/bin/sh
# The whole race again: eleven loops, 25 killed runs each with 0 and with 2 loader workers, then a
# few without dropout. Two free cores take about an hour; KILLS=1 gives a quick look.
set -eu
cd "$(dirname "$0")/../.."

sh bench/setup.sh
python="$PWD/.venv-peers/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
    --requirement bench/resume_race/peers.txt
export OMP_NUM_THREADS=1 PYTHONPATH="$PWD/src"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT

for loop in chymist lightning lightning-stateful lightning-stateful-seeded \
    accelerate accelerate-careful accelerate-stateful accelerate-stateful-careful \
    torch-stateful torch-stateful-generator torch-stateful-late; do
    "$python" -W ignore bench/resume_race/kill.py "$loop" --kills "${KILLS:-25}" --out "$out/all"
done
for loop in chymist lightning-stateful accelerate-careful accelerate-stateful-careful \
    torch-stateful; do
    RACE_DROPOUT=0 "$python" -W ignore bench/resume_race/kill.py "$loop" \
        --kills "$((${KILLS:-25} / 5 + 1))" --out "$out/quiet"
done
"$python" bench/resume_race/table.py "$out/all" --without-dropout "$out/quiet"
