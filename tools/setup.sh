#!/bin/sh
# Make .venv ready. Called by make; when all is in place it returns at once.
#   sh tools/setup.sh run     what chymist needs
#   sh tools/setup.sh test    that, and the tools of `make test`
set -eu
cd "$(dirname "$0")/.."

level=${1:-run}
log=.venv/install.log
stamp=.venv/ready-$level
wanted="$(cat pyproject.toml constraints.txt | cksum) $PWD"

case $level in
run) extra="[studio]" packages=43 download="0.3 GB" disk="1.3 GB" ;;
test) extra="[test]" packages=137 download="0.5 GB" disk="2.3 GB" ;;
*) echo "setup: unknown level '$level'; use run or test" >&2 && exit 2 ;;
esac

version_of() {
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null
}

find_python() {
    found=""
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else
        set -- python3.13 python3.12 python3.11 python3.14 python3 python
    fi
    for name in "$@"; do
        version=$(version_of "$name") || continue
        found="$found $name is $version;"
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            echo "$name"
            return
        fi
    done
    echo "chymist needs Python 3.11 or newer:${found:- no Python found as $*;}" \
        "install one, or name it: make demo PYTHON=/path/to/python3.12" >&2
    exit 1
}

give_up() {
    echo "" >&2
    echo "The installation failed. The last lines of $log:" >&2
    tail -n 12 "$log" >&2
    echo "" >&2
    echo "Retry: start the same command again (finished downloads are kept). No network? Set up" >&2
    echo "pip for yours first. No version of a package for this Python ($version)? Name another:" >&2
    echo "make demo PYTHON=python3.12" >&2
    exit 1
}

# Show the seconds and what pip does: one line that changes on a terminal, few lines in a pipe.
show_progress() {
    seconds=$1
    doing=$(sed -n -E 's/^ *(Collecting|Downloading|Installing) ([^ ]*).*/\1 \2/p' "$log" |
        sed -e 's/Installing collected/unpacking (the longest part)/' | tail -n 1 | cut -c 1-60)
    if [ -t 1 ]; then
        printf '\r\033[K  %4d s  %s' "$seconds" "$doing"
    elif [ $((seconds % 20)) -eq 0 ]; then
        printf '  %4d s  %s\n' "$seconds" "$doing"
    fi
}

# Run a command with all its output in the log; Ctrl-C ends it too.
logged() {
    "$@" >>"$log" 2>&1 </dev/null &
    child=$!
    trap 'kill "$child" 2>/dev/null; echo; exit 130' INT TERM
    while kill -0 "$child" 2>/dev/null; do
        sleep 1
        passed=$((passed + 1))
        show_progress "$passed"
    done
    trap - INT TERM
    wait "$child" || give_up
}

pip() {
    logged .venv/bin/python -m pip install --disable-pip-version-check --no-input \
        --progress-bar off --constraint constraints.txt "$@"
}

# Scripts in a .venv hold its path, and packages its version of Python: neither can be changed.
make_venv() {
    made="$version $PWD"
    if [ "$(cat .venv/made 2>/dev/null)" = "$made" ] && [ -x .venv/bin/python ]; then return; fi
    "$python" -c 'import venv, ensurepip' 2>/dev/null || {
        echo "$python has no venv module: install it (on Debian and Ubuntu:" \
            "apt install python3-venv), or name another Python: make demo PYTHON=..." >&2
        exit 1
    }
    rm -rf .venv
    "$python" -m venv .venv
    echo "$made" >.venv/made
}

if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    if [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of .venv/bin/python)" ]; then
        exit 0
    fi
fi

python=$(find_python)
version=$(version_of "$python")
echo "Setting up chymist (once): Python $version, $packages packages, into .venv"
echo "  about $download to download and $disk on disk; on Linux, where pip takes torch with"
echo "  CUDA, 2.8 GB and 5.4 GB (CONTRIBUTING.md says how to get the small one)"
rm -f .venv/ready-*
make_venv
: >"$log"
passed=0
pip hatchling
pip --no-build-isolation --editable ".$extra"
[ -t 1 ] && printf '\r\033[K'
echo "Ready after $passed s; what pip said is in $log"

# Last, so that a broken installation never counts as ready.
[ "$level" = test ] && echo "$wanted" >.venv/ready-run
echo "$wanted" >"$stamp"
