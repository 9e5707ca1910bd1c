"""The language that filters runs: what it keeps, what it refuses, and that it is never evaluated."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.cli import main
from chymist.engine.run_filter import Term, check_filter, keeps, parse_filter
from chymist.engine.run_rows import RunRow
from chymist.errors import UsageError
from tests.run_folders import make_runs

ROWS = [
    RunRow("digits-1", "fit", "finished", 1.0, data="digits", model="resnet", seed=0,
           score={"metric": "accuracy", "value": 0.95, "low": 0.9, "high": 0.98},
           beaten="beaten", findings=(("overfitting", "finding"),), epochs=30.0,
           metrics={"accuracy": 0.95, "val_loss": 0.1, "loss": 0.05},
           fields={"optimizer": "adam", "optimizer.lr": 1e-3, "loss": "cross_entropy"}),
    RunRow("digits-2", "fit", "running", 1.8e9, data="digits", model="mlp", seed=3, epochs=2.0,
           metrics={"accuracy": 0.85, "val_loss": math.nan, "loss": 0.2},
           fields={"optimizer": "sgd", "optimizer.lr": 0.1, "loss": "hinge"}),
    RunRow("two words", "cv", "finished", 2.0, data="iris", model="mlp",
           verdict="mlp is better than the strongest floor, majority class, by 5 points."),
    RunRow("broken", "compare", "damaged", 3.0),
]  # fmt: skip


def kept(text: str) -> list[int]:
    terms = parse_filter(text)
    check_filter(terms, ROWS)
    return [n for n, row in enumerate(ROWS) if keeps(terms)(row)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", [0, 1, 2, 3]),
        ("digits", [0, 1]),
        ('"two words"', [2]),
        ("-digits", [2, 3]),
        ("model:res accuracy>0.9 state:finished data:digits seed<3", [0]),
        ("-finding:overfitting", [1, 2, 3]),
        ("finding:finding", [0]),
        ("findings>=1", [0]),
        ("metric.val_loss<0.2", [0]),
        ("-metric.val_loss<0.2", [1, 2, 3]),
        ("val_loss=nan", [1]),
        ("optimizer.lr<=1e-3", [0]),
        ("optimizer.lr=0.001", [0]),
        ("optimizer.lr!=0.001", [1, 2, 3]),
        ("optimizer:adam", [0]),
        ("loss:hinge", [1]),
        ("loss=hinge", [1]),
        ("loss<0.1", [0]),
        ("model=mlp", [1, 2]),
        ("model:MLP", [1, 2]),
        ("seed:", [2, 3]),
        ("-seed:", [0, 1]),
        ("score>0.94 low>0.89 high<0.99", [0]),
        ("floor:beaten", [0]),
        ("floor=beaten", [0]),
        ("verdict:majority", [2]),
        ("when>2020-01-01", [1]),
        ("kind:cv", [2]),
        ("state:damaged", [3]),
        ('name:"two w"', [2]),
        ("epochs>=2 epochs<10", [1]),
    ],
)
def test_what_is_kept(text: str, wanted: list[int]) -> None:
    assert kept(text) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acuracy>0.9", "did you mean 'accuracy'?"),
        ("optimiser.lr<1", "did you mean 'optimizer.lr'?"),
        ("state:runing", "did you mean 'running'?"),
        ("kind:compere", "did you mean 'compare'?"),
        ("accuracy>high", "accuracy>0.9"),
        ("accuracy>", "give a value"),
        ('"open', "close the quotes"),
        ('name:"open', "close the quotes"),
        ("-", "write a text"),
        (":x", "write a text"),
        ("x" * 1001, "at most 1,000"),
        ("a " * 41, "at most 40"),
    ],
)
def test_what_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        kept(text)
    assert said in caught.value.line()
    assert "\n" not in caught.value.line()


@pytest.mark.parametrize("text", ["__import__('os').system('x')", "model:{0.__class__}",
                                  "accuracy>__import__", "name:${HOME}", "model:.*"])  # fmt: skip
def test_nothing_is_evaluated(text: str) -> None:
    with suppress(UsageError):
        assert kept(text) == []


names = st.from_regex(r"[a-z][a-z0-9_.]{0,12}", fullmatch=True)
values = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.too_slow])  # the table of characters is made once
@given(st.lists(st.builds(Term, names, st.sampled_from([":", "=", "!="]), values, st.booleans())
                | st.builds(Term, st.just(""), st.just(":"), values, st.booleans()), max_size=5))  # fmt: skip
def test_terms_written_and_read_are_the_same(terms: list[Term]) -> None:
    assert parse_filter(" ".join(map(str, terms))) == tuple(terms)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UsageError):  # nothing else is raised
        terms = parse_filter(text)
        assert all(isinstance(keeps(terms)(row), bool) for row in ROWS)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_numbers_compare_as_numbers(value: float, limit: float) -> None:
    row = RunRow("a", "fit", "finished", 0.0, metrics={"m": value})
    for sign, holds in (("<", value < limit), (">", value > limit), ("<=", value <= limit),
                        (">=", value >= limit), ("=", value == limit), ("!=", value != limit)):  # fmt: skip
        assert keeps(parse_filter(f"m{sign}{limit!r}"))(row) is holds
        assert keeps(parse_filter(f"-m{sign}{limit!r}"))(row) is not holds


def test_list_runs_and_the_command_use_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_runs(tmp_path, 4, series=3, points=3, value=lambda recipe, seed: 0.6 + 0.1 * seed)
    rows = cy.list_runs(tmp_path, filter="accuracy>0.65 seed<3")
    assert [Path(row["run"]).name for row in rows] == ["iris-00002", "iris-00003"]
    assert rows[0] == cy.list_runs(tmp_path)[1]
    assert main(["runs", str(tmp_path), "--filter", "accuracy>0.65 seed<3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == rows
    assert main(["runs", str(tmp_path), "--filter", "acuracy>0.65"]) == 2
    assert "did you mean 'accuracy'?" in capsys.readouterr().err
