#!/bin/sh
# Resolve everything afresh in a bare environment and write constraints.txt from what was installed.
set -eu
cd "$(dirname "$0")/.."
torch=2.13.0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-python3}" -m venv "$scratch/venv"
pip="$scratch/venv/bin/python -m pip --disable-pip-version-check"
echo "Resolving and installing into a scratch folder (minutes)"
$pip install --no-input --progress-bar off "torch==$torch" hatchling ".[test]" >"$scratch/log" 2>&1 || {
    tail -n 20 "$scratch/log" >&2
    exit 1
}

# Local labels (+cpu) name one build of a version. What only torch's CUDA build brings is left
# out: torch pins it itself.
{
    echo "# Every package that .venv holds, at the version that is tested."
    echo "# Made by \`make lock\` from a fresh resolution of pyproject.toml; do not edit."
    $pip list --format=freeze --exclude pip --exclude chymist |
        sed -e 's/+.*//' | grep -v -i -E '^(nvidia|cuda|triton)' | sort -f
} >constraints.txt.new
mv constraints.txt.new constraints.txt
echo "constraints.txt: $(grep -c == constraints.txt) packages, torch $torch"
