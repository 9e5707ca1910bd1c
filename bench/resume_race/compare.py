"""Comparing a killed and resumed run with the uninterrupted one: pure functions, no peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Step(NamedTuple):
    """A line of the diary.

    Args:
        number: of the step, from 1.
        loss: exact, as a hexadecimal number.
        rows: numbers of the rows that were trained on, in order.
    """

    number: int
    loss: str
    rows: tuple[int, ...]


def read_diary(text: str) -> list[Step]:
    """The lines of a diary in the order in which they were written; half a line is none.

    Example:
        >>> read_diary("1 0x1p+0 4,2\\n2 0x1p-1 3,")
        [Step(number=1, loss='0x1p+0', rows=(4, 2))]
    """
    whole = text[: text.rfind("\n") + 1].splitlines()
    parts = (line.split(" ") for line in whole)
    return [Step(int(n), loss, tuple(map(int, rows.split(",")))) for n, loss, rows in parts]


def effective(lines: Sequence[Step]) -> list[Step]:
    """The steps that the final weights went through.

    A run that goes on from step 30 undoes all it did after step 30, so a line drops every earlier
    line of the same or a later step.

    Example:
        >>> line = lambda n, row: Step(n, "0x0p+0", (row,))
        >>> [s.rows[0] for s in effective([line(1, 5), line(2, 6), line(3, 7), line(2, 8)])]
        [5, 8]
    """
    kept: list[Step] = []
    for line in lines:
        while kept and kept[-1].number >= line.number:
            kept.pop()
        kept.append(line)
    return kept


def resumed_from(lines: Sequence[Step], starts: Sequence[int]) -> list[int]:
    """The steps after which resumed children went on.

    Args:
        lines: all lines of the diary.
        starts: lines that there were when each child was started, the first one included.

    Example:
        >>> resumed_from([Step(n, "0x0p+0", ()) for n in (1, 2, 3, 3, 4, 1, 2)], [0, 3, 5])
        [2, 0]
    """
    return [lines[start].number - 1 for start in starts[1:] if start < len(lines)]


def order_equal(reference: Sequence[Step], found: Sequence[Step]) -> bool:
    """Whether both trained on the same rows in the same order, step by step."""
    return [(s.number, s.rows) for s in reference] == [(s.number, s.rows) for s in found]


def bit_equal(reference: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Whether weights and optimiser state have the same fingerprints."""
    names = ("weights", "optimizer")
    return all(reference[name] == found.get(name) for name in names)


def describe(reference: Sequence[Step], found: Sequence[Step], per_epoch: int) -> str:
    """What became of the order, in words that can be counted.

    Args:
        reference, found: the effective steps of the uninterrupted and of the resumed run.
        per_epoch: steps of an epoch.
    """
    if order_equal(reference, found):
        other = first_other_loss(reference, found)
        return "same rows, same losses" if other is None else "same rows, other losses"
    if len(found) != len(reference):
        return f"{len(found) - len(reference):+d} steps in the whole run"
    pairs = zip(reference, found, strict=True)
    first = next(i for i, (a, b) in enumerate(pairs) if (a.number, a.rows) != (b.number, b.rows))
    epoch, position = divmod(first, per_epoch)
    under_way = [s.rows for s in found[epoch * per_epoch : (epoch + 1) * per_epoch]]
    rest = under_way[position:]
    begin = [s.rows for s in reference[:per_epoch]]
    seen = [row for rows in under_way for row in rows]
    repeated = "some rows twice, others never" if len(set(seen)) < len(seen) else "every row once"
    if rest == begin[: len(rest)]:
        what = "epoch 0's order from its first batch"
    elif rest == begin[position:]:
        what = "epoch 0's order"
    else:
        what = "another order"
    after = [s.rows for s in found[(epoch + 1) * per_epoch :]]
    wanted = [s.rows for s in reference[(epoch + 1) * per_epoch :]]
    later = "later epochs right" if after == wanted else "later epochs in another order too"
    return f"first resumed epoch in {what}, {repeated}; {later}"


def first_other_loss(reference: Sequence[Step], found: Sequence[Step]) -> int | None:
    """Number of the first step whose loss differs, None if none does."""
    pairs = zip(reference, found, strict=False)
    return next((a.number for a, b in pairs if a.loss != b.loss), None)
