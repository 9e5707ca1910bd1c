"""The page of layers: the numbers of `layer_history`, live, and in a browser."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import chymist as cy
from chymist.reports.saying import saying
from chymist.studio.pages.layers import why_none
from tests import browser
from tests.studio import BUILT, Studio, studio_of

LIVE = """
import chymist as cy, time, sys
recipe = cy.Recipe(model="mlp", length="400 epochs")
split = cy.split(cy.load("iris"), seed=0)
cy.fit(recipe, split, seed=0, out=sys.argv[1], observer=lambda event: time.sleep(0.01))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs")
    split = cy.split(cy.load("digits"), seed=0)
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(8,)), length="4 epochs")
    cy.fit(recipe, split, seed=0, out=made / "net")
    cy.fit(recipe, split, seed=0, out=made / "blind", layers=False)
    cy.fit(cy.Recipe(model="linear"), cy.load("diabetes"), out=made / "solved")
    bad = recipe.replace(optimizer=cy.optim.sgd(lr=1e18), clip=None)
    with pytest.raises(cy.errors.Diverged):
        cy.fit(bad, split, seed=0, out=made / "bad")
    return made


@pytest.fixture(scope="module")
def studio(folder: Path) -> Iterator[Studio]:
    with studio_of(folder) as found:
        yield found


def test_the_page_has_the_numbers_of_python(folder: Path, studio: Studio) -> None:
    found = cy.layer_history(folder / "net")
    for quantity in ("update_ratio", "gradient_norm", "weight_norm", "activation_deviation"):
        shown = studio.get(f"/api/runs/net/layers?quantity={quantity}")
        assert shown["steps"] == found.steps.tolist()
        assert [row["name"] for row in shown["rows"]] == found.layers(quantity)
        wanted = found.values(quantity)
        assert np.allclose(np.array(shown["values"], float), wanted, rtol=1e-3)
        assert float(shown["high"]) == pytest.approx(np.nanmax(wanted), rel=1e-3)
    looks = shown["looks"]
    assert studio.get(f"/api/runs/net/layers?looks={looks}")["same"]


def test_a_histogram_is_that_of_python(folder: Path, studio: Studio) -> None:
    found = cy.layer_history(folder / "net").histograms("1.weight")
    step = sorted(found)[-1]
    shown = studio.get(f"/api/runs/net/layers/histogram?layer=1&step={step}&shown=weights")
    assert [one["step"] for one in shown["histograms"]] == [1, step]
    assert shown["histograms"][-1]["counts"] == found[step].tolist()
    between = studio.get("/api/runs/net/layers/histogram?layer=1&step=3&shown=weights")
    assert between["histograms"][-1]["step"] <= 3


def test_runs_without_a_record_say_why(studio: Studio) -> None:
    assert "older" in studio.get("/api/runs/blind/layers")["why"]
    assert "one step" in studio.get("/api/runs/solved/layers")["why"]
    assert "一步" in studio.get("/api/runs/solved/layers?lang=zh")["why"]


def test_a_log_has_no_layers(tmp_path: Path) -> None:
    (tmp_path / "imported.json").write_text("{}")
    assert "log has curves" in why_none(tmp_path, True, saying("en"))
    assert "members" in why_none(tmp_path / "nowhere", True, saying("en"))


def test_numbers_that_are_not_finite_arrive(studio: Studio) -> None:
    shown = studio.get("/api/runs/bad/layers?quantity=activation_mean")
    flat = [value for row in shown["values"] for value in row]
    assert {"NaN", "Infinity", "-Infinity"} & {value for value in flat if isinstance(value, str)}
    assert any("not finite" in one["text"] for one in shown["standing"])
    assert {one["code"] for one in shown["standing"]} >= {"nan_inf_loss"}


@pytest.mark.parametrize(
    "path",
    ["net/layers?quantity=weights", "net/layers/histogram?layer=x&step=1",
     "net/layers/histogram?layer=1&step=1&shown=../x", "nowhere/layers"],
)  # fmt: skip
def test_wrong_requests_are_refused(studio: Studio, path: str) -> None:
    status, _, content = studio.ask(f"/api/runs/{path}")
    assert status in (400, 422)
    assert b"error" in content


def test_the_command_prints_and_draws(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from chymist.cli import main

    out = tmp_path / "layers.svg"
    assert main(["layers", str(folder / "net"), "--quantity", "dead", "--out", str(out)]) == 0
    assert "Looked at" in capsys.readouterr().out
    assert out.read_text().count("<rect") > 3
    assert main(["layers", str(folder / "solved")]) == 1
    assert main(["layers", str(folder / "net"), "--quantity", "updates"]) == 2


@pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
def test_the_page_in_a_browser(studio: Studio, tmp_path: Path) -> None:
    shown = browser.Browser(tmp_path)
    try:
        with shown.visit(studio.address) as (page, asked):
            page.evaluate("location.hash = '#/runs/net/layers?quantity=update_ratio'")
            page.locator(".heat-box").focus()
            page.keyboard.press("ArrowDown")
            page.keyboard.press("ArrowRight")
            assert "step 2" in page.locator(".heat [role=status]").inner_text()
            page.keyboard.press("Enter")
            page.locator("svg.histogram").first.wait_for()
            drawn = page.evaluate("window.__chart.layers.state")
            assert len(drawn["rows"]) == len(drawn["shares"]) == 4
            assert all(0 <= share <= 1 for row in drawn["shares"] for share in row)
            assert all(url.startswith(f"http://127.0.0.1:{studio.port}/") for url in asked)
    finally:
        shown.close()


@pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
@pytest.mark.hard
def test_a_run_that_trains_grows_in_the_page(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    run = tmp_path / "runs" / "live"
    process = subprocess.Popen([sys.executable, "-c", LIVE, str(run)])
    shown = browser.Browser(tmp_path / "home")
    try:
        while not (run / "layers.sqlite").exists():
            time.sleep(0.05)
        with studio_of(tmp_path / "runs") as live, shown.visit(live.address) as (page, _):
            page.evaluate("location.hash = '#/runs/live/layers'")
            page.locator(".heat-box").wait_for()
            count = "window.__chart.layers.state.columns.length"
            first = page.evaluate(count)
            for _ in range(100):  # the page allows no text as a script, so nothing waits inside
                if page.evaluate(count) > first + 3:
                    break
                page.wait_for_timeout(200)
            assert page.evaluate(count) > first + 3
    finally:
        shown.close()
        process.kill()
        process.wait()
