"""A part of `make faults`: the doctor on faulty, repaired and healthy programs; and its arithmetic."""

from __future__ import annotations

import argparse
import math

import pytest

from bench.faults.cases import CASES
from bench.faults.harness import Outcome
from bench.faults.run import jobs_of, names, rate, summary, table, told, work
from bench.faults.sensitivity import sensitivity, variants
from chymist.doctor.rules.limits import LIMITS
from chymist.doctor.texts import CODES

# The quickest of each group of the taxonomy, and healthy programs that set a trap.
FAULTY = ["twice_softmax", "broadcast", "left_out", "wrong_sign", "trained_in_eval", "ones",
          "rate_low_adam", "one_label", "label_as_feature", "missing_cells"]  # fmt: skip
HEALTHY = ["simple", "residual", "frozen", "twenty_rows"]


def options(only: list[str], seeds: int = 1) -> argparse.Namespace:
    return argparse.Namespace(only=only, seeds=seeds, sensitivity=False)


@pytest.fixture(scope="module")
def runs() -> list[Outcome]:
    made = [work(job)[0] for job in jobs_of("own", "doctor", options([*FAULTY, *HEALTHY]))]
    return [run for run in made if run is not None]


def test_every_program_is_run_once_and_a_faulty_one_has_a_twin(runs: list[Outcome]) -> None:
    kinds = [run.kind for run in runs]
    assert [kinds.count(k) for k in ("faulty", "twin", "healthy")] == [10, 10, 4]
    assert not [run.error for run in runs if run.error]


def test_faults_are_named_and_nothing_is_said_of_what_is_well(runs: list[Outcome]) -> None:
    wrong = [told(run) for run in runs if told(run).startswith("BAD")]
    assert not wrong


def test_what_is_certain_is_right(runs: list[Outcome]) -> None:
    found = summary(runs)["certain"]
    assert found["said"] >= 5
    assert found["wrong"] == []


def test_cases_have_names_of_their_own_and_cover_the_taxonomy() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    known = {code for case in CASES for code in (*case.fault, *case.accept)}
    assert known <= set(CODES)
    # Shown in isolation elsewhere: determinism is asked for, not watched.
    assert set(CODES) - known <= {"nondeterminism", "batch_leak", "dead_output", "precision",
                                  "batch_too_small", "bad_input_values"}  # fmt: skip


def outcome(name: str, kind: str, said: dict[str, str], seed: int = 0) -> Outcome:
    fault = ("lr_too_high",) if kind == "faulty" else ()
    return Outcome(name, seed, kind, fault, ("undertrained",), said, 0.0, 1.0, 0.1)  # type: ignore[arg-type]


def test_rates_are_means_over_cases() -> None:
    made = [outcome("a", "faulty", {"lr_too_high": "finding"}, s) for s in range(3)]
    made += [outcome("b", "faulty", {}), outcome("c", "twin", {"overfitting": "finding"})]
    found = summary(made)
    assert found["recall"]["value"] == 0.5
    assert found["top 1"]["value"] == 0.5
    assert found["false alarm, twin"]["value"] == 1.0
    assert math.isnan(found["false alarm, healthy"]["value"])
    assert found["recall"]["low"] == 0.0
    assert found["recall"]["high"] == 1.0
    assert "recall" in table({"doctor": found})


def test_lenient_and_strict_labels() -> None:
    run = outcome("a", "faulty", {"dead_relu": "finding", "undertrained": "finding"})
    assert not names(run, 1, lenient=True)
    assert names(run, 3, lenient=True)
    assert not names(run, 3, lenient=False)


def test_certain_and_wrong_is_counted_on_twins_too() -> None:
    made = [outcome("a", "twin", {"lr_too_high": "certain"})]
    assert summary(made)["certain"] == {"said": 1, "wrong": [("a", "twin", "lr_too_high")]}
    assert rate([], lambda run: True)["cases"] == 0


def test_every_threshold_is_moved_both_ways() -> None:
    moved = dict(variants())
    assert len(moved) == 2 * len(vars(LIMITS))
    assert all(limits != LIMITS for limits in moved.values())
    assert moved["stuck=0.9"].stuck == 0.9
    assert moved["leaps=6"].leaps == 6


def test_what_hangs_on_a_threshold_is_counted() -> None:
    named = outcome("a", "faulty", {"lr_too_high": "finding"})
    quiet = outcome("b", "healthy", {})
    moved = [{"poor=0.1": {}, "poor=0.025": {"dead_relu": "finding"}},
             {"poor=0.025": {"dead_relu": "finding"}}]  # fmt: skip
    found = sensitivity([named, quiet], moved)
    assert found["poor=0.1"]["missed"] == 1
    assert (found["poor=0.025"]["wrong"], found["poor=0.025"]["alarms"]) == (1, 1)
    assert not any(found["leap=3"].values())
