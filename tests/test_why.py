"""What the doctor's codes mean: complete, in two languages, and in agreement with rules and page."""

from __future__ import annotations

import ast
import json
import math
import re
from dataclasses import fields
from pathlib import Path

import pytest

import chymist as cy
from chymist.cli import main
from chymist.cli.findings import finding_lines, language_of
from chymist.doctor import Finding
from chymist.doctor.finding import Remedy
from chymist.doctor.texts import CHINESE, CODES, ENGLISH, HEADS, Text, page_of
from chymist.errors import UsageError

ROOT = Path(__file__).parent.parent
TAXONOMY = [
    "loss_activation_mismatch",
    "missing_softmax",
    "double_softmax",
    "softmax_mse",
    "shape_broadcast_loss",
    "no_update",
    "missing_zero_grad",
    "train_eval_mode",
    "lr_too_high",
    "lr_too_low",
    "undertrained",
    "nan_inf_loss",
    "vanishing_gradient",
    "exploding_gradient",
    "dead_relu",
    "saturated_activation",
    "symmetric_init",
    "init_scale",
    "optimisation_failure",
    "model_bias",
    "missing_nonlinearity",
    "over_regularised",
    "dropout_misuse",
    "overfitting",
    "bn_small_batch",
    "unnormalised_input",
    "unnormalised_target",
    "label_noise",
    "label_misalignment",
    "constant_labels",
    "class_imbalance",
    "data_leakage",
    "distribution_mismatch",
    "unshuffled_data",
    "data_loading_bound",
    "nondeterminism",
    "dead_output",
    "batch_leak",
    "precision",
    "hidden_activation_misuse",
    "bad_input_values",
    "batch_too_small",
]
CHARACTERS = re.compile(r"[\u4e00-\u9fff]")


def test_every_code_of_the_taxonomy_is_explained_in_both_languages() -> None:
    assert sorted(CODES) == sorted(TAXONOMY)
    assert len(set(TAXONOMY)) == 42
    assert list(ENGLISH) == list(CHINESE)
    assert {"en", "zh"} == set(HEADS)


@pytest.mark.parametrize("code", TAXONOMY)
def test_texts_are_whole_and_in_their_language(code: str) -> None:
    for part in fields(Text):
        english, chinese = (getattr(CODES[code][lang], part.name) for lang in ("en", "zh"))
        assert english, part.name
        assert not CHARACTERS.search(english), part.name
        assert CHARACTERS.search(chinese), part.name
        if part.name != "title":
            assert english.endswith("."), part.name
            assert chinese.endswith("。"), part.name
        numbers = [re.findall(r"\d[\d,.]*\d|\d", text) for text in (english, chinese)]
        if part.name == "example":
            assert set(numbers[1]) <= set(numbers[0]) | {"10", "100", "2"}, numbers


def test_every_code_that_a_rule_can_say_is_explained() -> None:
    said: set[str] = set()
    for path in (ROOT / "src/chymist/doctor").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding"
            if named and node.args and isinstance(node.args[0], ast.Constant):
                said.add(str(node.args[0].value))
    assert len(said) > 20
    assert said <= set(CODES)


def test_numbers_in_the_texts_are_right() -> None:
    assert f"{-math.log(math.e / (math.e + 9)):.3f}" in CODES["double_softmax"]["en"].example
    assert f"{math.log(10):.2f}" in CODES["init_scale"]["en"].example
    assert f"{0.99 * 0.01:.4f}" in CODES["saturated_activation"]["en"].rule
    assert round(0.25 / (0.99 * 0.01)) == 25
    assert pytest.approx(1e-6, rel=0.05) == 0.25**10
    assert pytest.approx(0.002, rel=0.01) == 2 * (1 - 0.001) ** 2 * 0.001


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CODES["new"] = {}  # type: ignore[index]
    with pytest.raises(AttributeError):
        cy.why("overfitting").title = "x"  # type: ignore[misc]


def test_unknown_codes_and_languages() -> None:
    with pytest.raises(UsageError, match=r"unknown code.*'overfiting'.*did you mean 'overfitting'"):
        cy.why("overfiting")
    with pytest.raises(UsageError, match="unknown language"):
        cy.why("overfitting", "xx")


def test_why_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "overfitting"]) == 0
    out = capsys.readouterr().out
    assert out == page_of("overfitting") + "\n"
    assert all(head in out for head in HEADS["en"])
    assert main(["why", "overfitting", "--lang", "zh", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["code"] == "overfitting"
    assert found["lang"] == "zh"
    assert found["title"] == "过拟合"
    assert set(found) == {"code", "lang"} | {part.name for part in fields(Text)}
    assert main(["why"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 42
    assert main(["why", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["codes"]) == 42


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["why", "lr_to_high"], "unknown code: got 'lr_to_high'; did you mean 'lr_too_high'?"),
        (["why", "overfitting", "--lang", "fr"], "--lang"),
        (["diagnose"], "RUN"),
    ],
)
def test_wrong_use_is_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    told = capsys.readouterr().err
    assert line in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ("en", {"LANG": "zh_CN.UTF-8"}, "en"),
        ("zh", {}, "zh"),
        (None, {"LANG": "zh_TW.UTF-8"}, "zh"),
        (None, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        (None, {"LC_ALL": "", "LC_MESSAGES": "zh_CN", "LANG": "C"}, "zh"),
        (None, {}, "en"),
    ],
)
def test_the_language_is_as_given_or_of_the_locale(
    given: str | None, environment: dict[str, str], expected: str
) -> None:
    assert language_of(given, environment) == expected


def test_lines_of_a_finding() -> None:
    finding = Finding(
        "lr_too_high", "finding", "it leaps", {}, Remedy("lower", {"optimizer.lr": 0.1})
    )
    assert finding_lines(finding, "en") == [
        ("Finding", "finding  lr_too_high: it leaps"), ("Remedy", "lower (--optimizer.lr 0.1)")
    ]  # fmt: skip
    (_, claim), (_, remedy) = finding_lines(finding, "zh")
    assert claim == "finding  lr_too_high 学习率过大: it leaps"
    assert remedy == "降低学习率 (--optimizer.lr 0.1)"
    assert finding_lines(Finding("new", "certain", "x"), "zh") == [("Finding", "certain  new: x")]


@pytest.mark.parametrize("code", TAXONOMY)
def test_the_page_of_codes_agrees_with_the_catalogue(code: str) -> None:
    page = (ROOT / "docs/codes.md").read_text("utf-8")
    section = page.split(f"## `{code}`\n")[1].split("\n## ")[0]
    text, chinese = CODES[code]["en"], CODES[code]["zh"]
    assert section.startswith(f"\n**{text.title[0].upper()}{text.title[1:]}.** {text.meaning}")
    for head, part in zip(HEADS["en"][1:], list(vars(text).values())[2:], strict=True):
        assert f"- *{head}.* {part}" in section
    assert f"- 中文：{chinese.title}。{chinese.remedy}" in section
