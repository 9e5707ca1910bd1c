"""Pictures of small parts: right curves, drawings that are XML, text that fits, the command."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.cli import main
from chymist.parts import Part, part, registered, spelled
from chymist.reports.part_pictures import DRAWN, STEPS, picture_of

ALL = [Part(kind, name) for kind in DRAWN for name in sorted(registered(kind))]
BOUNDS = ("none", "max_norm", "l2_ball")  # no curve of a weight


@pytest.mark.parametrize("one", ALL, ids=lambda one: f"{one.kind}-{one.name}")
def test_every_small_part_has_a_picture(one: Part) -> None:
    picture = picture_of(one)
    if (one.kind == "penalty" and one.name in BOUNDS) or one.name == "from_run":
        assert picture is None
        return
    assert picture is not None
    assert ElementTree.fromstring(picture.svg()).tag.endswith("svg")
    for plain in (True, False):
        lines = picture.text(plain).splitlines()
        assert len(lines) == 15
        assert max(map(len, lines)) <= 80
        assert picture.text(plain).isascii() == plain or one.kind in ("schedule", "init")
    assert all(np.isfinite(line.y).all() for line in picture.drawn)


def test_curves_are_those_of_the_parts() -> None:
    value, slope = picture_of(spelled("activation", "leaky_relu(slope=0.5)")).lines
    np.testing.assert_allclose(value.y, np.where(value.x > 0, value.x, value.x / 2))
    np.testing.assert_allclose(slope.y[value.x != 0], np.where(value.x > 0, 1, 0.5)[value.x != 0])
    value, slope = picture_of(Part("loss", "huber")).lines
    size = np.abs(value.x)
    np.testing.assert_allclose(value.y, np.where(size > 1, size - 0.5, size**2 / 2))
    np.testing.assert_allclose(slope.y, value.x.clip(-1, 1))
    for name in ("cross_entropy", "binary_cross_entropy"):  # of two classes they are the same
        value, slope = picture_of(Part("loss", name)).lines
        np.testing.assert_allclose(value.y, np.log1p(np.exp(-value.x)), rtol=1e-6)
    (factor,) = picture_of(cy.schedules.one_cycle(warmup=0.5)).lines
    assert len(factor.y) == STEPS
    assert factor.y.argmax() == 49
    softmax = picture_of(cy.activations.softmax()).lines[0]
    np.testing.assert_allclose(softmax.y, 1 / (1 + np.exp(-softmax.x)))
    values = picture_of(cy.initializers.he_normal()).values
    assert values.std() == pytest.approx(math.sqrt(2 / 256), rel=0.02)
    default = picture_of(cy.initializers.default()).values
    assert np.abs(default).max() == pytest.approx(1 / 16, rel=1e-3)
    assert torch.get_default_dtype() == torch.float32


def test_the_command_shows_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "elu.svg"
    assert main(["part", "elu(alpha=0.5)", "--out", str(file)]) == 0
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert "Range: (-alpha, inf)" in shown
    assert "For: " in shown
    assert "Against: " in shown
    assert "-0.491 |" in shown  # the least value of 0.5 (e^x - 1)
    assert ElementTree.fromstring(file.read_text("utf-8")).tag.endswith("svg")


def test_names_of_several_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["part", "softmax", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["options"]) == {"model", "activation"}
    file = tmp_path / "a.svg"
    assert main(["part", "constant", "--out", str(file)]) == 2
    assert "add --kind init" in capsys.readouterr().err
    assert main(["part", "constant", "--kind", "schedule", "--out", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["picture"] == str(file)
    assert main(["part", "adam", "--out", str(file)]) == 2
    assert "no picture" in capsys.readouterr().err
    assert main(["part", "relu", "--kind", "activaton"]) == 2
    assert "activation" in capsys.readouterr().err
    assert main(["part", "relu", "--out", str(tmp_path / "no" / "a.svg")]) == 1


@pytest.mark.parametrize("name", sorted(registered("activation")))
def test_every_activation_says_what_speaks_for_and_against_it(name: str) -> None:
    text = part("activation", name).bind().__doc__ or ""
    for word in ("Range: ", "Derivative:", "For: ", "Against: ", "Source: ", ">>>"):
        assert word in text, word


def test_the_page_of_the_palette_has_every_part() -> None:
    from tools.make_palette import END, START, tables

    page = (Path(__file__).parent.parent / "docs" / "palette.md").read_text("utf-8")
    assert f"{START}\n{tables()}\n{END}" in page, "run tools/make_palette.py"
