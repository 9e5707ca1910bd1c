"""The training loop against a hand-written one, its stopping, its refusals, and resuming."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.engine.checkpoint import load_checkpoint, load_newest, save_checkpoint
from chymist.engine.closed_form import least_squares
from chymist.engine.events import Epoch, Step
from chymist.engine.loop import Program, State, steps_per_epoch, train
from chymist.engine.manifest import list_checkpoints, verify
from chymist.engine.rows import InMemory
from chymist.engine.store import BLOCK, Recorder, read_series
from chymist.errors import Diverged, InputError
from chymist.keys import order
from chymist.models import build_model
from chymist.parts import part
from chymist.schedules import Span
from chymist.values import Shapes

ROWS, FEATURES, CLASSES = 50, 6, 3


def program(
    steps: int = 30, batch: int = 16, rule=None, evaluate=None, clip=None, accumulate: int = 1
) -> Program:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(ROWS, FEATURES, generator=generator)
    targets = torch.arange(ROWS) % CLASSES
    return Program(
        InMemory(inputs, targets), lambda model, x: model(x), part("loss", "cross_entropy").bind(),
        cy.schedules.one_cycle().build(Span(steps)), clip, evaluate or (lambda model: {}), rule,
        batch, steps, 7, accumulate,
    )  # fmt: skip


def state(dropout: float = 0.5) -> State:
    model = build_model(
        cy.models.mlp(hidden=(8,), dropout=dropout), Shapes((FEATURES,), CLASSES), 7
    )
    return State(model, cy.optim.adamw(lr=0.01).build(list(model.parameters())), 0.01)


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def test_the_loop_equals_a_hand_written_one() -> None:
    ours, plan = state(dropout=0.0), program()
    events = list(train(plan, ours))
    model = build_model(cy.models.mlp(hidden=(8,)), Shapes((FEATURES,), CLASSES), 7)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.01, total_steps=31, cycle_momentum=False
    )
    del schedule  # the rates are set below, from the closed form
    losses, step = [], 0
    for epoch in range(8):
        rows = order(7, epoch, ROWS)
        for start in range(0, ROWS, 16):
            if step == 30:
                break
            index = torch.from_numpy(rows[start : start + 16])
            for group in optimizer.param_groups:
                group["lr"] = 0.01 * plan.schedule(step)
            loss = nn.functional.cross_entropy(
                model(plan.rows.inputs[index]), plan.rows.targets[index]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            step += 1
    found = [event.loss for event in events if isinstance(event, Step)]
    assert found == pytest.approx(losses, rel=1e-5)
    for a, b in zip(weights(ours.model), weights(model), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_every_row_is_visited_once_an_epoch_in_another_order() -> None:
    first, second = order(0, 0, 100), order(0, 1, 100)
    assert sorted(first) == list(range(100)) == sorted(second)
    assert list(first) != list(second)
    assert list(order(1, 0, 100)) != list(first)


@pytest.mark.parametrize(
    ("rows", "batch", "expected"),
    [(100, 10, 10), (101, 10, 10), (102, 10, 11), (1, 10, 1), (9, 10, 1)],
)
def test_no_batch_of_a_single_row(rows: int, batch: int, expected: int) -> None:
    assert steps_per_epoch(rows, batch) == expected


def test_two_runs_are_bit_identical() -> None:
    a, b = state(), state()
    list(train(program(), a))
    list(train(program(), b))
    assert all(torch.equal(x, y) for x, y in zip(weights(a.model), weights(b.model), strict=True))


@pytest.mark.parametrize("stop_at", [1, 3, 4, 5, 17, 29])
def test_resuming_at_any_step_gives_the_same_bits(tmp_path: Path, stop_at: int) -> None:
    rule = cy.stop.early("train_loss", patience="100 epochs").build(4)
    through = state()
    list(train(program(rule=rule), through))
    part_one = state()
    for event in train(program(rule=rule), part_one):
        if isinstance(event, Step) and event.step == stop_at:
            break
    saved = save_checkpoint(tmp_path, part_one)
    part_two = state()
    load_checkpoint(saved, part_two)
    events = list(train(program(rule=rule), part_two))
    assert all(
        torch.equal(x, y)
        for x, y in zip(weights(through.model), weights(part_two.model), strict=True)
    )
    assert part_two.best_value == through.best_value
    assert part_two.best_step == through.best_step
    assert all(torch.equal(through.best[n], part_two.best[n]) for n in through.best)
    # an epoch whose last step was the last one before the stop is still evaluated
    epochs = [event.epoch for event in events if isinstance(event, Epoch)]
    assert epochs[0] == math.ceil(stop_at / 4)
    assert epochs[-1] == 8


def test_a_non_finite_loss_stops_before_the_step() -> None:
    plan, here = program(), state()
    plan.rows.inputs[13] = math.inf
    before: list[list[torch.Tensor]] = [weights(here.model)]

    def run() -> None:
        for _ in train(plan, here):
            before.append(weights(here.model))

    with pytest.raises(Diverged, match="not finite") as error:
        run()
    assert "batch of training rows" in str(error.value)
    pairs = zip(before[-1], weights(here.model), strict=True)
    assert all(torch.equal(x, y) and bool(torch.isfinite(x).all()) for x, y in pairs)


def test_early_stopping_keeps_the_best_weights() -> None:
    values = iter([3.0, 2.0, 2.5, 2.6, 2.7, 0.1])
    seen: list[list[torch.Tensor]] = []

    def evaluate(model: nn.Module) -> dict[str, float]:
        seen.append(weights(model))
        return {"val_loss": next(values)}

    rule = cy.stop.early("val_loss", patience="2 epochs").build(4)
    here = state()
    events = [
        e for e in train(program(100, rule=rule, evaluate=evaluate), here) if isinstance(e, Epoch)
    ]
    assert [event.best for event in events] == [True, True, False, False]
    assert events[-1].last
    assert here.best_step == 8
    best = [here.best[name] for name, _ in here.model.named_parameters()]
    assert all(torch.equal(x, y) for x, y in zip(best, seen[1], strict=True))


def test_the_mean_loss_of_an_epoch_counts_rows_not_batches() -> None:
    here = state(dropout=0.0)
    steps, epochs = [], []
    for event in train(program(4), here):
        (steps if isinstance(event, Step) else epochs).append(event)
    sizes = [16, 16, 16, 2]
    expected = sum(s.loss * n for s, n in zip(steps, sizes, strict=True)) / ROWS
    assert epochs[0].values["train_loss"] == pytest.approx(expected, rel=1e-12)


def test_a_checkpoint_with_a_non_finite_weight_is_not_written(tmp_path: Path) -> None:
    here = state()
    save_checkpoint(tmp_path, here)
    with torch.no_grad():
        next(here.model.parameters())[0, 0] = math.nan
    here.step = 5
    with pytest.raises(Diverged, match="weight is not finite"):
        save_checkpoint(tmp_path, here)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000000"]


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("how", ["cut", "flip", "gone"])
def test_damage_is_found_and_an_older_checkpoint_is_used(
    tmp_path: Path, name: str, how: str
) -> None:
    here = state()
    save_checkpoint(tmp_path, here)
    list(train(program(4), here))
    newest = save_checkpoint(tmp_path, here)
    file = newest / name
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        file.write_bytes(content[:-3] if how == "cut" else flipped)
    with pytest.raises(InputError, match="damaged"):
        verify(newest)
    found, problems = load_newest(tmp_path, state())
    assert found.name == "step-00000000"
    assert len(problems) == 1
    assert newest.name in problems[0]


def test_only_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    here = state()
    for step in range(5):
        here.step = step
        save_checkpoint(tmp_path, here)
    assert [p.name for p in list_checkpoints(tmp_path)] == ["step-00000003", "step-00000004"]


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, state())
    model = build_model(cy.models.mlp(hidden=(9,)), Shapes((FEATURES,), CLASSES), 7)
    other = State(model, cy.optim.adamw().build(list(model.parameters())), 0.01)
    with pytest.raises(InputError, match="does not fit the model"):
        load_checkpoint(path, other)


def test_the_record_keeps_every_point_and_sums_up_levels(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    values = np.sin(np.arange(3 * BLOCK + 7.0))
    values[777] = math.nan
    with Recorder(path) as record:
        for step, value in enumerate(values):
            record.add("loss", step, float(value))
        record.add("rate", 0, 1.0)
        record.flush()
        seen = read_series(path)["loss"]  # a reader beside the writer
    found = read_series(path)
    np.testing.assert_array_equal(found["loss"][:, 1], values)
    np.testing.assert_array_equal(found["loss"][:, 0], np.arange(len(values)))
    np.testing.assert_array_equal(seen, found["loss"])
    assert found["rate"].tolist() == [[0.0, 1.0]]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["records.sqlite"]


def test_a_higher_level_keeps_the_extremes(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "records.sqlite"
    with Recorder(path) as record:
        for step in range(BLOCK * BLOCK):
            record.add("x", step, 9.0 if step == 123_456 else 0.0)
    base = sqlite3.connect(path)
    rows = base.execute("SELECT points, min, max FROM blocks WHERE level = 1").fetchall()
    base.close()
    assert rows == [(BLOCK * BLOCK, 0.0, 9.0)]


def test_points_after_a_resume_are_recorded_once(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.sqlite") as record:
        for step in range(1, 1201):
            record.add("loss", step, float(step))
    with Recorder(tmp_path / "r.sqlite") as record:
        record.truncate(700, 700)
        for step in range(701, 1001):
            record.add("loss", step, -float(step))
    found = read_series(tmp_path / "r.sqlite")["loss"]
    assert found[:, 0].tolist() == list(range(1, 1001))
    assert (found[700:, 1] < 0).all()


def test_an_evaluation_that_is_repeated_is_recorded_once(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.sqlite") as record:
        for step in (4, 8):
            record.add("loss", step, 1.0)
            record.add("val_loss", step, 1.0)
        record.flush()
        record.truncate(8, 7)  # saved after step 8, before its evaluation
        found = record.series()
    assert found["loss"][:, 0].tolist() == [4, 8]
    assert found["val_loss"][:, 0].tolist() == [4]


def test_least_squares_against_scikit_learn() -> None:
    from sklearn.linear_model import LinearRegression, Ridge

    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 5)) + 3, random.normal(size=(40, 2))
    weights_, intercept = least_squares(x, y)
    oracle = LinearRegression().fit(x, y)
    np.testing.assert_allclose(weights_.T, oracle.coef_, rtol=1e-9)
    np.testing.assert_allclose(intercept, oracle.intercept_, rtol=1e-9)
    weights_, intercept = least_squares(x, y, l2=2.5)
    oracle = Ridge(alpha=2.5).fit(x, y)
    np.testing.assert_allclose(weights_.T, oracle.coef_, rtol=1e-9)
    np.testing.assert_allclose(intercept, oracle.intercept_, rtol=1e-9)


def test_the_range_test_finds_a_rate_and_leaves_the_run_alone() -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(model="mlp", optimizer=cy.optim.adam(lr="auto"), length="20 epochs")
    run = cy.fit(recipe, split, seed=0)
    found = run.recipe.optimizer.options["lr"]
    assert 1e-4 < found < 0.5
    given = cy.fit(recipe.replace(optimizer=cy.optim.adam(lr=found)), split, seed=0)
    assert all(
        torch.equal(a, b)
        for a, b in zip(run.model.parameters(), given.model.parameters(), strict=True)
    )
    assert cy.Recipe.from_toml(recipe.to_toml()) == recipe


def test_a_range_in_which_nothing_falls_is_an_error() -> None:
    from chymist.engine.rates import read_range

    with pytest.raises(InputError, match="no learning rate"):
        read_range([1e-6, 1e-3, 1.0], [1.0, 1.0, 2.0])
