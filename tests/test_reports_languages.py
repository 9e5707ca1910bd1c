"""Reports in two languages: every sentence, the same numbers, and pages that open anywhere."""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.cli import main
from chymist.doctor.finding import LEVELS
from chymist.doctor.verdict_words import NAMES
from chymist.evidence import FloorResult, score
from chymist.evidence.verdict import verdict
from chymist.metrics import METRICS
from chymist.reports import chinese
from chymist.reports.chinese import STORED, WORDS
from chymist.reports.findings import STEPS
from chymist.reports.markup import VOID
from chymist.reports.numbers import metric_name, seconds
from chymist.reports.saying import NESTED, saying
from chymist.values import KIND_NAMES, Predictions, show
from chymist.verbs.reporting import write_report

SOURCE = Path(cy.__file__).parent
ZH = saying("zh")
NUMBER = re.compile(r"(?<![a-z])\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")
# Words that a Chinese report may hold in Latin letters outside of code and names of the data.
LATIN = {
    "chymist", "python", "rmse", "mae", "auc", "softmax", "wilson", "svm", "idf", "tf", "cpu",
    "val_loss", "cnn", "mlp", "linear", "cart", "lstm", "grad", "cam", "relu", "xor",
}  # fmt: skip


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def texts(node: ast.expr) -> list[str]:
    """Strings that an argument may be."""
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def templates() -> Iterator[tuple[str, str]]:
    """Every template that a module of the reports says, with the module."""
    for path in sorted((SOURCE / "reports").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called == "say":
                assert node.args, f"{path.name}:{node.lineno} says nothing"
                yield from ((path.name, text) for text in texts(node.args[0]))
            elif called == "say.counted":
                yield from ((path.name, text) for arg in node.args[1:3] for text in texts(arg))


class TestWords:
    def test_every_template_is_said_in_chinese_with_the_same_fields(self) -> None:
        found = sorted(set(templates()))
        assert len(found) > 200
        missing = [pair for pair in found if pair[1] not in WORDS]
        assert missing == []
        wrong = [text for _, text in found if fields(WORDS[text]) != fields(text)]
        assert wrong == []

    def test_stored_templates_have_the_same_fields(self) -> None:
        assert [t for t in STORED if fields(STORED[t]) < fields(t) - {"again"}] == []
        assert [t for t in STORED if fields(STORED[t]) - fields(t)] == []

    def test_numbers_of_a_template_are_those_of_its_translation(self) -> None:
        both = {**WORDS, **STORED}
        assert [
            t for t in both if Counter(NUMBER.findall(t)) != Counter(NUMBER.findall(both[t]))
        ] == []

    @pytest.mark.parametrize("name", METRICS)
    def test_every_metric_has_a_name(self, name: str) -> None:
        assert f"metric: {metric_name(name)}" in WORDS

    def test_other_names_of_the_house_are_known(self) -> None:
        from chymist.data.kinds import KINDS

        names = [*KIND_NAMES.values(), *KINDS, *LEVELS, *STEPS.values()]
        names += ["training", "validation", "test", "out-of-fold"]
        names += [name for name in ("overfitting", "mismatch") if name in NAMES]
        assert [name for name in names if ZH.word(name) == name] == []

    def test_a_translation_holds_no_english(self) -> None:
        both = {**WORDS, **STORED}
        found = {t: set(re.findall(r"[a-z_]{3,}", re.sub(r"\{\w+\}|`[^`]*`", "", both[t]).lower()))
                 for t in both}  # fmt: skip
        more = {"equal", "log", "csv", "mean", "batch", "dropout", "sigmoid", "tanh", "rgb",
                "kneser", "ney", "sha", "image_size", "eval",
                "resume", "layers", "false"}  # fmt: skip
        assert {t: words - LATIN - more for t, words in found.items() if words - LATIN - more} == {}

    def test_every_word_of_the_dictionaries_is_there_once(self) -> None:
        parts = [getattr(chinese, name).WORDS for name in
                 ("names", "kit", "data", "model", "training", "errors", "whole",
                  "studies", "searches")]  # fmt: skip
        seen: dict[str, str] = {}
        for part in parts:
            for text, said in part.items():
                assert seen.setdefault(text, said) == said, text


def claims() -> list[str]:
    """What the rules of the doctor claim, with a number or a name in every gap."""
    found = []
    for path in sorted((SOURCE / "doctor" / "rules").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding":
                said = node.args[2] if len(node.args) > 2 else None
                found += filled(said) if said is not None else []
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "claim":
                found += filled(node.value)
    return found


def filled(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        parts = [p.value if isinstance(p, ast.Constant) else "17 %" for p in node.values]
        return ["".join(map(str, parts))]
    if isinstance(node, ast.IfExp):
        return filled(node.body) + filled(node.orelse)
    if isinstance(node, ast.BinOp):
        return [a + b for a in filled(node.left) for b in filled(node.right)]
    return []


class TestStored:
    def test_every_claim_of_the_doctor_is_said_with_its_numbers(self) -> None:
        found = claims()
        assert len(found) > 60
        assert [claim for claim in found if not ZH.again(claim)] == []
        for claim in found:
            assert Counter(NUMBER.findall(ZH.again(claim))) == Counter(NUMBER.findall(claim)), claim

    @pytest.mark.parametrize("template", STORED)
    def test_a_stored_sentence_keeps_its_numbers(self, template: str) -> None:
        values = {name: f"{100 + i}" for i, name in enumerate(sorted(fields(template)))}
        if "again" in values:
            values["again"] = values["side"]
        sentence = template.format(**values)
        told = ZH.again(sentence)
        assert told
        assert set(NUMBER.findall(told)) == set(NUMBER.findall(sentence))

    def test_names_of_the_data_stay(self) -> None:
        note = "column 'date' is category, not a number because of 'test' (line 3)"
        assert ZH.again(note) == "“date”列是类别：因为有 'test' 而不是数值（line 3）"
        assert "kind" in NESTED

    def test_what_is_unknown_is_left_to_be_said_in_english(self) -> None:
        assert ZH.again("no such sentence, 3 times") == ""
        assert saying("en").again("no such sentence, 3 times") == "no such sentence, 3 times"

    @settings(deadline=None, max_examples=60)
    @given(st.integers(2, 400), st.floats(0, 1), st.floats(0, 1), st.sampled_from(
        ["train", "valid", "test", "out-of-fold"]), st.booleans(), st.booleans())  # fmt: skip
    def test_every_verdict_is_said_with_the_same_numbers(
        self, n: int, right: float, floor: float, part: str, classes: bool, alone: bool
    ) -> None:
        draw, rows = np.random.default_rng(n), np.arange(n)
        truth = draw.integers(0, 2, n) if classes else draw.normal(size=n)
        made = []
        for share in (right, floor):
            if classes:
                said = np.where(draw.random(n) < share, truth, 1 - truth)
                made.append(Predictions(rows, truth, np.eye(2)[said]))
            else:
                made.append(Predictions(rows, truth, truth + share * draw.normal(size=n)))
        metric = "accuracy" if classes else "rmse"
        floors = [FloorResult("majority class", made[1], score(made[1], metric, part))]
        own = score(made[0], metric, part)
        sentence = verdict("mlp", made[0], own, [] if alone else floors)
        told = ZH.again(sentence)
        assert told
        assert Counter(NUMBER.findall(told)) == Counter(NUMBER.findall(sentence))
        assert not re.search("[a-z]{4,}", told)

    def test_durations(self) -> None:
        assert [seconds(s, ZH) for s in (0.25, 75.0, 125.0, 7300.0)] == [
            "0.25 秒", "75.0 秒", "2 分 5 秒", "2 小时 1 分"]  # fmt: skip


class Reader(HTMLParser):
    """Text of a page: all of it, and what is neither code nor a name from the data."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.all: list[str] = []
        self.numbers: list[str] = []  # not of axes: how many ticks fit depends on the words
        self.own: list[str] = []
        self.lang = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.lang = given["lang"] or "" if tag == "html" else self.lang
        if "graph" not in self.open:  # names of layers and columns
            self.own += [given[n] or "" for n in ("aria-label", "alt") if n in given]
        if tag not in VOID:
            self.open.append("graph" if "tree" in str(given.get("class")).split() else tag)

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.all.append(data)
            self.numbers += [] if "svg" in self.open else NUMBER.findall(data)
            if not {"code", "pre", "bdi", "graph"} & set(self.open):
                self.own.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


KINDS = ("digits", "iris", "diabetes", "wine", "texts")


def fitted(kind: str, folder: Path) -> Any:
    """A run of each task and kind of model, small."""
    if kind == "texts":
        draw = np.random.default_rng(0)
        words = [["lovely", "great", "superb"], ["awful", "dull", "weak"]]
        lines = [f"the film was {words[i % 2][draw.integers(3)]} and {words[i % 2][draw.integers(3)]},"
                 f"{'ab'[i % 2]}" for i in range(80)]  # fmt: skip
        path = folder / "texts.csv"
        path.write_text("\n".join(["words,label", *lines]) + "\n")
        data = cy.load(str(path), kind="text")
    else:
        data = cy.load(kind)
    model = {"iris": "mlp", "diabetes": "linear", "wine": "cart"}.get(kind)
    length = {"digits": "2 epochs", "iris": "5 epochs", "texts": "1 epoch"}.get(kind)
    split = cy.split(data, valid=0.2, test=0 if kind == "iris" else 0.2, seed=0)
    recipe = cy.Recipe(model=model, length=length)
    return cy.fit(recipe, split, seed=0, threads=1, out=folder / kind)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of every run by kind and language, and the folders of the runs by kind."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for kind in KINDS:
        run = fitted(kind, folder)
        found[kind] = run.path
        for lang in ("en", "zh"):
            found[f"{kind} {lang}"] = folder / f"{kind}-{lang}.html"
            shutil.copy(write_report(run, lang), found[f"{kind} {lang}"])
    return found


@pytest.mark.parametrize("kind", KINDS)
class TestRuns:
    def test_the_chinese_page_holds_no_english(self, pages: dict[str, Path], kind: str) -> None:
        page = read(pages[f"{kind} zh"].read_text())
        assert page.lang == "zh-Hans"
        known = cy.load(kind) if kind != "texts" else None
        names = set(re.findall(r"[a-z_]{3,}", " ".join(
            [*known.classes, known.target, *(c.name for c in known.columns)]).lower()
        )) if known else set()  # fmt: skip
        found = set(re.findall(r"[a-z_]{3,}", re.sub("`[^`]*`", "", "\n".join(page.own)).lower()))
        assert found - LATIN - names - {kind} == set()

    def test_both_languages_have_the_same_numbers(self, pages: dict[str, Path], kind: str) -> None:
        english, chinese_ = (
            Counter(read(pages[f"{kind} {lang}"].read_text()).numbers) for lang in ("en", "zh")
        )
        assert english == chinese_
        assert sum(english.values()) > 150

    def test_both_languages_have_the_same_parts(self, pages: dict[str, Path], kind: str) -> None:
        # Only a finding has a paragraph more in Chinese, its title.
        english, chinese_ = (
            Counter(
                re.findall(r"<(?!line|text|p|strong)(\w+)", pages[f"{kind} {lang}"].read_text())
            )
            for lang in ("en", "zh")
        )
        assert english == chinese_

    def test_numbers_are_the_same_on_the_screen_in_json_and_in_the_report(
        self, pages: dict[str, Path], kind: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["show", str(pages[kind])]) == 0
        screen = capsys.readouterr().out
        assert main(["show", str(pages[kind]), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        page = " ".join(read(pages[f"{kind} en"].read_text()).all)
        assert told["verdict"] in page
        assert told["verdict"] in " ".join(screen.split())
        floors = {floor["name"]: floor["score"] for floor in told["floors"]}
        assert len(floors) == 3
        for name, found in {"": told["score"], **floors}.items():
            value, low, high = (
                show(found["metric"], found[end]) for end in ("value", "low", "high")
            )
            assert f"{name} {value} [{low}, {high}]".strip() in screen
            row = f"{value}{low}{high}{found['n']:,}" if name else f"{low} to {high}"
            assert row.replace(" ", "") in page.replace(" ", "")
        for name, value in told["metrics"].items():
            assert f"{name} {show(name, value)}" in screen
            assert f"{metric_name(name)} {show(name, value)}" in page


@pytest.mark.parametrize("kind", KINDS)
class TestOpened:
    def test_is_complete_without_script_and_asks_for_nothing(
        self, pages: dict[str, Path], kind: str, browser: Any
    ) -> None:
        page = pages[f"{kind} zh"]
        body = " ".join("".join(read(page.read_text()).all).split())
        shown = " ".join(browser.text(page).split())
        assert len(shown) > 1500
        assert body.endswith(shown)  # the title of the window comes before
        assert shown == " ".join(browser.text(page, script=True).split())
        assert browser.asked(page) == []
        assert len(page.read_bytes()) < 2_000_000

    @pytest.mark.parametrize(("width", "dark"), [(360, True), (1280, False)])
    def test_breaks_no_rule_of_accessibility_and_fits(
        self, pages: dict[str, Path], kind: str, browser: Any, width: int, dark: bool
    ) -> None:
        lang = "zh" if dark else "en"
        assert browser.violations(pages[f"{kind} {lang}"], width, dark) == []
        assert browser.overflow(pages[f"{kind} {lang}"], width) == 0


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1280, True)])
def test_the_other_ways_to_look_break_no_rule_either(
    pages: dict[str, Path], browser: Any, width: int, dark: bool
) -> None:
    assert browser.violations(pages["digits zh"], width, dark) == []


def test_opens_within_a_second(pages: dict[str, Path], browser: Any) -> None:
    assert min(browser.seconds(pages["digits en"], times=3) for _ in range(3)) < 1.0
