# `make demo` and `make test` need Python 3.11 or newer (with venv) and nothing else:
# they install what they need into .venv. Another Python: make demo PYTHON=/path/to/python3.12

.PHONY: help demo test test-hard web bench faults lock clean
.NOTPARALLEL:

# The order of sets must not decide a result.
export PYTHONHASHSEED = 0

help:
	@echo "make demo       train a network on real handwritten digits and write a report"
	@echo "make test       all checks and tests"
	@echo "make test-hard  the slow, exhaustive tests"
	@echo "make web        build the pages of the studio (needs Node)"
	@echo "make bench      measure speed beside other libraries (90 minutes; BENCH=--quick: 15)"
	@echo "make faults     judge the doctor on faulty, repaired and healthy programs (an hour)"
	@echo "make lock       resolve the newest allowed packages into constraints.txt"
	@echo "make clean      remove .venv, .venv-peers and caches; runs/ stays"

demo:
	@sh tools/demo.sh

test:
	@sh tools/setup.sh test
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m ruff check .
	.venv/bin/python -m mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/python tools/check_sizes.py
	@sh tools/web.sh check
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile

test-hard:
	@sh tools/setup.sh test
	.venv/bin/python -m pytest -m hard

web:
	@sh tools/web.sh build

bench:
	@sh bench/setup.sh
	PYTHONPATH=src .venv-peers/bin/python -m bench.run $(BENCH)
	@sh tools/setup.sh test
	PYTHONPATH=src .venv/bin/python -m bench.graphs
	PYTHONPATH=src .venv/bin/python -m bench.recurrent

# CHYMIST_FAULTS=FOLDER runs another suite of the same kind as well; FAULTS="--seeds 1" adds options.
faults:
	@sh tools/setup.sh test
	PYTHONPATH=src .venv/bin/python -m bench.faults.run $(FAULTS)

lock:
	@sh tools/lock.sh

clean:
	rm -rf .venv .venv-peers build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests tools bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
