"""What a fresh reader found in the function sets, so that it stays mended."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist import losses
from chymist.cli import main
from chymist.engine.second_order import newton_direction
from chymist.errors import Diverged, UsageError


def test_runs_from_before_the_new_slots_are_read(tmp_path: Path) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    folder = tmp_path / "run"
    run = cy.fit(cy.Recipe(model="softmax", length="3 epochs"), split, out=folder)
    recipe = folder / "recipe.toml"
    text = recipe.read_text("utf-8")
    for slot in ("init", "penalty", "gradient_noise", "augment"):
        text, found = re.subn(rf"\[{slot}\]\n(?:[^\[\n].*\n)*", "", text)
        found += re.subn(rf"^{slot} = .*\n", "", text, flags=re.MULTILINE)[1]
        text = re.sub(rf"^{slot} = .*\n", "", text, flags=re.MULTILINE)
        assert found == 1, slot
    recipe.write_text(text, "utf-8")
    again = cy.load_run(folder)
    assert again.score == run.score
    assert cy.evaluate(again, split="valid").score.value == run.score.value


def test_newton_ends_where_derivatives_do() -> None:
    with pytest.raises(Diverged, match="not finite"):
        newton_direction(torch.tensor([[float("nan")]]), torch.tensor([1.0]))
    split = cy.split(cy.load("iris"), seed=0)
    with pytest.raises(UsageError, match="damping"):
        cy.optim.newton(damping=float("inf"))
    with pytest.raises(UsageError, match="bends"):
        cy.fit(cy.Recipe(model="linear_svm", optimizer="newton"), split)


def test_a_softmax_over_rows_is_not_stacked() -> None:
    def model(shapes: cy.Shapes) -> nn.Module:
        layers = nn.Linear(4, 5), nn.Softmax(0), nn.Linear(5, shapes.outputs)
        return nn.Sequential(nn.Flatten(), *layers).double()

    recipe = cy.Recipe(model=model, length="20 steps", stop="none", precision="float64")
    split = cy.split(cy.load("iris"), seed=0)
    members = cy.fit_population(recipe, split, seeds=2)
    alone = cy.fit(recipe, split, seed=1).model.state_dict()
    for name, values in members.run(1).model.state_dict().items():
        torch.testing.assert_close(values, alone[name], rtol=0, atol=1e-9)


def test_a_support_vector_machine_takes_its_own_losses_only() -> None:
    for model, loss, data in (
        ("svr", "hinge", "breast_cancer"), ("svm", "mse", "diabetes"), ("svr", "poisson", "diabetes"),
    ):  # fmt: skip
        with pytest.raises(
            UsageError, match=r"is not for this loss|is for (regression|classification)"
        ):
            cy.fit(cy.Recipe(model=model, loss=loss), cy.split(cy.load(data), seed=0))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_focal_loss_has_a_slope_at_sure_rows(gamma: float) -> None:
    outputs = torch.tensor([[30.0, 0.0], [1.0, 0.0]], requires_grad=True)
    losses.focal(outputs, torch.tensor([0, 0]), gamma=gamma).backward()
    assert outputs.grad is not None
    assert bool(outputs.grad.isfinite().all())
    assert bool((outputs.grad[1] != 0).all())


def test_a_decay_by_default_is_a_decay() -> None:
    x = np.array([[-2.0], [-1.0], [1.0], [2.0]] * 8)
    split = cy.split(cy.load((x, x[:, 0] > 0)), test=0, valid=0.25, seed=0)
    for optimizer, said in ((cy.optim.adamw(lr=0.1), False), (cy.optim.adam(lr=0.1), True)):
        run = cy.fit(cy.Recipe(model="logistic", optimizer=optimizer), split)
        assert any("weights grow" in note for note in run.facts["notes"]) == said


def test_a_watched_training_loss_selects_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    schedule = cy.schedules.plateau(monitor="train_loss")
    run = cy.fit(cy.Recipe(model="softmax", schedule=schedule, length="5 epochs"), split)
    assert run.score.selected_on is None
    assert cy.evaluate(run, split="valid").score.selected_on is None
    words = ["fit", "iris", "--optimizer", "lbfgs", "--model", "softmax", "--schedule", "plateau"]
    assert main(words) == 2
    assert "'lbfgs' does not read this, in schedule" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--optimizer", "closed_form", "--optimizer.l2", "inf"],
        ["--init", "uniform", "--init.bound", "inf"],
        ["--optimizer", "adam", "--optimizer.lr", "nan"],
    ],
)
def test_no_option_is_infinite(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "diabetes", "--model", "linear", *words]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_empty_cells_are_for_trees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "holes.csv"
    rows = [f"{n % 7 if n % 5 else ''},{n % 3},{'yes' if n % 2 else 'no'}" for n in range(60)]
    table.write_text("\n".join(["a,b,y", *rows]) + "\n", "utf-8")
    for model in ("svm", "gaussian", "logistic", "mlp"):
        words = ["fit", str(table), "--target", "y", "--model", model, "--data.missing", "keep"]
        assert main(words) == 2
        assert "only trees take empty cells" in capsys.readouterr().err


def test_c45_cuts_by_columns_of_many_values_where_there_are_no_others() -> None:
    from chymist.models.trees import Rule, Sample, grow

    inputs = np.array([[n % 4, n // 3] for n in range(12)], float)
    sample = Sample(inputs, (inputs[:, 0] < 2).astype(int), 2, np.array([4, 4]))
    assert len(grow(sample, np.ones(12), Rule("gain_ratio")).tree) == 5


def test_slopes_of_far_points_are_not_lost_in_rounding() -> None:
    assert cy.maths.directional_derivative(lambda x: x[0], [1e10], [1]) == pytest.approx(1.0)
