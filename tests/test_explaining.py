"""`cy.explain` and `chymist explain`: maps over the rows of a run, in words and as pictures."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.explanation.attribution import METHODS, integrated_gradients
from chymist.explanation.class_maps import cam, grad_cam
from chymist.metrics import surprise
from chymist.reports.shades import MINUS, PLUS, as_shares, overlay, shade
from chymist.verbs.explaining_rows import TwoSided


def _fitted(data: Any, length: str = "1 epochs", **recipe: Any) -> cy.Run:
    return cy.fit(cy.Recipe(length=length, **recipe), cy.split(cy.load(data), seed=0), seed=0)


@pytest.fixture(scope="module")
def digits() -> cy.Run:
    model = cy.models.cnn(channels=(8, 8), hidden=(16,))
    return _fitted("digits", "3 epochs", model=model)


@pytest.fixture(scope="module")
def wine() -> cy.Run:
    return _fitted("wine", "5 epochs", model=cy.models.mlp(hidden=(8,)))


# --- which rows -------------------------------------------------------------------------------


def test_the_worst_rows_are_those_of_the_largest_loss(digits: cy.Run) -> None:
    found = cy.explain(digits, most=5)
    losses = surprise(digits.predictions.targets, digits.predictions.outputs)
    order = np.argsort(-losses, kind="stable")[:5]
    assert [row.number for row in found.rows] == digits.predictions.rows[order].tolist()
    names = digits.data.classes
    assert [row.truth for row in found.rows] == [
        names[digits.predictions.targets[i]] for i in order
    ]
    assert [row.said for row in found.rows] == [names[digits.predictions.labels[i]] for i in order]
    sure = digits.predictions.outputs[order].max(1)
    np.testing.assert_allclose([row.probability for row in found.rows], sure, rtol=1e-5)
    best = cy.explain(digits, most=5, which="best")
    assert [row.number for row in best.rows] == (
        digits.predictions.rows[np.argsort(losses, kind="stable")[:5]].tolist()
    )
    first = cy.explain(digits, most=3, which="first")
    assert [row.number for row in first.rows] == digits.split.valid[:3].tolist()
    for row in (*found.rows, *best.rows, *first.rows):
        assert row.number in digits.split.valid


def test_a_map_is_that_of_the_prepared_row(digits: cy.Run) -> None:
    row = int(digits.split.valid[7])
    found = cy.explain(digits, which=[row], method="integrated-gradients", target="true", steps=9)
    prepared = torch.from_numpy(digits.preparation.inputs(digits.data.take(np.array([row]))))
    target = torch.tensor([int(digits.data.targets[row])])
    wanted = integrated_gradients(digits.model, prepared, target, steps=9).sum(1)
    np.testing.assert_allclose(found.maps, wanted.numpy(), atol=1e-6)
    np.testing.assert_array_equal(found.rows[0].shown, digits.data.inputs[row])
    seen = cy.explain(digits, which=[row], target="true")
    assert (seen.method, seen.layer) == ("grad-cam", "4")
    wanted = grad_cam(digits.model, prepared, target, layer="4")
    np.testing.assert_allclose(seen.maps, wanted.numpy(), atol=1e-6)


def test_new_rows_are_explained_as_they_are_predicted(digits: cy.Run, tmp_path: Path) -> None:
    place = digits.save(tmp_path / "run").path
    new = digits.data.inputs[:3]
    found = cy.explain(place, new, most=2)
    assert [row.said for row in found.rows] == cy.predict(place, new)[:2].tolist()
    assert [row.truth for row in found.rows] == ["", ""]
    assert found.rows[0].sentence.startswith("said ")
    Image.fromarray((new[0, ..., 0] * 15).astype(np.uint8)).save(tmp_path / "seven.png")
    one = cy.explain(place, tmp_path / "seven.png", method="saliency")
    assert one.rows[0].name == "seven.png"
    assert one.maps.shape == (1, 8, 8)
    with pytest.raises(UsageError, match="true class"):
        cy.explain(place, new, target="true")


def test_test_rows_are_never_shown(digits: cy.Run) -> None:
    with pytest.raises(UsageError, match="sealed"):
        cy.explain(digits, which=[int(digits.split.valid[0]), int(digits.split.test[0])])


# --- what is explained ------------------------------------------------------------------------


def test_a_target_is_a_class_its_number_or_the_truth(digits: cy.Run) -> None:
    row = [int(digits.split.valid[0])]
    maps = {t: cy.explain(digits, which=row, target=t, method="saliency").maps for t in ("3", 3, 4)}
    np.testing.assert_array_equal(maps["3"], maps[3])
    assert not np.array_equal(maps[3], maps[4])
    assert cy.explain(digits, which=row, target="4").rows[0].target == "4"


def test_one_output_of_two_classes_speaks_for_one_and_against_the_other() -> None:
    run = _fitted("breast_cancer", loss="binary_cross_entropy", model="logistic")
    row = [int(run.split.valid[0])]
    one, two = (cy.explain(run, which=row, target=t, method="input-x-gradient") for t in (0, 1))
    np.testing.assert_allclose(one.maps, -two.maps)
    weights = next(run.model.parameters()).detach().double().numpy()[0]
    prepared = run.preparation.inputs(run.data.take(np.array(row)))[0]
    np.testing.assert_allclose(two.maps[0], weights * prepared, rtol=1e-5)
    assert one.rows[0].target == run.data.classes[0]
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 1))
    images, targets = torch.ones(1, 1, 4, 4), torch.tensor([1])
    assert torch.equal(grad_cam(TwoSided(net), images, targets),
                       grad_cam(net, images, targets - 1))  # fmt: skip


def test_one_hot_columns_are_added_up() -> None:
    source = np.random.default_rng(0)
    columns = {
        "size": source.normal(size=60), "color": source.choice(["red", "green", "blue"], 60),
    }  # fmt: skip
    classes = np.where(columns["size"] + (columns["color"] == "red") > 0, "y", "n")
    run = cy.fit(cy.Recipe(model="softmax", length="5 epochs"), cy.load((columns, classes)))
    found = cy.explain(run, most=1, method="input-x-gradient", target="y")
    row = found.rows[0]
    prepared = run.preparation.inputs(run.data.take(np.array([row.number])))[0]
    weights = next(run.model.parameters()).detach().numpy()[list(run.data.classes).index("y")]
    parts = dict.fromkeys(columns, 0.0)
    for name, value in zip(run.preparation.feature_names, weights * prepared, strict=True):
        parts[name.partition("=")[0]] += float(value)
    assert list(row.shown) == list(parts)
    np.testing.assert_allclose(row.values, list(parts.values()), atol=1e-6)
    assert row.to_dict()["columns"] == pytest.approx(parts, abs=1e-6)
    assert str(row.shown["color"]) in ("red", "green", "blue")


def test_a_regression_is_in_the_unit_of_its_target() -> None:
    run = _fitted("diabetes", model="linear")
    found = cy.explain(run, most=2)
    assert found.unit == "progression"
    shift = float(run.preparation.target_shift[0])
    for row in found.rows:  # what a linear model says is the mean plus its parts
        prepared = run.preparation.inputs(run.data.take(np.array([row.number])))
        bias = float(run.preparation.outputs(
            run.model(torch.zeros(1, prepared.shape[1])).detach().numpy())[0, 0])  # fmt: skip
        said = float(cy.predict(run, run.data.take(np.array([row.number])))[0])
        assert row.values.sum() == pytest.approx(said - bias, abs=1e-2)
        assert abs(bias - shift) < 200
    assert "said" in repr(found)


def test_steps_of_sequences_and_trees_have_maps() -> None:
    source = np.random.default_rng(0)
    values = source.normal(size=(80, 6, 2))
    classes = np.where(values[:, -1, 0] > 0, "up", "down")
    waves = cy.load((values, classes), kind="sequence")
    found = cy.explain(cy.fit(cy.Recipe(length="2 epochs"), waves), most=3)
    assert found.method == "integrated-gradients"
    assert found.maps.shape == (3, 6, 2)
    assert "step" in found.rows[0].strongest
    assert found.svg().count("<image") == 1 + 2 * 3
    tree = cy.explain(_fitted("wine", model="cart"), most=1)
    assert tree.method == "occlusion"


def test_images_without_feature_maps_have_another_method() -> None:
    run = _fitted("digits", model=cy.models.mlp(hidden=(8,)))
    assert cy.explain(run, most=1).method == "integrated-gradients"
    for method in ("cam", "grad-cam"):
        with pytest.raises(UsageError):
            cy.explain(run, most=1, method=method)


class Wrapped(nn.Module):
    """A user's own module, in place throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(inplace=True), nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Flatten()
        )
        self.head = nn.Linear(4 * 36, 10)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Images (batch, 1, 8, 8) to (batch, 10)."""
        made: torch.Tensor = self.head(self.body(inputs))
        return made


def _own(shapes: cy.Shapes) -> nn.Module:
    return Wrapped()


def test_a_users_own_module_is_explained_from_its_folder(tmp_path: Path) -> None:
    run = _fitted("digits", model=_own)
    place = run.save(tmp_path / "own").path
    found = cy.explain(place, most=2, model=_own)
    assert found.layer == "body.1"
    np.testing.assert_allclose(found.maps, cy.explain(run, most=2).maps, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "gradcam"}, "grad-cam"),
        ({"which": "wurst"}, "worst"),
        ({"which": []}, "give 1 to 256"),
        ({"which": [9999]}, "which"),
        ({"target": "eleven"}, "known"),
        ({"target": 10}, "target"),
        ({"layer": "conv9"}, "layer"),
        ({"method": "saliency", "layer": "0"}, "belongs to grad-cam"),
        ({"method": "saliency", "sample": 2}, "absolute"),
        ({"most": 0}, "most"),
    ],
)
def test_wrong_use_is_told(digits: cy.Run, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        cy.explain(digits, **options)
    assert said in str(caught.value.to_dict())


def test_what_has_no_answer_a_row_has_no_map() -> None:
    steps = np.random.default_rng(0).normal(size=(20, 5, 2)).astype(np.float32)
    data = cy.load((steps, np.tile([0, 1, 0, 1, 1], (20, 1))), kind="sequence", task="tagging")
    run = cy.fit(cy.Recipe(model="lstm", length="1 epochs"), data, doctor=False)
    with pytest.raises(UsageError, match="images, tables and sequences"):
        cy.explain(run)


# --- C123: CAM gives a heat map of the class evidence -----------------------------------------


def _planted(rows: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise with lines in a square of 5 x 5: lying are class 0, standing 1, none 2."""
    source = torch.Generator().manual_seed(seed)
    images = 0.5 * torch.randn(rows, 1, 20, 20, generator=source)
    classes = torch.randint(0, 3, (rows,), generator=source)
    corners = torch.randint(0, 16, (rows, 2), generator=source)
    lines = torch.zeros(5, 5)
    lines[::2] = 3.0
    kinds = (lines, lines.T, torch.zeros(5, 5))
    for image, which, (y, x) in zip(images, classes.tolist(), corners.tolist(), strict=True):
        image[0, y : y + 5, x : x + 5] += kinds[which]
    return images, classes, corners


def test_the_evidence_of_a_class_is_where_its_object_was_planted() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip
    rule = torch.optim.Adam(net.parameters(), 0.02)
    images, classes, _ = _planted(300, 0)
    for _ in range(60):
        rule.zero_grad()
        nn.functional.cross_entropy(net(images), classes).backward()
        rule.step()
    fresh, truth, corners = _planted(150, 1)
    assert float((net(fresh).argmax(1) == truth).double().mean()) > 0.9
    there = truth < 2
    for method in (cam, grad_cam):
        tops = method(net, fresh[there], truth[there]).flatten(1).argmax(1)
        places = torch.stack([tops // 20, tops % 20], 1)
        hit = ((places >= corners[there] - 1) & (places <= corners[there] + 5)).all(1)
        assert float(hit.double().mean()) > 0.8  # chance: 49 of 400 pixels


def test_too_few_steps_are_told(digits: cy.Run) -> None:
    few, many = (
        cy.explain(
            digits, most=2, method="integrated-gradients", steps=n, rule="riemann-left"
        ).notes
        for n in (1, 400)
    )
    assert "More steps" in few[-1]
    assert "More steps" not in many[-1]


# --- pictures ---------------------------------------------------------------------------------


def test_pictures_say_what_they_are(digits: cy.Run, wine: cy.Run, tmp_path: Path) -> None:
    found = cy.explain(digits, most=3, method="integrated-gradients")
    text = found.save(tmp_path / "seen.svg").read_text("utf-8")
    root = ElementTree.fromstring(text)
    words = " ".join("".join(e.itertext()) for e in root.iter() if e.tag.endswith("text"))
    assert "integrated gradients of cnn" in words
    assert "validation rows with the largest loss" in words
    assert "adds up" in words
    for row in found.rows:
        assert row.sentence in words
        assert f"why {row.target}: " in words
    pictures = [e for e in root.iter() if e.tag.endswith("image")]
    assert len(pictures) == 1 + 3 * 3
    assert all(e.get("href", "").startswith("data:image/") for e in pictures)
    png = found.save(tmp_path / "seen.png").read_bytes()
    with Image.open(io.BytesIO(png)) as image:
        assert image.width > 900
    again = cy.explain(digits, most=3, method="integrated-gradients")
    assert again.save(tmp_path / "again.png").read_bytes() == png
    assert str(again.sheet.svg()) == str(found.sheet.svg())
    bars = cy.explain(wine, most=2).svg()
    assert bars.count("<rect") == 2 * 10
    assert "3 more columns" in bars
    with pytest.raises(UsageError, match="svg or"):
        found.save(tmp_path / "seen.jpg")


def test_a_notebook_view_is_small(digits: cy.Run) -> None:
    photos = np.random.default_rng(0).integers(0, 256, (40, 96, 96, 3)).astype(np.uint8)
    model = cy.models.cnn(channels=(2, 2), hidden=())
    run = cy.fit(cy.Recipe(model=model, length="1 epochs"), cy.load((photos, ["a", "b"] * 20)))
    found = cy.explain(run, most=8)
    assert len(found._repr_html_()) <= 100_000
    assert len(cy.explain(digits)._repr_html_()) <= 100_000
    assert len(json.dumps(found.to_dict())) < 10_000


@settings(max_examples=30, deadline=None)
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_colours_are_even_and_signed(one: float, two: float) -> None:
    low, high = sorted((abs(one), abs(two)))
    for sign in (-1, 1):
        pale, dark = shade(np.array([sign * low, sign * high])).astype(float) @ [0.2, 0.7, 0.1]
        assert dark <= pale + 1
    red, _, blue = shade(np.array([one]))[0].astype(int)
    assert (red >= blue - 1) if one >= 0 else (blue >= red - 1)


def test_steps_of_colours_look_equal() -> None:
    """Lightness (CIELAB L*, which is not what they are made from) falls by nearly equal steps."""
    for sign, end in ((1, PLUS), (-1, MINUS)):
        rgb = shade(sign * np.linspace(0, 1, 11)) / 255
        assert tuple((rgb[-1] * 255).round().astype(int)) == end
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        lightness = 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16
        steps = -np.diff(lightness)
        assert steps.min() > 0.75 * steps.max()


def test_a_constant_map_has_no_colour() -> None:
    assert not as_shares(np.zeros((4, 4))).any()
    image = np.full((4, 4, 1), 255, np.uint8)
    assert (overlay(image, as_shares(np.zeros((4, 4)))) == 255).all()
    spiked = np.ones(1000)
    spiked[0] = 1e6  # one wild pixel does not take the colour of the others
    assert as_shares(spiked)[1] == 1.0


# --- command line -----------------------------------------------------------------------------


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main([*arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("method", [*METHODS, "grad-cam"])
def test_the_command_line_gives_what_python_gives(
    method: str, digits: cy.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(digits.save(tmp_path / "run").path)
    seen = str(tmp_path / "seen.svg")
    code, out, _ = _run(capsys, "explain", place, "--method", method, "--most", "2", "--out", seen,
                        "--json")  # fmt: skip
    made = json.loads(out)
    found = cy.explain(digits, most=2, method=method)
    assert code == 0
    for mine, theirs in zip(made["rows"], found.to_dict()["rows"], strict=True):
        for key, value in theirs.items():  # the last digits depend on the layout in memory
            near = pytest.approx(value, rel=1e-4, abs=1e-6) if isinstance(value, float) else value
            assert mine[key] == near or key == "strongest"
    assert made["picture"] == seen
    assert Path(seen).read_text("utf-8").count("<image") == 7


def test_the_command_line_takes_rows_files_and_options(
    digits: cy.Run, wine: cy.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(digits.save(tmp_path / "run").path)
    row = int(digits.split.valid[3]) + 1
    code, out, _ = _run(capsys, "explain", place, "--which", str(row), "--target", "8")
    assert code == 0
    assert f"{row:,}" in out
    assert "--out seen.svg" in out
    np.save(tmp_path / "new.npy", digits.data.inputs[:2])
    code, out, _ = _run(capsys, "explain", place, str(tmp_path / "new.npy"), "--method",
                        "occlusion", "--window", "3", "--stride", "1", "--json")  # fmt: skip
    assert code == 0
    assert [one["true"] for one in json.loads(out)["rows"]] == [None, None]
    table = str(wine.save(tmp_path / "wine").path)
    code, out, _ = _run(capsys, "explain", table, "--method", "integrated-gradients", "--steps",
                        "20", "--json")  # fmt: skip
    assert code == 0
    assert len(json.loads(out)["rows"][0]["columns"]) == 13
    for wrong, said in [
        (["--layer", "0", "--method", "saliency"], "belongs to grad-cam"),
        (["--which", "0"], "numbers from 1"),
        (["--which", "wurst"], "worst"),
        (["--most", "0"], "--most"),
        (["--out", "seen.gif"], "svg"),
        ([str(tmp_path / "new.npy"), "--which", "best"], "leave"),
        (["--target", "eleven"], "known"),
    ]:
        code, out, err = _run(capsys, "explain", place, *wrong)
        assert code == 2, wrong
        assert said in err, wrong


def test_no_validation_rows_is_told() -> None:
    split = cy.split(cy.load("iris"), valid=0, test=0.2, seed=0)
    run = cy.fit(cy.Recipe(model="softmax", length="2 epochs"), split)
    with pytest.raises(InputError, match="no validation rows"):
        cy.explain(run)
    found = cy.explain(run, which=[int(split.train[0])])
    assert "1 of them trained on" in found.notes[0]
