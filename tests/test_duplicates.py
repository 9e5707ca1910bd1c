"""Rows that occur more than once, against a comparison of all pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import chymist as cy
from chymist.data import duplicates_across


def by_pairs(rows: list[tuple], groups: list[int] | None = None) -> int:
    """Rows that have a copy in another row, of another group if there are groups."""
    return sum(
        any(i != j and a == b and (groups is None or groups[i] != groups[j]) for j, b in enumerate(rows))
        for i, a in enumerate(rows)
    )  # fmt: skip


@given(
    cells=st.lists(st.tuples(*[st.sampled_from([0.0, -0.0, 1.0, 2.0, 0.5])] * 3), min_size=8, max_size=30),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_copies_are_those_of_all_pairs(cells: list[tuple], seed: int) -> None:
    x = np.array(cells)
    groups = np.random.default_rng(seed).integers(0, 3, len(cells))
    data = cy.load((x, np.arange(len(cells)) * 1.5))
    rows = np.arange(len(cells))
    assert duplicates_across(data, rows) == by_pairs(cells)
    assert duplicates_across(data, rows, groups) == by_pairs(cells, groups.tolist())
    assert duplicates_across(data, rows[2:]) == by_pairs(cells[2:])


def test_a_single_difference_anywhere_is_seen() -> None:
    base = np.random.default_rng(0).integers(0, 256, (9, 9, 1), np.uint8)
    images = np.stack([base] * 82)
    for place in range(81):
        images[place + 1].reshape(-1)[place] ^= 1
    data = cy.load((images, np.arange(82) % 2))
    assert duplicates_across(data, np.arange(82)) == 0
    images[40] = images[60]
    assert duplicates_across(cy.load((images, np.arange(82) % 2)), np.arange(82)) == 2


def test_numbers_that_share_most_of_their_bits_differ() -> None:
    x = np.stack(np.meshgrid(*[np.arange(8.0)] * 4), axis=-1).reshape(-1, 4)
    data = cy.load((x, np.arange(4096) * 0.5))
    assert duplicates_across(data, np.arange(4096)) == 0
    twice = cy.load((np.concatenate([x, x]), np.arange(8192) * 0.5))
    assert duplicates_across(twice, np.arange(8192)) == 8192


def test_tables_with_texts_gaps_and_a_row_number(tmp_path: Path) -> None:
    lines = ["a,1,x", "b,,x", "a,1.0,x", "b,,x", "b,2,x", ",2,y", ",2,y", "c,3,x", "d,4,y", "e,5,x"]
    text = "row,name,size,kind,y\n" + "".join(
        f"{n},{line},{n / 3}\n" for n, line in enumerate(lines)
    )
    (tmp_path / "t.csv").write_text(text)
    data = cy.load(tmp_path / "t.csv")
    assert {c.name: c.kind for c in data.columns}["row"] == "id"
    assert duplicates_across(data, np.arange(10)) == 6
    assert duplicates_across(data, np.arange(10), np.array([0, 1, 0, 2] + [3] * 6)) == 2


def test_of_the_sets_that_come_with_it() -> None:
    for name, count in (("iris", 2), ("wine", 0), ("digits", 0), ("diabetes", 0)):
        data = cy.load(name)
        assert duplicates_across(data, np.arange(len(data))) == count
        flat = np.asarray(data.inputs).reshape(len(data), -1) if isinstance(data.inputs, np.ndarray) else np.stack([*data.inputs.values()], 1)  # fmt: skip
        assert len(flat) - len(np.unique(flat, axis=0)) == count // 2


def test_no_rows_have_no_copies() -> None:
    assert duplicates_across(cy.load("iris"), np.array([], np.int64)) == 0
