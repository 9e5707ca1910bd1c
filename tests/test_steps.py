"""Rows of several steps: sequences, texts, tokens and nodes, from memory to a run and back."""

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.data.graphs import graph_of
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.engine.events import Step
from chymist.engine.loop import train
from chymist.engine.steps import in_lanes, stepwise, two_chances
from chymist.errors import InputError, Interrupted, UsageError
from chymist.losses import cross_entropy

LENGTH = {"length": "3 epochs"}


def rng(seed=0):
    return np.random.default_rng(seed)


def sequences():
    x = rng().normal(size=(120, 10, 3))
    return cy.load((x, (x[:, :, 0].sum(1) > 0).astype(int)), kind="sequence")


def texts():
    draw = rng()
    made = [" ".join(draw.choice(["good", "bad", "film", "a"], draw.integers(2, 8)))
            for _ in range(120)]  # fmt: skip
    return cy.load((made, ["yes" if t.count("good") > t.count("bad") else "no" for t in made]),
                   kind="text")  # fmt: skip


def tags():
    draw = rng()
    x = draw.integers(1, 6, (120, 8))
    for row, stop in enumerate(draw.integers(3, 9, 120)):
        x[row, stop:] = 0
    return cy.load((x, np.where(x > 0, x.cumsum(1) % 2, -1)), kind="tokens", task="tagging")


def language():
    ids = np.tile(rng().integers(0, 7, 41), 40)
    rows = (len(ids) - 1) // 16
    return cy.load((ids[: rows * 16].reshape(rows, 16), ids[1 : rows * 16 + 1].reshape(rows, 16)),
                   kind="tokens", task="language")  # fmt: skip


def nodes():
    draw = rng()
    labels = draw.integers(0, 3, 90)
    edges = [(i, j) for i in range(90) for j in draw.choice(np.flatnonzero(labels == labels[i]), 3)]
    features = np.abs(np.eye(3)[labels] + draw.normal(size=(90, 3)))
    return cy.load((graph_of(90, edges, features=features), labels))


CASES = {
    "sequence": (sequences, "gru"), "text": (texts, "lstm"), "tagging": (tags, "gru"),
    "language": (language, cy.models.lstm(hidden=(16,), carry=True)), "graph": (nodes, "gcn"),
    "features": (nodes, "mlp"), "flat": (sequences, "mlp"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_run_comes_back_from_its_folder(case, tmp_path):
    make, model = CASES[case]
    data = make()
    run = cy.fit(cy.Recipe(model=model, **LENGTH), data, out=tmp_path / "run", doctor=False)
    again = cy.evaluate(tmp_path / "run", split="valid", data=data)
    assert again.score == run.score
    assert [f.name for f in again.floors] == [f.name for f in run.floors]
    assert (tmp_path / "run" / "report.html").stat().st_size > 1000


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(case, tmp_path):
    make, model = CASES[case]
    data = make()
    recipe = cy.Recipe(model=model, batch_size=16, **LENGTH)
    whole = cy.fit(recipe, data, doctor=False)
    seen = []

    def soon():
        seen.append(1)
        return len(seen) > 7

    with pytest.raises(Interrupted):
        cy.fit(recipe, data, out=tmp_path / "run", doctor=False, interrupted=soon)
    resumed, step, _ = cy.resume(tmp_path / "run", data=data, doctor=False)
    assert step > 0
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_the_loss_over_steps_is_that_of_the_steps_with_a_target():
    torch.manual_seed(0)
    outputs, targets = torch.randn(3, 4, 5), torch.randint(0, 5, (3, 4))
    targets[0, 2:] = -1
    flat = targets >= 0
    wanted = torch.nn.functional.cross_entropy(outputs[flat], targets[flat])
    assert torch.allclose(stepwise(cross_entropy)(outputs, targets), wanted)
    ignoring = torch.nn.functional.cross_entropy(outputs.transpose(1, 2), targets, ignore_index=-1)
    assert torch.allclose(wanted, ignoring)
    each = stepwise(cross_entropy)(outputs, targets, reduction="none")
    assert torch.allclose((each * flat.sum(1)).sum() / flat.sum(), wanted)
    with pytest.raises(InputError, match="keeps its steps"):
        stepwise(cross_entropy)(outputs[:, 0], targets)


def test_passes_of_unequal_sentences_make_the_step_of_one():
    data = tags()
    common = {"model": cy.models.gru(hidden=(4,), embedding=3), "optimizer": cy.optim.adam(lr=0.01),
              "schedule": "constant", "length": "2 epochs", "stop": "none",
              "precision": "float64"}  # fmt: skip
    runs = []
    for sizes in ({"batch_size": 8}, {"batch_size": 4, "accumulate": 2}):
        made = cy.split(data, seed=0)
        runs.append(assemble(complete(cy.Recipe(**common, **sizes), made), made, 0))
    one, parts = ([*train(run.program, run.state)] for run in runs)
    for a, b in zip(one, parts, strict=True):
        values = [(e.loss if isinstance(e, Step) else e.values["train_loss"]) for e in (a, b)]
        assert values[0] == pytest.approx(values[1], abs=1e-12)
    for a, b in zip(*(run.state.model.parameters() for run in runs), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-9)


def test_the_loss_of_an_epoch_is_the_mean_over_its_steps():
    made = cy.split(tags(), seed=0)
    recipe = cy.Recipe(model="gru", optimizer=cy.optim.sgd(lr=1e-30), schedule="constant",
                       length="1 epochs", batch_size=8, stop="none", precision="float64")  # fmt: skip
    run = assemble(complete(recipe, made), made, 0)
    rows = torch.arange(len(run.train))
    with torch.no_grad():
        outputs = run.state.model(run.train.take(rows))
    expected = torch.nn.functional.cross_entropy(
        outputs.flatten(0, 1), run.train.targets.flatten(), ignore_index=-1
    )
    last = [*train(run.program, run.state)][-1]
    assert last.values["train_loss"] == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize(("rows", "lanes"), [(1, 4), (7, 2), (12, 4), (13, 4), (5, 8)])
def test_lanes_hold_every_row_once_and_go_on_where_they_left(rows, lanes):
    order = in_lanes(rows, lanes)
    assert sorted(order) == list(range(rows))
    size = min(lanes, rows)
    whole = order[: rows // size * size].reshape(-1, size)
    assert (np.diff(whole, axis=0) == 1).all()


def test_what_is_carried_is_what_one_long_pass_would_have():
    data = language()
    module = cy.models.lstm(hidden=(8,), carry=True).build(
        cy.Shapes((16,), 7, (), 7, None, True))  # fmt: skip
    rows = torch.from_numpy(np.asarray(data.inputs[:6]))
    with torch.no_grad():
        parts = torch.cat([module.eval()(row[None]) for row in rows], 1)
        module.forget()
        assert torch.allclose(parts, module(rows.reshape(1, -1)), atol=1e-6)


def test_what_fills_a_text_changes_no_result():
    for model in (cy.models.gru(bidirectional=True), cy.models.rnn(hidden=(8, 8))):
        module = model.build(cy.Shapes((9,), 2, (), 6)).eval()
        short = torch.tensor([[2, 3, 4, 0, 0], [5, 1, 0, 0, 0]])
        longer = torch.cat([short, torch.zeros(2, 4, dtype=torch.long)], 1)
        assert torch.allclose(module(short), module(longer), atol=1e-6)


def test_chances_of_many_classes_keep_log_loss_and_accuracy():
    chances = rng().dirichlet(np.ones(6), 50)
    goals = rng(1).integers(0, 6, 50)
    two = two_chances(chances, goals)
    assert np.allclose(two[:, 0], chances[np.arange(50), goals])
    assert ((two.argmax(1) == 0) == (chances.argmax(1) == goals)).all()


@pytest.mark.parametrize(("source", "options", "said"), [
    ((np.zeros((4, 3)), [0, 1, 0, 1]), {"kind": "sequence"}, "rows, steps, features"),
    ((np.zeros((4, 3, 2)), [0, 1, 0, 1]), {"kind": "tokens"}, "whole numbers"),
    ((["a", None, "b", "a"], [0, 1, 0, 1]), {"kind": "text"}, "a text is missing"),
    ((["a", "b"], [0, 1, 0]), {"kind": "text"}, "as many targets"),
    ((np.ones((4, 3), int), np.ones((4, 3))), {"kind": "tokens", "task": "tagging"}, "class numb"),
])  # fmt: skip
def test_wrong_rows_are_one_line(source, options, said):
    with pytest.raises(InputError, match=said):
        cy.fit(cy.Recipe(length="1 epochs"), cy.load(source, **options), doctor=False)


def test_an_unknown_kind_is_refused():
    with pytest.raises(UsageError, match="sequence"):
        cy.load((np.zeros((4, 3, 2)), [0, 1, 0, 1]), kind="sequences")


@pytest.mark.parametrize(
    ("edges", "said"), [([[0, 3]], "does not exist"), ([[-1, 0]], "not exist")]
)
def test_wrong_edges_are_refused(edges, said):
    with pytest.raises(InputError, match=said):
        graph_of(3, edges)


def test_many_classes_are_asked_for_a_part_at_a_time(monkeypatch):
    from chymist.engine import steps
    from chymist.losses import FORMS

    draw = rng()
    outputs = torch.from_numpy(draw.normal(size=(23, 300)))
    targets = torch.from_numpy(draw.integers(0, 300, 23))
    form = FORMS["cross_entropy"]
    whole = steps._chances(form, outputs, targets)
    monkeypatch.setattr(steps, "PART", 4 * 300)
    parts = steps._chances(form, outputs, targets)
    right = torch.softmax(outputs, 1).gather(1, targets[:, None])[:, 0].numpy()
    np.testing.assert_allclose(parts[0][:, 0], right, rtol=1e-12)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)
    assert steps._chances(form, outputs[:0], targets[:0])[0].shape == (0, 2)


def test_the_doctor_asks_a_language_model_for_what_it_scores_only(monkeypatch):
    from chymist.verbs import watching

    class Wide(torch.nn.Module):
        most = 0

        def forward(self, inputs):
            Wide.most = max(Wide.most, len(inputs))
            return inputs.double()[..., None].expand(-1, -1, 50) * torch.arange(50.0)

    monkeypatch.setattr(watching, "LARGEST", 4000)
    inputs = torch.arange(100 * 8).view(100, 8)
    made = watching.scored_outputs(Wide(), inputs)
    assert (len(made), Wide.most) == (10, 10)
    torch.testing.assert_close(made, Wide()(inputs)[:10])
