"""Forms of a population: users' modules by vmap, and the choice of the fastest by measurement."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import chymist as cy
from chymist.engine.assembly import Assembly
from chymist.engine.population import execute_all, together
from chymist.engine.population import plan as plan_module
from chymist.engine.population.plan import FORMS, Plan, Timings, measured
from chymist.models import Dropout
from tests.test_population import RECIPE, check_equal, runs_of


class Residual(nn.Module):
    """Layers that are used twice, a skip, a parameter of its own and a buffer."""

    def __init__(self, shapes: cy.Shapes) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(shapes.inputs[0], 8), nn.Linear(8, shapes.outputs)
        self.scale = nn.Parameter(torch.ones(8))
        self.register_buffer("shift", torch.full((8,), 0.1))
        self.norm = nn.Sequential(nn.LayerNorm(8), nn.Tanh())
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.first(x))
        return self.last(self.norm(h * self.scale + self.shift) + h)


class Image(nn.Module):
    """A convolution, global pooling and an attention over positions."""

    def __init__(self, shapes: cy.Shapes) -> None:
        super().__init__()
        self.conv, self.query = nn.Conv2d(2, 6, 3, padding=1), nn.Parameter(torch.randn(6))
        self.last = nn.Linear(6, shapes.outputs)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv(x).flatten(2)
        share = torch.softmax((self.query @ h), dim=-1)
        return self.last((h * share.unsqueeze(1)).sum(2))


class Own(nn.Module):
    """Whatever layers, in a class that has no stacked form."""

    def __init__(self, *layers: nn.Module, mix: bool = False, draw: bool = False) -> None:
        super().__init__()
        self.layers, self.mix, self.draw = nn.Sequential(*layers), mix, draw
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean(0) if self.mix else x
        return self.layers(x + torch.randn_like(x) if self.draw else x)


class Recurrent(nn.Module):
    """A network that `vmap` has no rule for."""

    def __init__(self, shapes: cy.Shapes) -> None:
        super().__init__()
        self.cell, self.last = nn.GRU(1, 5, batch_first=True), nn.Linear(5, shapes.outputs)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.cell(x.unsqueeze(2))[0][:, -1])


class Branching(nn.Module):
    """Control flow that depends on the numbers."""

    def __init__(self, shapes: cy.Shapes) -> None:
        super().__init__()
        self.last = nn.Linear(shapes.inputs[0], shapes.outputs).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(x) if x.sum() > 0 else self.last(-x)


@pytest.mark.parametrize(("net", "kind"), [(Residual, "table"), (Image, "image")])
@pytest.mark.parametrize("optimizer", [cy.optim.adam(lr=3e-3), cy.optim.sgd(lr=0.1, momentum=0.9)])
def test_modules_of_a_user_s_own_under_vmap(
    net: Callable[[cy.Shapes], nn.Module], kind: str, optimizer: cy.Part
) -> None:
    recipe = RECIPE.replace(model=lambda shapes: net(shapes), optimizer=optimizer,
                            length="60 steps")  # fmt: skip
    check_equal(lambda: runs_of(recipe, kind), form="vmap")


REFUSED = {
    "a dropout draws from the global state": (lambda: Own(nn.Dropout(0.5), nn.Linear(6, 3)), "vmap"),
    "keyed dropout counts its own steps": (lambda: Own(Dropout(0.5), nn.Linear(6, 3)), "vmap"),
    "noise": (lambda: Own(nn.Linear(6, 3), draw=True), "vmap"),
    "running statistics": (lambda: Own(nn.BatchNorm1d(6), nn.Linear(6, 3)), "influence"),
    "rows in one another": (lambda: Own(nn.Linear(6, 3), mix=True), "influence each other"),
    "recurrence": (lambda: Recurrent(cy.Shapes((6,), 3)), "vmap"),
    "branches": (lambda: Branching(cy.Shapes((6,), 3)), "vmap"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_vmap_would_get_wrong_is_left_to_the_loop(case: str) -> None:
    make, said = REFUSED[case]
    runs = runs_of(RECIPE.replace(model=lambda shapes: make(), length="3 steps"), "table")
    before = {n: v.clone() for n, v in runs[0].state.model.state_dict().items()}
    state = torch.get_rng_state()
    (group,) = together(runs)
    assert group.forms == ()
    assert said in group.reason
    assert torch.equal(state, torch.get_rng_state())
    for name, values in runs[0].state.model.state_dict().items():
        assert torch.equal(values, before[name])
    groups, lost = execute_all(runs)
    assert groups[0].reason == group.reason
    assert not lost


def images(batch: int = 16) -> list[Assembly]:
    net = [lambda: nn.Conv2d(2, 3, 3), nn.ReLU, nn.Flatten, lambda: nn.Linear(48, 3)]
    recipe = RECIPE.replace(model=lambda shapes: nn.Sequential(*(f() for f in net)).double(),
                            length="6 steps", batch_size=batch)  # fmt: skip
    return runs_of(recipe, "image")


def test_the_forms_of_convolutions_are_measured_once_and_leave_no_trace(tmp_path: Path) -> None:
    runs = images()
    before = {n: v.clone() for n, v in runs[0].state.model.state_dict().items()}
    plan = Plan(tmp_path / "plan.json")
    form = plan.form_for(runs, together(runs)[0].forms)
    assert form in (*FORMS, "loop")
    assert runs[0].state.step == 0
    for name, values in runs[0].state.model.state_dict().items():
        assert torch.equal(values, before[name])
    (timings,) = plan.used.values()
    assert set(timings.seconds) == {"loop", "stacked", "grouped", "unfolded"}
    assert all(0 < seconds < 10 for seconds in timings.seconds.values())
    assert "batch 16" in timings.what
    again = Plan.of(tmp_path / "plan.json")
    assert again.known == plan.known
    assert again.form_for(runs, together(runs)[0].forms) == form
    assert again.fingerprint == plan.fingerprint != ""


def test_small_stacked_products_are_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = runs_of(RECIPE, "table")
    plan = Plan(tmp_path / "plan.json")
    assert plan.form_for(runs, together(runs)[0].forms) == "stacked"
    assert (plan.known, plan.fingerprint) == ({}, "")
    monkeypatch.setattr(plan_module, "SURE", 0)
    plan.form_for(runs, together(runs)[0].forms)
    assert set(plan.used) == set(plan.known) != set()


def test_the_loop_wins_ties_and_a_pinned_plan_decides(tmp_path: Path) -> None:
    assert Timings("x", {"loop": 1.0, "stacked": 0.95}).best == "loop"
    assert Timings("x", {"loop": 1.0, "stacked": 0.8, "grouped": 0.7}).best == "grouped"
    runs, path = images(), tmp_path / "plan.json"
    plan = Plan(path)
    plan.form_for(runs, together(runs)[0].forms)
    (key,) = plan.known
    for form in ("loop", "unfolded"):
        chosen = {"loop": 1.0, "stacked": 1.0, form: 0.1}
        path.write_bytes(msgspec.json.encode({key: Timings("as I want it", chosen)}))
        content = path.read_bytes()
        groups, _ = execute_all(images(), plan=Plan.of(path))
        assert groups[0].reason == (
            "one after the other was measured to be faster" if form == "loop" else ""
        )
        assert form == "loop" or groups[0].forms == (form,)
        assert path.read_bytes() == content
    with pytest.raises(cy.InputError, match="the plan says nothing of these models"):
        Plan.of(path).form_for(images(8), together(images(8))[0].forms)


def test_modules_that_only_look_alike_are_not_trained_as_one() -> None:
    """Same class, same shapes, another forward: what one does says nothing of the other."""

    class Net(nn.Module):
        def __init__(self, activation: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.activation, self.layer = activation, nn.Linear(6, 3)
            self.double()

        def forward(self, x: Tensor) -> Tensor:
            return self.activation(self.layer(x))

    def runs() -> list[Assembly]:
        recipe = RECIPE.replace(length="20 steps")
        pairs = (runs_of(recipe.replace(model=lambda shapes: Net(torch.tanh)), "table"),
                 runs_of(recipe.replace(model=lambda shapes: Net(torch.relu)), "table"))  # fmt: skip
        return [*pairs[0], *pairs[1]]

    ours, theirs = runs(), runs()
    groups, _ = execute_all(ours)
    assert [group.members for group in groups] == [(0, 1, 2), (3, 4, 5)]
    execute_all(theirs, alone=True)
    for a, b in zip(ours, theirs, strict=True):
        for name, values in b.state.model.state_dict().items():
            assert torch.allclose(a.state.model.state_dict()[name], values, rtol=0, atol=1e-9)


def test_a_plan_that_names_a_form_these_models_do_not_have(tmp_path: Path) -> None:
    runs, path = images(), tmp_path / "plan.json"
    plan = Plan(path)
    plan.form_for(runs, together(runs)[0].forms)
    (key,) = plan.known
    path.write_bytes(msgspec.json.encode({key: Timings("x", {"loop": 1.0, "vmap": 0.1})}))
    with pytest.raises(cy.InputError, match="a form that these models do not have"):
        Plan.of(path).form_for(runs, together(runs)[0].forms)


DAMAGED = [None, b"", b"[1]", b'{"a": {"what": "x"}}', b'{"a": {"what": "x", "seconds": {}}}',
           b'{"a": {"what": "x", "seconds": {"loop": 1, "own": 1}}}',
           b'{"a": {"what": "x", "seconds": {"loop": -1}}}']  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED)
def test_a_plan_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(cy.InputError, match="not a plan of populations"):
        Plan.of(path)


def test_a_plan_of_the_machine_that_cannot_be_kept_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a file"
    place.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    plan = Plan.of()
    assert plan.form_for(images(), together(images())[0].forms) in (*FORMS, "loop")
    assert place.read_text() == "no folder"


def test_measuring_draws_nothing_from_global_generators() -> None:
    runs = runs_of(RECIPE.replace(model=lambda shapes: Residual(shapes)), "table")
    np.random.seed(1)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert set(measured(runs, ["vmap"])) == {"loop", "vmap"}
    after = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]
