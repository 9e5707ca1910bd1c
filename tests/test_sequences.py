"""Texts, running texts, series and recordings: how they are read, learned, judged, continued."""

import io
import wave
import zipfile
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.cli import main
from chymist.data.speech import log_mel, mel_weights, read_wav
from chymist.data.streams import cut_in_order, stream_data
from chymist.data.tabular import Wanted
from chymist.data.tagged import tagged_sentences
from chymist.errors import InputError, UsageError
from chymist.evidence.ngrams import kneser_ney, unigram
from chymist.evidence.series_floors import series_floors
from chymist.metrics import chunk_f1, chunks, log_loss, perplexity
from chymist.models.gates import gates
from tests.tagged_words import tagged_words

ONE = {"length": "1 epochs"}


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def reviews(tmp_path):
    draw = rng()
    lines = ["text,stars,site"]
    for n in range(80):
        words = draw.choice(["good", "bad", "film", "the"], draw.integers(3, 8))
        label = "up" if (words == "good").sum() > (words == "bad").sum() else "down"
        lines.append(f'"{" ".join(words)}, number {n}",{label},{"ab"[n % 2]}')
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def verses(tmp_path):
    path = tmp_path / "verses.txt"
    path.write_text("the cat sat.\nthe dog ran.\n" * 120)
    return path


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(3, 40), min_size=3, max_size=3), st.integers(1, 9))
def test_every_token_of_a_text_but_the_first_is_a_target_once(sizes, steps):
    parts = [list(rng(n).choice(list("abcd"), size)) for n, size in enumerate(sizes)]
    data = stream_data(parts, Wanted(name="t"), steps)
    split = cy.split(data)
    number = {token: n for n, token in enumerate(data.vocabulary)}
    before = parts[0][0]
    for n, name in enumerate(("train", "valid", "test")):
        goals, inputs = data.targets[split.rows(name)], data.inputs[split.rows(name)]
        there = goals.ravel() >= 0
        wanted = parts[n][1:] if n == 0 else parts[n]
        assert goals.ravel()[there].tolist() == [number.get(t, 1) for t in wanted]
        assert inputs.ravel()[there].tolist() == [number.get(t, 1) for t in [before, *wanted[:-1]]]
        before = parts[n][-1]


def test_a_running_text_is_cut_in_order_and_never_drawn():
    data = stream_data([list("abcdefgh" * 30), [], []], Wanted(name="t"), 4)
    split = cy.split(data, test=0.25, valid=10, seed=3)
    rows = np.concatenate([split.train, split.valid, split.test])
    assert rows.tolist() == list(range(60))
    assert len(split.valid) == 10
    with pytest.raises(UsageError, match="cut in order"):
        cy.split(data, group=np.zeros(60))


def test_a_standard_validation_part_is_kept_unless_another_is_wanted():
    data = cy.windows(np.arange(60.0), steps=4)
    assert np.array_equal(cy.split(data).valid, data.valid_rows)
    assert np.array_equal(cy.split(data).test, data.test_rows)
    other = cy.split(data, valid=3)
    assert len(other.valid) == 3
    assert not np.intersect1d(other.valid, data.test_rows).size
    assert len(other.train) == len(data) - 3 - len(data.test_rows)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(40, 80))
def test_windows_learn_nothing_that_they_are_scored_on(steps, horizon, times):
    data = cy.windows(np.arange(float(times)), steps=steps, horizon=horizon)
    split = cy.split(data)
    goals = data.targets.reshape(len(data), -1)
    assert goals[split.train].max() < goals[split.valid].min()
    assert goals[split.valid].max() < goals[split.test].min()
    assert (data.inputs[:, -1, 0] + 1 == goals[:, 0]).all()
    assert goals[split.test].max() == times - 1


def test_wrong_windows_are_one_line():
    with pytest.raises(InputError, match="gap"):
        cy.windows([1.0, np.nan, 2.0] * 20)
    with pytest.raises(InputError, match="too short"):
        cy.windows([1.0] * 10, steps=9)
    with pytest.raises(UsageError, match="no such column"):
        cy.windows(np.ones((40, 2)), target=2)
    with pytest.raises(UsageError, match="steps in and out"):
        cy.windows(np.ones(40), steps=0)


def test_a_table_in_time_is_read_from_a_file_and_forecast(tmp_path):
    path = tmp_path / "load.csv"
    lines = [f"2020-01-{n % 28 + 1:02d},{n % 7}.5,{'' if n == 50 else n % 5}" for n in range(90)]
    path.write_text("day,load,heat\n" + "\n".join(lines))
    data = cy.load(path, kind="sequence", target="heat", steps=7, horizon=2)
    assert data.inputs.shape[1:] == (7, 2)
    assert [column.name for column in data.columns] == ["heat", "load"]
    assert len(data) == 82 - 2 - 2  # two windows have the gap, two lie over a cut
    folder = tmp_path / "run"
    assert main(["fit", str(path), "--kind", "sequence", "--target", "heat", "--steps", "7",
                 "--length", "1 epochs", "--out", str(folder), "--quiet"]) == 0  # fmt: skip
    assert cy.predict(folder, path).shape == (1,)
    assert cy.evaluate(folder, split="test").score.metric == "rmse"
    names = {floor.name for floor in cy.evaluate(folder, split="test").floors}
    assert {"last value", "autoregression of 7 steps"} <= names


def test_a_series_is_forecast_by_itself():
    season = np.tile([1.0, 5.0, 2.0, 9.0], 30)
    past = np.lib.stride_tricks.sliding_window_view(season, 9)[:-2]
    goals = np.stack([season[9:-1], season[10:]], 1)
    made = series_floors(past[:60], goals[:60], past[60:])
    assert np.allclose(made["value 4 steps before"], goals[60:])
    assert np.allclose(made["last value"], past[60:, -1:])
    assert np.allclose(made["autoregression of 9 steps"], goals[60:])


def test_a_column_of_texts_is_read_learned_and_predicted(reviews, tmp_path):
    data = cy.load(reviews, kind="text", target="stars", columns={"text": "text"})
    assert data.kind == "text"
    assert data.classes == ("down", "up")
    folder = tmp_path / "run"
    assert main(["fit", str(reviews), "--kind", "text", "--target", "stars", "--columns",
                 "text=text", "--length", "2 epochs", "--out", str(folder), "--quiet"]) == 0  # fmt: skip
    found = cy.evaluate(folder, split="valid")
    assert any("linear SVM, TF-IDF" in floor.name for floor in found.floors)
    new = tmp_path / "new.txt"
    new.write_text("good good film\nbad bad\n")
    labels = cy.predict(folder, new)
    assert labels.tolist() == cy.predict(folder, ["good good film", "bad bad"]).tolist()
    assert cy.predict(folder, reviews).shape == (80,)
    out = tmp_path / "out.csv"
    assert main(["predict", str(folder), str(new), "--out", str(out), "--quiet"]) == 0
    assert len(out.read_text().splitlines()) == 3


def test_wrong_texts_are_one_line(reviews, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,y\n1,2,1\n2,1,0\n3,5,1\n")
    with pytest.raises(InputError, match="one column of texts"):
        cy.load(path, kind="text")
    path.write_text("text,y\n,1\nb,0\nc,1\n")
    with pytest.raises(InputError, match="text is missing"):
        cy.load(path, kind="text")
    with pytest.raises(UsageError, match="no such kind"):
        cy.load(reviews, kind="texts")
    with pytest.raises(UsageError, match="does not suit"):
        cy.load(reviews, kind="language", target="stars")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        cy.load(tmp_path / "b.txt", kind="language")


@pytest.mark.parametrize(("tokens", "prompt"), [("characters", "the c"), ("words", "the cat")])
def test_a_running_text_is_learned_and_continued(verses, tmp_path, tokens, prompt, capsys):
    folder = tmp_path / "run"
    steps = ["--steps", "16", "--batch-size", "8", "--model.hidden", "24"]
    assert main(["fit", str(verses), "--kind", "language", "--tokens", tokens, *steps, "--model",
                 "lstm", "--model.carry", "true", "--length", "12 epochs", "--optimizer", "adam",
                 "--optimizer.lr", "0.02", "--out", str(folder), "--quiet"]) == 0  # fmt: skip
    found = cy.evaluate(folder, split="test")
    assert found.metrics["perplexity"] == pytest.approx(np.exp(found.metrics["log_loss"]))
    assert ("bits_per_character" in found.metrics) == (tokens == "characters")
    assert {floor.name for floor in found.floors} >= {"unigram", "Kneser-Ney 5-gram"}
    one, again, other = (cy.sample(folder, prompt, 20, 9.0, seed) for seed in (1, 1, 2))
    assert one == again != other
    likely = cy.sample(folder, prompt, length=12, temperature=0)
    assert likely.startswith("at sat." if tokens == "characters" else " sat .")
    capsys.readouterr()
    assert main(["sample", str(folder), prompt, "--length", "12", "--temperature", "0"]) == 0
    assert capsys.readouterr().out == f"{prompt}{likely}\n"
    with pytest.raises(InputError, match="not in the training text"):
        cy.sample(folder, "§")
    with pytest.raises(UsageError, match="goes on"):
        cy.predict(folder, np.zeros((1, 16), int))


def test_only_a_language_model_is_sampled():
    run = cy.fit(cy.Recipe(model="softmax", **ONE), cy.load("iris"), doctor=False)
    with pytest.raises(UsageError, match="does not say what comes next"):
        cy.sample(run)
    with pytest.raises(UsageError, match="temperature"):
        cy.sample(run, temperature=-1)


def test_a_model_of_the_next_token_reads_one_way():
    data = stream_data([list("abcd" * 40), [], []], Wanted(name="t"), 8)
    with pytest.raises(UsageError, match="has seen the next token"):
        cy.fit(cy.Recipe(model=cy.models.gru(bidirectional=True), **ONE), data)


def test_tied_weights_are_one_and_come_back(tmp_path):
    data = stream_data([list("abcd" * 80), list("abcd" * 8), []], Wanted(name="t"), 8)
    model = cy.models.lstm(hidden=(12,), embedding=12, tied=True, carry=True)
    run = cy.fit(cy.Recipe(model=model, **ONE), data, out=tmp_path / "r", doctor=False)
    assert not [name for name in run.model.state_dict() if name == "head.weight"]
    again = cy.load_run(tmp_path / "r", data=data)
    assert torch.equal(again.model.head.of[0].weight, again.model.embedding.weight)
    assert torch.equal(again.model.embedding.weight, run.model.embedding.weight)
    with pytest.raises(UsageError, match="tied"):
        cy.fit(cy.Recipe(model=cy.models.lstm(tied=True), **ONE), data)


def by_hand(chances, order, context, word, tokens, discount=0.75):
    """Interpolated Kneser-Ney as in the textbook, by dictionaries."""
    if order == 0:
        return 1 / tokens
    lower = by_hand(chances, order - 1, context[1:], word, tokens)
    counts = chances[order]
    total = sum(n for gram, n in counts.items() if gram[:-1] == context)
    if not total:
        return lower
    kinds = sum(1 for gram in counts if gram[:-1] == context)
    return (max(counts[(*context, word)] - discount, 0) + discount * kinds * lower) / total


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_kneser_ney_is_that_of_the_textbook(order):
    draw = rng(order)
    text, new = draw.integers(0, 4, 200), draw.integers(0, 5, 30)
    tokens = 5
    padded = [0] * order + text.tolist()  # before the text stands a token 0
    grams = {n: Counter(tuple(padded[at - n + 1 : at + 1]) for at in range(order + 1, len(padded)))
             for n in range(1, order + 1)}  # fmt: skip
    for n in range(1, order):  # lower orders count the different tokens before
        grams[n] = Counter(gram[1:] for gram in grams[n + 1])
    found = kneser_ney(text[:-1], text[1:], new[:-1], new[1:], tokens, order)
    joined = [*text[:-1].tolist(), *new.tolist()]
    for at, made in enumerate(found):
        place = len(text) - 1 + at + 1
        context = tuple(joined[place - order + 1 : place])
        wanted = by_hand(grams, order, context, joined[place], tokens)
        assert made == pytest.approx(wanted, rel=1e-9)


def test_chances_of_all_tokens_sum_to_one():
    text = rng().integers(0, 6, 300)
    for order in (1, 2, 3):
        total = sum(
            kneser_ney(text[:-1], text[1:], text[10:13], np.array([-1, -1, w]), 6, order)[0]
            for w in range(6)
        )
        assert total == pytest.approx(1.0)
    assert sum(unigram(text, np.arange(6), 6)) == pytest.approx(1.0)


def conlleval(targets, predictions):
    """F1 of chunks as the shared task's script counts it: both chunks begin and end together."""
    right = found = wanted = 0
    inside = False
    for goal, made in zip(targets, predictions, strict=True):
        last = ("O", "O")
        for g, m in [*zip(goal, made, strict=True), ("O", "O")]:

            def ends(before, now):
                return before != "O" and (now == "O" or now[0] == "B" or now[2:] != before[2:])

            def begins(before, now):
                return now != "O" and (before == "O" or now[0] == "B" or now[2:] != before[2:])

            both = ends(last[0], g), ends(last[1], m)
            if inside and any(both):
                right += all(both) and last[0][2:] == last[1][2:]
                inside = False
            started = begins(last[0], g), begins(last[1], m)
            inside = inside and g[2:] == m[2:]
            if all(started) and g[2:] == m[2:]:
                inside = True
            wanted, found = wanted + started[0], found + started[1]
            last = (g, m)
    return 2 * right / (wanted + found)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.tuples(*[st.sampled_from(["B-X", "I-X", "B-Y", "I-Y", "O"])] * 2),
                         min_size=1, max_size=8), min_size=1, max_size=4))  # fmt: skip
def test_f1_of_chunks_is_that_of_the_shared_task(pairs):
    goals = [[a for a, _ in sentence] for sentence in pairs]
    made = [[b for _, b in sentence] for sentence in pairs]
    if any(tag != "O" for tags in goals + made for tag in tags):
        assert chunk_f1(goals, made) == pytest.approx(conlleval(goals, made))
    assert chunk_f1(goals, goals) == 1 if any(map(chunks, goals)) else True


def test_perplexity_is_the_exponent_of_the_log_loss():
    chances, goals = rng().dirichlet(np.ones(5), 40), rng(1).integers(0, 5, 40)
    assert perplexity(goals, chances) == pytest.approx(np.exp(log_loss(goals, chances)))


def test_tagged_sentences_are_learned_with_two_tokens_a_step(tmp_path):
    data = tagged_words(60)
    recipe = cy.Recipe(length="12 epochs", batch_size=8)
    run = cy.fit(recipe, data, out=tmp_path / "r", doctor=False)
    assert run.metrics["chunk_f1"] > 0.95
    assert cy.evaluate(tmp_path / "r", split="valid", data=data).score == run.score
    labels = cy.predict(tmp_path / "r", data.inputs[:2])
    assert labels.shape == (2, data.inputs.shape[1])
    with pytest.raises(InputError, match="its columns"):
        tagged_sentences("a b c\nd e\n", "t")


def module(model, shapes, seed=0):
    torch.manual_seed(seed)
    return model.build(shapes).eval()


@pytest.mark.parametrize("make", [cy.models.lstm, cy.models.gru, cy.models.rnn])
def test_gates_are_those_of_the_formula(make):
    model = module(make(hidden=(5, 4)), cy.Shapes((7, 3), 2))
    inputs = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        first = model.layers[0](inputs)[0]
        second = model.layers[1](first)[0]
    assert torch.allclose(gates(model, inputs)["state"], first, atol=1e-6)
    found = gates(model, inputs, layer=1)
    assert torch.allclose(found["state"], second, atol=1e-6)
    if make is cy.models.lstm:
        before = torch.cat([torch.zeros(2, 1, 4), found["memory"][:, :-1]], 1)
        memory = found["forget"] * before + found["input"] * found["candidate"]
        assert torch.allclose(found["memory"], memory, atol=1e-6)
        assert torch.allclose(found["output"] * found["memory"].tanh(), second, atol=1e-6)
    with pytest.raises(UsageError, match="no such recurrent layer"):
        gates(model, inputs, layer=2)


def test_an_lstm_whose_peepholes_are_zero_is_an_lstm():
    model = module(cy.models.lstm(hidden=(5,), peephole=True), cy.Shapes((6, 3), 2))
    layer, plain = model.layers[0], torch.nn.LSTM(3, 5, batch_first=True)
    inputs = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0"):
            getattr(plain, name).copy_(getattr(layer, name))
        plain.bias_ih_l0.copy_(layer.bias_l0)
        plain.bias_hh_l0.zero_()
        seeing = layer(inputs)[0]
        assert not torch.allclose(seeing, plain(inputs)[0], atol=1e-4)
        found = gates(model, inputs)
        assert torch.allclose(found["state"], seeing, atol=1e-6)
        driven = inputs @ layer.weight_ih_l0.T + layer.bias_l0
        hidden = torch.cat([torch.zeros(4, 1, 5), seeing[:, :-1]], 1) @ layer.weight_hh_l0.T
        wanted = (driven + hidden)[..., 15:] + layer.peephole_l0[2] * found["memory"]
        assert torch.allclose(found["output"], torch.sigmoid(wanted), atol=1e-6)
        layer.peephole_l0.zero_()
        for a, b in zip(layer(inputs)[1], plain(inputs)[1], strict=True):
            assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("options", [{"peephole": True}, {"pool": "mean"}, {"pool": "max"},
                                     {"bidirectional": True, "pool": "max"}])  # fmt: skip
def test_what_fills_a_text_changes_no_result(options):
    model = module(cy.models.lstm(**options), cy.Shapes((9,), 2, (), 6))
    short = torch.tensor([[2, 3, 4, 0, 0], [5, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
    longer = torch.cat([short, torch.zeros(3, 4, dtype=torch.long)], 1)
    assert torch.allclose(model(short), model(longer), atol=1e-6)
    assert torch.allclose(model(short)[:1], model(short[:1, :3]), atol=1e-6)


def wav(samples, rate=8000, channels=1):
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return content.getvalue()


def test_recordings_are_read_or_refused_in_a_line():
    samples = rng().integers(-3000, 3000, 900)
    assert np.allclose(read_wav(wav(samples), "a.wav", 8000) * 32768, samples)
    for content in (wav(samples, 16000), wav(samples, channels=2), wav([])):
        with pytest.raises(InputError, match="one channel, 16 bits and 8000"):
            read_wav(content, "a.wav", 8000)
    for content in (b"RIFFabc", b"no wav file at all", wav(samples)[:20]):
        with pytest.raises(InputError, match="no WAV file"):
            read_wav(content, "a.wav", 8000)


def test_log_mel_is_the_energy_of_the_fourier_transform_by_hand():
    signal = rng().normal(size=600) * 0.1
    made = log_mel(signal, 8000, bands=6)
    frame = signal[160:360] * np.hanning(200)
    n = np.arange(200)
    power = [abs((frame * np.exp(-2j * np.pi * k * n / 256)).sum()) ** 2 / 256 for k in range(129)]
    weights = mel_weights(6, 256, 8000)
    assert np.allclose(made[2], np.log(np.array(power) @ weights + 1e-8), atol=1e-5)
    assert made.shape == (6, 6)
    assert (weights.sum(1)[5:110] > 0).all()


def test_the_parts_of_a_text_are_ninety_five_and_five_percent():
    assert [len(part) for part in cut_in_order("a" * 1000)] == [900, 50, 50]


SETS = {
    "conll2000": ((10948, 78, 2), 2012, "tagging"), "fsdd": ((3000, 100, 40), 300, "classification"),
    "ptb": ((31024, 35), 2356, "language"), "trec": ((5952,), 500, "classification"),
    "sentence_polarity": ((10662,), None, "classification"),
    "tinyshakespeare": ((17430, 64), 872, "language"),
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in SETS if n not in ("ptb", "fsdd", "conll2000")])
def test_named_sets_are_as_published(name, chymist_data):
    data = cy.load(name)
    shape, test, task = SETS[name]
    assert data.inputs.shape == shape
    assert data.task == task
    assert (None if data.test_rows is None else len(data.test_rows)) == test
    assert not any("differs" in note for note in data.notes)
    if name == "tinyshakespeare":
        assert len(data.vocabulary) == 67
        goals = [int((data.targets[rows] >= 0).sum()) for rows in vars(cy.split(data)).values()
                 if isinstance(rows, np.ndarray)]  # fmt: skip
        assert goals == [1003853, 55770, 55770]
    if name == "trec":
        assert data.class_counts(data.test_rows).tolist() == [9, 138, 94, 65, 81, 113]


def test_spoken_digits_know_their_speakers(tmp_path, monkeypatch):
    folder = tmp_path / "fsdd"
    folder.mkdir()
    with zipfile.ZipFile(folder / "fsdd_recordings.zip", "w") as file:
        for digit in range(10):
            for speaker in ("ann", "bob", "cy"):
                for n in range(4, 7):
                    tone = 2000 * np.sin(np.arange(1600) * 0.05 * (digit + 1))
                    file.writestr(f"recordings/{digit}_{speaker}_{n}.wav", wav(tone))
    monkeypatch.setenv("CHYMIST_DATA", str(tmp_path))
    data = cy.load("fsdd")
    assert len(data.test_rows) == 30
    assert set(data.labels["speaker"]) == {"ann", "bob", "cy"}
    split = cy.split(data, group="speaker", test=0)
    apart = [set(data.labels["speaker"][rows]) for rows in (split.train, split.valid)]
    assert not apart[0] & apart[1]
    cv = cy.cross_validate(cy.Recipe(model="softmax", **ONE), data, 3, group="speaker",
                           floors=False)  # fmt: skip
    assert [fold["n"] for fold in cv.folds] == [20, 20, 20]
