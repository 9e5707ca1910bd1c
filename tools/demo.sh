#!/bin/sh
# From nothing to a trained network, its score and a report.
set -eu
cd "$(dirname "$0")/.."
sh tools/setup.sh run

number=1
while [ -e "runs/digits-demo-$number" ]; do number=$((number + 1)); done
run=runs/digits-demo-$number

.venv/bin/chymist fit digits --out "$run"

cat <<END

What next? (in $PWD)
  .venv/bin/chymist studio                           this run and all that follow, in the browser
  .venv/bin/chymist fit your.csv --target COLUMN     the same for a table of yours
  .venv/bin/chymist show $run         this run again: data, recipe, score
  .venv/bin/chymist cv digits --folds 5              how far the score depends on the split
END
