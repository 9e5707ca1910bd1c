"""All cases: at least one faulty program, with its repaired twin, for every row of the taxonomy."""

from __future__ import annotations

from bench.faults.cases_data import DATA
from bench.faults.cases_training import TRAINING
from bench.faults.cases_wiring import WIRING
from bench.faults.harness import Case
from bench.faults.healthy import HEALTHY

CASES: tuple[Case, ...] = (*WIRING, *TRAINING, *DATA, *HEALTHY)
