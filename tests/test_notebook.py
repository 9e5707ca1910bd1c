"""What notebooks show: results as small static markup, a fit while it runs, and the tour."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chymist as cy
from chymist.engine.events import Epoch, Step
from chymist.reports import live as shown
from chymist.reports.live import Live, Picture
from chymist.reports.markup import Markup, figure, tag
from chymist.reports.notebook import MOST, glance
from chymist.reports.page import page
from tests.reports_runs import hostile_run
from tools import make_tour_notebook

ROOT = Path(__file__).parent.parent
ADAM = cy.Recipe(model="softmax", optimizer="adam", length="3 epochs", batch_size=32)
SHORT = cy.Recipe(model="softmax", length="2 epochs", batch_size=32)
VOID = {"meta", "img", "br", "hr"}


class Elements(HTMLParser):
    """Fails where elements are not closed in the order in which they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def split() -> cy.Split:
    return cy.split(cy.load("iris"), seed=0)


@pytest.fixture(scope="module")
def slow(split: cy.Split) -> cy.Run:
    return cy.fit(
        ADAM.replace(optimizer=cy.optim.sgd(lr=1e-5), length="20 epochs"), split, threads=1
    )


def compared(split: cy.Split) -> Any:
    return cy.compare({"a": ADAM, "b": SHORT}, split.data, folds=3, seeds=2, threads=1)


def searched(split: cy.Split) -> Any:
    return cy.search(
        ADAM, split.data, {"optimizer.lr": cy.space.log(1e-3, 1e-1)}, trials=3, folds=2
    )


def raced(split: cy.Split) -> Any:
    return cy.race(split, ["sgd", "adam"], rates=[0.01, 0.1], seeds=2, recipe=SHORT)


RESULTS: dict[str, Callable[..., Any]] = {
    "run": lambda split, slow, _: slow,
    "comparison": lambda split, slow, _: compared(split),
    "two runs": lambda split, slow, _: cy.compare_runs(slow, cy.fit(ADAM, split, threads=1)),
    "folds": lambda split, slow, _: cy.cross_validate(ADAM, split.data, folds=3, threads=1),
    "search": lambda split, slow, _: searched(split),
    "race": lambda split, slow, _: raced(split),
    "population": lambda split, slow, _: cy.fit_population(ADAM, split, seeds=3, threads=1),
    "bag": lambda split, slow, _: cy.bag(ADAM, split, 3, threads=1),
    "evolution": lambda split, slow, _: cy.evolve(
        ADAM, split, {"optimizer.lr": cy.space.log(1e-3, 1e-1)}, 4, "1 epochs", threads=1),
    "diagnosis": lambda split, slow, _: cy.diagnose(slow),
    "remedy": lambda split, slow, _: cy.fix(slow, seeds=2, threads=1),
    "report": lambda split, slow, place: cy.report(slow, place / "found.html"),
}  # fmt: skip
# What each must say, besides its picture.
SAID: dict[str, Callable[[Any], list[str]]] = {
    "run": lambda run: [run.verdict, f"{100 * run.score.value:.1f} %", f"{100 * run.score.low:.1f}",
                        run.findings[0].code],
    "comparison": lambda found: [found.verdict, *(f"{100 * e.score.value:.1f} %" for e in found.entries)],
    "two runs": lambda found: [found.verdict, f"{100 * found.scores[1].value:.1f} %"],
    "folds": lambda found: [found.verdict, f"{100 * found.score.value:.1f} %", f"{100 * found.score.low:.1f}"],
    "search": lambda found: [found.verdict, f"{100 * found.score.value:.1f} %", "optimistic"],
    "race": lambda found: [found.verdict, "adam", "sgd"],
    "population": lambda found: ["3 members reach", f"{100 * found.mean.value:.1f} %", f"{100 * found.mean.low:.1f} %"],
    "bag": lambda found: [f"{100 * found.score.value:.1f} %", f"{100 * found.mean.value:.1f} %"],
    "evolution": lambda found: [found.verdict, "4 members reach"],
    "diagnosis": lambda found: [found[0].claim, "What to do", found[0].code],
    "remedy": lambda found: [found.sentence, found.plan.finding.code],
    "report": lambda found: ["found.html", "95 % interval"],
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_results_in_a_notebook(
    name: str, split: cy.Split, slow: cy.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.chdir(tmp_path)
    found = RESULTS[name](split, slow, Path())
    data, metadata = formatters.DisplayFormatter().format(found)
    assert metadata == {}
    assert set(data) == {"text/plain", "text/html"}
    html = data["text/html"]
    assert len(html.encode()) <= MOST == 100_000
    assert "<script" not in html
    assert "http" not in html.replace('xmlns="http://www.w3.org/2000/svg"', "")
    read = Elements(html)
    assert "svg" in read.seen
    words = re.sub(r"\s+", " ", read.words)
    for text in SAID[name](found):
        assert text.replace("`", "") in words, text
    plain = data["text/plain"]
    assert " object at 0x" not in plain
    assert len(plain) < 3000
    cell = nbformat.v4.new_code_cell(
        outputs=[nbformat.v4.new_output("display_data", data=data, metadata=metadata)]
    )
    book = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(book)
    assert book.metadata == {}


def test_numbers_of_a_notebook_are_those_of_the_report(split: cy.Split, tmp_path: Path) -> None:
    found = compared(split)
    page = cy.report(found, tmp_path / "page.html").read_text("utf-8")
    inside = Elements(found._repr_html_())
    outside = Elements(page)
    assert set(re.findall(r"\d+\.\d+", inside.words)) <= set(re.findall(r"\d+\.\d+", outside.words))


class TestGlance:
    def test_what_does_not_fit_is_left_out_and_counted(self) -> None:
        picture = tag("svg", "x" * 500, aria_label="y" * 20_000)
        cards = [figure(f"picture {n}", picture, twin="t" * 500) for n in range(9)]
        whole = page(
            "t",
            "e",
            Markup("T"),
            [("verdict", "V", tag("p", "so")), ("a", "A", Markup("".join(cards)))],
        )
        made = glance(whole)
        assert len(made.encode()) <= MOST
        assert [f"picture {n}" in made for n in range(9)] == [True] * 4 + [False] * 5
        assert "5 more in the report." in made
        assert "<details>" not in made
        Elements(made)

    def test_a_verdict_that_is_too_long_keeps_its_sentence(self) -> None:
        verdict = tag("div", tag("p", "a wins", class_="verdict"), tag("p", Markup("z" * 90_000)))
        made = glance(page("t", "e", Markup("T"), [("verdict", "V", verdict)]))
        assert "a wins" in made
        assert len(made) < 1000

    def test_names_from_files_stay_inert(self) -> None:
        html = hostile_run()._repr_html_()
        assert "<script" not in html
        Elements(html)


def test_a_report_is_an_ordinary_path(slow: cy.Run, tmp_path: Path) -> None:
    found = cy.report(slow, tmp_path / "a b.html")
    assert found == tmp_path / "a b.html"
    assert hash(found) == hash(tmp_path / "a b.html")
    assert found.parent == tmp_path
    assert (found.parent / "x").exists() is False
    html = found._repr_html_()
    assert html is not None
    assert "href" not in html  # it does not lie beside the notebook
    assert getattr(found.parent, "_repr_html_", lambda: None)() is None
    found.unlink()
    assert found._repr_html_() is None


def test_a_diagnosis_whose_run_is_gone_shows_its_words(slow: cy.Run) -> None:
    found = replace(cy.diagnose(slow), run="gone")
    assert found[0].code in found._repr_html_()
    assert "<svg" not in found._repr_html_()


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """A display that counts: when something was drawn, and what is there now."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.times = clock, list[float]()
        self.begun, self.picture = 0, Picture("", "")

    def __call__(self, picture: Picture) -> Screen:
        self.begun += 1
        self.update(picture)
        return self

    def update(self, picture: Picture) -> None:
        self.times.append(self.clock.now)
        self.picture = picture


def course(follow: Live, clock: Clock, epochs: int, steps: int, seconds: float) -> None:
    """The events of a run that takes the same time for every step."""
    for epoch in range(1, epochs + 1):
        for step in range((epoch - 1) * steps + 1, epoch * steps + 1):
            clock.now += seconds
            follow(Step(step, 1 / step, 0.1))
        values = {
            "train_loss": 1 / epoch,
            "val_loss": 1.5 / epoch,
            "val_accuracy": 1 - 1 / (epoch + 1),
        }
        follow(Epoch(epoch, epoch * steps, values, True, epoch == epochs))


class TestLive:
    @pytest.mark.parametrize(
        ("epochs", "steps", "seconds"), [(10, 100, 0.013), (3, 7, 0.9), (1, 5000, 0.002)]
    )
    def test_one_display_is_drawn_over_at_most_twice_a_second(
        self, epochs: int, steps: int, seconds: float
    ) -> None:
        clock = Clock()
        screen = Screen(clock)
        course(Live(screen, clock), clock, epochs, steps, seconds)
        assert screen.begun == 1
        *during, last = screen.times
        assert min(np.diff([0.0, *during])) >= 0.5 - 1e-9
        assert last == pytest.approx(epochs * steps * seconds)
        whole = epochs * steps * seconds
        assert len(screen.times) >= min(whole / (0.5 + seconds), epochs * steps)
        assert "Trained, epoch" in repr(screen.picture)
        assert len(screen.picture._repr_html_().encode()) <= MOST
        assert "svg" in Elements(screen.picture.html).seen

    def test_it_shows_the_curves_of_the_run(self) -> None:
        clock = Clock()
        screen = Screen(clock)
        course(Live(screen, clock), clock, 4, 3, 0.1)
        read = Elements(screen.picture.html)
        assert (
            "Trained, epoch 4, step 12: train loss 0.25, val loss 0.375, val accuracy 80.0 %"
            in read.words
        )
        assert read.seen.count("svg") == 2

    def test_before_the_first_epoch_it_shows_the_steps(self) -> None:
        clock = Clock()
        screen = Screen(clock)
        follow = Live(screen, clock)
        for step in range(1, 10_001):
            clock.now += 0.001
            follow(Step(step, 1 / step, 0.1))
        assert len(follow.steps) <= 2001
        assert repr(screen.picture).startswith("Training, step 9,")
        assert Elements(screen.picture.html).seen.count("svg") == 1

    def test_after_the_last_event_nothing_is_drawn(self) -> None:
        clock = Clock()
        screen = Screen(clock)
        follow = Live(screen, clock)
        course(follow, clock, 2, 2, 0.1)
        drawn = len(screen.times)
        course(follow, clock, 2, 2, 5.0)
        assert len(screen.times) == drawn

    def test_the_run_has_the_same_bits(self, split: cy.Split) -> None:
        clock = Clock()
        screen = Screen(clock)
        follow = Live(screen, clock)

        def timed(event: Step | Epoch) -> None:
            clock.now += 1
            follow(event)

        recipe = cy.Recipe(
            model=cy.models.mlp(hidden=(8,), dropout=0.3), length="4 epochs", batch_size=32
        )
        plain, seen = (
            cy.fit(recipe, split, threads=1),
            cy.fit(recipe, split, threads=1, observer=timed),
        )
        assert len(screen.times) > 4
        for name, weights in plain.model.state_dict().items():
            assert np.array_equal(weights.numpy(), seen.model.state_dict()[name].numpy()), name
        assert plain.score == seen.score
        for name in plain.history:
            assert np.array_equal(plain.history[name], seen.history[name]), name

    @pytest.mark.parametrize("shell", [None, SimpleNamespace(), SimpleNamespace(kernel=None)])
    def test_outside_a_notebook_it_is_silent(
        self,
        shell: Any,
        split: cy.Split,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        assert shown._notebook() is None
        cy.fit(SHORT, split, threads=1, observer=cy.live())
        assert capsys.readouterr() == ("", "")

    def test_it_needs_no_ipython(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "IPython", raising=False)
        follow = cy.live()
        follow(Step(1, 0.5, 0.1))
        assert follow.begin is None
        assert "IPython" not in sys.modules


def test_the_tour_has_no_outputs_and_is_made_of_its_cells() -> None:
    written = (ROOT / "docs" / "tour.ipynb").read_text("utf-8")
    assert written == make_tour_notebook.text()
    cells = [cell for cell in json.loads(written)["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 6
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


def test_the_tour_runs_in_a_notebook(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    book = nbformat.read(ROOT / "docs" / "tour.ipynb", as_version=4)
    nbformat.validate(book)
    before = json.dumps({"kernelspec": book.metadata["kernelspec"]})
    strict = "import warnings\nwarnings.filterwarnings('error', module='chymist')"
    book.cells.insert(0, nbformat.v4.new_code_cell(strict))
    NotebookClient(book, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = {cell.source.splitlines()[-1]: cell.outputs for cell in code}
    assert not [o for cell in code for o in cell.outputs if o.output_type in ("error", "stream")]

    def found(line: str) -> list[Any]:
        return (
            outputs[line]
            if line in outputs
            else next(o for k, o in outputs.items() if k.startswith(line))
        )

    def html(line: str, kind: str = "execute_result") -> str:
        (one,) = [o for o in found(line) if o.output_type == kind]
        assert one.metadata == {}
        assert len(one.data["text/html"].encode()) <= MOST
        Elements(one.data["text/html"])
        return str(one.data["text/html"])

    watched = html("run = cy.fit", "display_data")  # one display, and it stays as it was last
    assert "Trained, epoch 5" in watched
    assert watched.count("<svg") == 2
    for line, word in {
        "run": "accuracy", "cy.report(run)": "tour/first/report.html", "cy.explain": "Grad-CAM",
        "cy.compare": "softmax", "cy.diagnose": "lr_too_low",
    }.items():  # fmt: skip
        assert "<svg" in html(line), line
        assert word in html(line), line
    del book.metadata["language_info"]  # the kernel writes its version there
    assert json.dumps(book.metadata) == before


def test_a_remedy_that_was_not_carried_out_says_why(split: cy.Split) -> None:
    fine = cy.fit(cy.Recipe(model="softmax", length="60 epochs"), split, threads=1)
    found = cy.fix(fine, seeds=2, threads=1)
    assert found.proof is None
    assert found.sentence in Elements(found._repr_html_()).words
