"""From data to a run: the verbs end to end on small real data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import chymist as cy
from chymist.engine.defaults import complete
from chymist.engine.events import Epoch, Step
from chymist.errors import Diverged, InputError, Interrupted, UsageError
from chymist.parts import spelled

SHORT = cy.Recipe(model="mlp", length="8 epochs", batch_size=16, stop="none")

# The ten rows of the course: combat power before and after evolution.
CP = np.array([338, 333, 328, 207, 226, 25, 179, 60, 208, 606], float)
NEW = np.array([640, 633, 619, 393, 428, 27, 193, 66, 226, 1591], float)


@pytest.fixture(scope="module")
def iris() -> cy.Split:
    return cy.split(cy.load("iris"), seed=0)


def test_a_run_holds_what_the_contract_says(iris: cy.Split, tmp_path: Path) -> None:
    run = cy.fit(SHORT, iris, seed=3, out=tmp_path / "run")
    assert run.score.metric == "accuracy"
    assert run.score.split == "valid"
    assert run.score.selected_on is None
    assert run.score.n == len(iris.valid) == 30
    assert run.score.low <= run.score.value <= run.score.high
    assert {floor.name for floor in run.floors} >= {"majority class", "nearest neighbour"}
    values = [floor.score.value for floor in run.floors]
    assert values == sorted(values, reverse=True)
    assert run.recipe.batch_size == 16
    assert run.facts["steps"] == 8 * run.facts["steps_per_epoch"] == len(run.history["loss"])
    assert 0 <= run.facts["waiting_for_data"] < 1
    assert not run.model.training
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names >= {
        "recipe.toml", "split.json", "data.json", "environment.json", "records.sqlite",
        "checkpoints", "result.json", "model.safetensors", "valid.npz", "report.html",
    }  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    rows = json.loads((tmp_path / "run" / "split.json").read_text())
    assert rows["train"] == iris.train.tolist()
    assert rows["test"] == iris.test.tolist()


def test_one_seed_is_one_result_bit_for_bit(iris: cy.Split, tmp_path: Path) -> None:
    recipe = SHORT.replace(model=cy.models.mlp(dropout=0.3))
    paths = [
        cy.fit(recipe, iris, seed=s, out=tmp_path / str(i)).path for i, s in enumerate([1, 1, 2])
    ]
    first, second, other = ((p / "model.safetensors").read_bytes() for p in paths)
    assert first == second != other


def test_fit_leaves_the_callers_random_state_and_threads_alone(iris: cy.Split) -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002  # the global state is what is looked at
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    cy.fit(SHORT, iris, threads="auto")
    assert torch.equal(before, torch.get_rng_state())
    assert (state == np.random.get_state()[1]).all()  # noqa: NPY002
    assert torch.get_num_threads() == threads


def test_test_rows_have_no_influence(tmp_path: Path) -> None:
    data = cy.load("iris")
    split = cy.split(data, seed=0)
    spoilt = {name: cells.copy() for name, cells in data.inputs.items()}
    for cells in spoilt.values():
        cells[split.test] = 1e6
    targets = data.targets.copy()
    targets[split.test] = 0
    other = cy.Data("iris", "table", data.task, spoilt, targets, data.classes, data.columns)
    again = cy.Split(other, split.train, split.valid, split.test)
    a, b = cy.fit(SHORT, split), cy.fit(SHORT, again)
    for x, y in zip(a.model.parameters(), b.model.parameters(), strict=True):
        assert torch.equal(x, y)
    assert a.score == b.score


def test_a_killed_run_resumes_to_the_same_bits(iris: cy.Split, tmp_path: Path) -> None:
    recipe = SHORT.replace(
        model=cy.models.mlp(dropout=0.2), stop=cy.stop.early("val_loss", patience="50 epochs")
    )
    whole = cy.fit(recipe, iris, seed=1, out=tmp_path / "whole")
    steps: list[int] = []

    def watch(event) -> None:
        if isinstance(event, Step):
            steps.append(event.step)

    with pytest.raises(Interrupted):
        cy.fit(recipe, iris, seed=1, out=tmp_path / "cut", observer=watch,
               interrupted=lambda: len(steps) == 21)  # fmt: skip
    run, step, problems = cy.resume(tmp_path / "cut")
    assert (step, problems) == (21, [])
    a, b = (load_file(p / "model.safetensors") for p in (whole.path, run.path))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert run.score == whole.score
    for name in whole.history:
        np.testing.assert_array_equal(whole.history[name], run.history[name])
    again, step, _ = cy.resume(tmp_path / "cut")
    assert step == run.facts["steps"]
    assert again.score == run.score


def test_a_run_without_checkpoint_resumes_at_step_zero(iris: cy.Split, tmp_path: Path) -> None:
    import shutil

    recipe = SHORT
    whole = cy.fit(recipe, iris, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        cy.fit(recipe, iris, out=tmp_path / "cut", interrupted=lambda: True)
    for path in (tmp_path / "cut" / "checkpoints").iterdir():
        shutil.rmtree(path)
    run, step, _ = cy.resume(tmp_path / "cut")
    assert step == 0
    assert run.score == whole.score


def test_a_diverging_run_keeps_its_record_and_says_so(iris: cy.Split, tmp_path: Path) -> None:
    recipe = SHORT.replace(optimizer=cy.optim.sgd(lr=1e30), schedule="constant")
    with pytest.raises(Diverged, match="learning rate"):
        cy.fit(recipe, iris, out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "diverged"
    with pytest.raises(InputError, match="no result"):
        cy.load_run(tmp_path / "run")


def test_early_stopping_is_said_to_be_optimistic(iris: cy.Split) -> None:
    run = cy.fit(SHORT.replace(stop=cy.stop.early(patience="2 epochs")), iris)
    assert run.score.selected_on == "val_loss"
    with pytest.raises(UsageError, match="did you mean 'val_accuracy'"):
        cy.fit(SHORT.replace(stop=cy.stop.early("val_acuracy")), iris)


def test_looks_at_test_rows_are_counted(iris: cy.Split) -> None:
    runs = [cy.fit(SHORT, iris, seed=seed) for seed in (0, 1)]
    looks = [cy.evaluate(run).looks for run in (runs[0], runs[0], runs[1])]
    assert [(found.count, found.runs) for found in looks] == [(1, 1), (2, 1), (3, 2)]
    assert cy.evaluate(runs[0], split="valid").looks is None
    assert cy.evaluate(runs[0], split="valid").score == runs[0].score


def test_a_run_is_read_back_whole(iris: cy.Split, tmp_path: Path) -> None:
    run = cy.fit(SHORT, iris, out=tmp_path / "run")
    back = cy.load_run(tmp_path / "run")
    assert back.score == run.score
    assert back.recipe == run.recipe
    assert back.split == run.split
    assert back.verdict == run.verdict
    np.testing.assert_array_equal(back.predictions.outputs, run.predictions.outputs)
    np.testing.assert_array_equal(
        cy.predict(back, run.data.inputs), cy.predict(run, run.data.inputs)
    )
    assert [row["state"] for row in cy.list_runs(tmp_path)] == ["finished"]


def test_a_temporary_run_can_be_saved(iris: cy.Split, tmp_path: Path) -> None:
    run = cy.fit(SHORT, iris)
    assert run.path.exists()
    saved = run.save(tmp_path / "kept")
    assert saved.path == tmp_path / "kept"
    assert (saved.path / "report.html").exists()
    place = run.path
    del run
    import gc

    gc.collect()
    assert not place.exists()
    assert cy.load_run(tmp_path / "kept").score == saved.score


def test_the_course_line_in_closed_form_and_by_descent() -> None:
    data = cy.load(({"cp": CP}, NEW), name="pokemon10", task="regression")
    split = cy.split(data, test=0, valid=0)
    exact = cy.coefficients(cy.fit(cy.Recipe(model="linear"), split))
    assert exact.intercept[0] == pytest.approx(-188.433, abs=1e-3)
    assert exact.weights[0, 0] == pytest.approx(2.66946, abs=1e-5)
    recipe = cy.Recipe(model="linear", optimizer=cy.optim.sgd(lr=0.1), batch_size="all",
                       schedule="constant", length="400 steps", precision="float64")  # fmt: skip
    descent = cy.coefficients(cy.fit(recipe, split))
    assert descent.intercept[0] == pytest.approx(exact.intercept[0], abs=1e-3)
    assert descent.weights[0, 0] == pytest.approx(exact.weights[0, 0], abs=1e-3)


def test_linear_coefficients_equal_scikit_learn() -> None:
    from sklearn.linear_model import LinearRegression

    split = cy.split(cy.load("diabetes"), seed=0)
    run = cy.fit(cy.Recipe(model="linear", precision="float64"), split)
    found = cy.coefficients(run)
    x = np.stack([split.data.inputs[name] for name in found.names], 1)[split.train]
    oracle = LinearRegression().fit(x, split.data.targets[split.train])
    np.testing.assert_allclose(found.weights[:, 0], oracle.coef_, rtol=1e-4)
    assert found.intercept[0] == pytest.approx(oracle.intercept_, rel=1e-5)
    assert run.score.value == pytest.approx(
        np.sqrt(np.mean((oracle.predict(
            np.stack([split.data.inputs[n] for n in found.names], 1)[split.valid]
        ) - split.data.targets[split.valid]) ** 2)), rel=1e-5,
    )  # fmt: skip


def test_logistic_and_softmax_agree_on_two_classes() -> None:
    split = cy.split(cy.load("breast_cancer"), seed=0)
    common = {"length": "60 epochs", "batch_size": 32}
    scores = [
        cy.fit(cy.Recipe(model=m, **common), split).score.value for m in ("logistic", "softmax")
    ]
    assert min(scores) > 0.95
    assert abs(scores[0] - scores[1]) < 0.02


class Net(nn.Module):
    """A user's own module, with torch's own dropout and batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3)
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.layers(inputs)


def test_a_users_own_module_is_fitted_and_resumed_exactly(iris: cy.Split, tmp_path: Path) -> None:
    recipe = SHORT.replace(model=Net)
    whole = cy.fit(recipe, iris, out=tmp_path / "whole")
    events: list[object] = []
    with pytest.raises(Interrupted):
        cy.fit(recipe, iris, out=tmp_path / "cut", observer=events.append,
               interrupted=lambda: len(events) == 13)  # fmt: skip
    with pytest.raises(InputError, match="user's own"):
        cy.resume(tmp_path / "cut")
    run, _, _ = cy.resume(tmp_path / "cut", model=Net)
    a, b = (load_file(p / "model.safetensors") for p in (whole.path, run.path))
    assert all(torch.equal(a[name], b[name]) for name in a)
    with pytest.raises(InputError, match="user's own"):
        cy.predict(tmp_path / "cut", iris.data.inputs)
    assert len(cy.predict(tmp_path / "cut", iris.data.inputs, model=Net)) == 150


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: nn.Linear(4, 2), "fewer outputs"),
        (lambda: nn.Linear(5, 3), "first batch"),
        (lambda: nn.Sequential(nn.Linear(4, 3), nn.Flatten(0)), "do not fit"),
        (lambda: nn.LSTM(4, 3), "return one tensor"),
        (lambda: nn.ReLU(), "no parameters"),
    ],
)
def test_models_that_do_not_fit_are_refused_before_the_first_step(
    iris: cy.Split, tmp_path: Path, model, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        cy.fit(SHORT.replace(model=model), iris, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_batch_of_one_row_without_batch_statistics_is_refused(iris: cy.Split) -> None:
    def build(shapes: cy.Shapes) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))

    with pytest.raises(InputError, match="more than 1 value per channel"):
        cy.fit(SHORT.replace(model=build, batch_size=1), iris)
    few = cy.fit(SHORT.replace(model=build, batch_size=2, length="1 epoch"), iris)
    assert few.facts["steps"] == 45


def test_a_label_beyond_the_outputs_is_refused_in_any_row() -> None:
    data = cy.load((np.eye(12), np.array([2, 1, 0] * 4)))
    with pytest.raises(InputError, match="fewer outputs"):
        cy.fit(
            SHORT.replace(model=lambda shapes: nn.Linear(12, 2)), cy.split(data, test=0, valid=0)
        )


def test_outputs_and_targets_that_would_broadcast_are_refused() -> None:
    split = cy.split(cy.load("diabetes"))
    flat = SHORT.replace(model=lambda: nn.Sequential(nn.Linear(10, 1), nn.Flatten(0)))
    with pytest.raises(InputError, match="nothing is broadcast"):
        cy.fit(flat, split)


@pytest.mark.parametrize(
    ("recipe", "data", "message"),
    [
        (cy.Recipe(loss="mse"), "iris", "is for regression"),
        (cy.Recipe(loss="cross_entropy"), "diabetes", "is for classification"),
        (cy.Recipe(loss="binary_cross_entropy"), "iris", "two classes"),
        (cy.Recipe(model="logistic"), "iris", "two classes"),
        (cy.Recipe(model="cnn"), "iris", "needs images"),
        (
            cy.Recipe(model="mlp", optimizer="closed_form"),
            "diabetes",
            "is for models with one affine layer",
        ),
        (cy.Recipe(data=cy.prepare(drop=("nose",))), "iris", "unknown column"),
        (cy.Recipe(data=cy.prepare(scale="pixel")), "iris", "images"),
    ],
)
def test_recipes_that_do_not_suit_the_data(recipe, data, message, tmp_path: Path) -> None:
    with pytest.raises(cy.ChymistError, match=message):
        cy.fit(recipe, cy.split(cy.load(data)), out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "loss", "data", "message"),
    [
        ("softmax", "mse", "diabetes", "'softmax' is for classification.*use linear"),
        ("logistic", None, "diabetes", "'logistic' is for classification.*use linear"),
        ("perceptron", "mae", "diabetes", "'perceptron' is for classification.*use linear"),
        ("linear_svm", "mse", "diabetes", "'linear_svm' is for classification.*use linear"),
        ("logistic", None, "iris", "'logistic' is for two classes.*use softmax"),
        ("logistic", "cross_entropy", "iris", "'logistic' is for two classes.*use softmax"),
        ("linear", None, "iris", "'linear' is for regression.*use softmax"),
        ("generalized_linear", None, "iris", "is for regression.*use softmax"),
        ("generalized_linear", "cross_entropy", "iris", "is for regression.*use softmax"),
        ("generalized_linear(link=logit)", None, "iris", "is for two classes.*use softmax"),
        ("generalized_linear(link=logit)", None, "diabetes", "is for classification.*use linear"),
    ],
)
def test_advice_for_a_model_of_another_task_can_be_followed(model, loss, data, message) -> None:
    split = cy.split(cy.load(data))
    with pytest.raises(UsageError, match=message):
        complete(cy.Recipe(model=spelled("model", model), loss=loss), split)
    complete(cy.Recipe(model=message.rpartition(" ")[2]), split)


def test_linear_scores_of_classes_are_still_trained() -> None:
    split = cy.split(cy.load("iris"))
    assert complete(cy.Recipe(model="linear", loss="cross_entropy"), split).model.name == "linear"


def test_cross_validation_predicts_every_row_once_a_repeat() -> None:
    data = cy.load("iris")
    found = cy.cross_validate(SHORT, data, folds=5, repeats=2, seed=4)
    assert sorted(found.predictions.rows.tolist()) == sorted([*range(150)] * 2)
    assert len(found.folds) == 10
    assert found.score.split == "out-of-fold"
    assert found.score.n == 150
    assert not found.sealed
    again = cy.cross_validate(SHORT, data, folds=5, repeats=1, seed=5)
    second = found.predictions.outputs[150:]  # repeat 1 of seed 4 is repeat 0 of seed 5
    np.testing.assert_allclose(second, again.predictions.outputs, atol=1e-5)  # rounding


def test_cross_validation_never_gives_test_rows() -> None:
    split = cy.split(cy.load("iris"), test=0.3, seed=0)
    found = cy.cross_validate(SHORT, split, folds=4)
    assert set(found.predictions.rows) == set(split.train) | set(split.valid)
    assert found.sealed


def test_a_cross_validation_says_who_wins_on_its_folds() -> None:
    data = cy.load("iris")
    poor = cy.Recipe(model=cy.models.mlp(hidden=(2,)), length="1 epoch")
    found = cy.cross_validate(poor, data, folds=5)
    best = found.floors[0]
    assert found.score.value < 0.7 < best.score.value
    assert found.verdict.startswith(f"{best.name} is better than mlp by ")
    assert "(5 folds x 1 seed, corrected t" in found.verdict
    assert cy.cross_validate(poor, data, folds=5, floors=False).verdict == ""
    drawn = cy.protocols.bootstrap(times=4)  # its folds overlap: no test of folds is meant for it
    assert cy.cross_validate(poor, data, drawn).verdict == ""


def sites(count: int = 12, each: int = 8) -> tuple[cy.Data, np.ndarray]:
    """Rows of several sites, and the site of each row."""
    site = np.repeat(np.arange(count), each)
    x = np.random.default_rng(0).normal(size=len(site)) + site
    columns = {"x": x, "site": [f"s{s:02}" for s in site]}
    return cy.load((columns, ["low" if s % 2 else "high" for s in site])), site


@pytest.mark.parametrize("stop", ["none", cy.stop.early("val_loss", patience="2 epochs")])
def test_cross_validation_keeps_groups_together(stop, monkeypatch: pytest.MonkeyPatch) -> None:
    from chymist.verbs import jobs

    data, site = sites()
    seen: list[cy.Split] = []

    def assemble(recipe, split, *rest, **more):
        seen.append(split)
        return real(recipe, split, *rest, **more)

    real = jobs.assemble
    monkeypatch.setattr(jobs, "assemble", assemble)
    recipe = SHORT.replace(stop=stop)
    named = cy.cross_validate(recipe, data, folds=4, repeats=2, group="site")
    assert len(seen) == 8
    for split in seen:
        parts = [set(site[rows]) for rows in (split.train, split.valid, split.test)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 12
        assert bool(parts[1]) == (stop != "none")
    other = [
        cy.cross_validate(recipe, data, folds=4, repeats=2, group=site * 7),
        cy.cross_validate(recipe, cy.split(data, test=0, group=site), folds=4, repeats=2),
    ]
    for found in other:
        np.testing.assert_array_equal(found.predictions.rows, named.predictions.rows)
        assert found.score == named.score


def test_leave_one_out_of_groups_leaves_one_group_out() -> None:
    data, _ = sites()
    found = cy.cross_validate(SHORT.replace(length="1 epoch"), data, folds="loo", group="site")
    assert [fold["n"] for fold in found.folds] == [8] * 12
    assert sorted(found.predictions.rows) == list(range(96))


def test_cross_validation_refuses_what_would_leak() -> None:
    data, site = sites()
    with pytest.raises(InputError, match="unknown column"):
        cy.cross_validate(SHORT, data, folds=4, group="sight")
    with pytest.raises(InputError, match="fewer rows or groups than folds"):
        cy.cross_validate(SHORT, data, folds=13, group="site")
    with pytest.raises(UsageError, match="later rows"):
        cy.cross_validate(SHORT, cy.split(data, time=np.arange(96.0)), folds=4)
    with pytest.raises(InputError, match="class 'high' has no training rows when fold"):
        cy.cross_validate(SHORT, data, folds=2, group=np.where(site % 2, site, 0))


def test_intervals_are_by_group_where_the_split_is(tmp_path: Path) -> None:
    data, site = sites(20)
    recipe = cy.Recipe(model="softmax", length="2 epochs")
    run = cy.fit(recipe, cy.split(data, group="site", valid=0.3), out=tmp_path / "run")
    count = len(set(site[run.split.valid]))
    scores = [run.score, *(floor.score for floor in run.floors)]
    assert [s.groups for s in scores] == [count] * len(scores)
    assert f"in {count} groups, paired" in run.verdict
    assert f"in {count} groups, by group" in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert cy.evaluate(tmp_path / "run", "valid", data=data).score == run.score
    assert cy.evaluate(run, "test").score.groups == len(set(site[run.split.test]))
    found = cy.cross_validate(recipe, data, folds=5, group="site")
    assert [found.score.groups, *(f.score.groups for f in found.floors)] == [20, 20, 20, 20]
    plain = cy.cross_validate(recipe, data, folds=5)
    assert plain.score.groups is None


def test_groups_of_a_run_are_read_back(tmp_path: Path) -> None:
    data, site = sites()
    run = cy.fit(SHORT, cy.split(data, group=site), out=tmp_path / "run")
    back = cy.load_run(tmp_path / "run", data=data)
    np.testing.assert_array_equal(run.split.groups, site)
    np.testing.assert_array_equal(back.split.groups, site)
    np.testing.assert_array_equal(back.predictions.groups, site[back.split.valid])


def test_cross_validation_of_the_linear_model_equals_scikit_learn() -> None:
    from sklearn.linear_model import LinearRegression

    data = cy.load("diabetes")
    found = cy.cross_validate(cy.Recipe(model="linear", precision="float64"), data, folds=5)
    x = np.stack(list(data.inputs.values()), 1)
    errors = []
    start = 0
    for fold in found.folds:
        held = found.predictions.rows[start : start + fold["n"]]
        start += fold["n"]
        train = np.setdiff1d(np.arange(len(data)), held)
        oracle = LinearRegression().fit(x[train], data.targets[train])
        errors.append(oracle.predict(x[held]) - data.targets[held])
    expected = float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))
    assert found.score.value == pytest.approx(expected, rel=1e-5)


def test_events_tell_the_run_from_outside(iris: cy.Split) -> None:
    events: list[object] = []
    run = cy.fit(SHORT, iris, observer=events.append)
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert len(epochs) == 8
    assert epochs[-1].last
    np.testing.assert_allclose(
        run.history["val_loss"][:, 1], [e.values["val_loss"] for e in epochs]
    )


def test_training_rows_only_scores_say_so(iris: cy.Split) -> None:
    split = cy.split(iris.data, test=0, valid=0)
    run = cy.fit(SHORT, split)
    assert run.score.split == "train"
    with pytest.raises(InputError, match="no test rows"):
        cy.evaluate(run)
