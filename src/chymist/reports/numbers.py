"""Numbers and counts as texts, the same in the report and the notebook."""

from __future__ import annotations

from math import isfinite

from chymist.reports.saying import ENGLISH, Say
from chymist.values import Score, show

PARTS = {"train": "training", "valid": "validation", "test": "test"}


def number(value: float) -> str:
    """A number with four significant digits.

    Example:
        >>> number(0.123456), number(1234567.0), number(12.0)
        ('0.1235', '1.235e+06', '12')
    """
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.4g}"


def share(part: float, whole: float) -> str:
    """A share in percent.

    Example:
        >>> share(1, 8), share(0, 0)
        ('12.5 %', '–')
    """
    return f"{100 * part / whole:.1f} %" if whole else "–"


def count(n: int, name: str, several: str = "") -> str:
    """A count with its noun.

    Example:
        >>> count(1, "row"), count(2000, "class", "classes")
        ('1 row', '2,000 classes')
    """
    return f"{n:,} {name if n == 1 else several or name + 's'}"


def rows_of(n: int, split: str, say: Say = ENGLISH) -> str:
    """A number of rows of a part of the split.

    Example:
        >>> rows_of(1, "valid"), rows_of(2000, "test")
        ('1 validation row', '2,000 test rows')
    """
    return say.counted(n, "{n} {part} row", "{n} {part} rows", part=part_name(split, say))


def part_name(split: str, say: Say = ENGLISH) -> str:
    """A part of the split as an adjective.

    Example:
        >>> part_name("valid"), part_name("out-of-fold")
        ('validation', 'out-of-fold')
    """
    return say.word(PARTS.get(split, split))


def metric_name(name: str, say: Say = ENGLISH) -> str:
    """A metric's name in words.

    Example:
        >>> metric_name("log_loss"), metric_name("rmse"), metric_name("f1_macro")
        ('log loss', 'RMSE', 'F1 macro')
    """
    words = name.split("_")
    known = {"rmse": "RMSE", "mae": "MAE", "auc": "AUC", "r2": "R²", "f1": "F1"}
    words_ = " ".join(known.get(word, word) for word in words)
    return say.known.get(f"metric: {words_}", words_)


def interval(score: Score, say: Say = ENGLISH) -> str:
    """The 95 % interval of a score."""
    low, high = show(score.metric, score.low), show(score.metric, score.high)
    return say("{low} to {high}", low=low, high=high)


def seconds(value: float, say: Say = ENGLISH) -> str:
    """A duration.

    Example:
        >>> seconds(0.25), seconds(75.0), seconds(7300.0)
        ('0.25 s', '75.0 s', '2 h 1 min')
    """
    if not isfinite(value):
        return say("unknown")
    if value < 10:
        return say("{n} s", n=f"{value:.2f}")
    if value < 120:
        return say("{n} s", n=f"{value:.1f}")
    if value < 7200:
        return say("{m} min {s} s", m=int(value // 60), s=int(value % 60))
    return say("{h} h {m} min", h=int(value // 3600), m=int(value % 3600 // 60))


def size(count: float) -> str:
    """A number of bytes.

    Example:
        >>> size(512), size(246_824), size(553_430_176)
        ('512 B', '246.8 kB', '553.4 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.4g} {unit}"
        count /= 1000
    return f"{count:.4g} TB"
