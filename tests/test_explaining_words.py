"""What words are worth, beside Captum; and what gates do while a text is read."""

import json

import numpy as np
import pytest
import torch
from captum.attr import LayerGradientXActivation, LayerIntegratedGradients
from torch import nn

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.explanation.words import (
    METHODS,
    deletion,
    input_x_gradient,
    integrated_gradients,
    occlusion,
    saliency,
    table_of,
    there,
    without,
)
from chymist.models.gates import gates
from chymist.reports.words import Weighed, words_html, words_lines, words_picture

TEXTS = torch.tensor([[4, 7, 2, 9, 5, 0, 0], [3, 8, 6, 2, 5, 4, 9], [2, 0, 0, 0, 0, 0, 0]])
TARGETS = torch.tensor([1, 0, 2])


class Bag(nn.Module):
    """Mean of the embeddings of the words, and a perceptron."""

    def __init__(self):
        super().__init__()
        self.table, self.head = (
            nn.Embedding(10, 6),
            nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)),
        )

    def forward(self, tokens):
        there = (tokens != 0).unsqueeze(-1)
        return self.head((self.table(tokens) * there).sum(1) / there.sum(1))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.places = nn.Embedding(10, 8), nn.Parameter(torch.randn(7, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.encoder, self.head = (
            nn.TransformerEncoder(layer, 1, enable_nested_tensor=False),
            nn.Linear(8, 3),
        )

    def forward(self, tokens):
        return self.head(
            self.encoder(self.table(tokens) + self.places, src_key_padding_mask=tokens == 0)[:, 0]
        )


def built(name, **shapes):
    torch.manual_seed(0)
    if name in (Bag, Transformer):
        return name()
    made = {
        "text_cnn": cy.models.text_cnn(channels=5, embedding=6),
        "lstm": cy.models.lstm(hidden=(5,), embedding=6),
        "gru": cy.models.gru(hidden=(5, 4), embedding=6, bidirectional=True),
    }[name]
    return made.build(cy.Shapes((7,), 3, (), 10, **shapes))


MODELS = ["text_cnn", "lstm", "gru", Bag, Transformer]


def reference(inputs):
    return torch.where(there(inputs), 1, 0)


@pytest.mark.parametrize("name", MODELS)
def test_integrated_gradients_are_those_of_captum(name):
    model = built(name).eval()
    found = integrated_gradients(model, TEXTS, TARGETS, steps=20)
    oracle = LayerIntegratedGradients(model, table_of(model))
    wanted = oracle.attribute(TEXTS, reference(TEXTS), target=TARGETS, n_steps=20).sum(-1).detach()
    assert torch.allclose(
        found[:, : wanted.shape[1]], wanted * there(TEXTS)[:, : wanted.shape[1]], atol=1e-5
    )
    assert not found[~there(TEXTS)].any()
    assert found.abs().sum() > 0
    gained = integrated_gradients(model, TEXTS, TARGETS, steps=60).sum(1)
    with torch.no_grad():
        rows = torch.arange(3)
        wanted = model(TEXTS)[rows, TARGETS] - model(reference(TEXTS))[rows, TARGETS]
    assert torch.allclose(gained, wanted, atol=2e-2)


@pytest.mark.parametrize("name", MODELS)
def test_slopes_are_those_of_captum(name):
    model = built(name).eval()
    oracle = LayerGradientXActivation(model, table_of(model))
    wanted = oracle.attribute(TEXTS, target=TARGETS).sum(-1).detach()
    wanted = wanted * there(TEXTS)[:, : wanted.shape[1]]
    assert torch.allclose(
        input_x_gradient(model, TEXTS, TARGETS)[:, : wanted.shape[1]], wanted, atol=1e-5
    )


def test_saliency_is_the_length_of_the_gradient_by_finite_differences():
    model = built(Bag).double().eval()
    text, target = TEXTS[1:2], TARGETS[1:2]
    table = model.table.weight.data
    slopes = torch.zeros(7, 6, dtype=torch.float64)
    with torch.no_grad():
        for step, token in enumerate(text[0].tolist()):  # each token stands once in the text
            for place in range(6):
                ends = []
                for change in (1e-5, -1e-5):
                    table[token, place] += change
                    ends.append(model(text)[0, target[0]].item())
                    table[token, place] -= change
                slopes[step, place] = (ends[0] - ends[1]) / 2e-5
    assert torch.allclose(saliency(model, text, target)[0], slopes.norm(dim=1), atol=1e-7)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("reference", ["unknown", "nothing"])
def test_occlusion_is_what_the_output_loses(name, reference):
    model = built(name).eval()
    found = occlusion(model, TEXTS, TARGETS, reference=reference)
    for row, text in enumerate(TEXTS):
        for step in range(int(there(TEXTS)[row].sum())):
            left = text.clone()
            if reference == "unknown":
                left[step] = 1
            else:
                left = torch.cat([text[:step], text[step + 1 :], torch.zeros(1, dtype=torch.int64)])
            if not left.any():
                continue
            with torch.no_grad():
                lost = (model(text[None]) - model(left[None]))[0, TARGETS[row]]
            assert found[row, step] == pytest.approx(float(lost), abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_is_left_as_it_was(method):
    model = built("lstm").train()
    model.embedding.requires_grad_(False)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    with torch.no_grad():
        METHODS[method](model, TEXTS, TARGETS)
    assert all(part.training for part in model.modules())
    assert not model.embedding.weight.requires_grad
    assert all(p.grad is None for p in model.parameters())
    assert not any(part._forward_hooks for part in model.modules())
    assert all(torch.equal(before[name], values) for name, values in model.state_dict().items())


def test_a_state_that_is_carried_goes_on_as_if_nobody_had_looked():
    model = (
        cy.models.lstm(hidden=(4,), carry=True)
        .build(cy.Shapes((7,), 3, (), 10, each_step=True))
        .eval()
    )
    model(TEXTS)
    state = model.state_0_0.clone()
    integrated_gradients(model, TEXTS, TARGETS, steps=2, position=1)
    assert torch.equal(model.state_0_0, state)


def test_tags_are_explained_at_a_word_and_columns_of_a_word_add_up():
    torch.manual_seed(0)
    model = (
        cy.models.gru(hidden=(5,), bidirectional=True, embedding=4)
        .build(cy.Shapes((4, 2), 3, (), 12, each_step=True))
        .eval()
    )
    words = torch.tensor([[[2, 9], [3, 10], [4, 11], [0, 0]]])
    target = torch.tensor([1])
    found = integrated_gradients(model, words, target, steps=60, position=2)
    with torch.no_grad():
        base = torch.where(words > 0, 1, 0)
        gained = (model(words) - model(base))[0, 2, 1]
    assert found.shape == (1, 4)
    assert float(found.sum()) == pytest.approx(float(gained), abs=1e-4)
    assert occlusion(model, words, target, position=2)[0, 3] == 0
    with pytest.raises(UsageError, match="give a step"):
        saliency(model, words, target)


def test_deletion_tells_a_right_order_from_a_wrong_one():
    model = built(Bag).eval()
    text, target = TEXTS[1], TARGETS[1]
    values = occlusion(model, text[None], target[None])[0]
    right, wrong = (deletion(model, text, target, sign * values, orders=50) for sign in (1, -1))
    assert right.gain > 0 > wrong.gain
    assert right.beaten > 0.9 > 0.1 > wrong.beaten
    with torch.no_grad():
        assert right.ordered[0] == pytest.approx(float(model(text[None])[0, target]), abs=1e-6)
        assert right.ordered[-1] == pytest.approx(
            float(model(reference(text[None]))[0, target]), abs=1e-6
        )
    same = deletion(model, text, target, torch.zeros(7), orders=50)
    assert 0 < same.beaten < 1


def test_leaving_out_keeps_the_order():
    kept = torch.tensor([[True, False, True, True], [False, False, False, True]])
    assert without(torch.tensor([5, 6, 7, 0]), kept, "nothing").tolist() == [
        [5, 7, 0, 0],
        [0, 0, 0, 0],
    ]
    assert without(torch.tensor([5, 6, 7, 0]), kept, "nothing", True).tolist() == [
        [5, 0, 7, 0],
        [0, 0, 0, 0],
    ]


def sentences(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    good, bad, rest = (
        ["good", "fine", "bright"],
        ["bad", "dull", "poor"],
        ["a", "the", "film", "play", "was", "and", "it", "so"],
    )
    texts, labels = [], []
    for row in range(rows):
        words = rng.choice(rest, 6).tolist()
        words[int(rng.integers(6))] = rng.choice(good if row % 2 else bad)
        texts.append(" ".join(words))
        labels.append("pos" if row % 2 else "neg")
    return cy.load((texts, labels), kind="text")


@pytest.fixture(scope="module")
def run():
    recipe = cy.Recipe(
        model=cy.models.text_cnn(channels=16, embedding=16),
        length="30 epochs",
        optimizer=cy.optim.adam(lr=1e-2),
    )
    found = cy.fit(recipe, sentences(), doctor=False)
    assert found.score.value == 1
    return found


@pytest.mark.parametrize("method", METHODS)
def test_the_word_that_decides_is_found(run, method):
    found = cy.explain_words(run, ["it was a bright film and the play"], method=method)
    text = found.texts[0]
    assert text.words[int(np.abs(text.values).argmax())] == "bright"
    assert text.predicted == "pos"
    if method != "saliency":
        assert text.values[3] > 0
        against = cy.explain_words(
            run, ["it was a bright film and the play"], method=method, target="neg"
        )
        assert against.texts[0].values[3] < 0
    assert found.faithfulness.value > 0
    assert "row 1" in repr(found)


def test_one_output_of_two_classes_has_a_sign():
    recipe = cy.Recipe(
        model=cy.models.lstm(hidden=(8,)),
        loss="binary_cross_entropy",
        length="20 epochs",
        optimizer=cy.optim.adam(lr=1e-2),
    )
    run = cy.fit(recipe, sentences(), doctor=False)
    for target, sign in (("pos", 1), ("neg", -1)):
        found = cy.explain_words(
            run, ["the film was bright"], target=target, method="occlusion"
        ).texts[0]
        assert np.sign(found.values[3]) == sign
        assert found.output * sign > 0
        assert found.deletion.gain > 0


def test_worst_rows_new_rows_and_sealed_rows(run):
    found = cy.explain_words(run, most=3)
    losses = {
        int(r): o[t]
        for r, o, t in zip(
            run.predictions.rows, run.predictions.outputs, run.predictions.targets, strict=True
        )
    }
    worst = sorted(losses, key=losses.__getitem__)[:3]
    assert sorted(losses[int(t.name) - 1] for t in found.texts) == pytest.approx(
        sorted(losses[r] for r in worst)
    )
    row = int(run.split.valid[0])
    text = cy.explain_words(run, which=[row], target="true").texts[0]
    assert " ".join(text.words) == run.data.inputs[row]
    assert text.target == text.truth
    split = cy.split(run.data, test=0.2)
    sealed = cy.fit(run.recipe.replace(length="1 epochs"), split, doctor=False)
    with pytest.raises(UsageError, match="sealed"):
        cy.explain_words(sealed, which=[int(split.test[0])])


def test_the_reference_is_one_that_was_learned(run):
    assert cy.explain_words(run, ["a film"]).reference == "nothing"  # every word was known
    rare = run.recipe.replace(length="2 epochs", data=cy.prepare(vocabulary=6))
    assert cy.explain_words(cy.fit(rare, run.data, doctor=False), ["a film"]).reference == "unknown"
    assert cy.explain_words(run, ["a film"], method="saliency").reference == ""


def test_values_of_texts_are_explained():
    data = sentences()
    data = cy.load(
        (list(data.inputs), [4.5 + 2 * t + 0.1 * n for n, t in enumerate(data.targets.tolist())]),
        kind="text",
    )
    run = cy.fit(cy.Recipe(model="text_cnn", length="2 epochs"), data, doctor=False)
    text = cy.explain_words(run, ["a bright film"]).texts[0]
    assert text.predicted == ""
    assert text.target == data.target
    assert np.isnan(text.probability)


def test_pictures_never_rest_on_colour_alone(run, tmp_path):
    found = cy.explain_words(run, ["a <bright> film"])
    drawn = str(found.svg())
    assert "+" in drawn
    assert "bright" in drawn
    assert "integrated-gradients" in drawn
    assert "&lt;" in drawn
    page = found._repr_html_()
    assert "bright" in page
    assert "integrated-gradients" in page
    assert len(page) < 100_000
    assert found.save(tmp_path / "w.svg").read_text("utf-8").startswith("<svg")
    json.dumps(found.to_dict())
    long = Weighed("t", tuple("word" for _ in range(300)), tuple(np.linspace(-1, 1, 300)))
    assert "180 further words" in str(words_picture("d", [long], []))
    assert words_lines(Weighed("t", (), ())) == []
    assert "<ruby" in words_html([Weighed("t", ("a",), (0.0,))])


@pytest.mark.parametrize("options", [
    {"method": "grad-cam"}, {"reference": "zero"}, {"target": "fair"}, {"position": 1}, {"most": 0},
    {"steps": 0}, {"which": "best"}, {"which": [0.5]},
])  # fmt: skip
def test_wrong_questions_are_told(run, options):
    rows = None if "which" in options else ["a film"]
    with pytest.raises(UsageError):
        cy.explain_words(run, rows, **options)


def test_rows_that_do_not_exist_and_data_without_words(run):
    with pytest.raises(InputError, match="no such rows"):
        cy.explain_words(run, which=[9999])
    table = cy.fit(cy.Recipe(model="softmax", length="1 epochs"), cy.load("iris"), doctor=False)
    with pytest.raises(UsageError, match="only texts have words"):
        cy.explain_words(table)
    with pytest.raises(UsageError, match="no such recurrent layer"):
        cy.gate_trace(run)


def test_explain_knows_texts(run):
    assert cy.explain(run, most=2).to_dict() == cy.explain_words(run, most=2).to_dict()
    given = {"method": "integrated-gradients", "target": "pos", "steps": 7, "reference": "nothing"}
    one, two = (ask(run, ["a bright play"], **given) for ask in (cy.explain, cy.explain_words))
    assert one.to_dict() == two.to_dict()
    for wrong in ({"checks": True}, {"window": 3}, {"method": "grad-cam"}, {"target": "dull"}):
        with pytest.raises(UsageError):
            cy.explain(run, **wrong)


def test_words_from_the_command_line(run, tmp_path, capsys):
    folder, place = str(run.save(tmp_path / "run").path), tmp_path / "seen.svg"
    (tmp_path / "new.txt").write_text("a bright play\n")
    assert main(["explain", folder, str(tmp_path / "new.txt"), "--out", str(place), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["texts"][0]["words"] == ["a", "bright", "play"]
    assert place.exists()
    assert (
        main(["explain", folder, str(tmp_path / "new.txt"), "--by", "occlusion", "--target", "neg"])
        == 0
    )
    said = capsys.readouterr().out
    assert "row 1: " in said
    by_method = ["--method", "occlusion", "--target", "neg"]
    assert main(["explain", folder, str(tmp_path / "new.txt"), *by_method]) == 0
    assert capsys.readouterr().out == said
    assert main(["explain", folder, *by_method, "--by", "saliency"]) == 2
    assert main(["explain", folder, "--which", "2"]) == 1  # rows of arrays are not in the folder
    assert main(["explain", folder, "--position", "0"]) == 2
    assert main(["explain", folder, "--which", "0"]) == 2
    assert "numbers from 1" in capsys.readouterr().err


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_gates_of_a_second_layer_that_reads_both_ways(cell):
    """It reads what the first layer gives, whose second direction begins with the last word."""
    torch.manual_seed(0)
    made = getattr(cy.models, cell)(hidden=(4, 3), embedding=5, bidirectional=True)
    model = made.build(cy.Shapes((7,), 2, (), 10)).eval()
    seen = []
    handle = model.layers[1].register_forward_hook(
        lambda m, i, o: seen.append(nn.utils.rnn.pad_packed_sequence(o[0], True)[0])
    )
    with torch.no_grad():
        model(TEXTS)
    handle.remove()
    found, real = gates(model, TEXTS, 1)["state"], there(TEXTS)
    assert torch.allclose(found[real], seen[0][..., :3][real], atol=1e-6)
    alone = gates(model, TEXTS[:1], 1)["state"][0]
    assert torch.allclose(alone, found[0, :5], atol=1e-6)


@pytest.fixture(scope="module")
def reader():
    recipe = cy.Recipe(model=cy.models.lstm(hidden=(24,)), length="3 epochs")
    return cy.fit(recipe, sentences(), doctor=False)


def test_a_trace_is_what_the_layer_does(reader):
    trace = cy.gate_trace(reader, "the film was bright")
    assert trace.words == ("the", "film", "was", "bright")
    assert trace.gates == ("input", "forget", "output")
    t = trace.traces
    before = np.vstack([np.zeros(24), t["memory"][:-1]])
    assert np.allclose(t["memory"], t["forget"] * before + t["input"] * t["candidate"], atol=1e-6)
    assert np.allclose(t["state"], t["output"] * np.tanh(t["memory"]), atol=1e-6)
    assert trace.norms["state"] == pytest.approx(np.linalg.norm(t["state"], axis=1))
    assert len(trace.units) == 16
    assert "bright" in str(trace.svg())
    assert "forget" in repr(trace)
    assert len(trace._repr_html_()) < 100_000


def test_gates_from_the_command_line(reader, tmp_path, capsys):
    folder, new = str(reader.save(tmp_path / "run").path), tmp_path / "new.txt"
    new.write_text("the film was bright\n")
    ask, place = ["explain", folder, str(new), "--method", "gates"], tmp_path / "g.svg"
    assert main([*ask, "--out", str(place), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    wanted = cy.gate_trace(reader, "the film was bright").norms["state"].tolist()
    assert made["norms"]["state"] == pytest.approx(wanted, rel=1e-5)
    assert place.exists()
    assert main([*ask, "--layer", "2"]) == 2


def test_numbers_at_every_step_have_gates_too():
    rng = np.random.default_rng(0)
    data = cy.load((rng.normal(size=(40, 9, 2)), ["a", "b"] * 20), kind="sequence")
    run = cy.fit(cy.Recipe(model=cy.models.gru(hidden=(6,)), length="1 epochs"), data, doctor=False)
    trace = cy.gate_trace(run, int(run.split.train[0]))
    assert trace.words == tuple("123456789")
    assert trace.gates == ("reset", "update")
    assert set(trace.norms) == {"state"}
