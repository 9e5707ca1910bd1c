"""A member of a population is what it would be alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.engine.assembly import Assembly, assemble
from chymist.engine.defaults import complete
from chymist.engine.events import Epoch
from chymist.engine.loop import train
from chymist.engine.population import together, train_together
from chymist.engine.population.plan import FORMS
from chymist.errors import Diverged
from chymist.models import Dropout, Residual
from chymist.models.stacked import stack
from chymist.models.stacked_parts import Unstackable

ROWS = (97, 90, 101)  # training rows of the members: other numbers of steps, padded batches


def data_of(kind: str, task: str = "classification") -> Any:
    generator = np.random.default_rng(0)
    shapes = {"table": (150, 6), "image": (150, 6, 6, 2), "sequence": (150, 12)}
    inputs = generator.normal(size=shapes[kind])
    scores = inputs.reshape(150, -1)[:, :3] + 0.3 * generator.normal(size=(150, 3))
    targets = scores.argmax(1) if task == "classification" else scores[:, :2]
    return cy.load((inputs, targets))


def runs_of(
    recipe: cy.Recipe, kind: str, task: str = "classification", rows: tuple[int, ...] = ROWS,
    changes: Callable[[int], dict[str, Any]] = lambda member: {},
) -> list[Assembly]:  # fmt: skip
    data = data_of(kind, task)
    runs = []
    for member, count in enumerate(rows):
        order = np.random.default_rng(member).permutation(150)
        split = cy.Split(data, np.sort(order[:count]), np.sort(order[count : count + 30]),
                         np.array([], np.int64))  # fmt: skip
        given = recipe.replace(**changes(member))
        if given.optimizer is not None and given.optimizer.name == "bgd":  # takes all rows
            given = given.replace(batch_size=None)
        full = complete(given, split)
        runs.append(assemble(full, split, seed=member))
    return runs


def alone(runs: list[Assembly]) -> list[list[Epoch]]:
    return [[e for e in train(run.program, run.state) if isinstance(e, Epoch)] for run in runs]


def check_equal(
    make: Callable[[], list[Assembly]], within: float = 1e-9, form: str = "stacked"
) -> None:
    """Trained together and alone, members agree in weights, records and stopping."""
    ours, theirs = make(), make()
    assert form in together(ours)[0].forms
    assert [group.reason for group in together(ours)] == [""]
    events: list[list[Epoch]] = [[] for _ in ours]
    for member, event in train_together(ours, form=FORMS[form]):
        assert isinstance(event, Epoch)
        events[member].append(event)
    expected = alone(theirs)
    assert [[e.step for e in es] for es in events] == [[e.step for e in es] for es in expected]
    for run, other, found, right in zip(ours, theirs, events, expected, strict=True):
        for a, b in zip(found, right, strict=True):
            assert (a.epoch, a.best, a.last) == (b.epoch, b.best, b.last)
            assert a.values == pytest.approx(b.values, abs=within, rel=within)
        numbers, truth = run.state.model.state_dict(), other.state.model.state_dict()
        for name, values in truth.items():
            assert torch.allclose(numbers[name], values, rtol=0, atol=within), name
        assert run.state.best_step == other.state.best_step
        assert run.state.step == other.state.step


RECIPE = cy.Recipe(
    model=cy.models.mlp(hidden=(16, 8), activation="tanh"), optimizer=cy.optim.adam(lr=3e-3),
    schedule="constant", batch_size=16, length="120 steps", stop="none", precision="float64",
)  # fmt: skip


def sequence(*layers: Callable[[], nn.Module]) -> Callable[[cy.Shapes], nn.Module]:
    return lambda shapes: nn.Sequential(*(layer() for layer in layers)).double()


TABLE = {
    "linear": [lambda: nn.Linear(6, 3)],
    "residual": [lambda: nn.Linear(6, 8), lambda: Residual(nn.ReLU(), nn.Linear(8, 8)),
                 nn.ReLU, lambda: nn.Linear(8, 3)],
    "no-bias": [lambda: nn.Linear(6, 8, bias=False), nn.ReLU, lambda: nn.Linear(8, 3)],
    "batch-norm": [lambda: nn.Linear(6, 8), lambda: nn.BatchNorm1d(8), nn.ReLU,
                   lambda: nn.Linear(8, 3)],
    "batch-norm-plain-mean": [lambda: nn.Linear(6, 8), lambda: nn.BatchNorm1d(8, momentum=None),
                              nn.ReLU, lambda: nn.Linear(8, 3)],
    "batch-norm-no-statistics": [
        lambda: nn.Linear(6, 8), lambda: nn.BatchNorm1d(8, track_running_stats=False),
        nn.ReLU, lambda: nn.Linear(8, 3)],
    "batch-norm-not-affine": [lambda: nn.Linear(6, 8), lambda: nn.BatchNorm1d(8, affine=False),
                              nn.Tanh, lambda: nn.Linear(8, 3)],
    "layer-norm": [lambda: nn.Linear(6, 8), lambda: nn.LayerNorm(8), nn.ELU,
                   lambda: nn.Linear(8, 3)],
    "layer-norm-no-bias": [lambda: nn.Linear(6, 8), lambda: nn.LayerNorm(8, bias=False), nn.GELU,
                           lambda: nn.Linear(8, 3)],
    "dropout": [lambda: nn.Linear(6, 32), nn.ReLU, lambda: Dropout(0.4), lambda: nn.Linear(32, 3)],
    "dropout-and-norm": [lambda: nn.Linear(6, 16), lambda: nn.BatchNorm1d(16), nn.SiLU,
                         lambda: Dropout(0.2), lambda: nn.Linear(16, 3)],
    "conv1d": [lambda: nn.Unflatten(1, (2, 3)), lambda: nn.Conv1d(2, 4, 2), nn.ReLU, nn.Flatten,
               lambda: nn.Linear(8, 3)],
}  # fmt: skip
IMAGE = {
    "conv": [lambda: nn.Conv2d(2, 4, 3, padding=1), nn.ReLU, lambda: nn.MaxPool2d(2), nn.Flatten,
             lambda: nn.Linear(36, 3)],
    "conv-norm": [lambda: nn.Conv2d(2, 4, 3, padding=1, bias=False), lambda: nn.BatchNorm2d(4),
                  nn.ReLU, lambda: nn.AdaptiveAvgPool2d(1), nn.Flatten, lambda: nn.Linear(4, 3)],
    "conv-dropout": [lambda: nn.Conv2d(2, 4, 3), nn.ReLU, lambda: Dropout(0.3), nn.Flatten,
                     lambda: nn.Linear(64, 3)],
    "conv-transposed": [lambda: nn.Conv2d(2, 3, 3, stride=2, groups=1),
                        lambda: nn.ConvTranspose2d(3, 2, 2, stride=2, bias=False), nn.ReLU,
                        lambda: nn.AvgPool2d(2), nn.Flatten, lambda: nn.Linear(8, 3)],
    "conv-circular": [lambda: nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular", groups=2),
                      nn.ReLU, nn.Flatten, lambda: nn.Linear(144, 3)],
}  # fmt: skip
OPTIMIZERS = {
    "sgd": cy.optim.sgd(lr=0.05),
    "momentum": cy.optim.sgd(lr=0.02, momentum=0.9, weight_decay=1e-2),
    "nesterov": cy.optim.sgd(lr=0.02, momentum=0.9, nesterov=True),
    "adam": cy.optim.adam(lr=3e-3),
    "adam-decay": cy.optim.adam(lr=3e-3, weight_decay=1e-2, betas=(0.8, 0.99)),
    "adamw": cy.optim.adamw(lr=3e-3),
}
MORE = {
    "nesterov-by-name": cy.optim.nesterov(lr=0.02),
    "bgd": cy.optim.bgd(lr=0.05, momentum=0.5),
    "adagrad": cy.optim.adagrad(lr=0.02, weight_decay=1e-2),
    "rmsprop": cy.optim.rmsprop(lr=1e-3),
    "rmsprop-momentum": cy.optim.rmsprop(lr=5e-4, momentum=0.9),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", TABLE)
def test_every_layer_and_optimizer_for_tables(net: str, optimizer: str) -> None:
    recipe = RECIPE.replace(model=sequence(*TABLE[net]), optimizer=OPTIMIZERS[optimizer])
    check_equal(lambda: runs_of(recipe, "table"))


@pytest.mark.parametrize("optimizer", MORE)
def test_further_optimizers(optimizer: str) -> None:
    recipe = RECIPE.replace(model=sequence(*TABLE["dropout-and-norm"]), optimizer=MORE[optimizer])
    check_equal(lambda: runs_of(recipe, "table"))


@pytest.mark.parametrize("optimizer", ["momentum", "adamw"])
@pytest.mark.parametrize("form", ["stacked", "grouped", "unfolded"])
@pytest.mark.parametrize("net", IMAGE)
def test_every_layer_for_images(net: str, form: str, optimizer: str) -> None:
    recipe = RECIPE.replace(model=sequence(*IMAGE[net]), optimizer=OPTIMIZERS[optimizer],
                            length="30 steps")  # fmt: skip
    check_equal(lambda: runs_of(recipe, "image"), form=form)


@pytest.mark.parametrize("optimizer", OPTIMIZERS | MORE)
@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_members_may_differ_in_rate_and_decay(optimizer: str, schedule: str) -> None:
    def changes(member: int) -> dict[str, Any]:
        part = (OPTIMIZERS | MORE)[optimizer]
        return {"optimizer": part.replace(lr=0.003 * 3**member, weight_decay=0.02 * member)}

    recipe = RECIPE.replace(schedule=schedule, length="6 epochs")
    check_equal(lambda: runs_of(recipe, "table", changes=changes))


@pytest.mark.parametrize("clip", [cy.clip.norm(0.3), cy.clip.value(0.02), cy.clip.unit(), "none"])
def test_clipping_is_by_member(clip: Any) -> None:
    check_equal(lambda: runs_of(RECIPE.replace(clip=clip), "table"))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_early_stopping_of_each_member_and_compaction(optimizer: str) -> None:
    recipe = RECIPE.replace(
        model=cy.models.mlp(hidden=(32,), dropout=0.2), length="60 epochs",
        optimizer=OPTIMIZERS[optimizer].replace(lr=0.02 if "adam" in optimizer else 0.2),
        stop=cy.stop.early("val_loss", patience="3 epochs"),
    )  # fmt: skip
    counts = tuple(range(60, 110, 7))
    runs = runs_of(recipe, "table", rows=counts)
    ends = [events[-1].epoch for events in alone(runs)]
    assert len(set(ends)) > 3, "the members stop at different epochs"
    check_equal(lambda: runs_of(recipe, "table", rows=counts))


def test_regression_with_two_targets() -> None:
    recipe = RECIPE.replace(loss="mse", clip=cy.clip.norm(1.0))
    check_equal(lambda: runs_of(recipe, "table", "regression"))


def test_a_batch_larger_than_the_rows_and_a_batch_of_one_that_joins() -> None:
    check_equal(lambda: runs_of(RECIPE.replace(batch_size=100), "table"))  # 97, 90, 100 + 1
    check_equal(lambda: runs_of(RECIPE.replace(batch_size=32), "table"))  # 97 = 3 x 32 + 1


def test_float32_drifts_by_rounding_only() -> None:
    check_equal(lambda: runs_of(RECIPE.replace(precision="float32"), "table"), within=2e-4)


def test_a_member_that_diverges_is_named_and_the_others_do_not_notice() -> None:
    def changes(member: int) -> dict[str, Any]:
        return {"optimizer": cy.optim.sgd(lr=1e200 if member == 1 else 0.05)}

    recipe = RECIPE.replace(loss="mse", model=cy.models.mlp(hidden=(8,)))
    ours = runs_of(recipe, "table", "regression", changes=changes)
    theirs = runs_of(recipe, "table", "regression", changes=changes)
    events = list(train_together(ours))
    failed = [event for event in events if isinstance(event.event, Diverged)]
    assert [event.member for event in failed] == [1]
    with pytest.raises(Diverged, match=r"step \d+") as raised:
        list(train(theirs[1].program, theirs[1].state))
    assert str(failed[0].event).split(",")[0] == str(raised.value).split(",")[0]
    for member in (0, 2):
        list(train(theirs[member].program, theirs[member].state))
    for run, other in zip(ours, theirs, strict=True):
        assert run.state.step == other.state.step
        for a, b in zip(run.state.model.parameters(), other.state.model.parameters(), strict=True):
            assert torch.allclose(a, b, rtol=1e-9, atol=1e-9)


def test_a_member_does_not_depend_on_who_else_is_there() -> None:
    full = runs_of(RECIPE, "table", rows=(97, 90, 101, 80, 99, 64))
    list(train_together(full))
    for chosen in ([0, 1], [5, 2, 0]):
        some = [runs_of(RECIPE, "table", rows=(97, 90, 101, 80, 99, 64))[n] for n in chosen]
        list(train_together(some))
        for number, run in zip(chosen, some, strict=True):
            pairs = zip(run.state.model.parameters(), full[number].state.model.parameters(),
                        strict=True)  # fmt: skip
            assert all(torch.allclose(a, b, rtol=0, atol=1e-10) for a, b in pairs)


def test_groups_by_architecture_and_reasons() -> None:
    data = data_of("table")
    split = cy.split(data, test=0, valid=0.2, seed=0)

    def made(**changes: Any) -> Assembly:
        return assemble(complete(RECIPE.replace(**changes), split), split, seed=0)

    wide = cy.models.mlp(hidden=(32,))
    runs = [made(), made(model=wide), made(), made(model=wide, batch_size=8),
            made(accumulate=2), made(accumulate=2)]  # fmt: skip
    groups = together(runs)
    assert [group.members for group in groups] == [(0, 2), (1,), (3,), (4, 5)]
    assert [group.reason for group in groups] == [
        "", "it is the only one of its kind", "it is the only one of its kind",
        "it accumulates gradients",
    ]  # fmt: skip


def test_a_layer_that_stands_twice_and_layers_with_names() -> None:
    def twice(shapes: cy.Shapes) -> nn.Module:
        act, drop = nn.Tanh(), Dropout(0.3)
        layers = [("a", nn.Linear(6, 8)), ("act", act), ("drop", drop), ("b", nn.Linear(8, 8)),
                  ("again", act), ("drop again", drop), ("c", nn.Linear(8, 3))]  # fmt: skip
        return nn.Sequential(OrderedDict(layers)).double()

    check_equal(lambda: runs_of(RECIPE.replace(model=twice), "table"))


def test_what_is_not_stacked_and_why() -> None:
    def tied(shapes: cy.Shapes) -> nn.Module:
        layer = nn.Linear(6, 6)
        return nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(6, 3)).double()

    def hooked(shapes: cy.Shapes) -> nn.Module:
        layer = nn.Linear(6, 3)
        layer.register_forward_hook(lambda layer, x, y: 2 * y)
        return nn.Sequential(layer).double()

    for model, reason in ((tied, "its layers share weights"), (hooked, "Linear has hooks")):
        runs = runs_of(RECIPE.replace(model=model), "table")
        assert [group.reason for group in together(runs)] == [reason]
    with pytest.raises(Unstackable, match="Embedding"):
        stack([nn.Embedding(5, 2, padding_idx=0)])


def test_embeddings_of_members_do_not_mix() -> None:
    tables = [nn.Embedding(5, 2) for _ in range(3)]
    index = torch.randint(0, 5, (3, 4, 6))
    found = stack(tables)(index)
    for member, table in enumerate(tables):
        assert torch.equal(found[member], table(index[member]))


@pytest.mark.parametrize("source", ["iris", "diabetes"])
@pytest.mark.parametrize("stop", ["none", "early"])
def test_cross_validation_as_one_program_equals_the_loop(source: str, stop: str) -> None:
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(16,), dropout=0.1), length="15 epochs",
                       precision="float64", stop=stop)  # fmt: skip
    data = cy.load(source)
    one = cy.cross_validate(recipe, data, folds=4, repeats=2, floors=False)
    many = cy.cross_validate(recipe, data, folds=4, repeats=2, floors=False, executor="loop")
    assert (one.facts["executor"], many.facts["executor"]) == ("population", "loop")
    np.testing.assert_allclose(one.predictions.outputs, many.predictions.outputs, atol=1e-8, rtol=0)
    assert [f["epochs"] for f in one.folds] == [f["epochs"] for f in many.folds]
    assert one.floors == ()


def images(dtype: type) -> cy.Data:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (150, 6, 6, 1))
    pixels[:50] //= 3  # folds differ in mean and deviation
    return cy.load((pixels.astype(dtype), pixels.reshape(150, -1)[:, :3].argmax(1)))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("scale", ["auto", "standard", "pixel", "none"])
def test_each_fold_of_images_is_scaled_by_its_own_rows(dtype: type, scale: str) -> None:
    # Raw values to 255 make a chaotic run: rounding grows by 1e10 in 12 epochs, in 2 by 100.
    length = "2 epochs" if scale == "none" else "12 epochs"
    recipe = RECIPE.replace(data=cy.prepare(scale=scale), stop="early", length=length)
    made = [
        cy.cross_validate(recipe, images(dtype), folds=3, floors=False, executor=executor)
        for executor in ("auto", "loop")
    ]
    assert [one.facts["executor"] for one in made] == ["population", "loop"]
    one, other = (each.predictions.outputs for each in made)
    np.testing.assert_allclose(one, other, atol=1e-9, rtol=0)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_members_may_differ_in_how_images_are_scaled(dtype: type) -> None:
    split = cy.split(images(dtype), seed=0)
    recipes = [
        RECIPE.replace(data=cy.prepare(scale=scale), length="30 steps")
        for scale in ("none", "pixel", "standard")
    ]
    members = cy.fit_population(recipes, split, seeds=[0])
    for number, recipe in enumerate(recipes):
        alone = cy.fit(recipe, split, seed=0).model.state_dict()
        numbers = members.run(number).model.state_dict()
        within = 1e-6 if number == 0 else 1e-9  # of raw values to 255 rounding grows
        for name, values in alone.items():
            assert torch.allclose(numbers[name], values, rtol=0, atol=within), name


def test_folds_of_images_are_gathered_from_the_images_themselves() -> None:
    from chymist.engine.population.training import stacked_rows
    from chymist.protocols import cuts, kfold
    from chymist.verbs.jobs import Desk, Job
    from chymist.verbs.validation import fold_split

    data = cy.load("digits")
    recipe = cy.Recipe(model="mlp", stop="none")
    splits = [fold_split(data, cut, 0, False) for cut in cuts(kfold(folds=4), data)]
    runs = [run for run, _ in Desk().assembled([Job(recipe, split, 0) for split in splits])]
    assert stacked_rows(runs).source.nbytes == data.inputs.nbytes


def test_folds_that_do_not_fit_into_memory_together_are_cut_into_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from chymist.verbs import jobs

    sizes = []
    real = jobs.execute_all

    def execute_all(runs: list[Assembly], *rest: Any, **more: Any) -> Any:
        sizes.append(len(runs))
        return real(runs, *rest, **more)

    recipe = cy.Recipe(model="mlp", length="5 epochs", precision="float64")
    whole = cy.cross_validate(recipe, cy.load("iris"), folds=6, floors=False)
    monkeypatch.setattr(jobs, "execute_all", execute_all)
    monkeypatch.setattr(jobs, "free_memory", lambda: 300_000)
    cut = cy.cross_validate(recipe, cy.load("iris"), folds=6, floors=False)
    assert sum(sizes) == 6
    assert 1 < len(sizes) < 6
    np.testing.assert_allclose(cut.predictions.outputs, whole.predictions.outputs, atol=1e-9)


def test_a_fold_that_diverges_is_named() -> None:
    recipe = cy.Recipe(model="mlp", loss="mse", optimizer=cy.optim.sgd(lr=1e30), length="9 epochs")
    with pytest.raises(Diverged, match=r"fold \d, step \d+"):
        cy.cross_validate(recipe, cy.load("diabetes"), folds=3)


@pytest.mark.parametrize("scale", ["standard", "none"])
def test_columns_of_numbers_at_once_are_those_one_by_one(scale: str) -> None:
    from chymist.data.features import Options, fit_feature
    from chymist.data.number_columns import fit_number_columns

    cells = np.random.default_rng(0).normal(size=(331, 9)) * 10.0 ** np.arange(-4, 5)
    cells[3, 2], cells[:, 4], cells[:, 6] = np.nan, 7.0, np.round(cells[:, 6])
    names = [f"c{n}" for n in range(9)]
    options = Options(scale=scale)
    made = fit_number_columns(names, cells, options)
    assert sorted(made) == [0, 1, 3, 5, 6, 7, 8]
    for place, feature in made.items():
        assert feature == fit_feature(names[place], place, "number", cells[:, place], options)[0]


def test_the_band_of_many_fits_says_where_they_stand() -> None:
    from chymist.cli.terminal import Band, Screen

    band = Band(Screen(), 3)
    band(0, Epoch(2, 20, {"train_loss": 0.5}, False, False))
    band(2, Epoch(4, 40, {"train_loss": 0.25}, False, True))
    assert band.text() == "2 of 3 fits, 1 ended  epoch 2 to 4  loss 0.5 [0.25, 0.5]"


def test_a_watcher_sees_every_epoch_of_every_fold() -> None:
    seen: list[tuple[int, int]] = []
    recipe = cy.Recipe(model="mlp", length="3 epochs", stop="none")
    cy.cross_validate(
        recipe, cy.load("iris"), folds=4, floors=False,
        watcher=lambda fold, epoch: seen.append((fold, epoch.epoch)),
    )  # fmt: skip
    assert sorted(seen) == [(fold, epoch) for fold in range(4) for epoch in (1, 2, 3)]
