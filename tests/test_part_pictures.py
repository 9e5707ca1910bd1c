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
from chymist.reports.charts import Line, line_chart
from chymist.reports.part_pictures import DRAWN, STEPS, picture_of
from chymist.reports.style import as_file

ALL = [Part(kind, name) for kind in DRAWN for name in sorted(registered(kind))]
BOUNDS = ("none", "max_norm", "l2_ball")  # no curve of a weight


@pytest.mark.parametrize("one", ALL, ids=lambda one: f"{one.kind}-{one.name}")
def test_every_small_part_has_a_picture(one: Part) -> None:
    picture = picture_of(one)
    bounds = one.kind == "penalty" and one.name in BOUNDS
    if bounds or (one.kind, one.name) in (("init", "from_run"), ("clip", "none")):
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


def test_a_plateau_is_drawn_for_a_loss_that_stalls() -> None:
    factor, loss = picture_of(cy.schedules.plateau(patience=3, factor=0.5)).lines
    stalled = int(np.flatnonzero(np.diff(loss.y) < 0)[-1]) + 1  # its last new best value
    rule, best, waited, rate, expected = 3, math.inf, 0, 1.0, []
    for value in loss.y:  # as torch's ReduceLROnPlateau does
        expected.append(rate)
        waited = 0 if value < best * (1 - 1e-4) else waited + 1
        best = min(best, value)
        if waited > rule:
            rate, waited = rate / 2, 0
    np.testing.assert_allclose(factor.y, expected)
    assert factor.y[stalled + rule + 1 : stalled + rule + 3].tolist() == [1.0, 0.5]
    assert factor.y[-1] <= 0.25


def test_step_decay_is_drawn_with_its_steps() -> None:
    (factor,) = picture_of(cy.schedules.step_decay()).lines
    np.testing.assert_allclose(np.unique(factor.y), [0.01, 0.1, 1.0])


def test_long_names_have_room_in_wide_letters() -> None:
    lines = [
        Line(name, np.arange(3.0), np.array([1.0, 0.5, end]), kind)
        for name, end, kind in (
            ("cross_entropy", 0.0, "s1"), ("half_squared", 0.001, "s2"), ("mae", 0.0, "s3"),
        )
    ]  # fmt: skip
    chart = ElementTree.fromstring(as_file(line_chart("x", lines, "x", "y", zero=True)))
    width = float(chart.get("width"))
    texts = {t.text: t for t in chart.iter("{http://www.w3.org/2000/svg}text")}
    places = []
    for line in lines:
        label = texts[line.name]
        assert float(label.get("x")) + 6.8 * len(line.name) <= width  # DejaVu Sans at 12.5 pixels
        places.append(float(label.get("y")))
    apart = np.diff(sorted(places))
    assert (apart >= 15).all()
    assert max(places) < float(texts["0"].get("y")) + 4  # above the axis and its numbers


def test_a_file_of_its_own_has_letters_of_the_size_that_they_were_placed_for() -> None:
    text = as_file(picture_of(cy.activations.relu()).svg())
    assert "font:16px" not in text
    assert "font-size:14.5px" not in text
    assert 'font-size="12.5"' in text


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
