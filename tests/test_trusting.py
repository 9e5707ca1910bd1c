"""What `explain` says of its own maps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import chymist as cy
from chymist.cli import main
from chymist.values import Run
from chymist.verbs.explaining_rows import METHODS
from chymist.verbs.trusting import Contrast, Question, checks_of, stands_for_nothing


@pytest.fixture(scope="module")
def digits() -> Run:
    return cy.fit(cy.Recipe(length="4 epochs"), cy.load("digits"), doctor=False)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "cam"])
def test_maps_of_images_are_checked(method: str, digits: Run) -> None:
    found = cy.explain(digits, method=method, most=4)
    told = [check.to_dict() for check in found.checks]
    assert [one["check"] for one in told] == ["contrast", "weights", "class", "faithfulness"]
    assert told[0]["constant"] == 0
    assert told[1]["verdict"] in ("depends", "depends in part")
    assert told[2]["verdict"] == "changes"
    assert told[3]["baseline"] == "mean of the training rows"
    assert all(check.sentence.endswith(".") for check in found.checks)
    for row in found.rows:
        assert row.random is not None
        assert row.random.shape == row.values.shape
        assert not np.array_equal(row.random, row.values)
    json.dumps(found.to_dict(), allow_nan=False)
    again = cy.explain(digits, method=method, most=4)
    assert [check.to_dict() for check in again.checks] == told
    assert again.svg() == found.svg()


def test_the_faithfulness_is_that_of_the_pure_function(digits: Run) -> None:
    from chymist.explanation.attribution import integrated_gradients
    from chymist.explanation.faithfulness import faithfulness

    found = cy.explain(digits, method="integrated-gradients", which="first", most=3)
    split, preparation = digits.split, digits.preparation
    inputs, training = (
        torch.as_tensor(preparation.inputs(split.data.take(rows), np.float32))
        for rows in (split.valid[:3], np.sort(split.train))
    )
    with torch.no_grad():
        targets = digits.model.eval()(inputs).argmax(1)
    maps = integrated_gradients(digits.model, inputs, targets)
    plain = faithfulness(digits.model, inputs, targets, maps, steps=14, orders=10,
                         baseline=training.mean(0, keepdim=True))  # fmt: skip
    gain = found.checks[3].to_dict()["deletion"]["gain"]
    assert gain == pytest.approx(plain.deletion_gain.value, abs=0.03)  # of 500 training rows


def test_checks_are_left_out_and_asked_for(digits: Run) -> None:
    plain = cy.explain(digits, most=2, checks=False)
    assert plain.checks == ()
    assert all(row.random is None for row in plain.rows)
    table = cy.fit(cy.Recipe(model="mlp", length="4 epochs"), cy.load("wine"), doctor=False)
    assert cy.explain(table, most=3).checks == ()
    asked = cy.explain(table, most=3, checks=True)
    assert len(asked.checks) == 4
    tree = cy.fit(cy.Recipe(model="cart"), cy.load("wine"), doctor=False)
    asked = cy.explain(tree, most=3, checks=True)
    names = [check.to_dict()["check"] for check in asked.checks]
    assert names == ["contrast", "class", "faithfulness"]  # a tree has no weights to draw
    values = cy.fit(cy.Recipe(model="linear"), cy.load("diabetes"), doctor=False)
    asked = cy.explain(values, most=3, checks=True)
    names = [check.to_dict()["check"] for check in asked.checks]
    assert names == ["contrast", "weights", "faithfulness"]  # there is no other class


def test_new_rows_of_a_folder_have_a_baseline_too(digits: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    digits.save(folder)
    found = cy.explain(folder, digits.data.inputs[:9], method="saliency", most=9)
    assert found.checks[3].to_dict()["baseline"] == "0 after preparation"
    assert found.checks[3].to_dict()["rows"] == 8


def test_a_baseline_a_row_goes_with_its_rows(digits: Run) -> None:
    baseline = torch.zeros(10, 1, 8, 8)
    given = cy.explain(digits, method="integrated-gradients", most=10, baseline=baseline)
    plain = cy.explain(digits, method="integrated-gradients", most=10)
    assert [c.to_dict() for c in given.checks] == [c.to_dict() for c in plain.checks]


def test_a_constant_map_is_called_constant_with_its_cause() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    rows, targets = torch.rand(3, 1, 4, 4), torch.zeros(3, dtype=torch.int64)

    def nothing(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        return torch.zeros_like(inputs)

    asked = Question(nothing, net, rows, targets, nothing(net, rows, targets), ["7", "8", "9"])
    checks = checks_of(asked, torch.zeros(1, 1, 4, 4), "0", classes=True)
    assert isinstance(checks[0], Contrast)
    assert checks[0].sentence.startswith("The map of row 7 is constant, and 2 more: it is 0")
    assert "cut off at 0" in checks[0].sentence
    assert [c.to_dict()["verdict"] for c in checks[1:3]] == ["cannot tell"] * 2
    with torch.no_grad():
        net[1].weight.zero_()
    assert "dead or saturated" in checks_of(asked, rows[:1], "a row", True)[0].sentence


def test_large_images_are_blurred_and_every_row_has_its_own() -> None:
    rows = torch.rand(9, 3, 64, 64)
    bare, name = stands_for_nothing(rows, None, None)  # type: ignore[arg-type]
    assert (bare.shape, name) == (rows.shape, "the image, blurred")
    net = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 2))
    targets = torch.zeros(9, dtype=torch.int64)
    asked = Question(METHODS["saliency"], net, rows, targets,
                     METHODS["saliency"](net, rows, targets), list("123456789"))  # fmt: skip
    assert checks_of(asked, bare, name, True)[3].to_dict()["rows"] == 4


def test_the_command_line_says_it(
    digits: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits.save(tmp_path / "run")
    run = str(tmp_path / "run")
    assert main(["explain", run, "--method", "saliency", "--most", "2"]) == 0
    told = capsys.readouterr().out
    assert told.count("Check ") == 4
    assert "random order" in " ".join(told.split())
    assert main(["explain", run, "--most", "2", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["checks"]) == 4
    assert main(["explain", run, "--most", "2", "--checks", "off", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checks"] == []


def test_a_network_that_has_learned_nothing_is_said_to_have(digits: Run, tmp_path: Path) -> None:
    assert "not known to be better" not in " ".join(cy.explain(digits, most=2).notes)
    labels = np.random.default_rng(0).permutation(digits.data.targets)
    shuffled = cy.fit(cy.Recipe(length="1 epoch"), cy.load((digits.data.inputs, labels)),
                      out=tmp_path / "run", doctor=False)  # fmt: skip
    found = cy.explain(shuffled, most=2)
    assert "not known to be better than the majority class" in found.notes[0]
    assert str(shuffled.score) in found.notes[0]
    again = cy.explain(tmp_path / "run", most=2, data=shuffled.data)
    assert again.notes[0] == found.notes[0]
    values = np.random.default_rng(1).normal(size=80)
    noise = cy.fit(cy.Recipe(model="mlp", length="2 epochs"),
                   cy.load((values[::-1].reshape(40, 2).copy(), values[:40])),
                   doctor=False)  # fmt: skip
    assert "better than the mean of the training rows" in cy.explain(noise, most=2).notes[0]


def test_curves_of_one_output_begin_at_the_probability_of_the_model() -> None:
    run = cy.fit(cy.Recipe(model="logistic", length="2 epochs"), cy.load("breast_cancer"),
                 doctor=False)  # fmt: skip
    found = cy.explain(run, most=3, checks=True)
    sure = [row.probability for row in found.rows]
    assert found.checks[-1].deletion[:, 0] == pytest.approx(sure, abs=1e-5)
