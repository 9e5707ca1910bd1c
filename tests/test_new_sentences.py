"""Tags of new sentences, and bad input of sequences as a user meets it."""

import csv

import numpy as np
import pytest

import chymist as cy
from chymist.cli import main
from chymist.data.tagged import sentence_numbers, sentences_of
from chymist.errors import InputError
from tests.tagged_words import tagged_words


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    data = tagged_words(80)
    out = tmp_path_factory.mktemp("tagged") / "run"
    cy.fit(cy.Recipe(length="12 epochs", batch_size=8), data, out=out, doctor=False)
    return out


def test_both_ways_to_write_sentences_get_the_same_tags(folder, tmp_path):
    lines, words = tmp_path / "lines.txt", tmp_path / "words.txt"
    lines.write_text("w1/V w2/N w3/V\n\nw0/N new/V\n")
    words.write_text("w1 V\nw2 N B-X\nw3 V\n\n\nw0 N\nnew V\n")  # a tag is left aside
    found = cy.predict(folder, lines)
    assert found[0, :3].tolist() == ["B-X", "O", "B-X"]
    assert found[1, 0] == "O"
    assert (found[0, 3:] == "").all()
    assert np.array_equal(found, cy.predict(folder, words))
    assert np.array_equal(found, cy.predict(folder, ["w1/V w2/N w3/V", "w0/N new/V"]))
    chances = cy.predict(folder, lines, probabilities=True)
    assert chances.shape == (*found.shape, 2)
    assert np.allclose(chances.sum(-1), 1)


def test_the_command_writes_a_line_for_each_word(folder, tmp_path, capsys):
    new, out = tmp_path / "new.txt", tmp_path / "tags.csv"
    new.write_text("w1/V w2/N\nodd/V\n")
    assert main(["predict", str(folder), str(new), "--out", str(out)]) == 0
    assert "1 of 3 words are not known" in capsys.readouterr().out
    with out.open() as file:
        rows = list(csv.reader(file))
    assert rows[0][:3] == ["row", "word", "prediction"]
    assert [row[:3] for row in rows[1:3]] == [["1.1", "w1/V", "B-X"], ["1.2", "w2/N", "O"]]
    assert rows[3][:2] == ["2.1", "odd/V"]


@pytest.mark.parametrize(("text", "said"), [
    ("He ran home now\n", "line 1.*word/POS"), ("w1 V\nw2\n", "line 2"), ("", "file is empty"),
    ("\n \n", "file is empty"), ("w1/V " * 40, "longer than all of training"),
])  # fmt: skip
def test_wrong_sentences_are_one_line(folder, tmp_path, text, said, capsys):
    new = tmp_path / "new.txt"
    new.write_text(text)
    assert main(["predict", str(folder), str(new), "--out", str(tmp_path / "out.csv")]) == 1
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    with pytest.raises(InputError, match=said):
        cy.predict(folder, new)


def test_words_alone_are_a_line_each_or_a_sentence_a_line():
    only = ("word",)
    assert sentences_of(["a b", "c"], "t", only) == [[["a"], ["b"]], [["c"]]]
    assert sentences_of(["a", "b", "", "c"], "t", only) == [[["a"], ["b"]], [["c"]]]
    assert sentences_of(["1/2/CD and/CC"], "t", ("word", "POS")) == [[["1/2", "CD"], ["and", "CC"]]]
    numbers = sentence_numbers([[["b"], ["z"]]], only, ("", "<unknown>", "a", "b"), 3)
    assert numbers.tolist() == [[[3], [1], [0]]]


@pytest.fixture(scope="module")
def of_texts(tmp_path_factory):
    draw = np.random.default_rng(0)
    made = [" ".join(draw.choice(["good", "bad", "film"], draw.integers(2, 6))) for _ in range(60)]
    data = cy.load((made, ["yes" if "good" in text else "no" for text in made]), kind="text")
    recipe = cy.Recipe(model=cy.models.rnn(hidden=(4,)), length="1 epochs")
    return cy.fit(recipe, data, out=tmp_path_factory.mktemp("texts") / "run", doctor=False)


def test_empty_unknown_and_long_texts_are_predicted_as_documented(of_texts, tmp_path, capsys):
    new, out = tmp_path / "new.txt", tmp_path / "out.csv"
    steps = of_texts.preparation.shape[0]
    new.write_text("good film\n\n你好 😀\n" + "bad " * 50 + "\n" + "bad " * steps + "\n")
    assert main(["predict", str(of_texts.path), str(new), "--out", str(out), "--quiet"]) == 0
    rows = of_texts.preparation.inputs(np.array(new.read_text().splitlines(), object))
    assert not rows[1].any()  # no words
    assert set(rows[2][rows[2] > 0]) == {1}  # all of them unknown
    assert np.array_equal(rows[3], rows[4])  # cut
    assert len(out.read_text().splitlines()) == 6
    assert np.isfinite(cy.predict(of_texts, new, probabilities=True)).all()


@pytest.mark.parametrize(("name", "content", "options", "said"), [
    ("a.csv", b"text,y\na b,1\n,0\nc,1\n", ["--kind", "text", "--target", "y"], "text is missing"),
    ("a.txt", b"", ["--kind", "language"], "file is empty"),
    ("a.txt", b"ab", ["--kind", "language"], "three tokens"),
    ("a.txt", "café\n".encode("latin-1") * 90, ["--kind", "language"], "UTF-8"),
    ("a.csv", b"text,y\n" + b"a b,1\nb,0\n" * 18,
     ["--kind", "text", "--target", "y", "--data.steps", "0"], "steps"),
    ("a.csv", b"text,y\n" + b"a b,1\nb,0\n" * 18,
     ["--kind", "text", "--target", "y", "--data.tokens", "letters"], "tokens"),
])  # fmt: skip
def test_bad_sequences_are_one_line_on_the_command_line(
    tmp_path, name, content, options, said, capsys
):
    path = tmp_path / name
    path.write_bytes(content)
    code = main(["fit", str(path), *options, "--length", "1 steps", "--out", str(tmp_path / "r")])
    error = capsys.readouterr().err
    assert code in (1, 2)
    assert len(error.strip().splitlines()) == 1
    assert said in error
