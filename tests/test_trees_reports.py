"""Trees in words, as drawings, in reports and on the command line; how sure their cuts are."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError
from chymist.models.trees import Rule, Sample, Tree, cut_frequencies, grow
from chymist.reports.trees import LEAVES, NamedTree, size_text, tree_svg, tree_text
from chymist.values import Data

NO = np.zeros(2)


def melons() -> NamedTree:
    """Colour decides, and among green ones the size; no training row is blue."""
    rows = [(0, 1.0)] * 3 + [(1, 1.0)] * 2 + [(1, 5.0)] * 2 + [(1, 5.0)]
    labels = np.array([0, 0, 0, 1, 1, 0, 0, 1])
    sample = Sample(np.array(rows, np.float32), labels, 2, np.array([4, 0]))
    tree = grow(sample, np.ones(8), Rule("gain")).tree
    names = (("black", "green", "blue", "red"), ())
    return NamedTree(tree, ("colour", "size"), names, ("good", "bad"), NO, NO + 1)


TEXT = """\
colour = black: good (3)
colour = green
|   size <= 3: bad (2)
|   size > 3: good (3/1)
colour = 2 others: good (0)"""


def test_a_tree_in_words() -> None:
    named = melons()
    assert str(named) == TEXT
    assert size_text(named) == "A tree with 5 leaves, 2 cuts deep."
    folded = tree_text(named, depth=1).splitlines()
    assert folded[1] == "colour = green: bad (5/2) ... 2 leaves"
    assert tree_text(named, lines=2).splitlines()[-1] == "... 3 more lines"


def texts_of(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg) if e.tag.endswith("text")]


def test_a_tree_as_a_drawing() -> None:
    named = melons()
    svg = str(tree_svg(named))
    texts = texts_of(svg)
    assert {"colour", "size", "= black", "<= 3", "> 3", "bad (2)", "good (3/1)"} <= set(texts)
    assert svg == str(tree_svg(named))
    width, height = (float(n) for n in re.findall(r'viewBox="0 0 (\S+) (\S+)"', svg)[0])
    places = [(float(x), float(y)) for x, y in re.findall(r'<text x="(\S+)" y="(\S+)"', svg)]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in places)


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_a_large_tree_is_folded(seed: int) -> None:
    random = np.random.default_rng(seed)
    sample = Sample(random.random((200, 2)), random.integers(2, size=200), 2, np.array([0, 0]))
    tree = grow(sample, np.ones(200), Rule("gain")).tree
    named = NamedTree(tree, ("a", "b"), ((), ()), ("x", "y"), NO, NO + 1)
    svg = str(tree_svg(named))
    ends = [text for text in texts_of(svg) if text.endswith(("leaves", ")"))]
    assert 1 < len(ends) <= LEAVES
    folded = sum(int(text.split("… ")[1].split()[0]) for text in ends if "…" in text)
    assert folded + sum("…" not in text for text in ends) == tree.leaves


def test_names_from_the_data_are_inert() -> None:
    named = melons()
    bad = NamedTree(named.tree, ("<script>\n", "b"), (("<b>", "&", "\u202e", "z" * 99), ()),
                    ("</svg>", "y"), NO, NO + 1)  # fmt: skip
    svg = str(tree_svg(bad))
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert "\u202e" not in svg
    assert "\n|" in tree_text(bad)
    assert "<script>\\n" in tree_text(bad)


def test_units_are_those_of_the_data() -> None:
    x = np.arange(40.0)
    data = cy.load(({"x": x, "y": x % 3}, np.where(x < 20, 100.0, 300.0)))
    whole = cy.split(data, valid=0, test=0)
    recipe = cy.Recipe(model="cart", data=cy.prepare(scale="standard"))
    found = str(cy.tree_of(cy.fit(recipe, whole)))
    assert found == "x <= 19.5: 100 (20)\nx > 19.5: 300 (20)"


@pytest.fixture(scope="module")
def iris() -> Data:
    return cy.load("iris")


@pytest.mark.parametrize("name", ["c45", "random_forest", "boosting"])
def test_reports_show_trees(name: str, iris: Data, tmp_path: Path,
                            capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    options = {} if name == "c45" else {"trees": 3}
    run = cy.fit(cy.Recipe(model=cy.part("model", name, **options)), iris, out=tmp_path / "run")
    named = cy.tree_of(run)
    assert str(named) == str(cy.tree_of(tmp_path / "run"))
    page = (tmp_path / "run/report.html").read_text("utf-8")
    assert str(tree_svg(named)) in page
    assert size_text(named) in page
    assert main(["show", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    assert size_text(named) in shown
    assert tree_text(named, 3).splitlines()[0] in shown


def test_no_tree() -> None:
    run = cy.fit(cy.Recipe(model="softmax", length="2 epochs"), cy.load("iris"))
    with pytest.raises(InputError, match="no tree"):
        cy.tree_of(run)
    forest = cy.fit(cy.Recipe(model=cy.models.random_forest(trees=2)), cy.load("iris"))
    with pytest.raises(InputError, match="single tree"):
        cy.tree_stability(forest)


def test_clear_cuts_are_stable_and_cuts_by_noise_are_not() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(300, 4))
    labels = (inputs[:, 0] > 0).astype(int)
    labels[random.random(300) < 0.1] ^= 1

    def regrow(rows: np.ndarray) -> Tree:
        sample = Sample(inputs[rows], labels[rows], 2, np.zeros(4, int))
        return grow(sample, np.ones(len(rows)), Rule("gain", max_depth=4)).tree

    tree = regrow(np.arange(300))
    shares = cut_frequencies(tree, inputs, regrow, 40)
    assert shares[0] == 1.0
    below = shares[1:][tree.column[1:] >= 0]
    assert np.nanmean(below) < 0.3
    assert np.isnan(shares[tree.column < 0]).all()
    for node in np.flatnonzero(tree.column >= 0):  # a cut is made again only below its parents
        for kid in tree.children(node):
            assert np.isnan(shares[kid]) or shares[kid] <= shares[node]
    np.testing.assert_array_equal(shares, cut_frequencies(tree, inputs, regrow, 40))


def test_the_stability_of_a_run(iris: Data) -> None:
    run = cy.fit(cy.Recipe(model="cart"), iris)
    named = cy.tree_stability(run, bootstraps=10)
    assert named.frequency is not None
    assert named.frequency[0] > 0.3
    assert re.search(r"\[\d+ %\]", str(named))
    assert "%" in str(tree_svg(named))
