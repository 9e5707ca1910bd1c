"""Reports of comparisons, folds, populations, two runs, searches, races and diagnoses."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student_t
from sklearn.tree import DecisionTreeClassifier

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.evidence.bands import band_of
from chymist.evidence.comparison import (
    ONE_SEED,
    ROW_TEST,
    T_TEST,
    Pair,
    comparison_verdict,
    verdict_of,
)
from chymist.evidence.studies import ComparisonRecord, PopulationRecord
from chymist.evidence.verdict import plainly
from chymist.reports.about_comparison import comparison_html
from chymist.reports.about_folds import population_html
from chymist.reports.bands import Course, band_chart, dots_chart, drawn_lines
from chymist.reports.saying import saying
from chymist.values import show
from chymist.verbs.diagnosing import Checked
from chymist.verbs.study_records import record_of

SOFTMAX = cy.Recipe(model="softmax", optimizer="adam", length="3 epochs", batch_size=32)
MLP = cy.Recipe(model=cy.models.mlp(hidden=(8,)), length="2 epochs", batch_size=32)
FOLDERS = ("compare", "cv", "population", "search", "race")


@pytest.fixture(scope="module")
def iris() -> cy.Data:
    return cy.load("iris")


@pytest.fixture(scope="module")
def found(iris: cy.Data) -> Any:
    entries = {"softmax": SOFTMAX, "mlp": MLP, "tree": DecisionTreeClassifier(max_depth=1)}
    return cy.compare(entries, iris, folds=3, seeds=2)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of each kind, made by the commands, and two runs."""
    here = Path.cwd()
    made = tmp_path_factory.mktemp("studies")
    fast = ["--length", "2 epochs", "--quiet"]
    os.chdir(made)
    try:
        for words in (
            ["compare", "iris", "--models", "softmax,tree", "--folds", "3", "--seeds", "3",
             "--out", "compare", *fast],
            ["cv", "iris", "--model", "softmax", "--folds", "3", "--repeats", "2", "--out", "cv",
             *fast],
            ["search", "iris", "--model", "mlp", "--model.hidden", "4|8,4", "--optimizer", "adam",
             "--optimizer.lr", "1e-3..1e-1:log", "--trials", "4", "--folds", "3", "--nested", "2",
             "--out", "search", *fast],
            ["race", "iris", "--optimizers", "sgd,adam", "--rates", "0.01,0.1", "--seeds", "3",
             "--out", "race", *fast],
            ["fit", "iris", "--model", "softmax", "--out", "a", *fast],
            ["fit", "iris", "--model", "mlp", "--out", "b", *fast],
        ):  # fmt: skip
            assert main(words) == 0
        population = cy.fit_population(SOFTMAX, cy.split(cy.load("iris"), seed=0), seeds=3)
        population.save("population")
    finally:
        os.chdir(here)
    return made


def text_of(page: str) -> str:
    body = re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


class TestBands:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 10**6))
    def test_the_band_is_students_interval_at_every_epoch(
        self, runs: int, epochs: int, seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        curves = rng.normal(size=(runs, epochs))
        curves[rng.random((runs, epochs)) < 0.3] = np.nan
        band = band_of(curves)
        for at in range(epochs):
            values = curves[np.isfinite(curves[:, at]), at]
            assert band.runs[at] == len(values)
            if len(values):
                assert band.mean[at] == pytest.approx(values.mean())
            if len(values) > 2:
                low, high = student_t.interval(
                    0.95, len(values) - 1, values.mean(), values.std(ddof=1) / len(values) ** 0.5
                )
                assert (band.low[at], band.high[at]) == pytest.approx((low, high))
            elif len(values) == 2:
                assert (band.low[at], band.high[at]) == (values.min(), values.max())
            else:
                assert np.isnan(band.low[at])

    def test_all_runs_count_where_not_all_are_drawn(self) -> None:
        curves = np.random.default_rng(0).normal(size=(300, 20)).cumsum(1)
        drawn = band_chart("many", [Course("", curves)], ("epoch", "loss"))
        thin = re.search(r'<path d="([^"]*)" class="s2 faint"', drawn)
        assert thin is not None
        assert thin[1].count("M") == drawn_lines(300) == 120
        assert len(drawn) < 100_000

    def test_paired_dots_are_joined_once_a_training(self) -> None:
        values = np.array([0.1, 0.2, np.nan, 0.4])
        drawn = dots_chart("d", [("a", values), ("b", values / 2)], str, joined=True)
        joins = re.search(r'<path d="([^"]*)" class="s3 faint"', drawn)
        assert joins is not None
        assert joins[1].count("L") == 3
        assert len(re.findall("h0", drawn)) == 6


class TestVerdicts:
    def pair(self, a: str, b: str, better: str | None, test: str = "corrected t") -> Pair:
        return Pair(a, b, 0.021, 0.01, 0.032, 0.01, 0.02, 0.1, better, test)

    def test_the_sentence_from_pairs_is_the_sentence(self, found: Any) -> None:
        made = comparison_verdict(found.entries, found.pairs, found.design, "accuracy")
        assert made == found.verdict
        assert made == verdict_of(found.entries[0].name, found.pairs, found.design, "accuracy")

    @pytest.mark.parametrize(
        ("pairs", "said"),
        [
            ([], "a 没有可比较的对象。"),
            ([("b", "a")], "a 优于 b，相差 2.1 个百分点［1.0，3.2］（d，校正的 t 检验）。"),
            ([("b", None)], "无法区分 a 与 b：d，差 2.1 个百分点［1.0，3.2］。"),
            (
                [("b", "a"), ("c", None)],
                "a 最好；它与 c（差 2.1 个百分点［1.0，3.2］） 无法区分；它优于 b"
                "（d，校正的 t 检验，经霍尔姆校正）。",
            ),
        ],
    )
    def test_in_chinese(self, pairs: list[tuple[str, str | None]], said: str) -> None:
        made = [self.pair("a", b, better) for b, better in pairs]
        assert verdict_of("a", made, "d", "accuracy", say=saying("zh")) == said

    def test_every_word_of_the_verdict_is_known_in_chinese(self) -> None:
        say = saying("zh")
        folder = Path(cy.__file__).parent / "evidence"
        for name in ("comparison", "verdict"):
            tree = ast.parse((folder / f"{name}.py").read_text())
            told = [node.args[0] for node in ast.walk(tree)
                    if isinstance(node, ast.Call) and ast.unparse(node.func) == "say"]  # fmt: skip
            for one in told:
                if isinstance(one, ast.Constant):
                    assert one.value in say.known
        for words in (ONE_SEED, T_TEST, ROW_TEST):
            assert words in say.known
        assert plainly("{a}", a=1) == "1"


class TestFolders:
    @pytest.mark.parametrize("name", FOLDERS)
    def test_a_folder_gives_the_page_that_was_written(self, place: Path, name: str) -> None:
        before = (place / name / "report.html").read_bytes()
        assert cy.report(place / name) == place / name / "report.html"
        assert (place / name / "report.html").read_bytes() == before
        assert b"<script" not in before
        assert b"http" not in before.replace(b"http://www.w3.org/2000/svg", b"")

    @pytest.mark.parametrize("name", FOLDERS)
    def test_both_languages_show_the_same_numbers(
        self, place: Path, name: str, tmp_path: Path
    ) -> None:
        numbers = re.compile(r"\d+\.\d+")  # ticks of drawings make room for words, so they differ
        told = []
        for lang, code in (("en", "en"), ("zh", "zh")):
            page = cy.report(place / name, tmp_path / "r.html", lang).read_text()
            assert f'<html lang="{code}' in page
            told.append(set(numbers.findall(text_of(re.sub(r"(?s)<svg.*?</svg>", "", page)))))
        assert told[0] == told[1]
        assert len(told[0]) > 5

    def test_numbers_of_json_terminal_and_page_agree(self, place: Path) -> None:
        plain = json.loads((place / "compare" / "comparison.json").read_text())
        told = text_of((place / "compare" / "report.html").read_text())
        assert plain["verdict"] in told
        for row in [*plain["rows"], plain["floor"]]:
            assert show("accuracy", row["value"]) in told
            assert f"[{show('accuracy', row['low'])}, {show('accuracy', row['high'])}]" in told
        for pair in plain["pairs"]:
            assert f"{100 * pair['difference']:z.1f} points [{100 * pair['low']:z.1f}, " in told
        assert "chymist compare iris --models softmax,tree --folds 3 --seeds 3" in told
        assert "from sklearn.tree import DecisionTreeClassifier" in told

    def test_the_script_of_a_page_does_the_same(self, place: Path) -> None:
        page = unescape((place / "cv" / "report.html").read_text())
        script = next(part for part in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
                      if "import chymist" in part)  # fmt: skip
        known: dict[str, Any] = {}
        exec(script, known)  # what users are told to run
        plain = json.loads((place / "cv" / "cv.json").read_text())
        assert known["found"].score.value == plain["score"]["value"]
        assert [fold["value"] for fold in known["found"].folds] == [
            fold["value"] for fold in plain["folds"]
        ]

    @pytest.mark.parametrize(
        ("name", "file"), [("compare", "comparison"), ("cv", "cv"), ("race", "race"),
                           ("search", "search"), ("population", "population")]
    )  # fmt: skip
    def test_a_folder_from_before_or_damaged(
        self, place: Path, name: str, file: str, tmp_path: Path
    ) -> None:
        shutil.copytree(place / name, tmp_path / "old",
                        ignore=shutil.ignore_patterns("members", "curves.*"))  # fmt: skip
        path = tmp_path / "old" / f"{file}.json"
        plain = json.loads(path.read_text())
        for key in ("how", "axes", "recipes", "sealed"):
            plain.pop(key, None)
        if name == "population":
            plain.pop("data")
        path.write_text(json.dumps(plain))
        assert "No curve was recorded" in cy.report(tmp_path / "old").read_text()
        path.write_text('{"verdict": 3}')
        with pytest.raises(InputError):
            cy.report(tmp_path / "old")
        path.write_text("{")
        with pytest.raises(InputError):
            cy.report(tmp_path / "old")

    def test_what_a_report_refuses(self, place: Path, found: Any, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no folder of a run or study"):
            cy.report(tmp_path)
        with pytest.raises(UsageError, match="this has no report"):
            cy.report(3)
        with pytest.raises(UsageError, match="no folder for its report"):
            cy.report(found)
        with pytest.raises(UsageError, match="no such language"):
            cy.report(found, tmp_path / "a.html", "de")
        with pytest.raises(UsageError, match=r"ends in \.html"):
            cy.report(found, tmp_path / "a.txt")


class TestTwoRuns:
    def test_counts_are_those_of_mcnemars_table(self, place: Path, tmp_path: Path) -> None:
        both = cy.compare_runs(place / "a", place / "b")
        one, other = cy.load_run(place / "a").predictions, cy.load_run(place / "b").predictions
        right = [made.labels == made.targets for made in (one, other)]
        assert both.right == (
            int((right[0] & right[1]).sum()), int((right[0] & ~right[1]).sum()),
            int((~right[0] & right[1]).sum()), int((~right[0] & ~right[1]).sum()),
        )  # fmt: skip
        told = text_of(cy.report(both, tmp_path / "pair.html").read_text())
        assert both.verdict in told
        assert f"{both.right[1]} against {both.right[2]}" in told
        assert "validation loss" in told
        command = ["compare-runs", str(place / "a"), str(place / "b"), "--quiet",
                   "--report", str(tmp_path / "again.html")]  # fmt: skip
        assert main(command) == 0
        assert (tmp_path / "again.html").read_text() == (tmp_path / "pair.html").read_text()


class TestDiagnosis:
    def test_finding_remedy_and_proof(self, iris: cy.Data, tmp_path: Path) -> None:
        slow = cy.Recipe(model="softmax", optimizer=cy.optim.sgd(lr=1e-5), length="20 epochs")
        run = cy.fit(slow, cy.split(iris, seed=0), out=tmp_path / "slow")
        bare = text_of(cy.report(cy.diagnose(run), tmp_path / "bare.html").read_text())
        assert "lr_too_low" in bare
        assert "No remedy has been carried out" in bare
        cured = cy.fix(run, "lr_too_low", seeds=2, out=tmp_path / "cured")
        assert cured.proof is not None
        for thing in (cured, cy.diagnose(run)):  # the second finds the proof beside the run
            told = text_of(cy.report(thing, tmp_path / "d.html").read_text())
            assert cured.sentence in told
            for value in (*cured.proof.before, *cured.proof.after):
                assert show("accuracy", value) in told
        told = text_of(cy.report(cured, tmp_path / "zh.html", "zh").read_text())
        assert "对策与证明" in told

    def test_not_enough_evidence_is_a_state(self, iris: cy.Data, tmp_path: Path) -> None:
        run = cy.fit(SOFTMAX, cy.split(iris, seed=0), out=tmp_path / "r")
        known = replace(cy.diagnose(run), findings=())
        for checked, said in (
            (Checked(), "Nobody watched this run"),
            (Checked(9, stopped="no memory"), "could not look at this run to its end: no memory"),
        ):
            found = replace(known, checked=checked)
            told = text_of(cy.report(found, tmp_path / "d.html").read_text())
            assert "Not enough evidence" in told
            assert said in told
        sound = text_of(cy.report(known, tmp_path / "d.html").read_text())
        assert "Nothing wrong was found: " in sound

    def test_the_command(self, place: Path, tmp_path: Path) -> None:
        path = tmp_path / "d.html"
        assert main(["diagnose", str(place / "a"), "--quiet", "--report", str(path)]) == 0
        assert "What was checked" in path.read_text()


def many(members: int) -> tuple[PopulationRecord, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.8, 0.9, members)
    plain = {
        "metric": "accuracy", "facts": {"executor": "population"},
        "members": [
            {"member": n, "seed": n, "epochs": 200.0, "error": None,
             "score": {"metric": "accuracy", "value": v, "low": v - 0.02, "high": v + 0.02,
                       "n": 360, "split": "valid"}}
            for n, v in enumerate(scores.tolist())
        ],
    }  # fmt: skip
    curves = {name: rng.normal(size=(members, 200)).cumsum(1) for name in
              ("train_loss", "val_loss", "val_accuracy")}  # fmt: skip
    return record_of(plain, PopulationRecord), curves


def test_three_hundred_members_fit_into_a_page() -> None:
    page = population_html(*many(300), "import chymist")
    assert len(page.encode()) < 2_000_000
    assert "300 members reach" in page
    assert "120 of them drawn as thin lines" in page


def test_a_hundred_folds_of_many_entries_fit_into_a_page(found: Any) -> None:
    record = record_of(found, ComparisonRecord)
    values = np.random.default_rng(0).uniform(0.8, 0.9, 300).tolist()
    entries = [replace(record.rows[0], name=f"entry {n}", folds=values) for n in range(12)]
    how = replace(record.how, fits=[(r, f) for r in range(3) for f in range(100)])
    page = comparison_html(replace(record, rows=entries, how=how), {}, "import chymist")
    assert len(page.encode()) < 2_000_000


@pytest.mark.parametrize("name", FOLDERS)
def test_pages_in_a_browser(place: Path, name: str, tmp_path: Path, browser: Any) -> None:
    path = cy.report(place / name, tmp_path / "page.html", "zh")
    assert browser.violations(path) == []
    assert browser.violations(path, 360, True) == []
    assert browser.asked(path) == []
    assert browser.overflow(path) == 0
    assert browser.text(path) == browser.text(path, script=True)


def test_the_largest_page_opens_within_a_second(tmp_path: Path, browser: Any) -> None:
    path = tmp_path / "many.html"
    path.write_text(population_html(*many(300), "import chymist"))
    assert min(browser.seconds(path, times=3) for _ in range(3)) < 1.0
