"""The report as a page: well-formed, closed to the outside, inert, small, the same every time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from torch import nn

import chymist as cy
from chymist.reports import LayerRow, layer_table, report_html
from chymist.reports.about_training import spent_figure
from chymist.reports.markup import VOID
from chymist.reports.page import split_hash
from chymist.values import Column, Data, Run
from tests.reports_runs import (
    HOSTILE,
    RUNS,
    digits_run,
    history,
    make_run,
    many_classes_run,
    probabilities,
    regression_run,
    table_run,
)

SHAPES = {"digits": (1, 8, 8), "one_epoch": (1, 8, 8), "broken": (1, 8, 8), "table": (3,),
          "hostile": (3,), "many": (6,), "regression": (10,), "unvalidated": (10,)}  # fmt: skip
COMMAND = "chymist fit digits --seed 0"


@cache
def page_of(name: str) -> str:
    run = RUNS[name]()
    return report_html(run, layer_table(run.model, SHAPES[name]), "import chymist as cy\n", COMMAND)


def render(run: Run) -> str:
    return report_html(run, [LayerRow("0", "Linear", (2,), 8)], "import chymist as cy\n", "")


@dataclass
class Page(HTMLParser):
    """Reads a page, minding that every element is closed in its turn."""

    open: list[str] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def parsed(page: str) -> Page:
    reader = Page()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("name", RUNS)
class TestEveryPage:
    def test_is_well_formed_with_one_heading_and_a_language(self, name: str) -> None:
        page = parsed(page_of(name))
        tags = [tag for tag, _ in page.seen]
        assert tags.count("h1") == 1
        assert tags.count("h2") == tags.count("section") == 9
        assert dict(page.seen)["html"] == {"lang": "en"}
        ids = [a["id"] for _, a in page.seen if "id" in a]
        links = [a["href"] for tag, a in page.seen if tag == "a"]
        assert len(set(ids)) == len(ids)
        assert all(link and link[0] == "#" and link[1:] in ids for link in links)

    def test_asks_nothing_of_the_network_and_runs_nothing(self, name: str) -> None:
        text = page_of(name).replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert "@import" not in text
        assert "url(" not in text
        for tag, attributes in parsed(page_of(name)).seen:
            assert tag not in {"script", "link", "iframe", "object", "embed", "form", "base"}
            assert not any(a.startswith("on") for a in attributes)
            assert attributes.get("src", "data:image/png").startswith("data:image/png")  # type: ignore[union-attr]

    def test_is_small(self, name: str) -> None:
        assert len(page_of(name).encode()) < 200_000

    def test_every_drawing_is_xml_with_a_description(self, name: str) -> None:
        drawings = re.findall(r"<svg.*?</svg>", page_of(name), re.S)
        assert len(drawings) >= 2
        for drawing in drawings:
            element = ElementTree.fromstring(drawing)
            assert element.attrib["aria-label"]
            assert "nan" not in drawing.replace("finance", "")
            assert "inf" not in drawing

    def test_every_figure_has_a_sentence_and_its_numbers(self, name: str) -> None:
        for figure in re.findall(r"<figure>.*?</figure>", page_of(name), re.S):
            title = re.search(r"<figcaption>(.*?)</figcaption>", figure, re.S)
            assert title is not None
            assert title[1].endswith(".")
            assert "<table>" in figure or "<img" in figure

    def test_is_the_same_every_time(self, name: str) -> None:
        run = RUNS[name]()
        layers = layer_table(run.model, SHAPES[name])
        assert report_html(run, layers, "import chymist as cy\n", COMMAND) == page_of(name)


def test_hostile_names_are_inert() -> None:
    page = page_of("hostile")
    assert "<script" not in page
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)
    text = parsed(page).text
    assert "<script>alert(1)</script>" in text
    assert "\\u202egnp.exe" in text
    assert "a\\x1b[31mred\\x00" in text
    assert "x" * 300 not in text.replace("x" * 599, "")
    assert HOSTILE[4] in text


def test_verdict_comes_first_with_score_interval_and_rows() -> None:
    text = parsed(page_of("digits")).text
    assert text.index("mlp is better than") < text.index("fingerprint")
    for piece in ("95.8 %", "95 % interval 93.2 % to 97.5 %", "360 validation rows", "optimistic",
                  "majority class", "chosen by val_loss"):  # fmt: skip
        assert piece in text


def test_training_rows_are_said_to_be_training_rows() -> None:
    text = parsed(page_of("unvalidated")).text
    assert "These are the training rows" in text
    assert "There are no validation rows" in text
    assert "There is no floor" in text


def test_numbers_are_those_of_the_run() -> None:
    run = digits_run()
    text = parsed(page_of("digits")).text
    assert f"{len(run.split.train):,} (59.9 %)" in text
    assert "17,290" in text
    assert "15 errors on 360 rows" in text
    assert COMMAND in text
    assert "import chymist as cy" in text
    assert 'name = "cross_entropy"' in text
    assert split_hash(run.split) in text
    assert "1.2 % of training" in text


def test_hash_of_the_split_depends_on_the_rows() -> None:
    split = digits_run().split
    assert split_hash(split) != split_hash(replace(split, train=split.train[1:]))
    assert split_hash(split) == split_hash(replace(split, seed=9))


def test_hardest_pictures_are_embedded_with_truth_and_row() -> None:
    page = parsed(page_of("digits"))
    pictures = [a for tag, a in page.seen if tag == "img" and a["alt"]]
    assert len(pictures) == 24
    assert pictures[0]["alt"] == "row 621"
    assert "true 6said 3, 28.6 %loss 2.25row 621" in page.text


def test_hardest_rows_of_a_table_show_the_raw_cells() -> None:
    text = parsed(page_of("table")).text
    assert "age remark" in text
    assert "(empty)" in text
    assert "7 empty training cells filled" in text


def test_many_classes_get_pairs_not_a_matrix() -> None:
    page = page_of("many")
    assert 'class="matrix"' not in page
    assert "The 30 most confused of" in page
    assert 'class="matrix"' in page_of("digits")


def test_coefficients_are_listed_by_size() -> None:
    found = SimpleNamespace(names=["a<b", "c"], weights=np.array([[0.5], [-2.25]]),
                            intercept=np.array([7.0]))  # fmt: skip
    run = regression_run()
    page = report_html(run, layer_table(run.model, (10,)), "", "", found)
    text = parsed(page).text
    assert "(intercept)7c-2.25a<b0.5" in text


def test_not_finite_points_are_counted() -> None:
    text = parsed(page_of("broken")).text
    assert "Not finite (×): 4 points." in text
    assert "Not finite (×): 1 point." in text
    assert "Validation accuracy was never finite." in text
    assert "1e+308" in text


def test_page_stays_under_two_megabytes() -> None:
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (600, 200, 200, 3), dtype=np.uint8)
    targets = np.arange(600) % 20
    names = tuple(f"{i}" + '"' * 400 for i in range(20))
    columns = tuple(Column("&" * 300, "number", note="<" * 300) for _ in range(5000))
    data = Data("big", "image", "classification", images, targets, names, columns,
                notes=("'" * 10_000,) * 500)  # fmt: skip
    steps = np.arange(1.0, 300_001)
    series = {**history(3000, 5), "loss": np.stack([steps, noise.random(300_000)], 1)}
    run = make_run(data, nn.Linear(1, 1), probabilities(targets, 20), history=series)
    layers = [LayerRow("&" * 300, "<" * 300, (9,) * 50, 1) for _ in range(3000)]
    page = report_html(run, layers, "&" * 10**6, "'" * 10**6)
    parsed(page)
    assert len(page.encode()) < 2_000_000


def test_a_spike_among_many_steps_is_drawn_at_its_height() -> None:
    steps = np.arange(1.0, 200_001)
    loss = np.full(200_000, 0.5)
    loss[123_456] = 0.9
    run = digits_run(history={"loss": np.stack([steps, loss], 1)})
    page = render(run)
    assert "the greatest was 0.9 at step 123,457" in page
    assert "first, least, greatest and last value" in page
    drawn = max(re.findall(r'<path d="([^"]*)"', page), key=len)
    heights = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", drawn)]
    assert max(heights) - min(heights) > 150


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pictures_of_any_kind(channels: int, dtype: type) -> None:
    targets = np.arange(60) % 2
    images = (np.random.default_rng(0).random((60, 5, 7, channels)) * 255).astype(dtype)
    data = Data("photos", "image", "classification", images, targets, ("a", "b"))
    page = parsed(render(make_run(data, nn.Linear(1, 2), probabilities(targets, 2))))
    assert sum(tag == "img" for tag, _ in page.seen) == 24


def test_several_outputs() -> None:
    values = np.random.default_rng(0).normal(size=(100, 3))
    data = Data("robot", "array", "regression", values, values, target="torque")
    text = parsed(render(make_run(data, nn.Linear(3, 3), values + 0.1))).text
    assert "torque 3" in text
    assert "too high on average" in text


def test_a_record_without_series_or_facts_is_still_a_page() -> None:
    run = replace(table_run(), history={}, facts={}, metrics={})
    assert "No curve was recorded" in parsed(render(run)).text


def test_one_class_per_row_names_stay_apart() -> None:
    run = many_classes_run(("שלום", "مرحبا", "日本"))
    text = parsed(render(run)).text
    assert "שלום" in text
    assert "<bdi>שלום</bdi>" in render(run)


def test_where_the_time_went_adds_up_to_all_of_it() -> None:
    recipe = cy.Recipe(model="softmax", length="3 epochs")
    run = cy.fit(recipe, cy.load("iris"), doctor=False)
    spent = run.facts["spent"]
    assert list(spent) == ["before", "training", "after"]
    assert sum(spent.values()) == pytest.approx(run.facts["seconds"], abs=0.003)
    assert all(part > 0 for part in spent.values())
    drawn = str(spent_figure(run))
    assert "of the time was training" in drawn
    older = replace(run, facts={n: v for n, v in run.facts.items() if n != "spent"})
    assert spent_figure(older) == ""
