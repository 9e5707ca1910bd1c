"""The page of a population: the numbers of the report, live, three hundred members fluently."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import chymist as cy
from chymist.engine.member_record import FILE, MemberRecorder, read_members
from chymist.evidence.intervals import mean_t
from chymist.studio.pages.population import MOST_COLUMNS, folded
from tests import browser
from tests.studio import BUILT, Studio, studio_of

RECIPE = cy.Recipe(model=cy.models.mlp(hidden=(4,)), length="6 epochs", stop="none")
MANY = 300


def made_up(folder: Path, state: str) -> None:
    """A population of three hundred members as a trainer that was killed leaves it."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    members = [{"member": n, "seed": n, "epochs": 0.0, "score": None, "recipe": n % 3}
               for n in range(MANY)]  # fmt: skip
    recipes = [{"model": "mlp", "optimizer": {"name": "adam", "lr": lr}} for lr in (1, 2, 3)]
    table = {"metric": "accuracy", "members": members, "recipes": recipes, "state": state,
             "data": {"name": "made up"}, "how": {"seeds": MANY}}  # fmt: skip
    (folder / "population.json").write_text(json.dumps(table))
    with closing(MemberRecorder(folder / FILE, MANY)) as record:
        for member in range(MANY):
            for epoch in range(1, 101):
                value = float(1 - 0.5 ** (epoch / 9) + rng.normal(0, 0.02))
                record.add("val_accuracy", member, epoch, value)
        record.end(7, "diverged", 100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs")
    split = cy.split(cy.load("iris"), seed=0)
    recipes = [RECIPE.replace(optimizer=cy.optim.adam(lr=lr)) for lr in (1e-2, 1e-1)]
    cy.fit_population(recipes, split, seeds=3, out=made / "six")
    made_up(made / "many", "running")
    return made


@pytest.fixture(scope="module")
def studio(folder: Path) -> Iterator[Studio]:
    with studio_of(folder) as found:
        yield found


def test_the_page_has_the_numbers_of_the_table(folder: Path, studio: Studio) -> None:
    shown = studio.get("/api/runs/six/population")
    table = json.loads((folder / "six" / "population.json").read_text())
    assert shown["state"] == "finished"
    assert [one["value"] for one in shown["members"]] == [
        one["score"]["value"] for one in table["members"]
    ]
    assert shown["differs"] == ["optimizer.lr"]
    assert [one["differs"]["optimizer.lr"] for one in shown["members"]] == [0.01] * 3 + [0.1] * 3
    report = (folder / "six" / "report.html").read_text()
    assert all(sentence[:40] in report for sentence in shown["sentences"])
    assert studio.get(f"/api/runs/six/population?mark={shown['mark'].replace(' ', '%20')}")["same"]


def test_the_script_is_that_of_the_report(studio: Studio) -> None:
    made = studio.get("/api/runs/six/population/script")["python"]
    assert "cy.fit_population(recipes" in made
    compile(made, "script", "exec")


def curves(studio: Studio, path: str) -> tuple[np.ndarray, int]:
    """Rows of a binary answer, and the number of members."""
    status, _, content = studio.ask(path)
    assert status == 200
    members, columns, _ = struct.unpack("<3i", content[:12])
    return np.frombuffer(content[12:], "<f4").reshape(members + 4, columns), members


def test_curves_mean_and_interval(folder: Path, studio: Studio) -> None:
    rows, members = curves(studio, "/api/runs/six/population/curves?series=val_loss")
    stored = read_members(folder / "six" / FILE).curves()["val_loss"]
    assert np.array_equal(rows[1 : members + 1], stored.astype(np.float32))
    wanted = mean_t(stored[:, -1])
    assert rows[-3:, -1] == pytest.approx([wanted.value, wanted.low, wanted.high], rel=1e-5)


def test_a_killed_population_is_interrupted(studio: Studio) -> None:
    shown = studio.get("/api/runs/many/population")
    assert shown["state"] == "interrupted"
    states = [one["state"] for one in shown["members"]]
    assert (states.count("interrupted"), states[7]) == (MANY - 1, "diverged")
    assert "interrupted" in shown["sentences"][-1]
    assert "中断" in studio.get("/api/runs/many/population?lang=zh")["sentences"][-1]


@pytest.mark.parametrize("path", ["six/population/curves?series=x", "nowhere/population"])
def test_wrong_requests_are_refused(studio: Studio, path: str) -> None:
    assert studio.ask(f"/api/runs/{path}")[0] in (400, 422)


@pytest.mark.parametrize("page", ["predictions", "explain", "doctor"])
def test_pages_about_one_model_say_that_there_are_several(studio: Studio, page: str) -> None:
    status, _, content = studio.ask(f"/api/runs/six/{page}")
    assert status == 422
    assert "several models" in content.decode()
    assert "damaged" not in content.decode()


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(1, 1500)),
    elements=st.floats(-1e6, 1e6) | st.just(np.nan),
))  # fmt: skip
def test_no_extreme_is_lost(whole: np.ndarray) -> None:
    epochs, drawn = folded(whole)
    assert drawn.shape == (len(whole), len(epochs))
    assert len(epochs) <= MOST_COLUMNS
    assert epochs[-1] == whole.shape[1]
    for line, kept in zip(whole, drawn, strict=True):
        if np.isnan(line).all():
            assert np.isnan(kept).all()
        else:
            assert (np.nanmin(kept), np.nanmax(kept)) == (np.nanmin(line), np.nanmax(line))


@pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
def test_three_hundred_members_in_a_browser(studio: Studio, tmp_path: Path) -> None:
    shown = browser.Browser(tmp_path)
    try:
        with shown.visit(studio.address) as (page, asked):
            page.evaluate("location.hash = '#/runs/many/population'")
            page.locator(".strands canvas").wait_for()
            page.locator(".members tbody tr").nth(299).wait_for(state="attached")
            page.locator(".strands [role=application]").focus()
            page.keyboard.press("ArrowLeft")
            assert "Epoch 100" in page.locator(".strands [role=status]").inner_text()
            page.keyboard.press("ArrowDown")
            page.locator(".members tr.lit").wait_for(state="attached")
            state = page.evaluate("window.__chart.members.state")
            assert state["members"] == MANY
            assert state["lit"] is not None
            assert state["took"] < 200  # milliseconds of one picture, beside other work
            assert page.locator("svg.dots circle").count() == MANY
            assert all(url.startswith(f"http://127.0.0.1:{studio.port}/") for url in asked)
    finally:
        shown.close()
