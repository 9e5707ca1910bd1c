"""Members that share their order: each is the plain loop over those rows of a batch that are its own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import chymist as cy
from chymist.cli import main
from chymist.engine.assembly import MEMORY, Assembly, assemble, prepared_rows
from chymist.engine.defaults import complete
from chymist.engine.loop import remember
from chymist.engine.population import execute_all, sharing, train_together
from chymist.engine.population.plan import FORMS
from chymist.engine.population.shared import same_inputs
from chymist.engine.population.training import Crew, stacked_rows
from chymist.errors import InputError, UsageError
from chymist.keys import order
from chymist.models.stacked_wide import Repeated, WideLinear, stack_wide
from tests.test_population import IMAGE, RECIPE, TABLE, data_of, sequence

SEED = 5
SHARED = RECIPE.replace(length="100 steps")
OPTIMIZERS = {
    "momentum": cy.optim.sgd(lr=0.02, momentum=0.9, weight_decay=1e-2),
    "adam": cy.optim.adam(lr=3e-3),
    "adamw": cy.optim.adamw(lr=3e-3, betas=(0.8, 0.99)),
}
# The bias of a layer before batch normalisation cancels. Its gradient is rounding, which Adam divides
# by its own size: there is nothing to be equal to.
NETS = TABLE | {
    name: [lambda width=width: nn.Linear(6, width, bias=False), *TABLE[name][1:]]
    for name, width in [("batch-norm", 8), ("batch-norm-plain-mean", 8), ("dropout-and-norm", 16),
                        ("batch-norm-not-affine", 8), ("batch-norm-no-statistics", 8)]
}  # fmt: skip
FORM_OF = {"standard": "stacked", "none": "wide"}


def runs_of(
    recipe: cy.Recipe, data: cy.Data, share: float = 0.7, members: int = 3,
    changes: Callable[[int], dict[str, Any]] = lambda member: {},
) -> list[Assembly]:  # fmt: skip
    """Members with rows of their own among all rows, and other rows that decide stopping."""
    everything, runs = np.arange(len(data)), []
    for member in range(members):
        mixed = np.random.default_rng(member).permutation(len(data))
        count = int(share * len(data)) + member
        split = cy.Split(data, np.sort(mixed[:count]), np.sort(mixed[count : count + 20]),
                         np.array([], np.int64))  # fmt: skip
        full = complete(recipe.replace(**changes(member)), split)
        run = assemble(full, split, seed=member)
        rows: Any = prepared_rows(full, run.form, run.preparation, data, everything, MEMORY)
        runs.append(sharing(run, rows, split.train, SEED))
    return runs


def plainly(run: Assembly) -> list[int]:
    """The plain loop with the masked sampler; returns the steps that were not taken."""
    program, state, shared = run.program, run.state, run.program.shared
    assert shared is not None
    count, size, model = len(shared.weights), program.batch_size, state.model
    few = 2 if any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in model.modules()) else 1
    taken, missed, losses, seen = 0, [], 0.0, 0
    for step in range(program.total_steps):
        epoch, place = divmod(step, program.steps_per_epoch)
        end = count if place == program.steps_per_epoch - 1 else (place + 1) * size
        visits = torch.from_numpy(order(SEED, epoch, count))[place * size : end]
        own = visits[shared.weights[visits] > 0]
        model.train()
        if len(own) < few:
            missed.append(step)
        else:
            for group in state.optimizer.param_groups:
                group["lr"] = state.rate * program.schedule(taken)
            for name, layer in state.noise:
                layer.place(program.seed, step, name)
            state.optimizer.zero_grad()
            outputs = model(shared.rows.take(own))
            each = program.loss(outputs, shared.rows.targets[own], reduction="none")
            loss = (each * shared.weights[own]).sum() / shared.weights[own].sum()
            loss.backward()
            if program.clip:
                program.clip()
            state.optimizer.step()
            losses, seen, taken = losses + loss.item() * len(own), seen + len(own), taken + 1
        state.step = step + 1
        if end == count or state.step == program.total_steps:
            values = {"train_loss": losses / seen, **program.evaluate(model)}
            losses, seen = 0.0, 0
            remember(program, state, values)
            if state.stopped:
                break
    return missed


def check_shared(make: Callable[[], list[Assembly]], form: str) -> list[list[int]]:
    """Trained with a shared order, members are what the plain loop gives; returns missed steps."""
    ours, theirs = make(), make()
    assert form == "stacked" or same_inputs([run.program.shared for run in ours])
    list(train_together(ours, form=FORMS[form]))
    missed = [plainly(run) for run in theirs]
    for run, other in zip(ours, theirs, strict=True):
        assert (run.state.step, run.state.best_step) == (other.state.step, other.state.best_step)
        numbers = run.state.model.state_dict()
        for name, values in other.state.model.state_dict().items():
            assert torch.allclose(numbers[name], values, rtol=0, atol=1e-9), name
    return missed


@pytest.mark.parametrize(("net", "optimizer", "scale"), [
    *((net, "adam", "standard") for net in NETS), ("batch-norm", "momentum", "none"),
    ("dropout", "adamw", "none"), ("no-bias", "adam", "none"), ("conv1d", "momentum", "none"),
])  # fmt: skip
def test_every_layer_for_tables(net: str, optimizer: str, scale: str) -> None:
    recipe = SHARED.replace(model=sequence(*NETS[net]), optimizer=OPTIMIZERS[optimizer],
                            data=cy.prepare(scale=scale))  # fmt: skip
    missed = check_shared(lambda: runs_of(recipe, data_of("table")), FORM_OF[scale])
    assert missed == [[], [], []]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("scale", FORM_OF)
@pytest.mark.parametrize("net", ["batch-norm-plain-mean", "dropout"])
def test_a_batch_without_own_rows_leaves_a_member_untouched(
    net: str, scale: str, optimizer: str
) -> None:
    recipe = SHARED.replace(model=sequence(*NETS[net]), optimizer=OPTIMIZERS[optimizer],
                            data=cy.prepare(scale=scale), batch_size=4, schedule="one_cycle",
                            length="3 epochs")  # fmt: skip
    missed = check_shared(lambda: runs_of(recipe, data_of("table"), share=0.4), FORM_OF[scale])
    assert all(len(steps) > 5 for steps in missed)
    assert len({len(steps) for steps in missed}) > 1


def test_the_form_is_that_of_the_group_where_a_part_has_the_same_inputs() -> None:
    recipe = SHARED.replace(data=cy.prepare(scale="none"), length="30 steps")
    check_shared(lambda: runs_of(recipe, data_of("table")), "stacked")


@pytest.mark.parametrize("scale", FORM_OF)
@pytest.mark.parametrize("net", ["conv-norm", "conv-dropout"])
def test_images(net: str, scale: str) -> None:
    recipe = SHARED.replace(model=sequence(*IMAGE[net]), length="20 steps",
                            data=cy.prepare(scale=scale))  # fmt: skip
    check_shared(lambda: runs_of(recipe, data_of("image")), FORM_OF[scale])


def test_regression_weights_clipping_and_rates_of_their_own() -> None:
    recipe = SHARED.replace(loss="mse", clip=cy.clip.norm(0.5))
    check_shared(lambda: runs_of(recipe, data_of("table", "regression")), "stacked")

    def changes(member: int) -> dict[str, Any]:
        return {"optimizer": cy.optim.adam(lr=1e-3 * 3**member, betas=(0.7 + 0.1 * member, 0.99))}

    recipe = SHARED.replace(data=cy.prepare(weights="balanced"))
    check_shared(lambda: runs_of(recipe, data_of("table"), changes=changes), "stacked")


@pytest.mark.parametrize("size", [4, 16])
def test_early_stopping_of_each_member_and_compaction(size: int) -> None:
    recipe = SHARED.replace(length="40 epochs", batch_size=size, data=cy.prepare(scale="none"),
                            optimizer=cy.optim.adam(lr=0.02), schedule="constant",
                            stop=cy.stop.early("val_loss", patience="2 epochs"))  # fmt: skip

    def make() -> list[Assembly]:
        return runs_of(recipe, data_of("table"), share=0.4, members=6)

    check_shared(make, "wide")
    runs = make()
    list(train_together(runs, form=FORMS["wide"]))
    assert len({run.state.step for run in runs}) > 2


@settings(max_examples=6, deadline=None)
@given(member=st.integers(0, 2), noise=st.integers(0, 2**31), net=st.sampled_from(
    ["batch-norm", "layer-norm", "dropout-and-norm"]), scale=st.sampled_from(["standard", "none"]))  # fmt: skip
def test_rows_held_out_change_nothing(member: int, noise: int, net: str, scale: str) -> None:
    data = data_of("table")
    recipe = SHARED.replace(model=sequence(*NETS[net]), data=cy.prepare(scale=scale),
                            length="30 steps", stop="none")  # fmt: skip
    before = runs_of(recipe, data)
    shared = before[member].program.shared
    assert shared is not None
    held = (shared.weights == 0).numpy()
    generator = np.random.default_rng(noise)
    inputs, targets = np.array(data.inputs), np.array(data.targets)
    inputs[held] = generator.normal(scale=50.0, size=inputs[held].shape)
    targets[held] = generator.integers(0, 3, held.sum())
    after = runs_of(recipe, replace(data, inputs=inputs, targets=targets))
    for runs in (before, after):
        execute_all(runs)
    ours = after[member].state.model.state_dict()
    for name, values in before[member].state.model.state_dict().items():
        assert torch.equal(ours[name], values), name
    others = zip(before, after, strict=True)
    changed = [not torch.equal(next(a.state.model.parameters()), next(b.state.model.parameters()))
               for a, b in others]  # fmt: skip
    assert sum(changed) == 2


def test_which_form_and_which_layer() -> None:
    same, apart = (runs_of(SHARED.replace(data=cy.prepare(scale=scale)), data_of("table"))
                   for scale in ("none", "standard"))  # fmt: skip
    groups = [execute_all(runs, until=3)[0] for runs in (same, apart)]
    assert [[group.forms for group in found] for found in groups] == [[("wide",)], [("stacked",)]]
    crew = Crew(same, stacked_rows(same, wide=True), FORMS["wide"])
    assert any(isinstance(layer, WideLinear) for layer in crew.model.modules())
    convs = [nn.Sequential(nn.Conv2d(1, 2, 3)) for _ in range(2)]
    wide, x = stack_wide(convs), torch.randn(1, 4, 1, 5, 5)
    assert isinstance(wide, Repeated)
    for made, conv in zip(wide(x), convs, strict=True):
        assert torch.allclose(made, conv(x[0]), atol=1e-6)


@pytest.mark.parametrize("scale", ["standard", "none"])
def test_a_cross_validation_is_that_of_the_masked_sampler(scale: str) -> None:
    from chymist.protocols import cuts, kfold
    from chymist.verbs.jobs import Common, Desk
    from chymist.verbs.validation import _job

    data = cy.load("iris")
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(16,), dropout=0.1), length="6 epochs", stop="early",
                       precision="float64", data=cy.prepare(scale=scale))  # fmt: skip
    found = cy.cross_validate(recipe, data, folds=4, repeats=2, seed=SEED, order="shared")
    assert (found.facts["order"], found.facts["executor"]) == ("shared", "population")
    assert repr(found).endswith("8 fits, shared order)")
    common = Common(np.arange(150), SEED)
    parts = cuts(kfold(folds=4, repeats=2), data, seed=SEED)
    jobs = [replace(_job(recipe, data, cut, SEED, None, None), common=common) for cut in parts]
    at = 0
    for (run, held), job in zip(Desk().assembled(jobs), jobs, strict=True):
        plainly(run)
        if run.state.best is not None:
            run.state.model.load_state_dict(run.state.best)
        model = run.state.model.eval()
        truth = torch.softmax(model(held.take(torch.arange(len(held)))), 1).detach().numpy()
        ours = found.predictions.outputs[at : at + len(truth)]
        np.testing.assert_allclose(ours, truth, rtol=0, atol=1e-9)
        assert found.predictions.rows[at] == job.split.test[0]
        at += len(truth)
    own = cy.cross_validate(recipe, data, folds=4, repeats=2, seed=SEED)
    assert own.facts["order"] == "own"
    assert "order" not in repr(own)
    assert not np.allclose(own.predictions.outputs, found.predictions.outputs, atol=1e-6)


def test_threads_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from chymist.engine.population import running
    from chymist.verbs import jobs

    recipe = cy.Recipe(model="mlp", length="4 epochs", precision="float64")
    whole = cy.cross_validate(recipe, cy.load("iris"), folds=6, floors=False, order="shared")
    monkeypatch.setattr(running, "CREW_WORK", 1.0)
    monkeypatch.setattr(jobs, "free_memory", lambda: 400_000)
    cut = cy.cross_validate(recipe, cy.load("iris"), folds=6, floors=False, order="shared",
                            threads=2)  # fmt: skip
    np.testing.assert_allclose(cut.predictions.outputs, whole.predictions.outputs, atol=1e-9)


def test_what_cannot_share_an_order() -> None:
    class Own(nn.Module):
        def __init__(self, shapes: cy.Shapes) -> None:
            super().__init__()
            self.layer = nn.Linear(math.prod(shapes.inputs), shapes.outputs)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.layer(inputs)
            return made

    data, recipe = cy.load("iris"), cy.Recipe(model="mlp", length="2 epochs")

    def refused(match: str, recipe: cy.Recipe = recipe, **more: Any) -> None:
        with pytest.raises((UsageError, InputError), match=match) as raised:
            cy.cross_validate(recipe, data, floors=False, **{"order": "shared", **more})
        assert len(str(raised.value)) <= 200

    refused("a module under vmap", recipe.replace(model=Own))
    refused("it accumulates gradients", recipe.replace(accumulate=2))
    refused("each once", folds=cy.protocols.bootstrap(times=3))
    refused("a quarter of the rows", folds=cy.protocols.monte_carlo(times=2, test=0.8))
    refused("share no order", executor="loop")
    refused("no such order", order="common")


def test_the_command_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    code = main(["cv", "iris", "--folds", "3", "--model", "mlp", "--length", "2 epochs",
                 "--order", "shared", "--json", "--out", str(tmp_path / "cv")])  # fmt: skip
    said = capsys.readouterr()
    assert code == 0
    assert json.loads(said.out)["order"] == "shared"
    assert "all models read the same batches: none is what fit would give" in said.err
    assert json.loads((tmp_path / "cv" / "cv.json").read_text())["facts"]["order"] == "shared"
