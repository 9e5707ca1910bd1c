"""What the layers of a run did: the numbers, and that looking changes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn
from torch.nn import functional

import chymist as cy
from chymist.engine.layer_record import (
    BINS,
    FILE,
    LayerRecorder,
    Seen,
    bin_edges,
    log_counts,
    read_counts,
    read_layers,
)
from chymist.verbs import layer_watching


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at every step, whatever they cost."""
    monkeypatch.setattr(layer_watching, "FREE", 1e9)
    monkeypatch.setattr(layer_watching.LayerWatcher, "_gap", lambda self, step: 1)


@pytest.fixture(scope="module")
def digits() -> cy.Split:
    whole = cy.load("digits")
    rows = np.arange(160)
    return cy.Split(whole, rows[:120], rows[120:], rows[:0], 0, "own", {})


class Odd(nn.Module):
    """Functions without modules, work in place, a weight that is used twice, a frozen layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again = nn.Linear(64, 20), nn.Linear(20, 20)
        self.frozen, self.last = nn.Linear(20, 20), nn.Linear(20, 10)
        self.drop, self.norm = nn.Dropout(0.3), nn.BatchNorm1d(20)
        self.unused = nn.Linear(3, 3)
        for parameter in self.frozen.parameters():
            parameter.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu_(self.first(x.flatten(1)))
        x = torch.tanh(self.again(x)) * 1.5
        x = functional.relu(self.again(x), inplace=True) + 0.1
        return self.last(self.drop(self.norm(self.frozen(x))))


MODELS: dict[str, Any] = {
    "mlp": cy.models.mlp(hidden=(12, 8), dropout=0.2),
    "cnn": cy.models.cnn(channels=(4, 6), dropout=0.2),
    "odd": Odd,
}


@pytest.mark.parametrize("name", list(MODELS))
def test_looking_changes_no_bit(name: str, digits: cy.Split, every_step: None) -> None:
    recipe = cy.Recipe(model=MODELS[name], length="3 epochs", batch_size=32)
    plain = cy.fit(recipe, digits, seed=3, layers=False)
    watched = cy.fit(recipe, digits, seed=3)
    one, other = plain.model.state_dict(), watched.model.state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)
    for series in ("loss", "val_loss", "rate"):
        assert np.array_equal(plain.history[series], watched.history[series])
    assert not (plain.path / FILE).exists()
    found = read_layers(watched.path / FILE)
    assert found is not None
    assert found.steps.tolist() == list(range(1, 13))
    assert watched.facts["notes"] == plain.facts["notes"]
    assert not any(m._forward_hooks for m in watched.model.modules())


def test_numbers_are_those_of_a_loop_written_out(digits: cy.Split, every_step: None) -> None:
    """Three steps of plain descent by hand, with the recipe's rows, order and first weights."""
    recipe = cy.Recipe(
        model=cy.models.mlp(hidden=(6,)), optimizer=cy.optim.sgd(lr=0.3, momentum=0.0),
        length="3 steps", batch_size=40, schedule="constant",
    )  # fmt: skip
    batches: list[tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]] = []

    def started(assembly: Any, folder: Path) -> None:
        program, model = assembly.program, assembly.state.model
        visits = program.visits(0)
        for n in range(3):
            index = visits[n * 40 : (n + 1) * 40]
            state = {k: v.clone() for k, v in model.state_dict().items()}
            batches.append((program.rows.take(index), program.rows.targets[index], state))

    run = cy.fit(recipe, digits, seed=0, started=started)
    found = read_layers(run.path / FILE)
    assert found is not None
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 10))
    model.load_state_dict(batches[0][2])
    names = {layer.name: layer.number - 1 for part in found.layers.values() for layer in part}
    for at, (inputs, targets, _) in enumerate(batches):
        _check_a_step(model, inputs, targets, names, found.table[:, at])
    counts = read_counts(run.path / FILE, names["1.weight"] + 1, "weights")
    assert min(counts) == 1
    final = run.model.state_dict()["1.weight"].double().numpy().ravel()
    last = counts[max(counts)]
    assert last.sum() == final.size
    if max(counts) == 3:
        assert np.array_equal(last, log_counts(final, np.zeros(final.size, int), 1)[0])


def _check_a_step(
    model: nn.Sequential, inputs: torch.Tensor, targets: torch.Tensor, names: dict[str, int],
    table: np.ndarray,
) -> None:  # fmt: skip
    """Take a step by hand, and compare what is recorded of it."""
    outputs = {str(n): model[: n + 1](inputs).detach().double() for n in range(4)}
    model.zero_grad()
    functional.cross_entropy(model(inputs), targets).backward()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.3 * p.grad
    for name, p in model.named_parameters():
        row = table[names[name]]
        ratio = (p.detach() - before[name]).norm() / before[name].norm()
        wanted = [float(p.grad.norm()), float(ratio), float(p.detach().norm())]
        assert row[:3] == pytest.approx(wanted, rel=2e-4)
    for name, values in outputs.items():
        row = table[names[name]]
        assert row[:2] == pytest.approx(
            [float(values.mean()), float(values.std(unbiased=False))], rel=1e-4, abs=1e-6
        )
    silent = float((outputs["2"] == 0).all(0).double().mean())
    assert table[names["2"], 2] == pytest.approx(silent)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(width=64)))
def test_every_value_is_counted_once_and_where_it_belongs(values: np.ndarray) -> None:
    owner = np.arange(len(values)) % 3
    made = log_counts(values, owner, 3)
    assert made.shape == (3, BINS)
    assert made.sum() == len(values)
    assert made[:, -1].sum() == (~np.isfinite(values)).sum()
    edges, finite = bin_edges(), values[np.isfinite(values)]
    inner = finite[(np.abs(finite) < edges[-1]) & (np.abs(finite) > edges[0])]
    sizes = np.histogram(np.log(inner[inner > 0]), np.log(edges))[0]
    assert np.abs(made.sum(0)[32:63] - sizes).sum() <= 2 * (finite.size - inner.size) + 2


def test_a_saturated_and_a_dead_layer_are_seen(digits: cy.Split, every_step: None) -> None:
    def dying() -> nn.Module:
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 8),
                              nn.Tanh(), nn.Linear(8, 10))  # fmt: skip
        nn.init.constant_(model[1].bias, -1e4)  # type: ignore[arg-type]
        nn.init.constant_(model[3].bias, 50.0)  # type: ignore[arg-type]
        return model

    run = cy.fit(cy.Recipe(model=dying, length="2 steps"), digits, seed=0, doctor=False)
    found = read_layers(run.path / FILE)
    assert found is not None
    rows = {layer.name: found.table[layer.number - 1, 0] for layer in found.layers["output"]}
    assert rows["2"][2] == 1.0
    assert rows["4"][3] == 1.0
    assert rows["5"][2] == 0.0


def test_a_solved_model_has_none(tmp_path: Path) -> None:
    run = cy.fit(cy.Recipe(model="linear"), cy.split(cy.load("diabetes"), seed=0))
    assert read_layers(run.path / FILE) is None


def test_a_resumed_run_takes_its_looks_once(
    digits: cy.Split, tmp_path: Path, every_step: None
) -> None:
    recipe = cy.Recipe(model=MODELS["mlp"], length="4 epochs", batch_size=32)
    whole = cy.fit(recipe, digits, seed=1, out=tmp_path / "whole")
    seen: list[int] = []

    def stop() -> bool:
        seen.append(1)
        return len(seen) == 7

    with pytest.raises(cy.errors.Interrupted):
        cy.fit(recipe, digits, seed=1, out=tmp_path / "cut", interrupted=stop)
    with_later = LayerRecorder(tmp_path / "cut" / FILE)
    with_later.add(99, 0.0, 1.0, [Seen("tensor", "0.weight", "", 3, (1.0, 2.0, 3.0))])
    with_later.close()
    cy.resume(tmp_path / "cut")
    one, other = (read_layers(tmp_path / name / FILE) for name in ("whole", "cut"))
    assert one is not None
    assert other is not None
    assert one.steps.tolist() == other.steps.tolist() == list(range(1, 17))
    shared = [layer.number - 1 for layer in one.layers["tensor"]]
    assert np.array_equal(one.table[shared], other.table[shared], equal_nan=True)
    assert whole.score.value == cy.load_run(tmp_path / "cut").score.value


def test_a_diverging_run_shows_where(digits: cy.Split, tmp_path: Path, every_step: None) -> None:
    recipe = cy.Recipe(
        model=MODELS["mlp"], optimizer=cy.optim.sgd(lr=1e18), length="5 epochs", clip=None
    )
    with pytest.raises(cy.errors.Diverged):
        cy.fit(recipe, digits, seed=0, out=tmp_path / "run")
    found = read_layers(tmp_path / "run" / FILE)
    assert found is not None
    outputs = [layer.number - 1 for layer in found.layers["output"]]
    assert not np.isfinite(found.table[outputs, -1, 0]).all()
    assert found.seen[outputs, -1].any()


def test_a_full_disk_ends_the_looking_only(
    digits: cy.Split, every_step: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(LayerRecorder, "add", full)
    run = cy.fit(cy.Recipe(model=MODELS["mlp"], length="2 epochs"), digits, seed=0)
    assert run.facts["notes"] == ["nothing more was written about layers: database or disk is full"]


def test_what_fails_in_a_foreign_module_ends_the_looking_only(
    digits: cy.Split, every_step: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chymist.doctor import probing

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no such axis")

    monkeypatch.setattr(probing, "_described", fails)
    recipe = cy.Recipe(model=MODELS["mlp"], length="2 epochs")
    watched = cy.fit(recipe, digits, seed=0, doctor=False)
    monkeypatch.undo()
    plain = cy.fit(recipe, digits, seed=0, layers=False, doctor=False)
    assert "no such axis" in watched.facts["notes"][0]
    one, other = plain.model.state_dict(), watched.model.state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_damaged_record_is_said_as_such(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, whatever its name says" * 40)
    with pytest.raises(cy.errors.InputError, match="layers"):
        read_layers(tmp_path / FILE)


def test_looks_are_few_where_they_cost_much(
    digits: cy.Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is free, and a look costs a hundred steps: one is taken, and perhaps one more."""
    monkeypatch.setattr(layer_watching, "FREE", 0.0)
    monkeypatch.setattr(layer_watching, "SHARE", 1e-6)
    run = cy.fit(cy.Recipe(model=MODELS["mlp"], length="20 epochs"), digits, seed=0)
    found = read_layers(run.path / FILE)
    assert found is not None
    assert len(found.steps) <= 2
