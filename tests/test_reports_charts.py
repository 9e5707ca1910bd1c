"""The SVG kit: round ticks, envelopes that lose no extreme, drawings that are XML."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chymist.reports.charts import (
    Line,
    Mark,
    bars,
    binned,
    envelope,
    histogram,
    interval_chart,
    line_chart,
    scatter,
    window,
)
from chymist.reports.markup import block, safe, tag
from chymist.reports.svg import Scale, log_ticks, nice_ticks, px, span, tick_labels

NUMBERS = st.floats(-1e308, 1e308, allow_nan=False)
ANY = st.floats(allow_nan=True, allow_infinity=True)


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter() if "text" in e.tag]


def numbers_in(svg: str) -> list[float]:
    found = []
    for element in ElementTree.fromstring(svg).iter():
        for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"):
            if name in element.attrib:
                found.append(float(element.attrib[name]))
        for part in element.attrib.get("d", "").replace("h0", "").replace("M", "L").split("L")[1:]:
            found += [float(v) for v in part.split()]
    return found


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_ticks_are_within_the_range_ascending_and_few(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    if low == high:
        return
    ticks = nice_ticks(low, high)
    room = (high / 2 - low / 2) * 1e-6
    assert 1 <= len(ticks) <= 12
    assert all(low - room <= t <= high + room for t in ticks)
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 0.003, [0, 0.001, 0.002, 0.003]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (0, 276, [0, 100, 200]),
        (1, 12, [5, 10]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == ticks


def test_log_ticks_are_powers_of_ten() -> None:
    assert log_ticks(0.002, 5) == [0.01, 0.1, 1.0]
    assert log_ticks(1e-300, 1e300)[0] > 0
    assert len(log_ticks(1e-300, 1e300)) < 12


def test_labels_of_near_ticks_differ() -> None:
    labels = tick_labels([57.18280, 57.18285, 57.18290])
    assert len(set(labels)) == 3
    assert tick_labels([0, 1000, 20000]) == ["0", "1,000", "20,000"]


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=300), st.integers(1, 50))
def test_an_envelope_loses_no_extreme(values: list[float], columns: int) -> None:
    y = np.array(values)
    found = envelope(np.arange(1.0, len(y) + 1), y, columns)
    assert found.least.min() == y.min()
    assert found.greatest.max() == y.max()
    assert (found.first[0], found.last[-1]) == (y[0], y[-1])
    assert found.count.sum() == len(y)
    assert len(found.x) <= columns
    starts = np.cumsum(found.count) - found.count
    for start, count, least, greatest in zip(
        starts, found.count, found.least, found.greatest, strict=True
    ):
        part = y[start : start + count]
        assert (part.min(), part.max()) == (least, greatest)


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY, max_size=60), st.booleans())
def test_a_line_chart_of_anything_is_drawn_within_its_frame(
    values: list[float], zero: bool
) -> None:
    y = np.array(values, np.float64)
    svg = line_chart("d", [Line("a", np.arange(len(y)) + 1.0, y)], "step", "loss", zero=zero)
    assert all(-1 <= v <= 470 for v in numbers_in(svg))


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY, max_size=40))
def test_a_histogram_of_anything_counts_what_is_finite(values: list[float]) -> None:
    y = np.array(values, np.float64)
    assert binned(y)[0].sum() == np.isfinite(y).sum()
    assert all(-1 <= v <= 470 for v in numbers_in(histogram("d", y, "x", zero=True)))


def test_a_line_breaks_at_what_is_not_finite() -> None:
    y = np.array([1.0, 2.0, np.nan, 3.0, np.inf, 1.0, 2.0])
    svg = line_chart("d", [Line("loss", np.arange(7.0), y)], "step", "loss")
    path = next(e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("path"))
    assert path.attrib["d"].count("M") == 3
    assert texts(svg).count("×") == 2


def test_end_labels_do_not_overlap() -> None:
    x = np.arange(10.0)
    lines = [Line("train", x, x), Line("valid", x, x + 0.001), Line("other", x, x + 0.002)]
    svg = line_chart("d", lines, "epoch", "loss", best=Mark(3.0, "kept"), floor=Mark(2.0, "floor"))
    at = sorted(
        float(e.attrib["y"]) for e in ElementTree.fromstring(svg).iter()
        if e.text in ("train", "valid", "other")
    )  # fmt: skip
    assert min(np.diff(at)) >= 14
    assert {"kept", "floor", "epoch", "loss"} <= set(texts(svg))


def test_values_over_decades_get_a_logarithmic_axis() -> None:
    y = np.array([100.0, 1.0, 0.01])
    svg = line_chart("d", [Line("", np.arange(3.0), y)], "step", "loss")
    assert "loss, logarithmic axis" in texts(svg)


def test_bars_and_intervals_tell_their_numbers() -> None:
    assert "12 rows" in texts(bars("d", [("cat", 12, "12 rows"), ("dog", 0, "none")]))
    rows = [("mlp", 0.98, 0.96, 0.99), ("knn", 0.97, 0.95, 0.98), ("guess", 0.1, 0.08, 0.12)]
    drawn = texts(interval_chart("d", rows, lambda v: f"{100 * v:.0f} %"))
    assert {"98 %", "97 %", "10 %", "◂"} <= set(drawn)
    assert window(rows) == (0.95, 0.99)


@pytest.mark.parametrize("ends", [(0.0, np.inf), (-np.inf, 0.9), (np.nan, np.nan)])
def test_an_interval_without_end_reaches_the_frame(ends: tuple[float, float]) -> None:
    svg = interval_chart("d", [("one", 0.5, *ends), ("two", 0.7, 0.6, 0.8)], str)
    assert all(-1 <= v <= 470 for v in numbers_in(svg))


def test_a_scatter_has_every_point() -> None:
    svg = scatter("d", np.arange(50.0), np.arange(50.0) * 2, "truth", "said")
    assert svg.count("h0") == 50


def test_scale_of_the_largest_numbers() -> None:
    assert Scale(-1.7e308, 1.7e308, 0.0, 100.0)(0.0) == 50.0
    assert np.isfinite(span(np.array([-1.7e308, 1.7e308]))).all()
    assert np.isfinite(span(np.array([-1.7e308]))).all()
    assert px(-0.01) == "0"


@settings(deadline=None)
@given(st.text())
def test_text_is_inert_whatever_it_is(text: str) -> None:
    made = tag("p", text, title=text)
    assert made.count("<") == 2
    assert all(c.isprintable() for c in made)
    ElementTree.fromstring(made.encode("ascii", "xmlcharrefreplace"))
    assert len(safe(text, 50)) <= 50 * 6
    assert block(text).count("<") == 2
