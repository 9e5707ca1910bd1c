"""Batch and layer normalisation in recurrent networks: what fills a text up has no part in them."""

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.models import build_model, gates
from chymist.models.stacked import stack
from chymist.models.stacked_parts import Unstackable
from chymist.models.step_norm import NormalizedSteps

TEXTS = torch.tensor([[2, 3, 4, 0], [5, 1, 0, 0], [3, 0, 0, 0]])
MORE = torch.cat([TEXTS, torch.zeros(3, 5, dtype=torch.long)], 1)


def built(norm, cell="lstm", each=False, **options):
    model = cy.part("model", cell, hidden=(4, 3), norm=norm, **options)
    outputs = 6 if options.get("carry") else 2
    return build_model(model, cy.Shapes((9,), outputs, (), 6, None, each), 0)


CASES = [
    ("rnn", {}), ("gru", {"bidirectional": True}), ("lstm", {"pool": "mean"}),
    ("lstm", {"pool": "max", "bidirectional": True}), ("lstm", {"peephole": True}),
]  # fmt: skip


@pytest.mark.parametrize("norm", ["batch", "layer"])
@pytest.mark.parametrize(("cell", "options"), CASES)
@pytest.mark.parametrize("each", [False, True])
def test_what_fills_a_text_up_changes_nothing(norm, cell, options, each):
    for training in (True, False):
        short, longer = built(norm, cell, each, **options), built(norm, cell, each, **options)
        a, b = short.train(training)(TEXTS), longer.train(training)(MORE)
        if each:
            there = TEXTS > 0
            a, b = a[there], b[:, :4][there]
        assert torch.allclose(a, b, atol=1e-6)
        for (name, one), other in zip(short.state_dict().items(), longer.state_dict().values(),
                                      strict=True):  # fmt: skip
            assert torch.allclose(one.double(), other.double(), atol=1e-6), name


@pytest.mark.parametrize("each", [False, True])
def test_other_texts_of_the_batch_matter_to_batch_normalisation_only(each):
    for norm, alike in (("layer", True), ("batch", False)):
        model = built(norm, each=each)
        whole, fewer = model(TEXTS)[:2], model(TEXTS[:2])
        there = TEXTS[:2] > 0 if each else slice(None)
        assert torch.allclose(whole[there], fewer[there], atol=1e-6) == alike
        model.eval()
        assert torch.allclose(model(TEXTS)[:2], model(TEXTS[:2]), atol=1e-6)


def test_statistics_are_over_the_steps_that_are_there():
    layer = NormalizedSteps("batch", 3)
    values = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0)) * 3 + 1
    lengths = torch.tensor([5, 2, 1, 3])
    made = layer(values, lengths)
    real = torch.cat([values[row, :length] for row, length in enumerate(lengths)])
    wanted = (real - real.mean(0)) / (real.var(0, unbiased=False) + 1e-5).sqrt()
    found = torch.cat([made[row, :length] for row, length in enumerate(lengths)])
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.allclose(layer.norm.running_mean, 0.1 * real.mean(0), atol=1e-6)
    assert made[1, 2:].abs().sum() == 0
    spoiled = NormalizedSteps("batch", 3)(values, None)  # as if what fills up were text
    assert not torch.allclose(spoiled[1, :2], made[1, :2], atol=1e-2)


def test_each_step_of_a_layer_norm_has_mean_0_and_variance_1():
    made = NormalizedSteps("layer", 50)(torch.randn(2, 3, 50) * 4 + 2)
    assert torch.allclose(made.mean(2), torch.zeros(2, 3), atol=1e-5)
    assert torch.allclose(made.var(2, unbiased=False), torch.ones(2, 3), atol=1e-3)


def test_both_directions_end_where_they_end():
    model = cy.models.gru(hidden=(3,), bidirectional=True, norm="layer").build(cy.Shapes((5, 2), 2))
    inputs = torch.randn(4, 5, 2)
    with torch.no_grad():
        steps = model.norms[0](model.layers[0](inputs)[0])
        wanted = model.head(torch.cat([steps[:, -1, :3], steps[:, 0, 3:]], 1))
        assert torch.allclose(model(inputs), wanted, atol=1e-6)


def test_gates_of_a_second_layer_see_what_was_normalised():
    model = built("layer").eval()
    values, lengths = model.read(TEXTS)
    with torch.no_grad():
        first = model.norms[0](model.layers[0](values)[0], lengths)
        wanted = model.layers[1](first)[0]
    assert torch.allclose(gates(model, TEXTS, layer=1)["state"], wanted, atol=1e-6)


def test_a_carried_state_is_normalised_too():
    model = built("batch", each=True, carry=True, pool="last")
    full = torch.randint(1, 6, (3, 9), generator=torch.Generator().manual_seed(0))
    assert model(full).shape == (3, 9, 6)
    assert model.state_0_0.shape == (1, 3, 4)


@pytest.mark.parametrize("options", [{"norm": "layer"}, {"norm": "batch"},
                                     {"activation": "sigmoid"}])  # fmt: skip
def test_what_has_no_stacked_form_is_trained_by_the_loop(options):
    model = cy.models.rnn(hidden=(4,), embedding=4, **options)
    shapes = cy.Shapes((9,), 2, (), 6)
    with pytest.raises(Unstackable):
        stack([build_model(model, shapes, seed) for seed in (0, 1)])
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(["good", "bad", "film"], draw.integers(1, 6))) for _ in range(60)]
    data = cy.load((texts, ["yes" if "good" in text else "no" for text in texts]), kind="text")
    split = cy.split(data, valid=0.2)
    recipe = cy.Recipe(model=model, length="2 epochs", batch_size=8)
    members = cy.fit_population([recipe, recipe], split, seeds=[0, 1])
    for seed in (0, 1):
        alone = cy.fit(recipe, split, seed=seed, doctor=False)
        for name, value in members.run(seed).model.state_dict().items():
            assert torch.equal(value, alone.model.state_dict()[name]), name
