"""Members that read sequences, texts and steps with targets are what they would be alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn

import chymist as cy
from chymist.engine.assembly import Assembly, assemble
from chymist.engine.defaults import complete
from chymist.engine.population import Plan, together
from chymist.engine.population.plan import Timings, _key
from chymist.models.packing import packed_steps, whole_steps
from chymist.models.recurrent import lengths_of
from chymist.models.stacked import member_of, numbers_of, stack
from chymist.models.stacked_parts import Unstackable
from tests.test_population import check_equal

RNG = np.random.default_rng
CELLS = ("rnn", "gru", "lstm")


def sequences() -> cy.Data:
    x = RNG(0).normal(size=(150, 7, 3))
    return cy.load((x, x[:, 0].argmax(1)), kind="sequence")


def texts() -> cy.Data:
    """Texts of 0 to 9 words; every member of a population knows other words."""
    draw, words = RNG(1), [f"w{n}" for n in range(60)]
    made = [" ".join(draw.choice(words, draw.integers(0, 10) if n % 9 else 12 + n // 30))
            for n in range(150)]  # fmt: skip
    for n in range(0, 150, 4):  # words that occur once
        made[n] += f" only{n}"
    return cy.load((made, ["ab"["w1" in text] for text in made]), kind="text")


def tags() -> cy.Data:
    draw = RNG(2)
    x = draw.integers(1, 6, (150, 8))
    for row, stop in enumerate(draw.integers(0, 9, 150)):
        x[row, stop:] = 0
    y = np.where(x > 0, x.cumsum(1) % 3, -1)
    y[::7, 1] = -1
    return cy.load((x, y), kind="tokens", task="tagging")


def language() -> cy.Data:
    ids = np.tile(RNG(3).integers(0, 7, 41), 40)[: 150 * 9 + 1]
    return cy.load((ids[:-1].reshape(150, 9), ids[1:].reshape(150, 9)), kind="tokens",
                   task="language")  # fmt: skip


DATA = {"sequence": sequences, "text": texts, "tagging": tags, "language": language}
RECIPE = cy.Recipe(
    model=cy.models.gru(hidden=(5,), embedding=4), optimizer=cy.optim.adam(lr=3e-3),
    schedule="constant", batch_size=16, length="100 steps", stop="none", precision="float64",
)  # fmt: skip


def runs_of(recipe: cy.Recipe, kind: str, changes: Any = lambda member: {}) -> list[Assembly]:
    data, runs = DATA[kind](), []
    for member, count in enumerate((97, 90, 101)):
        order = RNG(member).permutation(150)
        split = cy.Split(data, np.sort(order[:count]), np.sort(order[count : count + 30]),
                         np.array([], np.int64))  # fmt: skip
        full = complete(recipe.replace(**changes(member)), split)
        runs.append(assemble(full, split, seed=member))
    return runs


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize(
    "options",
    [{}, {"bidirectional": True}, {"hidden": (6, 4), "dropout": 0.3},
     {"hidden": (4, 3), "dropout": 0.2, "bidirectional": True}],
    ids=["plain", "both-ways", "deep-dropout", "deep-both-ways-dropout"],
)  # fmt: skip
def test_every_cell_on_every_kind(cell: str, kind: str, options: dict[str, Any]) -> None:
    model = getattr(cy.models, cell)(**{"hidden": (5,), "embedding": 4, **options})
    if kind == "language" and options.get("bidirectional"):
        pytest.skip("it would have read what it is to say")
    length = "100 steps" if (cell, kind) == ("lstm", "tagging") and not options else "12 steps"
    check_equal(lambda: runs_of(RECIPE.replace(model=model, length=length), kind))


@pytest.mark.parametrize("pool", ["mean", "max"])
@pytest.mark.parametrize("kind", ["sequence", "text"])
@pytest.mark.parametrize("both", [False, True])
def test_pools_over_steps(pool: str, kind: str, both: bool) -> None:
    model = cy.models.lstm(hidden=(4, 3), embedding=4, dropout=0.2, pool=pool, bidirectional=both)
    check_equal(lambda: runs_of(RECIPE.replace(model=model, length="10 steps"), kind))


def test_convolutions_over_words_of_their_own() -> None:
    model = cy.models.text_cnn(channels=4, kernels=(2, 3), embedding=4)
    recipe = RECIPE.replace(model=model, length="10 steps")
    assert len({run.shapes.vocabulary for run in runs_of(recipe, "text")}) == 3
    check_equal(lambda: runs_of(recipe, "text"))


def test_convolutions_over_steps() -> None:
    model = cy.models.cnn1d(channels=(4, 4), kernel=3)
    check_equal(lambda: runs_of(RECIPE.replace(model=model, length="10 steps"), "sequence"))


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize(
    "more",
    [{"clip": cy.clip.norm(0.1)}, {"penalty": "l2"}, {"gradient_noise": "annealed"},
     {"batch_size": 32}, {"batch_size": "all", "optimizer": cy.optim.bgd(lr=0.1)},
     {"stop": cy.stop.early("val_loss", patience="1 epochs"), "length": "6 epochs",
      "optimizer": cy.optim.adam(lr=0.05)},
     {"optimizer": cy.optim.sgd(lr=0.1, momentum=0.9, weight_decay=1e-2)}, {"init": "orthogonal"}],
    ids=["clip", "penalty", "noise", "one-joins", "all", "early", "momentum", "orthogonal"],
)  # fmt: skip
def test_slots_of_the_recipe(kind: str, more: dict[str, Any]) -> None:
    recipe = RECIPE.replace(**{"length": "10 steps", **more})
    check_equal(lambda: runs_of(recipe, kind))


@pytest.mark.parametrize("kind", DATA)
def test_members_may_differ_in_rate_decay_and_dropout(kind: str) -> None:
    def changes(member: int) -> dict[str, Any]:
        return {"optimizer": cy.optim.adamw(lr=0.002 * 2**member, weight_decay=0.02 * member),
                "model": RECIPE.model.replace(dropout=0.2 * member)}  # fmt: skip

    check_equal(lambda: runs_of(RECIPE.replace(length="10 steps"), kind, changes))


def test_float32_drifts_by_rounding_only() -> None:
    for cell in CELLS:
        recipe = RECIPE.replace(
            precision="float32", length="12 steps", model=getattr(cy.models, cell)(hidden=(8,))
        )
        check_equal(lambda recipe=recipe: runs_of(recipe, "text"), within=2e-4)


def test_members_of_texts_know_words_of_their_own() -> None:
    runs = runs_of(RECIPE, "text")
    sizes = {len(run.preparation.vocabulary) for run in runs}
    lengths = {run.shapes.inputs for run in runs}
    assert (len(sizes), len(lengths)) == (3, 2)
    assert [group.reason for group in together(runs)] == [""]
    model = stack([run.state.model for run in runs])
    for place, run in enumerate(runs):
        own = member_of(model, numbers_of(model), place)
        assert all(torch.equal(own[n], v) for n, v in run.state.model.state_dict().items())


def test_what_goes_by_the_loop_and_why() -> None:
    carrying = RECIPE.replace(model=cy.models.lstm(hidden=(4,), carry=True))
    runs = runs_of(carrying, "language")
    assert together(runs)[0].reason == "its state goes on from batch to batch"
    with pytest.raises(Unstackable, match="LSTM of this form"):
        stack([nn.LSTM(3, 2, num_layers=2, batch_first=True)])
    with pytest.raises(Unstackable, match="RNN of this form"):
        stack([nn.RNN(3, 2, bias=False, batch_first=True)])


def test_a_rectified_recurrence_is_that_of_torch() -> None:
    torch.manual_seed(0)
    layers = [nn.RNN(3, 4, nonlinearity="relu", batch_first=True).double() for _ in range(2)]
    x = torch.randn(2, 5, 6, 3, dtype=torch.float64)
    stacked = stack(layers)
    steps = whole_steps(2, 5, 6)
    made = steps.unpack(stacked(steps.pack(x), steps, True))
    made.square().sum().backward()
    for place, layer in enumerate(layers):
        alone, _ = layer(x[place])
        torch.testing.assert_close(made[place], alone)
        alone.square().sum().backward()
        for name, parameter in layer.named_parameters():
            torch.testing.assert_close(stacked.get_parameter(name).grad[place], parameter.grad)


@settings(max_examples=40, deadline=None)
@given(some.integers(1, 3), some.integers(1, 5), some.integers(1, 6), some.integers(0, 99))
def test_packed_rows_come_back_and_turn_round(
    members: int, rows: int, most: int, seed: int
) -> None:
    lengths = torch.from_numpy(RNG(seed).integers(1, most + 1, (members, rows)))
    values = torch.from_numpy(RNG(seed).normal(size=(members, rows, most, 2)))
    steps = packed_steps(lengths, most)
    there = torch.arange(most) < lengths[..., None]
    packed = steps.pack(values)
    assert packed.shape[:2] == (members, sum(steps.counts))
    back = steps.unpack(packed)
    assert torch.equal(back[there], values[there])
    assert torch.equal(steps.flip(steps.flip(packed)), packed)
    turned = steps.unpack(steps.flip(packed))
    for member, row in np.ndindex(members, rows):
        length = int(lengths[member, row])
        own = values[member, row, :length]
        assert torch.equal(steps.last(packed)[member, row], own[-1])
        assert torch.equal(turned[member, row, :length], own.flip(0))
    whole = whole_steps(members, rows, most)
    assert torch.equal(whole.unpack(whole.pack(values)), values)
    assert torch.equal(whole.last(whole.pack(values)), values[:, :, -1])


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_by_hand_are_those_by_differences(cell: str) -> None:
    from chymist.models.recurrence import CELLS as KNOWN
    from chymist.models.recurrence import Recurrence

    torch.manual_seed(0)
    name = {"rnn": "RNN_TANH", "gru": "GRU", "lstm": "LSTM"}[cell]
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    steps = packed_steps(torch.tensor([[3, 1, 2], [2, 2, 1]]), 3)
    shapes = [(2, sum(steps.counts), 2), (2, gates * 3, 2), (2, gates * 3, 3), (2, gates * 3),
              (2, gates * 3)]  # fmt: skip
    given = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    for all_steps, kind in ((True, steps), (False, whole_steps(2, 3, 2))):
        first = given[0] if all_steps else given[0][:, :6].detach().requires_grad_()
        assert torch.autograd.gradcheck(
            lambda x, *w, kind=kind, all_steps=all_steps: Recurrence.apply(
                KNOWN[name], kind, all_steps, x, *w), (first, *given[1:]))  # fmt: skip


def test_a_zero_in_the_middle_of_a_text_ends_nothing() -> None:
    tokens = torch.tensor([[2, 0, 3, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    assert lengths_of(tokens).tolist() == [3, 1, 4]
    model = cy.models.gru(hidden=(3,), embedding=2).build(cy.Shapes((4,), 2, (), 5)).eval()
    assert not torch.allclose(model(tokens[:1]), model(torch.tensor([[2, 0, 0, 0]])))


def test_cross_validation_of_texts_is_that_by_the_loop() -> None:
    recipe = RECIPE.replace(length="3 epochs", model=cy.models.lstm(hidden=(4,), embedding=3))
    one, other = (cy.cross_validate(recipe, texts(), folds=4, floors=False, executor=executor)
                  for executor in ("auto", "loop"))  # fmt: skip
    np.testing.assert_allclose(one.predictions.outputs, other.predictions.outputs, atol=1e-8)


def test_what_a_step_keeps_cuts_a_population(monkeypatch: pytest.MonkeyPatch) -> None:
    from chymist.engine.population import activations, execute_all

    recipe = RECIPE.replace(length="5 steps", model=cy.models.lstm(hidden=(8,), embedding=4))
    runs, theirs = runs_of(recipe, "text"), runs_of(recipe, "text")
    size = activations.bytes_of_step(runs[0])
    steps = max(run.shapes.inputs[0] for run in runs)
    kept = 16 * steps * 8 * (4 + 8 + 5 * 4)  # gates, their gradients and memories, in float64
    assert kept / 4 < size < 16 * kept
    bigger = runs_of(recipe.replace(batch_size=32), "text")[0]
    assert activations.bytes_of_step(bigger) == 2 * size
    monkeypatch.setattr(activations, "free_memory", lambda: 4 * 2.5 * size)
    assert activations.programs_for(runs[0], [0, 1, 2], 1) == 2
    assert activations.programs_for(runs[0], [0, 1, 2], 2) == 3
    monkeypatch.setattr(activations, "free_memory", lambda: 0)
    assert activations.programs_for(runs[0], [0, 1, 2], 1) == 3
    execute_all(runs, plan=_stacked_plan(runs))
    monkeypatch.undo()
    execute_all(theirs, plan=_stacked_plan(theirs))
    for run, other in zip(runs, theirs, strict=True):
        for name, values in run.state.model.state_dict().items():
            torch.testing.assert_close(values, other.state.model.state_dict()[name], atol=1e-9,
                                       rtol=0)  # fmt: skip


def _stacked_plan(runs: list[Assembly]) -> Plan:
    """A plan that has measured the stacked form to be the fastest."""
    plan = Plan(Path("plan.json"), pinned=True)
    plan.known[_key(runs)] = Timings("known", {"loop": 1.0, "stacked": 0.1})
    return plan
