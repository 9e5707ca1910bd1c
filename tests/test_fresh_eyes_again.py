"""What a second fresh reader found in the function sets, so that it stays mended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.svm import SVC
from torch import nn

import chymist as cy
from chymist.engine.closed_form import dependence, least_squares
from chymist.errors import InputError, UsageError
from chymist.models import build_model
from chymist.models.trees import Rule, Sample, grow
from chymist.parts import part
from chymist.values import Shapes, Split

NONE = np.array([], np.int64)


def all_rows(x: np.ndarray, y: np.ndarray, task: str) -> Split:
    data = cy.load((x, y), task=task)
    return Split(data, np.arange(len(data)), NONE, NONE, 0, "all rows")


@pytest.mark.parametrize("halfway", [True, False])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_middle_that_is_rounded_up_still_cuts(halfway: bool, kind: type) -> None:
    """Both middles lie between neighbours, of which the upper one is the even one."""
    ids = np.repeat(np.arange(10_000_001, 10_000_101), 4).astype(np.float32)
    if kind is np.float64:
        ids = 1 + np.arange(1, 101).repeat(4) * np.finfo(np.float64).eps
    labels = (np.arange(400) // 4 >= 53).astype(int)
    sample = Sample(ids[:, None].astype(kind), labels, 2, np.array([0]))
    tree = grow(sample, np.ones(400), Rule("gain_ratio", 2.0, True, halfway, max_depth=4)).tree
    assert len(tree) == 3
    assert tree.value[1:].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert ids[labels == 0].max() <= tree.threshold[0] < ids[labels == 1].min()


def test_a_linear_machine_far_from_zero_is_the_one_at_zero(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    y = np.arange(60) % 2
    near = np.round(draw.normal(size=(60, 2)) * 8 + 12 * y[:, None])
    oracle = SVC(kernel="linear").fit(near, y)
    recipe = cy.Recipe(model=cy.models.svm(kernel="linear"), data=cy.prepare(scale="none"))
    run = cy.fit(recipe, all_rows(near + 1e5, y, "classification"), out=tmp_path / "run")
    assert run.model.support.dtype == torch.float32
    with torch.no_grad():
        found = run.model(torch.tensor(near + 1e5, dtype=torch.float32))[:, 0].numpy()
    np.testing.assert_allclose(found, oracle.decision_function(near), atol=1e-3)
    margin = cy.support_vectors(run).margins[0]
    assert margin == pytest.approx(1 / np.linalg.norm(oracle.coef_), rel=1e-3)
    saved = load_file(tmp_path / "run" / "model.safetensors")
    assert torch.equal(saved["middle"], run.model.middle)


def test_machines_from_before_the_middle_are_read() -> None:
    old = cy.models.svm(kernel="linear").build(Shapes((2,), 1))
    old.middle = torch.ones(2)
    stored = {name: values for name, values in old.state_dict().items() if name != "middle"}
    old.load_state_dict(stored)
    assert old.middle.tolist() == [0.0, 0.0]


def test_without_a_boundary_there_is_no_margin() -> None:
    rows = all_rows(np.zeros((8, 1)) + np.eye(8)[:, :1] * 0, np.arange(8) % 2, "classification")
    run = cy.fit(cy.Recipe(model=cy.models.svm(kernel="linear")), rows)
    assert "margin" not in run.facts["notes"][-1]
    assert np.isinf(cy.support_vectors(run).margins[0])


def test_units_that_see_one_place_start_by_the_fan_of_that_place() -> None:
    model = cy.models.cnn(channels=(8,), hidden=(), norm="none", shared=False)
    shapes = Shapes((4, 6, 6), 3)

    def weight(init: object) -> torch.Tensor:
        return build_model(model, shapes, 0, init)[0].weight.detach()  # type: ignore[arg-type]

    bound = (6 / (4 * 9 + 8 * 9)) ** 0.5  # 4 channels in, 8 out, a patch of 9
    found = weight(cy.initializers.xavier_uniform())
    assert 0.98 * bound < found.abs().max() <= bound
    each = weight(cy.initializers.orthogonal()).unflatten(0, (8, 36)).flatten(2)
    for place in each.unbind(1):
        torch.testing.assert_close(place @ place.T, torch.eye(8), atol=1e-5, rtol=0)
    assert not torch.equal(each[:, 0], each[:, 1])


def test_a_warm_start_asks_for_the_same_columns_and_classes(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    table = {name: draw.normal(size=40) for name in ("a", "b")}
    labels = np.where(table["a"] > 0, "yes", "no")
    recipe = cy.Recipe(model="softmax", length="1 epoch")
    cy.fit(recipe, cy.load({**table, "y": labels}, target="y"), out=tmp_path / "run")
    warm = recipe.replace(init=cy.initializers.from_run(path=str(tmp_path / "run")))
    turned = {"b": table["b"], "a": table["a"], "y": labels}
    with pytest.raises(InputError, match="has other columns in another order"):
        cy.fit(warm, cy.load(turned, target="y"))
    other = {**table, "y": np.where(labels == "yes", "good", "bad")}
    with pytest.raises(InputError, match="has other classes"):
        cy.fit(warm, cy.load(other, target="y"))
    more = {name: np.append(values, values[:3]) for name, values in table.items()}
    again = {**more, "y": np.append(labels, labels[:3])}
    assert cy.fit(warm, cy.load(again, target="y")).facts["steps"]


@pytest.mark.parametrize("model", ["c45", "cart", "random_forest", "boosting"])
def test_trees_keep_the_digits_of_large_numbers(model: str) -> None:
    seconds = (1.6e9 + np.arange(80.0))[:, None]
    split = all_rows(seconds, (np.arange(80) >= 37).astype(int), "classification")
    run = cy.fit(cy.Recipe(model=model), split, doctor=False)
    assert run.score.value == 1.0
    if model == "cart":
        assert "<= 1600000036.5" in str(cy.tree_of(run))
    assert (cy.predict(run, seconds).astype(int) == split.data.targets).all()


def test_rounding_to_single_precision_is_not_fitted() -> None:
    draw = np.random.default_rng(0)
    celsius = draw.uniform(0, 30, 200)
    x = np.stack([celsius, 32 + 1.8 * celsius], 1).astype(np.float32)
    y = celsius + draw.normal(size=200)
    z = ((x - x.mean(0, np.float64)) / x.std(0, dtype=np.float64)).astype(np.float32)
    expected = np.linalg.pinv(z, 1e-6) @ (y - y.mean())
    weights, _ = least_squares(z, y[:, None], single=True)
    np.testing.assert_allclose(weights[:, 0], expected, rtol=1e-6)
    assert "rank 1 of 2" in dependence(z, single=True)[0]
    assert "nearly" in dependence(z)[0]  # of double precision their difference is data
    for optimizer in ("closed_form", "irls"):
        recipe = cy.Recipe(model="linear", optimizer=optimizer)
        run = cy.fit(recipe, all_rows(x, y, "regression"), doctor=False)
        found = run.model[1].weight.detach()[0].numpy()
        np.testing.assert_allclose(found, expected / y.std(), rtol=1e-5)
        assert [note[:46] for note in run.facts["notes"]] == [
            "columns depend on each other: rank 1 of 2, so "
        ]


class _Bent(nn.Module):
    """An affine layer, and something after it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.layer(x).exp()
        return made


@pytest.mark.parametrize("optimizer", ["closed_form", "irls"])
@pytest.mark.parametrize(
    "model",
    [
        _Bent,
        lambda: nn.Sequential(nn.Linear(3, 1), nn.ReLU()),
        lambda: nn.Linear(3, 1, bias=False),
        lambda: nn.Sequential(
            nn.Unflatten(1, (3, 1)), nn.Linear(1, 1), nn.Flatten(), nn.AvgPool1d(3)
        ),
    ],
)
def test_what_is_not_one_affine_map_is_not_solved(optimizer: str, model: object) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3))
    recipe = cy.Recipe(model=model, loss="mse", optimizer=optimizer)
    with pytest.raises(UsageError, match="one affine layer"):
        cy.fit(recipe, all_rows(x, x.sum(1), "regression"), doctor=False)


@pytest.mark.parametrize("before", [nn.Dropout(0.5), nn.BatchNorm1d(3, affine=False)])
@pytest.mark.parametrize("optimizer", ["closed_form", "irls"])
def test_a_model_is_solved_as_it_is_scored(before: nn.Module, optimizer: str) -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    recipe = cy.Recipe(model=nn.Sequential(before, nn.Linear(3, 1)), optimizer=optimizer)
    recipe = recipe.replace(loss="mse", data=cy.prepare(scale="minmax"))
    run = cy.fit(recipe, all_rows(x, x @ [1.0, -2.0, 3.0], "regression"), doctor=False)
    assert run.facts["notes"] == []
    assert run.history["train_loss"][-1, 1] < 1e-10


def separable() -> Split:
    x = np.random.default_rng(0).normal(size=(40, 2))
    return all_rows(x + 20 * (np.arange(40) % 2)[:, None], np.arange(40) % 2, "classification")


def test_no_smoothing_is_no_smoothing_when_it_is_said() -> None:
    loss = part("loss", "cross_entropy", label_smoothing=0.0)
    recipe = cy.Recipe(model="softmax", loss=loss, optimizer="irls")
    assert "separates" in cy.fit(recipe, separable(), doctor=False).facts["notes"][0]


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        ("linear", "binary_cross_entropy"), ("polynomial", None), ("random_features", None),
        (cy.models.mlp(hidden=()), None), (lambda: nn.Linear(2, 2), None),
    ],
)  # fmt: skip
def test_every_affine_model_says_that_rows_are_separated(model: object, loss: object) -> None:
    recipe = cy.Recipe(model=model, loss=loss, optimizer=cy.optim.adam(lr=0.1), length="60 epochs")
    notes = cy.fit(recipe, separable(), doctor=False).facts["notes"]
    assert any("separates" in note for note in notes)
    bent = recipe.replace(model=cy.models.mlp(hidden=(4,)), loss=None)
    notes = cy.fit(bent, separable(), doctor=False).facts["notes"]
    assert not any("separates" in note for note in notes)


def test_rates_of_nothing_counted_fall_for_ever() -> None:
    draw = np.random.default_rng(0)
    group = np.arange(90) % 3
    y = np.where(group == 2, 0, draw.poisson(4.0, 90)).astype(float)
    x = np.eye(3)[group][:, 1:]
    model = cy.models.generalized_linear(link="log")

    def notes(y: np.ndarray, **options: float) -> list[str]:
        recipe = cy.Recipe(model=model, optimizer=cy.optim.irls(**options))
        found: list[str] = cy.fit(recipe, all_rows(x, y, "regression"), doctor=False).facts["notes"]
        return found

    for empty in (y, np.zeros(90)):
        assert any("counts of some rows are all 0" in note for note in notes(empty))
        assert notes(empty, l2=1.0) == []
    assert notes(y + (np.arange(90) % 2)) == []
