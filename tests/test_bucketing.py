"""Batches of texts of similar length, and words that are left out of texts."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.cli import main
from chymist.data.preparation import Preparation, fit_preparation
from chymist.data.stop_words import LISTS, stop_words, without
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.engine.steps import in_buckets
from chymist.errors import InputError, Interrupted, UsageError


def texts(rows=96, seed=0):
    draw = np.random.default_rng(seed)
    made = [" ".join(draw.choice(["good", "bad", "film", "the"], draw.integers(1, 12)))
            for _ in range(rows)]  # fmt: skip
    return cy.load((made, ["yes" if "good" in text else "no" for text in made]), kind="text")


def recipe(together=3, **more):
    options = {"length": "3 epochs", "batch_size": 8, **more}
    model = options.pop("model", cy.models.gru(hidden=(6,), embedding=4))
    return cy.Recipe(model=model, data=cy.prepare(bucketing=together), **options)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 9), st.integers(0, 6), st.integers(0, 5))
def test_every_row_is_read_once_and_whole_batches_stay_in_their_stretch(rows, size, together, seed):
    draw = np.random.default_rng(seed)
    visits, lengths = draw.permutation(rows), draw.integers(1, 20, rows)
    made = in_buckets(visits, lengths, size, together, np.random.default_rng(seed))
    assert sorted(made) == list(range(rows))
    full = rows // size * size
    assert np.array_equal(made[full:], visits[full:])
    if together and full:
        where = np.argsort(visits)  # the stretch that each row was drawn into
        batches = made[:full].reshape(-1, size)
        stretches = where[batches] // (size * together)
        assert (stretches == stretches[:, :1]).all()
        for stretch in np.unique(stretches):
            ordered = lengths[batches[stretches[:, 0] == stretch]]
            ends = sorted((row.min(), row.max()) for row in ordered)
            assert all(a[1] <= b[0] for a, b in pairwise(ends))
    else:
        assert np.array_equal(made, visits)


def test_the_order_is_a_function_of_seed_and_epoch_and_pads_less():
    split = cy.split(texts(), valid=0.2)
    program = assemble(complete(recipe(), split), split, 0).program
    plain = assemble(complete(recipe(0), split), split, 0).program
    assert torch.equal(program.visits(1), program.visits(1))
    assert not torch.equal(program.visits(1), program.visits(2))
    lengths = program.buckets.lengths
    inputs = program.rows.take(torch.arange(len(lengths)))
    assert np.array_equal(lengths, (inputs != 0).sum(1).numpy())

    def filled(of):
        return sum(lengths[batch].max() * len(batch) for e in range(4)
                   for batch in of.visits(e).split(8))  # fmt: skip

    assert filled(program) < 0.9 * filled(plain)


def test_a_run_that_was_stopped_goes_on_in_the_same_order(tmp_path):
    data = texts()
    whole = cy.fit(recipe(), data, doctor=False)
    other = cy.fit(recipe(0), data, doctor=False)
    seen = []

    def soon():
        seen.append(1)
        return len(seen) > 13

    with pytest.raises(Interrupted):
        cy.fit(recipe(), data, out=tmp_path / "run", doctor=False, interrupted=soon)
    resumed, step, _ = cy.resume(tmp_path / "run", data=data, doctor=False)
    assert step > 0
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    assert not torch.equal(whole.model.head.weight, other.model.head.weight)


def test_members_of_a_population_are_the_runs_themselves():
    split = cy.split(texts(), valid=0.2)
    members = cy.fit_population([recipe(), recipe()], split, seeds=[0, 1])
    assert "similar length" in members.facts["reason"]
    for seed in (0, 1):
        alone = cy.fit(recipe(), split, seed=seed, doctor=False)
        for name, value in members.run(seed).model.state_dict().items():
            assert torch.equal(value, alone.model.state_dict()[name]), name


def test_rows_without_lengths_are_refused():
    numbers = cy.load((np.zeros((9, 4, 2)), [0, 1, 1] * 3), kind="sequence")
    with pytest.raises(UsageError, match="bucketing is for texts"):
        cy.fit(cy.Recipe(data=cy.prepare(bucketing=2)), numbers, doctor=False)
    with pytest.raises(UsageError, match="stop_words is for texts"):
        cy.fit(cy.Recipe(data=cy.prepare(stop_words=("the",))), cy.load("iris"), doctor=False)
    with pytest.raises(UsageError):
        cy.prepare(bucketing=-1)
    ids = np.tile(np.arange(1, 5), 60)
    data = cy.load((ids[:-5].reshape(-1, 5), ids[1:-4].reshape(-1, 5)), kind="tokens",
                   task="language")  # fmt: skip
    with pytest.raises(UsageError, match="own order"):
        cy.fit(recipe(model=cy.models.lstm(carry=True)), data, doctor=False)


def fitted(made, **options):
    data = cy.load((made, ["a", "b"] * (len(made) // 2)), kind="text")
    return data, fit_preparation(data, np.arange(len(data)), options)


def test_stop_words_are_left_out_of_vocabulary_and_texts():
    made = ["The film was good", "a good BAD film", "THE good", "was bad"]
    data, found = fitted(made, stop_words=("english", "film"))
    assert set(found.vocabulary) == {"", "<unknown>", "good", "bad"}
    number = {token: place for place, token in enumerate(found.vocabulary)}
    rows = found.inputs(data.inputs)
    assert rows.shape == (4, 2)
    wanted = [["good"], ["good", "bad"], ["good"], ["bad"]]
    assert [[n for n in row if n] for row in rows.tolist()] == [
        [number[word] for word in words] for words in wanted
    ]
    plain = fitted(made)[1]
    assert "the" in plain.vocabulary
    assert plain.stop_words == ()


def test_a_text_of_stop_words_alone_keeps_them_and_is_told():
    data, found = fitted(["to be or not to be", "good film", "the", "bad film"],
                         stop_words=("english",))  # fmt: skip
    rows = found.inputs(data.inputs)
    assert (rows > 0).any(1).all()
    assert "the" in found.vocabulary
    assert found.vocabulary[rows[2, 0]] == "the"
    assert "1 texts of stop words alone keep them" in found.notes
    assert without(["The"], {"the"}) == ["The"]
    assert "not" not in stop_words(["english"])  # it turns what is said


def test_the_words_themselves_travel_with_the_run(tmp_path):
    _, found = fitted(["a film", "the end"], stop_words=("English", "END"))
    assert Preparation.from_dict(found.to_dict()) == found
    assert set(found.stop_words) == {*LISTS["english"], "end"}
    older = {k: v for k, v in found.to_dict().items() if k != "stop_words"}
    assert Preparation.from_dict(older).stop_words == ()
    lines = ["text,y", *(f"the {w} film,{w}" for w in ("good", "bad") * 30)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    folder = tmp_path / "run"
    assert main(["fit", str(path), "--kind", "text", "--target", "y", "--data.stop_words",
                 "english,film", "--data.bucketing", "2", "--length", "1 epochs", "--out",
                 str(folder), "--quiet"]) == 0  # fmt: skip
    run = cy.load_run(folder)
    assert set(run.preparation.vocabulary) == {"", "<unknown>", "good", "bad"}
    assert cy.predict(folder, ["the good film"]).shape == (1,)
    with pytest.raises(InputError):
        cy.predict(folder, [None])
