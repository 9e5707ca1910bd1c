"""The curves page in a real browser: what is drawn is what is stored, live, zoomed, odd and large."""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chymist as cy
from chymist.engine.store import BLOCK, Recorder, read_series
from chymist.evidence.bands import band_of
from tests import browser
from tests.faults import keep_figures
from tests.studio import BUILT, Studio, studio_of
from tests.test_studio_stream import make_run

pytestmark = pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
Page = Any
LINES = "window.__chart?.['{0}']?.state.lines ?? []"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two real runs, one that diverges, one with a million points, and one that is written."""
    folder = tmp_path_factory.mktemp("runs")
    split = cy.split(cy.load("iris"), seed=0)
    for seed in range(2):
        recipe = cy.Recipe(model="mlp", length="30 epochs")
        cy.fit(recipe, split, seed=seed, out=folder / f"iris-{seed}", doctor=False)
    with Recorder(make_run(folder / "odd") / "records.sqlite") as record:
        values = [1.0, 5.0, 1e308, -1e308, math.nan, math.inf, -math.inf, 2.0, math.nan]
        for step, value in enumerate(values, 1):
            record.add("loss", step, value)
    million(make_run(folder / "million") / "records.sqlite", 1_000_000)
    make_run(folder / "live")
    return folder


def million(path: Path, points: int) -> np.ndarray:
    """A record with very many points of a loss; its values."""
    values = np.random.default_rng(0).normal(size=points)
    values[points // 3] = 50.0  # the spike that must be seen
    base = Recorder(path)._base
    blocks = values.reshape(-1, BLOCK)
    base.executemany(
        "INSERT INTO blocks (series, level, first_step, last_step, points, first, min, max, last,"
        " odd, steps, data) VALUES ('loss', 0, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
        ((n * BLOCK + 1, (n + 1) * BLOCK, BLOCK, block[0], block.min(), block.max(), block[-1],
          np.arange(n * BLOCK + 1, (n + 1) * BLOCK + 1).tobytes(), block.tobytes())
         for n, block in enumerate(blocks)),
    )  # fmt: skip
    base.commit()
    base.close()
    return values


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    found = browser.Browser(tmp_path_factory.mktemp("home"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def studio(runs: Path) -> Iterator[Studio]:
    with studio_of(runs) as found:
        yield found


@contextmanager
def opened(shown: browser.Browser, studio: Studio, place: str, **options: Any) -> Iterator[Page]:
    """A page of the studio, in a browser that was let in; no script of it may fail."""
    failed: list[str] = []
    with shown.visit(f"http://127.0.0.1:{studio.port}/static/style.css", **options) as (page, _):
        name, value = studio.cookie.split("=", 1)
        page.context.add_cookies(
            [{"name": name, "value": value, "domain": "127.0.0.1", "path": "/"}]
        )
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto(f"http://127.0.0.1:{studio.port}/#/{place}", wait_until="load")
        yield page
    assert failed == []


def until(page: Page, what: str, seconds: float = 15.0) -> Any:
    """The value of an expression of the page, once it is true."""
    end = time.monotonic() + seconds
    while not (found := page.evaluate(what)):
        assert time.monotonic() < end, (what, page.inner_text("main")[:800])
        time.sleep(0.01)
    return found


def line(page: Page, chart: str, number: int = 0) -> dict[str, Any]:
    """What a chart has drawn of a line, once it has drawn something."""
    until(
        page, f"({LINES.format(chart)}).length > {number} && window.__chart['{chart}'].state.drawn"
    )
    return dict(page.evaluate(f"({LINES.format(chart)})[{number}]"))


def feed(path: Path, rows: int, rate: float, value: Callable[[int], float]) -> threading.Thread:
    """Write rows into a record at a rate, as a trainer does; the thread that does it."""

    def write() -> None:
        with Recorder(path) as record:
            began, flushed = time.perf_counter(), 0.0
            for step in range(1, rows + 1):
                record.add("loss", step, value(step))
                if time.perf_counter() - flushed >= 0.1:
                    record.flush()
                    flushed = time.perf_counter()
                time.sleep(max(0.0, began + step / rate - time.perf_counter()))

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


def test_what_is_drawn_is_what_is_stored_and_grows(
    shown: browser.Browser, studio: Studio, runs: Path
) -> None:
    stored = read_series(runs / "iris-0" / "records.sqlite")
    with opened(shown, studio, "runs/iris-0/curves") as page:
        for key, chart, number in [("loss", "loss", 0), ("val_loss", "train_loss val_loss", 1)]:
            drawn = line(page, chart, number)
            assert drawn["x"] == stored[key][:, 0].tolist()
            assert drawn["last"] == stored[key][:, 1].tolist()
        gap = line(page, "gap val_loss")
        wanted = stored["val_loss"][:, 1] - stored["train_loss"][:, 1]
        assert np.allclose(gap["last"], wanted, rtol=0, atol=1e-15)
        page.evaluate("document.querySelector('.plot').focus()")
        page.keyboard.press("End")
        last = stored["loss"][-1]
        until(page, f"document.querySelector('.spoken').textContent.includes('{last[0]:.0f}')")
        page.keyboard.press("+")
        until(page, "location.hash.includes('from=')")
        page.keyboard.press("Escape")
        until(page, "!location.hash.includes('from=')")
        writing = feed(runs / "live" / "records.sqlite", 300, 200, lambda step: 1 / step)
        page.goto(page.url.split("#")[0] + "#/runs/live/curves")
        first = until(page, f"({LINES.format('loss')})[0]?.stored")
        until(page, f"({LINES.format('loss')})[0]?.stored == 300")
        assert first < 300
        writing.join()
        drawn = line(page, "loss")
        assert drawn["x"] == list(range(1, 301))  # every point once
        assert drawn["last"] == [1 / step for step in range(1, 301)]


def test_numbers_that_are_not_finite_draw(shown: browser.Browser, studio: Studio) -> None:
    for log in ("", "?log=1"):
        with opened(shown, studio, f"runs/odd/curves{log}", width=360) as page:
            drawn = line(page, "loss")
            assert drawn["kinds"] == [0, 0, 0, 0, 1, 2, 4, 0, 1]
            assert drawn["max"][2] == 1e308
            assert "diverge" in page.inner_text("[role=alert]")
            assert "4 not finite" in page.inner_text("figure")
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0
            ink = page.evaluate(
                "(() => { const c = document.querySelector('canvas'); const d = c.getContext('2d')"
                ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
                " for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n })()"
            )
            assert ink > 500


def test_a_zoom_asks_for_exact_values(shown: browser.Browser, studio: Studio) -> None:
    with opened(shown, studio, "runs/million/curves") as page:
        whole = line(page, "loss")
        assert not whole["exact"]
        assert max(whole["max"]) == 50.0
        page.evaluate("location.hash += '?from=333000&to=333600'")
        until(page, f"({LINES.format('loss')})[0]?.exact")
        drawn = line(page, "loss")
        assert drawn["x"] == list(range(333000, 333601))
        assert drawn["last"][333334 - 333000] == 50.0


def test_several_runs_have_their_mean_and_band(studio: Studio, runs: Path) -> None:
    names = [f"iris-{seed}" for seed in range(2)]
    found = studio.get(f"/api/band?key=loss&runs={json.dumps(names).replace(' ', '')}")
    curves = np.stack([read_series(runs / n / "records.sqlite")["loss"][:, 1] for n in names])
    wanted = band_of(curves)
    assert found["mean"] == wanted.mean.tolist()
    assert found["low"] == curves.min(0).tolist()  # the range of two
    status, _, _ = studio.ask("/api/band?runs=[1]")
    assert status == 400


def test_series_are_listed_and_axes_scaled(studio: Studio, runs: Path) -> None:
    told = studio.get("/api/runs/iris-0/series")
    stored = read_series(runs / "iris-0" / "records.sqlite")
    assert {s["key"]: s["points"] for s in told["series"]} == {k: len(v) for k, v in stored.items()}
    assert told["steps_per_epoch"] == int(stored["val_loss"][0, 0])
    script = studio.get("/api/runs/iris-0/series/script?key=loss,rate")["python"]
    compile(script, "script", "exec")
    for query in ("key=none", "key=loss&px=0", "key=loss&px=9999", "key=loss&from=x", "key=loss&x=y",
                  "key=loss&x=time", "key=loss&px=1e400"):  # fmt: skip
        assert studio.ask(f"/api/runs/iris-0/series?{query}")[0] in (400, 422), query


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@pytest.mark.hard
def test_u3_a_million_points_to_pixels(shown: browser.Browser, studio: Studio) -> None:
    taken, sizes = [], []
    with opened(shown, studio, "") as page:
        page.on("response", lambda r: sizes.append(int(r.headers.get("content-length", 0)))
                if "key=loss" in r.url and "script" not in r.url else None)  # fmt: skip
        page.evaluate("location.hash = '#/runs/million/curves'")
        line(page, "loss")
        for _ in range(21):
            page.evaluate("location.hash = '#/'")
            until(page, "!window.__chart?.loss")
            began = page.evaluate(
                "(() => { window.t0 = Date.now(); location.hash = '#/runs/million/curves'; return 1 })()"
            )
            assert began
            until(page, f"({LINES.format('loss')})[0]?.stored == 1000000")
            line(page, "loss")
            taken.append(page.evaluate("window.__chart.loss.state.first - window.t0") / 1000)
    keep_figures("studio_million", {"p50": statistics.median(taken), "p95": percentile(taken, 0.95),
                                    "bytes": max(sizes)})  # fmt: skip
    assert max(sizes) <= 40_000
    assert statistics.median(taken) <= 0.3


@pytest.mark.hard
def test_u5_from_log_to_pixel(shown: browser.Browser, studio: Studio, runs: Path) -> None:
    folder = make_run(runs / "timed")
    writing = feed(folder / "records.sqlite", 2000, 100, lambda step: time.time())
    with opened(shown, studio, "runs/timed/curves") as page:
        line(page, "loss")
        page.evaluate(
            "window.lags = []; { const c = window.__chart.loss; let n = c.state.lines[0].x.length, d = 0;"
            " const look = () => { const s = c.state, l = s.lines[0];"
            " if (s.drawn !== d) { d = s.drawn; for (; n < l.last.length; n++) window.lags.push(s.at / 1000 - l.last[n]); }"
            " if (n > l.last.length) n = l.last.length; requestAnimationFrame(look); }; look(); }"
        )
        time.sleep(10)
        lags = page.evaluate("window.lags")
    writing.join()
    keep_figures("studio_log_to_pixel", {"rows": len(lags), "p50": statistics.median(lags),
                                         "p95": percentile(lags, 0.95)})  # fmt: skip
    assert len(lags) > 500
    assert percentile(lags, 0.95) <= 0.5


# Appends four points to every chart, picture by picture; how long each picture took.
APPEND = (
    "(async (count) => { const all = Object.values(window.__chart), frames = []; let step = all[0].state.lines[0].step, last = performance.now();"
    " for (let i = 0; i < count; i++) { for (const c of all) c.append(0, [1, 2, 3, 4].map((n) => step + n), [1, 2, 3, 4].map((n) => Math.sin(step / 50 + n))); step += 4;"
    " await new Promise(requestAnimationFrame); const now = performance.now(); frames.push(now - last); last = now; } return frames; })"
)


@pytest.mark.hard
def test_u6_twenty_charts_hold_their_memory(
    shown: browser.Browser, studio: Studio, runs: Path
) -> None:
    folder = make_run(runs / "twenty")
    with Recorder(folder / "records.sqlite") as record:
        for number in range(20):
            for step in range(1, 1201):
                record.add(f"series{number:02}", step, math.sin(step / 50) + number)
    keys = ",".join(f"series{number:02}" for number in range(20))
    with opened(shown, studio, f"runs/twenty/curves?keys={keys}") as page:
        until(
            page,
            "Object.values(window.__chart ?? {}).filter((c) => c.state.lines.length).length == 20",
        )
        link = page.context.new_cdp_session(page)
        link.send("HeapProfiler.enable")

        def heap() -> float:
            link.send("HeapProfiler.collectGarbage")
            return float(link.send("Runtime.getHeapUsage")["usedSize"])

        def most(times: int) -> tuple[list[float], float]:
            """So many times 150 pictures; how long each took, and the greater of the last two heaps.

            Columns are joined every 1,200 points, and 150 pictures bring 600: two heaps are a period.
            """
            frames, heaps = [], []
            for _ in range(times):
                frames += page.evaluate(f"{APPEND}(150)")
                heaps.append(heap())
            return frames, max(heaps[-2:])

        _, before = most(4)
        frames, after = most(6)
        columns = page.evaluate(
            "Math.max(...Object.values(window.__chart).map((c) => c.state.lines[0].x.length))"
        )
    found = {"updates": 20 * 900, "heap before": before, "heap after": after,
             "p99 frame": percentile(frames, 0.99), "columns": columns}  # fmt: skip
    keep_figures("studio_twenty_charts", found)
    assert after <= 1.1 * before
    assert found["p99 frame"] <= 100
    assert columns <= 2401


@pytest.mark.hard
def test_u7_ten_tabs_load(shown: browser.Browser, studio: Studio, runs: Path) -> None:
    folder = make_run(runs / "tabs")
    writing = feed(folder / "records.sqlite", 6000, 100, lambda step: 1.0 / step)
    taken = []
    with opened(shown, studio, "runs/tabs/curves") as page:
        line(page, "loss")
        pages = [page]
        for _ in range(9):
            other = page.context.new_page()
            began = time.perf_counter()
            other.goto(page.url, wait_until="load")
            line(other, "loss")
            taken.append(time.perf_counter() - began)
            pages.append(other)
        ends = [line(one, "loss")["step"] for one in pages]
        until(pages[0], "true")
        for one, end in zip(pages, ends, strict=True):
            until(one, f"({LINES.format('loss')})[0].step > {end}")
        pages[0].close()  # the one that holds the stream
        end = max(line(one, "loss")["step"] for one in pages[1:])
        for one in pages[1:]:
            until(one, f"({LINES.format('loss')})[0].step > {end + 50}")
            drawn = line(one, "loss")
            assert drawn["stored"] == drawn["step"]  # none twice, none lost
    keep_figures("studio_ten_tabs", {"slowest": max(taken), "p50": statistics.median(taken)})
    assert max(taken) <= 1.0
    del writing


@pytest.mark.hard
def test_u8_a_page_goes_on_after_the_server_was_killed(
    shown: browser.Browser, studio: Studio, runs: Path
) -> None:
    folder = make_run(runs / "killed")
    writing = feed(folder / "records.sqlite", 1500, 100, float)
    backs = []
    with opened(shown, studio, "runs/killed/curves") as page:
        line(page, "loss")
        for _ in range(3):
            os.kill(studio.server(), signal.SIGKILL)
            began, known = time.perf_counter(), line(page, "loss")["step"]
            until(page, f"({LINES.format('loss')})[0].step > {known + 30}")
            backs.append(time.perf_counter() - began)
        until(page, f"({LINES.format('loss')})[0].stored == 1500", 60)
        drawn = line(page, "loss")
    writing.join()
    assert drawn["stored"] == drawn["step"] == 1500
    assert drawn["max"][-1] == 1500.0
    keep_figures("studio_killed", {"seconds until the page goes on": max(backs)})
    assert max(backs) <= 3
