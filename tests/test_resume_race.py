"""The comparing functions of the resume race (`bench/resume_race/compare.py`)."""

from __future__ import annotations

import doctest

from bench.resume_race import compare
from bench.resume_race.compare import Step, describe, effective, read_diary

PER_EPOCH = 3
EPOCH_0, EPOCH_1, EPOCH_2 = (0, 1, 2), (2, 0, 1), (1, 2, 0)


def steps(*rows: int, first: int = 1, loss: str = "0x1p+0") -> list[Step]:
    """One row a step."""
    return [Step(first + i, loss, (row,)) for i, row in enumerate(rows)]


WHOLE = steps(*EPOCH_0, *EPOCH_1, *EPOCH_2)


def test_examples_of_the_docstrings_are_right() -> None:
    assert doctest.testmod(compare) == (0, 4)


def test_a_line_cut_by_the_kill_is_no_step() -> None:
    assert read_diary("") == []
    assert read_diary("7 0x1p+0 1,2") == []
    assert read_diary("7 0x1p+0 1,2\n8 0x1") == [Step(7, "0x1p+0", (1, 2))]


def test_what_was_undone_by_a_resume_does_not_count() -> None:
    killed_twice = [*WHOLE[:5], *WHOLE[2:4], *WHOLE[1:]]
    assert effective(killed_twice) == WHOLE
    assert effective([*WHOLE[:8], *WHOLE[:2]]) == WHOLE[:2]


def test_order_is_equal_only_with_the_same_rows_at_the_same_steps() -> None:
    assert compare.order_equal(WHOLE, list(WHOLE))
    assert not compare.order_equal(WHOLE, WHOLE[:-1])
    swapped = steps(*EPOCH_0, *EPOCH_1, 1, 0, 2)
    assert not compare.order_equal(WHOLE, swapped)
    assert not compare.order_equal(WHOLE, [s._replace(number=s.number + 1) for s in WHOLE])


def test_bits_are_equal_only_with_weights_and_moments() -> None:
    end = {"weights": "a", "optimizer": "b"}
    assert compare.bit_equal(end, {"weights": "a", "optimizer": "b"})
    assert not compare.bit_equal(end, {"weights": "a", "optimizer": "c"})
    assert not compare.bit_equal(end, {"weights": "c", "optimizer": "b"})
    assert not compare.bit_equal(end, {})


def test_the_failure_is_named() -> None:
    assert describe(WHOLE, WHOLE, PER_EPOCH) == "same rows, same losses"
    other = [*WHOLE[:4], *(s._replace(loss="0x0p+0") for s in WHOLE[4:])]
    assert describe(WHOLE, other, PER_EPOCH) == "same rows, other losses"
    assert compare.first_other_loss(WHOLE, other) == 5
    assert describe(WHOLE, WHOLE[:6], PER_EPOCH) == "-3 steps in the whole run"
    again = steps(*EPOCH_0, 2, 0, 1, *EPOCH_0)
    assert describe(WHOLE, again, PER_EPOCH) == (
        "first resumed epoch in epoch 0's order from its first batch, every row once; "
        "later epochs right"
    )
    same_place = steps(*EPOCH_0, 2, 1, 2, *EPOCH_2)
    assert describe(WHOLE, same_place, PER_EPOCH) == (
        "first resumed epoch in epoch 0's order, some rows twice, others never; later epochs right"
    )
    shuffled = steps(*EPOCH_0, 2, 1, 0, 2, 1, 0)
    assert describe(WHOLE, shuffled, PER_EPOCH) == (
        "first resumed epoch in another order, every row once; later epochs in another order too"
    )


def test_resumes_are_seen_even_where_no_step_was_repeated() -> None:
    lines = [*WHOLE[:3], *WHOLE[3:6], *WHOLE[4:]]
    assert compare.resumed_from(lines, [0, 3, 6]) == [3, 4]
    assert compare.resumed_from(WHOLE, [0]) == []
    assert compare.resumed_from(WHOLE[:3], [0, 3]) == []
