"""Feature maps, the wall, made images and nearest rows of runs, in Python and as commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.neighbors import NearestNeighbors

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.explanation.features import layer_outputs
from chymist.explanation.unit_fields import unit_fields
from chymist.keys import generator

CNN = cy.models.cnn(channels=(6, 8), hidden=(12,), dropout=0.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> cy.Run:
    recipe = cy.Recipe(model=CNN, length="2 epochs")
    made: cy.Run = cy.fit(recipe, cy.split(cy.load("digits"), seed=0), threads=1)
    return made.save(tmp_path_factory.mktemp("units") / "digits")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> cy.Run:
    """Texts that are about the sea or about bread."""
    rng = generator(0, "texts")
    sea, bread = ["wave", "salt", "ship", "gull"], ["dough", "oven", "salt", "crust"]
    rows = [" ".join(rng.choice(bread if n % 2 else sea, 6)) for n in range(120)]
    data = cy.load((rows, ["sea", "bread"] * 60), kind="text")
    recipe = cy.Recipe(model=cy.models.text_cnn(), length="3 epochs")
    return cy.fit(recipe, cy.split(data, seed=0), threads=1)


def prepared(run: cy.Run, rows: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(run.preparation.inputs(run.data.take(rows)))


def test_feature_maps_are_the_hidden_outputs_of_the_rows(run: cy.Run, tmp_path: Path) -> None:
    found = cy.feature_maps(run, [3, 7])
    names = [one.layer.name for one in found.layers]
    expected = layer_outputs(run.model, [prepared(run, np.array([3, 7]))], names)
    for one in found.layers:
        np.testing.assert_array_equal(one.values, expected[one.layer.name])
    assert found.chosen.names == ("4", "8")
    assert found.chosen.said == tuple(cy.predict(run, np.asarray(run.data.take(np.array([3, 7])))))
    found.save(tmp_path / "maps.svg")
    found.save(tmp_path / "maps.png")
    drawn = (tmp_path / "maps.svg").read_text("utf-8")
    assert drawn.count("<image") == 2 * (1 + sum(
        len(one.shown) if one.values.ndim == 4 else 1 for one in found.layers))  # fmt: skip
    assert "Black is the least" in drawn
    assert len(found._repr_html_()) <= 100_000


def test_rows_that_are_not_given_are_the_worst_answered(run: cy.Run) -> None:
    found = cy.feature_maps(run, layer="0")
    truth = run.predictions.outputs[np.arange(len(run.predictions.rows)), run.predictions.targets]
    assert found.chosen.numbers is not None
    assert found.chosen.numbers.tolist() == [int(run.predictions.rows[truth.argmin()])]
    assert found.layers[0].layer.shape == (6, 8, 8)


def test_a_dead_unit_is_said_and_crossed_out(run: cy.Run) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(inplace=True),
                                torch.nn.Flatten(), torch.nn.Linear(108, 10))  # fmt: skip
    with torch.no_grad():
        model[0].bias[1], model[0].weight[1] = -1.0, 0.0
    own = cy.fit(cy.Recipe(model=model, length="1 steps"), run.split, threads=1)
    found = cy.feature_maps(own, [0], "1")
    assert found.layers[0].dead.tolist() == [False, True, False]
    cells = found.pictures.rows[1].cells
    assert [cell.crossed for cell in cells] == [False, True, False]
    with torch.no_grad():
        assert cy.feature_maps(own, [0], "0").layers[0].values.min() < 0  # not what ReLU left


def test_every_patch_of_the_wall_is_the_largest_by_brute_force(run: cy.Run) -> None:
    wall = cy.feature_wall(run, units=3, patches=4, rows=60, steps=0)
    split = run.split
    some = np.unique(np.concatenate([u.rows for one in wall.layers for u in one.units]))
    assert np.isin(some, split.train).all()
    for one in wall.layers[:-1]:
        name = one.layer.name
        fields = unit_fields(run.model, (1, 8, 8), [name])[name]
        for unit in one.units:
            assert len(set(unit.rows.tolist())) == 4
            maps = layer_outputs(run.model, [prepared(run, unit.rows)], [name])[name]
            for k, row in enumerate(unit.rows):
                own = maps[k, unit.number]
                assert unit.values[k] == own.max()
                box = fields.box(int(own.argmax()))
                assert tuple(unit.boxes[k]) == box
                raw = np.asarray(run.data.take(np.array([row])))[0]
                np.testing.assert_array_equal(
                    unit.patches[k], raw[box[0] : box[1], box[2] : box[3]]
                )
                assert patch_decides(run, row, box, name, unit.number, int(own.argmax()))
    outputs = wall.layers[-1]
    assert [unit.name for unit in outputs.units] == ["0", "1", "2"]
    assert outputs.units[0].patches[0].shape == (8, 8, 1)


def patch_decides(
    run: cy.Run, row: int, box: tuple[int, int, int, int], name: str, unit: int, place: int
) -> bool:
    """Whether other pixels outside of the box leave the unit as it is."""
    raw = np.asarray(run.data.take(np.array([row]))).copy()
    other = generator(row, "other pixels").integers(0, 17, raw.shape).astype(raw.dtype)
    other[:, box[0] : box[1], box[2] : box[3]] = raw[:, box[0] : box[1], box[2] : box[3]]
    both = np.concatenate([raw, other])
    maps = layer_outputs(run.model, [torch.from_numpy(run.preparation.inputs(both))], [name])[name]
    first, second = maps[:, unit].reshape(2, -1)[:, place]
    return bool(np.isclose(first, second, rtol=1e-4, atol=1e-5))


def test_the_wall_takes_the_largest_of_all_rows(run: cy.Run) -> None:
    wall = cy.feature_wall(run, ["0"], units=6, patches=5, rows=10_000, steps=0)
    rows = np.sort(run.split.train)
    maps = layer_outputs(run.model, [prepared(run, rows)], ["0"])["0"].reshape(len(rows), 6, -1)
    for unit in wall.layers[0].units:
        most = maps[:, unit.number].max(1)
        assert unit.rows.tolist() == rows[np.argsort(-most, kind="stable")[:5]].tolist()


def test_the_wall_is_drawn_with_made_images(run: cy.Run, tmp_path: Path) -> None:
    wall = cy.feature_wall(run, units=2, patches=2, rows=50, steps=10)
    assert all(unit.made is not None for one in wall.layers for unit in one.units)
    assert wall.layers[0].units[0].made.shape == (3, 3, 1)  # type: ignore[union-attr]
    wall.save(tmp_path / "wall.png")
    assert (tmp_path / "wall.png").read_bytes()[:4] == b"\x89PNG"
    assert len(wall._repr_html_()) <= 100_000
    assert wall.to_dict()["layers"][0]["units"][0]["made"] is not None


def test_a_made_image_excites_its_class_more_than_any_row_and_is_one(run: cy.Run) -> None:
    made = cy.maximize_activation(run, "3", steps=60, seeds=2)
    again = cy.maximize_activation(run, "3", steps=60, seeds=2)
    np.testing.assert_array_equal(made.images, again.images)
    assert made.images.shape == (2, 8, 8, 1)
    assert made.images.min() >= 0
    assert made.images.max() <= 16
    # What was reached is what the model says of the image that is shown.
    shown = torch.from_numpy(run.preparation.inputs(made.images))
    with torch.no_grad():
        np.testing.assert_allclose(made.reached, run.model(shown)[:, 3].numpy(), rtol=1e-4)
        some = run.model(prepared(run, np.sort(run.split.train)))[:, 3].numpy()
    assert (made.reached > made.best_value).all()
    assert made.best_value <= some.max() + 1e-5
    assert made.rows == 1000
    assert "more than for any of 1,000 training rows" in made.verdict


def test_a_unit_of_a_layer_is_compared_with_rows_as_it_is_read(run: cy.Run) -> None:
    made = cy.maximize_activation(run, 2, "0", place="mean", steps=20, seeds=1, rows=5000)
    rows = np.sort(run.split.train)
    means = layer_outputs(run.model, [prepared(run, rows)], ["0"])["0"][:, 2].mean((1, 2))
    assert made.best_value == pytest.approx(means.max(), rel=1e-5)
    assert made.best_row == rows[means.argmax()]
    blank = cy.maximize_activation(run, 2, "0", start="blank", steps=20)
    assert len(blank.images) == 1


def test_what_does_not_move_is_said(run: cy.Run) -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    own = cy.fit(cy.Recipe(model=model, length="1 steps"), run.split, threads=1)
    with torch.no_grad():
        own.model[1].weight[4] = 0.0
    with pytest.raises(InputError, match="does not change with the image"):
        cy.maximize_activation(own, 4, steps=2)


def test_nearest_rows_are_those_of_scikit_learn_in_features_and_pixels(run: cy.Run) -> None:
    found = cy.nearest_examples(run, [0, 5], k=4, metric="euclidean")
    train = np.sort(run.split.train)
    last = found.layer
    features = layer_outputs(run.model, [prepared(run, np.arange(len(run.data)))], [last], True)
    for space, matrix in (
        ("features", features[last]),
        ("inputs", prepared(run, np.arange(len(run.data))).flatten(1).numpy()),
    ):
        flat = matrix.reshape(len(run.data), -1).astype(np.float64)
        for at, row in enumerate([0, 5]):
            others = train[train != row]  # not itself
            theirs = NearestNeighbors(n_neighbors=4).fit(flat[others])
            _, places = theirs.kneighbors(flat[[row]])
            assert found.rows[space][at].tolist() == others[places[0]].tolist()
    # Agreement on validation rows, by hand.
    theirs = NearestNeighbors(n_neighbors=4).fit(features[last][train])
    asked = np.sort(run.split.valid)
    _, places = theirs.kneighbors(features[last][asked])
    said = cy.predict(run, np.asarray(run.data.take(asked)))
    classes = np.array(run.data.classes)[run.data.targets[train[places]]]
    share = (classes == said[:, None]).mean()
    assert found.agreement["features"].value == pytest.approx(share, abs=1e-3)
    assert found.asked == len(asked)
    assert found.hidden
    assert found.agreement["features"].low < share < found.agreement["features"].high


def test_of_a_model_without_hidden_layers_the_features_are_the_inputs() -> None:
    split = cy.split(cy.load("iris"), seed=0)
    run = cy.fit(cy.Recipe(model="softmax", length="2 epochs"), split, threads=1)
    found = cy.nearest_examples(run, split.valid[:1], k=2)
    assert not found.hidden
    assert "the inputs: no layer with weights" in found.verdict
    assert str(found.agreement["features"]) == str(found.agreement["inputs"])


def test_a_layer_may_be_named(run: cy.Run) -> None:
    by_name = cy.nearest_examples(run, [1], "0", k=2)
    assert not by_name.reads
    assert by_name.layer == "0"
    assert len(by_name._repr_html_()) <= 100_000


def test_texts_are_beside_texts_with_the_same_words(words: cy.Run) -> None:
    row = int(
        next(n for n in words.split.valid if words.data.classes[words.data.targets[n]] == "sea")
    )
    found = cy.nearest_examples(words, [row], k=3)
    assert {found.labels[n] for n in found.rows["features"][0].tolist()} == {"sea"}
    texts = list(words.data.take(np.arange(len(words.data))))
    counts = CountVectorizer(vocabulary=sorted(set(" ".join(texts).split()))).fit_transform(texts)
    train = np.sort(words.split.train)
    theirs = NearestNeighbors(n_neighbors=3, metric="cosine").fit(counts[train])
    distances, _ = theirs.kneighbors(counts[row])
    np.testing.assert_allclose(found.distances["inputs"][0], distances[0], atol=1e-9)
    assert "wave" in repr(found) or "ship" in repr(found)
    with pytest.raises(UsageError, match="picture"):
        found.save("nearest.png")
    assert "<table" in found._repr_html_()


def test_tables_and_values_have_neighbours_too() -> None:
    data = cy.load("diabetes")
    run = cy.fit(cy.Recipe(model="mlp", length="2 epochs"), cy.split(data, seed=0), threads=1)
    rows = run.split.valid[:1]
    found = cy.nearest_examples(run, rows, k=2)
    assert found.agreement == {}
    assert found.rows["inputs"].shape == (1, 2)
    maps = cy.feature_maps(run, rows)
    assert maps.layers[-1].values.shape == (1, 1)


def test_kernels_of_a_deeper_layer_are_drawn_slice_by_slice(run: cy.Run, tmp_path: Path) -> None:
    names = [name for name, part in run.model.named_modules() if isinstance(part, torch.nn.Conv2d)]
    found = cy.show_weights(run, layer=names[1])
    weight = dict(run.model.named_modules())[names[1]].weight.detach().numpy()
    np.testing.assert_array_equal(found.weights, weight.transpose(0, 2, 3, 1))
    rows = found.captioned.rows
    assert [len(row.cells) for row in rows] == [6] * 8
    most = np.abs(weight[0]).max()
    expected = np.round(255 * (weight[0, 4].astype(np.float64) / most + 1) / 2)
    np.testing.assert_array_equal(rows[0].cells[4].image[..., 0], expected)
    assert "slices of its kernel" in found.captioned.note
    found.save(tmp_path / "kernels.svg")
    with pytest.raises(UsageError, match="no such convolution"):
        cy.show_weights(run, layer="nothing")


COMMANDS = {
    "filters": ["--layer", "0"], "feature-maps": ["--which", "4,8", "--units", "2"],
    "maximize": ["--unit", "3", "--steps", "5", "--seeds", "1"],
    "wall": ["--layer", "0", "--units", "1", "--patches", "2", "--steps", "2"],
    "neighbors": ["--k", "2", "--which", "4"],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_each_method_is_a_command(
    name: str, run: cy.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "seen.svg"
    words = ["explain", str(run.path), "--method", name, *COMMANDS[name], "--out", str(out)]
    assert main([*words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["method"] == name
    assert found["picture"] == str(out)
    assert out.read_text("utf-8").startswith("<svg")
    assert main(words) == 0
    assert "Files" in capsys.readouterr().out


WRONG = {
    "--layer nothing": (["--method", "wall", "--layer", "nothing"], "no such layer"),
    "no unit": (["--method", "maximize"], "for which unit"),
    "no class": (["--method", "maximize", "--unit", "eleven"], "no such class"),
    "no row": (["--method", "neighbors", "--which", "99999"], "no such row"),
    "row 0": (["--method", "feature-maps", "--which", "0"], "no row number"),
    "metric": (["--method", "neighbors", "--metric", "manhattan"], "unknown metric"),
    "scale": (["--method", "feature-maps", "--scale", "row"], "unknown scale"),
    "place": (["--method", "maximize", "--unit", "1", "--place", "edge"], "unknown place"),
    "ending": (["--method", "wall", "--out", "wall.gif"], "ends in .svg or .png"),
    "option of another": (["--method", "wall", "--metric", "cosine"], "has no such option"),
    "rows of none": (["rows.csv", "--method", "wall"], "looks at no rows"),
    "too many": (["--method", "neighbors", "--k", "1001"], "k"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(
    case: str, run: cy.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    words, said = WRONG[case]
    assert main(["explain", str(run.path), *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


@pytest.mark.parametrize("look", [cy.feature_maps, cy.nearest_examples])
def test_test_rows_stay_sealed(look: Callable[..., Any]) -> None:
    split = cy.split(cy.load("digits"), test=0.2, seed=0)
    run = cy.fit(
        cy.Recipe(model=cy.models.mlp(hidden=(4,)), length="1 epochs"), split, doctor=False
    )
    row = int(split.test[0])
    with pytest.raises(cy.UsageError, match=f"test rows are sealed, in rows: got row {row + 1:,}"):
        look(run, [row])
