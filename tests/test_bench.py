"""The benchmark's arithmetic and its page, on made-up measurements; nothing is timed here."""

from __future__ import annotations

import json

import pytest

from bench.peer import PEERS, environment
from bench.run import compact, rotations
from bench.summary import Cell, fastest, find, goals_of, share_of, summarize
from bench.table import page
from bench.workloads import WORKLOADS


def record(peer, seconds, accuracy=0.9, threads=1, malloc="default", **more):
    return {
        "peer": peer, "threads": threads, "malloc": malloc, "repeat": 0, "seconds": seconds,
        "later": seconds / 2, "cpu": 0.9 * seconds, "whole": seconds + 1, "since_start": seconds + 3,
        "accuracy": accuracy, "loss": 0.3, "peak_mb": 400.0, **more,
    }  # fmt: skip


def found(records, **changes):
    """A workload of the results file."""
    return {
        "title": "Digits", "shows": "speed", "rows": 1000, "valid": 100, "epochs": 2, "batch": 64,
        "members": 1, "folds": 0, "tolerance": 0.01, "quick": False, "repeats": 3, "absent": [], "date": "2026-11-21",
        "machine": {"processor": "Abacus", "processors": 2, "memory_gb": 24, "load": 0.1},
        "versions": {"python": "3.11.7", "torch": "2.13.0"}, "records": records, **changes,
    }  # fmt: skip


def test_medians_and_ratios_are_taken_under_the_same_setting():
    seconds = {"chymist": (1.0, 5.0, 2.0), "skorch": (3.0, 9.0, 4.0)}
    records = [record(peer, s) for peer, times in seconds.items() for s in times]
    records += [record("chymist", 1.0, malloc="tuned"), record("skorch", 3.0, malloc="tuned")]
    cells = summarize(records, "speed", tolerance=0.01)
    skorch = find(cells, "skorch", 1, "default")
    assert (skorch.value, skorch.low, skorch.high, skorch.repeats) == (4.0, 3.0, 9.0, 3)
    assert skorch.ratio == 2.0
    assert skorch.later == 2.0
    assert find(cells, "chymist", 1, "default").ratio == 1.0
    assert find(cells, "skorch", 1, "tuned").ratio == 3.0
    assert find(cells, "skorch", 2, "default") is None


def test_one_epoch_has_no_later_ones_and_without_chymist_there_is_no_ratio():
    (cell,) = summarize([record("expert", 1.0, later=0.0)], "speed", tolerance=0.01)
    assert cell.later is None
    assert cell.ratio is None


@pytest.mark.parametrize(("shows", "value"), [("speed", 2.0), ("start", 5.0), ("memory", 400.0)])
def test_what_a_workload_shows(shows, value):
    (cell,) = summarize([record("chymist", 2.0)], shows, tolerance=0.01)
    assert cell.value == value


def test_another_accuracy_is_marked_and_never_the_fastest():
    accuracies = {"chymist": 0.91, "skorch": 0.905, "fastai": 0.915, "lightning": 0.70}
    records = [record(peer, 9.0 - n, a) for n, (peer, a) in enumerate(accuracies.items())]
    cells = summarize(records, "speed", tolerance=0.01)
    assert [cell.comparable for cell in cells] == [True, True, True, False]
    assert fastest(cells, ("skorch", "fastai", "lightning"), 1, "default").peer == "fastai"


def test_a_failed_measurement_is_said_and_does_not_hide_the_good_ones():
    failed = {"peer": "fastai", "threads": 1, "malloc": "default", "repeat": 0, "error": "no luck"}
    cells = summarize([record("chymist", 1.0), failed], "speed", tolerance=0.01)
    assert cells[1] == Cell("fastai", 1, "default", None, error="no luck")
    again = summarize([failed, record("fastai", 1.0)], "speed", tolerance=0.01)
    assert again[0].value == 1.0


def test_promises():
    records = [
        record("chymist", 1.0), record("expert", 0.96), record("skorch", 1.31),
        record("fastai", 2.0), record("skorch", 0.9, malloc="tuned"),
    ]  # fmt: skip
    cells = summarize(records, "speed", tolerance=0.01)
    mlp = goals_of("mlp", cells)
    assert [(goal.value, goal.wanted, goal.met) for goal in mlp] == [
        (1.31, 1.3, True),
        (0.96, 0.97, False),
    ]
    cnn = goals_of("cnn-32", cells)
    assert [(goal.value, goal.wanted, goal.met) for goal in cnn] == [
        (1.31, 1.3, True),
        (0.9, 1.0, False),
    ]
    assert "skorch with malloc settings" in cnn[1].says
    assert goals_of("adult", cells) == []


def test_the_promise_about_memory_is_an_upper_one():
    records = [record("chymist", 1.0, peak_mb=520.0), record("expert", 1.0, peak_mb=390.0)]
    (goal,) = goals_of("memory", summarize(records, "memory", tolerance=0.01))
    assert goal.value == pytest.approx(4 / 3)
    assert not goal.met


def test_promises_about_populations_count_only_the_same_work():
    records = [
        record("chymist", 2.0), record("expert", 13.0), record("tutorial", 44.0), record("jax", 1.9),
        record("skorch", 50.0, accuracy=0.7), record("chymist", 1.0, threads=2),
        record("expert", 8.0, threads=2),
    ]  # fmt: skip
    goals = goals_of("cv100", summarize(records, "population", tolerance=0.01))
    assert [(goal.says, goal.value, goal.wanted, goal.met) for goal in goals] == [
        ("cv100, 1 thread: beside tutorial", 22.0, 20, True),
        ("cv100, 1 thread: beside expert", 6.5, 7, False),
        ("cv100, 1 thread: beside jax", 0.95, 1, False),
        ("cv100, 2 threads: beside expert", 8.0, 7, True),
    ]


def test_a_peer_that_trained_a_part_may_be_further_off():
    whole = [record(peer, 1.0, a, trained=100) for peer, a in (("chymist", 0.9), ("expert", 0.91))]
    part = [record("tutorial", 9.0, 0.935, trained=10), record("skorch", 9.0, 0.94, trained=10)]
    cells = summarize([*whole, *part], "population", tolerance=0.01)  # 0.0316 from 0.905
    assert [cell.comparable for cell in cells] == [True, True, True, False]
    whole_only = summarize([*whole, record("jax", 1.0, 0.92, trained=100)], "population", 0.005)
    assert [cell.comparable for cell in whole_only] == [False, True, False]


def test_populations_are_a_table_of_seconds():
    records = [
        record("chymist", 2.0, trained=100, again=1.5), record("expert", 14.0, trained=100),
        record("tutorial", 50.0, 0.92, trained=10), record("chymist", 1.0, threads=2, trained=100),
        {"peer": "jax", "threads": 1, "malloc": "default", "repeat": 0, "error": "no luck"},
    ]  # fmt: skip
    work = found(records, shows="population", members=100, folds=100)
    text = page({"workloads": {"cv100": work}})
    lines = text.splitlines()
    assert "| s | 1 thread | 2 threads | second call (1 thread) | accuracy | peak MB |  |" in lines
    assert "| chymist | 2.00 | 1.00 | 1.50 | 0.9000 | 400 |  |" in lines
    assert "| expert | 14.00 (7.00 x) | – | – | 0.9000 | 400 |  |" in lines
    assert (
        "| tutorial | 50.00 (25.00 x) | – | – | 0.9200 | 400 |"
        " trained 10 of 100, seconds times 10 |" in lines
    )
    assert "| jax | – | – | – | – | – | failed: no luck |" in lines
    assert "| cv100, 1 thread: beside expert | >= 7 x | 7.00 x | met |" in lines
    assert "100 trainings on 1,000 rows but those held out, tolerance of accuracy 0.01." in text


def test_the_page_shows_rates_ratios_and_what_failed():
    records = [
        record("chymist", 2.0), record("skorch", 4.0), record("tutorial", 4.0, accuracy=0.5),
        record("chymist", 1.0, threads=2), record("skorch", 3.0, threads=2),
        {"peer": "fastai", "threads": 1, "malloc": "default", "repeat": 0, "error": "no luck"},
    ]  # fmt: skip
    imports = found([], commands={"import chymist": [0.02, 0.01, 0.03]})
    text = page({"workloads": {"mlp": found(records, absent=["keras-jax"])}, "imports": imports})
    lines = text.splitlines()
    assert (
        "| rows/s | 1 thread | 2 threads | after epoch 1 (1 thread) | accuracy | peak MB |  |"
        in lines
    )
    assert "| chymist | 1,000 | 2,000 | 1,000 | 0.900 | 400 |  |" in lines
    assert "| skorch | 500 (2.00 x) | 667 (3.00 x) | 500 | 0.900 | 400 |  |" in lines
    assert (
        "| tutorial | 500 (2.00 x) | – | 500 | 0.500 | 400 | not comparable: another accuracy |"
        in lines
    )
    assert "| fastai | – | – | – | – | – | failed: no luck |" in lines
    assert "| mlp, 1 thread: beside skorch | >= 1.3 x | 2.00 x | met |" in lines
    assert "| import chymist | 0.020 | 0.010 | 0.030 |" in lines
    assert "keras-jax" in text
    assert "provisional" not in text


def test_a_busy_machine_is_told_by_the_share_of_the_processor():
    shares = [
        record("chymist", 1.0),
        record("expert", 1.0, cpu=0.5),
        record("skorch", 1.0, cpu=0.6),
    ]
    two = record("skorch", 1.0, cpu=0.1, threads=2)
    assert share_of([*shares, two, {"error": "no luck", "threads": 1}]) == 0.6
    assert share_of([two]) is None
    text = page({"workloads": {"mlp": found(shares)}})
    assert "had 60 % of their processor" in text


def test_a_short_form_says_so():
    text = page({"workloads": {"mlp": found([record("chymist", 1.0)], quick=True)}})
    assert "provisional" in text


def test_memory_is_a_table_of_megabytes():
    records = [record("chymist", 1.0), record("expert", 1.0, peak_mb=200.0)]
    text = page({"workloads": {"memory": found(records, shows="memory")}})
    assert "| expert | 200 | 200 | 200 | 0.50 |  |" in text.splitlines()


def test_everybody_has_the_first_turn_once():
    turns = list(rotations(["a", "b", "c"], 3))
    assert [peer for _, peer in turns] == list("abcbcacab")
    assert [repeat for repeat, _ in turns] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_results_keep_a_line_per_measurement():
    results = {"workloads": {"mlp": found([record("chymist", 1.0), record("expert", 2.0)])}}
    text = compact(json.dumps(results, indent=1))
    assert json.loads(text) == results
    assert sum('"peer"' in line for line in text.splitlines()) == 2
    assert not any(line.count('"peer"') > 1 for line in text.splitlines())


def test_settings_of_a_process(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    plain, tuned = (environment("keras-jax", 2, kind) for kind in ("default", "tuned"))
    assert plain["OMP_NUM_THREADS"] == "2"
    assert plain["KERAS_BACKEND"] == "jax"
    assert not any(name.startswith("MALLOC_") for name in plain)
    assert tuned["MALLOC_MMAP_THRESHOLD_"] == tuned["MALLOC_TRIM_THRESHOLD_"] == str(2**30)


@pytest.mark.parametrize("name", WORKLOADS)
def test_short_forms_measure_the_same_peers_with_less(name):
    work, short = WORKLOADS[name], WORKLOADS[name].quick()
    assert set(work.peers) <= set(PEERS)
    assert set(work.partly) <= set(work.peers)
    assert set(short.peers) <= set(work.peers)
    assert work.shows != "speed" or short.peers == work.peers
    assert len(short.settings) <= len(work.settings)
    assert short.rows <= work.rows
    assert short.epochs == work.epochs
