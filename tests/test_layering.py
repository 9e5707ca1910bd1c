"""Where the boxes of a graph stand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from torch import nn
from torch.nn.modules import module as modules

import chymist as cy
from chymist.reports.layering import _spread, layout


@st.composite
def dags(draw: st.DrawFn) -> tuple[list[tuple[float, float]], list[tuple[int, int]]]:
    boxes = draw(st.integers(1, 40))
    sizes = [(draw(st.floats(20, 200)), draw(st.floats(15, 80))) for _ in range(boxes)]
    edges = {
        (draw(st.integers(max(0, to - 6), to - 1)), to)
        for to in range(1, boxes)
        for _ in range(draw(st.integers(1, 3)))
    }
    return sizes, sorted(edges)


# A frame that goes on in a second column, below that column's first row.
GOES_ON = (
    [(20.0, 15.0)] * 35,
    [(0, 1), (0, 2), (0, 3), (0, 4), (0, 6), (1, 5), (1, 7), (2, 8), (5, 9), (5, 11), (6, 12),
     (7, 13), (9, 10), (9, 15), (10, 14), (11, 17), (12, 18), (13, 19), (14, 16), (14, 20),
     (15, 21), (16, 22), (17, 23), (18, 24), (19, 25), (20, 26), (22, 27), (22, 28), (23, 29),
     (24, 30), (25, 31), (26, 32), (27, 33), (28, 34)],
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@example(GOES_ON, 2)
@given(dags(), st.integers(1, 5))
def test_boxes_do_not_overlap_and_edges_lead_from_one_to_the_other(
    drawn: tuple[list[tuple[float, float]], list[tuple[int, int]]], every: int
) -> None:
    sizes, edges = drawn
    groups = [(n // (4 * every), 100 + n // every) for n in range(len(sizes))]
    found = layout(sizes, edges, groups)
    boxes = [
        (x - w / 2, y, x + w / 2, y + h)
        for (x, y), (w, h) in zip(found.centers, sizes, strict=True)
    ]
    for n, (left, top, right, bottom) in enumerate(boxes):
        assert left >= -1e-6
        assert top >= 0
        assert right <= found.width + 1e-6
        assert bottom <= found.height
        for a, b, c, d in boxes[:n]:
            assert left >= c - 1e-6 or right <= a + 1e-6 or top >= d or bottom <= b
    for (start, end), route in zip(edges, found.routes, strict=True):
        first, last = route[0][0], route[-1][-1]
        assert first == pytest.approx((found.centers[start][0], boxes[start][3]))
        assert last == pytest.approx(found.centers[end])
        for one, two in pairwise(route):
            assert one[-1] == pytest.approx(two[0])
    for group, left, top, width, height, _ in found.frames:
        for n, (a, b, c, d) in enumerate(boxes):
            inside = a >= left and c <= left + width and b >= top and d <= top + height
            outside = a >= left + width or c <= left or b >= top + height or d <= top
            assert outside if group not in groups[n] else inside or outside


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(0.01, 8)), min_size=1, max_size=12))
def test_places_in_a_row_are_the_isotonic_regression(row: list[tuple[float, float]]) -> None:
    wanted, weights = zip(*row, strict=True)
    apart = [10.0 + n for n in range(len(row) - 1)]
    found = _spread(wanted, weights, apart)
    shifts = np.concatenate([[0], np.cumsum(apart)])
    fitted = isotonic_regression(np.array(wanted) - shifts, weights=np.array(weights)).x + shifts
    np.testing.assert_allclose(found, fitted, atol=1e-6)


def test_nothing_listens_any_more_afterwards() -> None:
    cy.architecture("lenet5", (1, 28, 28))
    with pytest.raises(cy.InputError):
        cy.architecture(nn.Linear(3, 2), (5,))
    assert not modules._has_any_global_hook()
