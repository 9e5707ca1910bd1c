"""The index of run folders: rows that equal their files, folded seeds, what has changed alone is
read again, and damaged folders that break nothing."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import chymist as cy
from chymist.cli import main
from chymist.engine.folder import open_folder
from chymist.engine.run_rows import RunRow, read_row
from chymist.engine.sketch import BUCKETS, sketch_of
from chymist.engine.store import BLOCK, Recorder
from chymist.errors import UsageError
from chymist.studio import index as indexing
from chymist.studio.folders import Folders
from chymist.studio.index import Asked, Index, drawing_of, lines_of, names_of
from tests.run_folders import make_run, make_runs


@pytest.fixture
def store(tmp_path: Path) -> Path:
    make_runs(tmp_path, 12, series=6, points=5, value=lambda recipe, seed: 0.5 + 0.1 * recipe
              + 0.01 * seed)  # fmt: skip
    return tmp_path


@pytest.fixture
def index(store: Path) -> Index:
    found = Index(Folders([store]))
    found.refresh()
    return found


def test_made_folders_are_run_folders(store: Path) -> None:
    saved = open_folder(store / "iris-00006")
    assert (saved.recipe.model.name, saved.environment["seed"]) == ("mlp", 1)
    assert cy.list_runs(store)[5]["score"] == saved.result["score"]


def test_a_row_equals_the_files(tmp_path: Path) -> None:
    recipe = cy.Recipe(model="softmax", length="3 epochs")
    run = cy.fit(recipe, cy.split(cy.load("iris"), seed=0), seed=4, out=tmp_path / "iris-0001")
    row, told = read_row(run.path), cy.list_runs(tmp_path)[0]
    assert row.score == told["score"] == run.score.to_dict()
    assert (row.state, row.data, row.model, row.seed, row.seconds) == tuple(
        told[name] for name in ("state", "data", "model", "seed", "seconds")
    )
    assert row.fingerprint == run.data.fingerprint
    assert row.floor == {"name": run.floors[0].name, "value": run.floors[0].score.value}
    assert (row.epochs, row.steps) == (3.0, run.facts["steps"])
    assert row.metrics["accuracy"] == run.metrics["accuracy"]
    assert row.metrics["val_loss"] == run.history["val_loss"][-1, 1]
    assert row.fields["optimizer.lr"] == run.recipe.optimizer.options["lr"]
    assert row.findings == tuple((f.code, f.level) for f in run.findings)


def test_seeds_fold_into_one_line_with_students_interval(index: Index) -> None:
    found = lines_of(index.rows(), Asked(sort="score"))
    assert (found["total"], found["kept"], found["all"]) == (3, 12, 12)
    best = found["runs"][0]
    values = [0.7 + 0.01 * seed for seed in range(4)]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert best["seeds"] == [0, 1, 2, 3]
    assert best["score"]["value"] == pytest.approx(0.715)
    assert (best["score"]["low"], best["score"]["high"]) == pytest.approx((low, high))
    assert best["score"]["said"] == "71.5 %"
    assert best["seconds"] == 6.0
    opened = lines_of(index.rows(), Asked(sort="score", open=(best["id"],)))
    assert opened["total"] == 7
    assert [line["level"] for line in opened["runs"]] == [0, 1, 1, 1, 1, 0, 0]
    assert [line["score"]["value"] for line in opened["runs"][1:5]] == pytest.approx(values)
    alone = lines_of(index.rows(), Asked(fold=False, filter="seed=2"))
    assert [line["name"] for line in alone["runs"]] == ["iris-00011", "iris-00007", "iris-00003"]


def test_every_column_sorts_both_ways_and_what_is_absent_comes_last(index: Index) -> None:
    rows = [*index.rows(), RunRow("odd", "compare", "damaged", 0.0)]
    for column in ("name", "state", "score", "floor", "findings", "model", "data", "seed", "epochs",
                   "seconds", "when", "recipe", "accuracy", "optimizer.lr", "metric.val_loss"):  # fmt: skip
        for down in (True, False):
            asked = Asked(sort=column, down=down, fold=False)
            assert lines_of(rows, asked)["total"] == 13
            if column in ("score", "accuracy", "optimizer.lr", "model"):
                assert lines_of(rows, asked)["runs"][-1]["name"] == "odd"
    by_rate = lines_of(rows, Asked(sort="optimizer.lr", down=False, columns=("optimizer.lr",)))
    assert [line["cells"]["optimizer.lr"] for line in by_rate["runs"]] == [
        "0.0001", "0.0002", "0.0003", ""]  # fmt: skip


def test_parts_of_the_list_are_the_list(index: Index) -> None:
    whole = lines_of(index.rows(), Asked(fold=False))["runs"]
    parts = [lines_of(index.rows(), Asked(fold=False, start=n, count=5))["runs"]
             for n in range(0, 15, 5)]  # fmt: skip
    assert [line["name"] for part in parts for line in part] == [line["name"] for line in whole]
    with pytest.raises(UsageError, match="no such column"):
        lines_of(index.rows(), Asked(columns=("acuracy",)))


def test_only_what_has_changed_is_read_again(
    store: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(folder: Path, name: str) -> RunRow:
        read.append(name)
        return read_row(folder, name)

    monkeypatch.setattr(indexing, "read_row", counted)
    index.refresh()
    assert read == []
    file = store / "iris-00003" / "result.json"
    result = json.loads(file.read_text())
    result["score"]["value"] = 0.99
    file.write_text(json.dumps(result))
    version = index.version
    index.refresh()
    assert read == ["iris-00003"]
    assert index.version == version + 1
    assert {row.name: row.score for row in index.rows()}["iris-00003"]["value"] == 0.99
    (store / "iris-00005").rename(store / "iris-90005")
    index.refresh()
    assert {row.name for row in index.rows()} ^ {p.name for p in store.iterdir()} == set()


def test_a_run_that_trains_is_seen_to_go_on(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "live", status="", series=3, points=2)
    index = Index(Folders([tmp_path]))
    index.refresh()
    before = index.rows()[0]
    with Recorder(folder / "records.sqlite") as record:
        record.add("val_loss", 99, 0.125)
        record.flush()
        index.refresh()
    after = index.rows()[0]
    assert (before.steps, after.steps, after.metrics["val_loss"]) == (4, 99, 0.125)
    assert after.state in ("starting", "interrupted", "crashed")


@pytest.mark.parametrize("file", ["recipe.toml", "data.json", "environment.json", "result.json",
                                  "findings.json", "records.sqlite"])  # fmt: skip
@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"[1, 2", b'{"score": 3, "seed": "x"}'])
def test_damaged_folders_are_said_to_be_so(tmp_path: Path, file: str, content: bytes) -> None:
    folder = make_run(tmp_path / "bad", series=3, points=3)
    (folder / file).write_bytes(content)
    row = read_row(folder)
    if row.state != "damaged":  # an empty file is an empty recipe, or an empty record
        assert (file in ("recipe.toml", "records.sqlite"), content) == (True, b"")
    assert lines_of([row], Asked())["total"] == 1


def test_studies_have_rows_too(tmp_path: Path) -> None:
    fast = ["--length", "1 epoch", "--folds", "2", "--quiet", "--out"]
    assert main(["cv", "iris", "--model", "softmax", *fast, str(tmp_path / "cv")]) == 0
    models = ["--models", "knn,softmax", "--seeds", "2"]
    assert main(["compare", "iris", *models, *fast, str(tmp_path / "versus")]) == 0
    told = {Path(row["run"]).name: row for row in cy.list_runs(tmp_path)}
    for name in ("cv", "versus"):
        row = read_row(tmp_path / name)
        for field in ("kind", "state", "data", "model", "verdict", "seconds"):
            assert getattr(row, field) == told[name][field], field
    assert read_row(tmp_path / "versus").seeds == 2


def test_twelve_thousand_metrics_are_no_columns(tmp_path: Path) -> None:
    names = [f"unit.{n}.<script>\n\u202e" for n in range(12_000)]
    row = replace(read_row(make_run(tmp_path / "a", series=3, points=2)),
                  metrics=dict.fromkeys(names, 1.0))  # fmt: skip
    line = lines_of([row], Asked())["runs"][0]
    assert len(json.dumps(line)) < 4_000
    found = names_of([row], "UNIT.77")
    assert len(found["names"]) == 40
    assert found["matching"] == 111  # 77, 770 to 779, 7700 to 7799
    assert found["all"] > 12_000


def test_a_sketch_keeps_the_extremes_of_a_long_series(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=20 * BLOCK)
    values[7_003], values[9_999] = 50.0, -60.0
    with Recorder(tmp_path / "r.sqlite") as record:
        for step, value in enumerate(values.tolist()):
            record.add("loss", step, value)
    found = sketch_of(tmp_path / "r.sqlite")
    assert (found.series, found.points, found.steps) == ("loss", 10_000, 9_999)
    assert found.last["loss"] == -60.0
    assert min(low for low, _ in found.strokes) == -60.0
    assert max(high for _, high in found.strokes) == 50.0
    assert len(found.strokes) == 20
    assert [stroke for stroke in found.strokes if stroke[1] == 50.0] == [found.strokes[14]]


@given(st.lists(st.floats(), min_size=1, max_size=400))
def test_no_extreme_is_lost_in_a_sketch(values: list[float]) -> None:
    from chymist.engine.sketch import _bucketed

    strokes = _bucketed(np.array(values), np.array(values))
    assert len(strokes) == min(BUCKETS, len(values))
    numbers = [v for v in values if not math.isnan(v)]
    ends = [end for stroke in strokes for end in stroke if not math.isnan(end)]
    assert (min(ends, default=None), max(ends, default=None)) == (
        min(numbers, default=None), max(numbers, default=None))  # fmt: skip
    drawn = drawing_of(replace(sketch_of(Path("nowhere")), series="x", strokes=strokes))
    assert all(one is None or 0 <= one[0] <= one[1] <= 100 for one in drawn["strokes"])


def test_the_server_side_imports_no_torch() -> None:
    code = "import sys, chymist.studio.app; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ})  # fmt: skip
    assert done.stdout.strip() == "False"


@pytest.mark.hard
def test_five_thousand_runs_are_filtered_in_a_tenth_of_a_second(tmp_path: Path) -> None:
    """U2, as the server does it: parse, filter, fold, sort, and the lines of a page."""
    made = [read_row(path) for path in make_runs(tmp_path, 50, series=100, points=5)]
    rows = [replace(made[n % 50], name=f"run-{n}", recipe=f"{n // 4:012x}", when=float(n))
            for n in range(5_000)]  # fmt: skip
    asked = Asked(filter="model:resnet accuracy>0.8 state:finished seed<3 -finding:overfitting",
                  sort="accuracy")  # fmt: skip
    lines_of(rows, asked)
    taken = []
    for _ in range(21):
        begun = time.perf_counter()
        assert lines_of(rows, asked)["kept"] > 100
        taken.append(time.perf_counter() - begun)
    print(f"U2: median {1e3 * statistics.median(taken):.0f} ms, worst {1e3 * max(taken):.0f} ms")
    assert statistics.median(taken) <= 0.1
