#!/bin/sh
# The pages of the studio. Built files are committed, so that nobody needs Node to use or test them.
#   sh tools/web.sh build    install what the lock file names, and build the pages into the package
#   sh tools/web.sh check    do the types hold, and do the sources give the committed files?
set -eu
cd "$(dirname "$0")/../web"
built=../src/chymist/studio/static
level=${1:-check}

skip() { echo "web: $*"; exit 0; }

case $level in
build | check) ;;
*) echo "web: unknown word '$level'; use build or check" >&2 && exit 2 ;;
esac

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    [ "$level" = check ] && skip "no Node here: the committed pages are taken as they are"
    echo "web: building the pages needs Node 18 or newer, with npm" >&2
    exit 1
fi

# A stamp of the lock file tells whether node_modules holds what it names.
wanted=$(cksum <package-lock.json)
if [ ! -d node_modules ] || { [ ! -L node_modules ] &&
    [ "$(cat node_modules/.locked 2>/dev/null)" != "$wanted" ]; }; then
    if ! npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1; then
        [ "$level" = check ] && skip "what the lock file names could not be installed" \
            "(web/npm.log): the committed pages are taken as they are"
        tail -n 12 npm.log >&2
        exit 1
    fi
    rm -f npm.log
    echo "$wanted" >node_modules/.locked
fi

node_modules/.bin/tsc --noEmit
if [ "$level" = build ]; then
    node build.mjs
    echo "web: built $(cat "$built"/* | wc -c) bytes"
    exit 0
fi
[ -f "$built/index.html" ] || skip "no built pages here: sh tools/web.sh build"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
node build.mjs "$scratch/static"
if ! diff -rq "$built" "$scratch/static"; then
    echo "web: the built pages are not those of the sources: make web, and commit them" >&2
    exit 1
fi
echo "web: the built pages are those of the sources"
