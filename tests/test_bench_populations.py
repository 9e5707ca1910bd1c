"""The trainings of the benchmark's populations, and what its peers share; nothing is timed here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from torch import nn

import chymist as cy
from bench.nets import build
from bench.peer import quality
from bench.peers import many_chymist, many_expert, many_tutorial
from bench.populations import Many, Member, filled, inputs_of, members_of, stacked
from bench.task import RATE
from bench.workloads import WORKLOADS, rows_of

RNG = np.random.default_rng(0)
SMALL = replace(WORKLOADS["cv10"], folds=3, epochs=4, batch=8)


def task_of(work, peer="expert", count=180, seed=3):
    """The first rows of the digits, in folds."""
    rows = rows_of(WORKLOADS["cv10"])
    x, y = rows["x"][:count], rows["y"][:count]
    return Many(work, x, y, members_of(work, x, y, seed), seed, peer)


def test_folds_hold_each_row_out_once_as_chymist_does():
    task = task_of(SMALL)
    held = np.concatenate([member.held for member in task.members])
    assert sorted(held) == list(range(180))
    for member in task.members:
        assert sorted([*member.train, *member.held]) == list(range(180))
        assert (member.seed, member.rate) == (3, RATE)
    data = cy.load((task.x, task.y), task="classification")
    recipe = cy.Recipe(model="softmax", length="1 steps")
    cv = cy.cross_validate(recipe, data, folds=3, seed=3, floors=False)
    assert np.array_equal(cv.predictions.rows, held)


def test_a_sweep_is_every_rate_with_every_seed_on_one_split():
    work = WORKLOADS["sweep"]
    rows = rows_of(work)
    x, y = (np.concatenate([rows[name], rows[f"{name}v"]]) for name in ("x", "y"))
    assert (len(rows["x"]), len(rows["xv"])) == (work.rows, work.valid) == (455, 114)
    members = members_of(work, x, y, 2)
    assert len(members) == work.members == 192
    assert [member.seed for member in members[:4]] == [6, 7, 8, 6]
    assert (members[0].rate, members[-1].rate) == (pytest.approx(1e-4), pytest.approx(1e-1))
    assert members[3].rate / members[2].rate == pytest.approx(1000 ** (1 / 63))
    assert all(member.train is members[0].train for member in members)
    assert list(members[0].held) == list(range(455, 569))


def test_inputs_are_standardised_by_the_rows_trained_on():
    x = RNG.normal(3, 5, (40, 4)).astype(np.float32)
    x[:, 2] = 7
    work = replace(SMALL, standard=True)
    member = Member(np.arange(30), np.arange(30, 40), 0, RATE)
    got = inputs_of(Many(work, x, np.zeros(40, int), (member,), 0, "expert"), member)
    scaler = StandardScaler().fit(x[:30].astype(np.float64))
    for part, rows in zip(got, (x[:30], x[30:]), strict=True):
        assert part.dtype == np.float32
        assert np.allclose(part, scaler.transform(rows.astype(np.float64)), atol=1e-5)
    plain = inputs_of(Many(replace(work, standard=False), x, x, (member,), 0, "expert"), member)
    assert np.array_equal(plain[0], x[:30])
    assert np.array_equal(plain[1], x[30:])


def test_stacked_members_read_every_row_once_an_epoch():
    task = task_of(SMALL, count=100)  # folds of 34, 33 and 33 rows: 66 or 67 to train on
    rows = stacked(task)
    assert rows["x"].shape == (3, 67, 64)
    assert rows["held"].shape == (3, 34, 64)
    assert rows["order"].shape == rows["weights"].shape == (3, 4 * 9, 8)
    orders = set()
    for number, member in enumerate(task.members):
        count = len(member.train)
        assert np.array_equal(rows["y"][number, :count], task.y[member.train])
        for epoch in range(4):
            part = slice(9 * epoch, 9 * (epoch + 1))
            weights = rows["weights"][number, part].ravel()
            order = rows["order"][number, part].ravel()[weights == 1]
            assert sorted(order) == list(range(count))
            assert weights.sum() == count
            orders.add(order.tobytes())
    assert len(orders) == 12


def test_members_of_different_lengths_are_refused():
    task = task_of(replace(SMALL, batch=33), count=100)  # 66 rows are 2 steps, 67 are 3
    with pytest.raises(ValueError, match="steps per epoch"):
        stacked(task)


def test_shorter_parts_are_filled_up_with_zeros():
    assert filled([np.ones((2, 1)), np.full((1, 1), 5.0)])[:, :, 0].tolist() == [[1, 1], [5, 0]]


@pytest.mark.parametrize(
    ("net", "kinds"),
    [
        ("digits", (nn.Flatten, nn.Linear, nn.ReLU, nn.Linear)),
        ("digits-dropout", (nn.Flatten, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear)),
        ("digits-batchnorm", (nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear)),
    ],
)
def test_networks_of_peers_are_those_of_chymist(net, kinds):
    model = build(net)
    assert tuple(type(layer) for layer in model) == kinds
    made = many_chymist.model_of(net)
    ours = made.build(cy.Shapes((64,), 10)) if isinstance(made, cy.Part) else made()
    assert [p.shape for p in ours.parameters()] == [p.shape for p in model.parameters()]
    rates = [[m.p for m in net.modules() if hasattr(m, "p")] for net in (ours, model)]
    assert rates[0] == rates[1]


@pytest.mark.parametrize(
    ("peer", "module"),
    [
        ("chymist", many_chymist),
        ("chymist-loop", many_chymist),
        ("expert", many_expert),
        ("tutorial", many_tutorial),
    ],
)
def test_scores_stand_in_the_order_of_the_held_out_rows(peer, module):
    task = task_of(replace(SMALL, epochs=8), peer)
    held = np.concatenate([member.held for member in task.members])
    scores = module.train(task)
    assert scores.shape == (180, 10)
    assert quality(scores, task.y[held])[0] > 0.8


def test_runs_on_one_split_differ_in_seed_and_rate():
    work = replace(SMALL, folds=0, rows=120, seeds=2, rates=(1e-5, 1e-2))
    for peer, module in (("chymist", many_chymist), ("expert", many_expert)):
        task = task_of(work, peer)
        scores = module.train(task).reshape(4, 60, 10)
        right = (scores.argmax(2) == task.y[120:]).mean(1)
        assert right[:2].max() < 0.5
        assert right[2:].min() > 0.7
        assert not np.allclose(scores[2], scores[3])
