"""What becomes of one column: filled, transformed, scaled or encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from chymist.data.cells import short, to_date, to_text
from chymist.data.kinds import check_kind, check_known
from chymist.errors import InputError, UsageError

SKEWED = 4.0  # skewness beyond which "auto" takes the logarithm
SKEWED_ROWS = 100  # training rows below which skewness says too little
DAY = np.timedelta64(1, "D")


class Options(NamedTuple):
    """The options of `prepare` that concern every column."""

    missing: str = "auto"
    scale: str = "auto"
    encode: str = "onehot"
    transform: str = "none"


@dataclass(frozen=True)
class Feature:
    """One column, fitted: how its cells become one or more features.

    Args:
        name: name of the column.
        position: its place among the columns of an array.
        kind: how its cells are read.
        fill: what empty cells become: a number, or a category; "" keeps them empty (NaN), and
            with them cells of a category that no training row had.
        log: whether numbers become sign(x) log(1 + |x|).
        shift, scale: (x - shift) / scale, after the logarithm.
        flag: whether a 0/1 feature tells which numbers were missing.
        categories: categories of the training rows, sorted; empty for numbers and dates.
        codes: whether categories become one number in place of 0/1 features.
        order: how dates are written, if not in ISO order.
    """

    name: str
    position: int
    kind: Literal["number", "date", "category"]
    fill: float | str
    log: bool = False
    shift: float = 0.0
    scale: float = 1.0
    flag: bool = False
    categories: tuple[str, ...] = ()
    codes: bool = False
    order: str = ""

    @property
    def kept(self) -> bool:
        """Whether empty cells stay empty."""
        return self.fill == ""

    @property
    def width(self) -> int:
        """Number of features."""
        if self.kind == "category":
            return 1 if self.codes else len(self.categories)
        return 1 + self.flag

    @property
    def names(self) -> tuple[str, ...]:
        """One name per feature."""
        if self.kind == "category" and not self.codes:
            return tuple(f"{self.name}={category}" for category in self.categories)
        name = f"log1p({self.name})" if self.log else self.name
        return (name, f"{self.name}={MISSING_CATEGORY}") if self.flag else (name,)

    @property
    def affine(self) -> list[tuple[float, float]]:
        """Shift and scale of each feature."""
        if self.kind == "category" and not self.codes:
            return [(0.0, 1.0)] * len(self.categories)
        return [(self.shift, self.scale), (0.0, 1.0)] if self.flag else [(self.shift, self.scale)]

    def write(self, cells: np.ndarray, out: np.ndarray) -> None:
        """Write the features of some cells into (rows, width) of a floating type.

        Raises:
            InputError: a cell is no number or date, or too large.
        """
        if self.kind == "category":
            codes = self._codes(cells)
            if self.codes:
                cells_ = np.where(codes < 0, np.nan, codes) if self.kept else codes
                out[:, 0] = (cells_ - self.shift) / self.scale
                return
            out[:] = 0.0
            known = np.flatnonzero(codes >= 0)
            out[known, codes[known]] = 1.0
            return
        values = as_numbers(cells, self.kind, self.name, self.order)
        empty = np.isnan(values)
        if empty.any() and not self.kept:
            values = np.where(empty, self.fill, values)
        if self.flag:
            out[:, 1] = empty
        if self.log:
            values = signed_log(values)
        with np.errstate(over="ignore"):
            out[:, 0] = (values - self.shift) / self.scale
        wrong = np.flatnonzero(~np.isfinite(out[:, 0]) & ~(empty & self.kept))
        if len(wrong):
            raise InputError(
                "a number is infinite or too large",
                received=f"{values[wrong[0]]:.3g}",
                where=f"row {wrong[0] + 1}, column {short(self.name)}",
                do="correct the cell or leave it empty",
            )

    def unseen(self, cells: np.ndarray) -> int:
        """Number of cells with a category that no training row had."""
        if self.kind != "category":
            return 0
        without = as_texts(cells).count(None) if self.kept else 0
        return int((self._codes(cells) < 0).sum()) - without

    def _codes(self, cells: np.ndarray) -> np.ndarray:
        """Index of each cell's category; -1 where no training row had it."""
        index: dict[str | None, int] = {name: n for n, name in enumerate(self.categories)}
        texts = as_texts(cells)
        index[None] = index.get(str(self.fill), -1)
        return np.fromiter((index.get(text, -1) for text in texts), np.int64, len(texts))


MISSING_CATEGORY = "(missing)"


def fit_feature(
    name: str, position: int, kind: str, cells: np.ndarray, options: Options, order: str = ""
) -> tuple[Feature, int, list[str]]:
    """Fit what becomes of a column on its training cells.

    Args:
        name: name of the column.
        position: its place among the columns.
        kind: "number", "date" or "category".
        cells: its training cells.
        options: what the user wants.
        order: how the dates of the column are ordered, if not in ISO order.

    Returns:
        The feature, the number of empty cells, and notes.

    Raises:
        InputError: a cell that does not fit, or numbers too large to be scaled.

    Example:
        >>> cells = np.array([1.0, np.nan, 3.0])
        >>> feature, filled, _ = fit_feature("a", 0, "number", cells, Options())
        >>> feature.fill, feature.shift, filled
        (2.0, 2.0, 1)
    """
    if options.scale == "pixel":
        raise UsageError(
            "the scale 'pixel' is for images", where="data.scale", do="use standard, minmax or none"
        )
    if kind == "category":
        return _fit_category(name, position, cells, options)
    values = as_numbers(cells, kind, name, order)
    present = values[~np.isnan(values)]
    empty = len(values) - len(present)
    notes = []
    if not len(present):
        used = "" if options.missing == "keep" else ": 0 is used"
        notes.append(f"column '{name}' has no value in the training rows{used}")
        present = np.zeros(1)
    kept = options.missing == "keep"
    fill = "" if kept else _filler(present, options.missing)
    if kept:
        values = present
    elif empty:
        values = np.where(np.isnan(values), fill, values)
    log = kind == "number" and _takes_log(present, options.transform)
    if log:
        values = signed_log(values)
        notes.append(f"column '{name}' is skewed: its logarithm is used")
    shift, scale = fit_scale(values if len(values) else np.zeros(1), options.scale, name)
    if scale == 1.0 and bool((values == values[:1]).all()):
        notes.append(f"column '{name}' is the same in all training rows")
    flag = options.missing == "category" and empty > 0
    known: Literal["number", "date"] = "date" if kind == "date" else "number"
    made = Feature(name, position, known, fill, log, shift, scale, flag, order=order)
    return made, 0 if kept else empty, notes


def order_of(cells: np.ndarray, kind: str, read_as: str, name: str) -> str:
    """Check that cells fit another kind than they were read as.

    Args:
        cells: float64 numbers, or texts with None.
        kind: the kind that is wanted.
        read_as: the kind that the column was read as.
        name: name of the column, for messages.

    Returns:
        How its dates are ordered; empty for other kinds, and for dates that were read as such.

    Raises:
        UsageError: an unknown kind.
        InputError: a cell that does not fit.

    Example:
        >>> order_of(np.array(["24.12.2020"], object), "date", "text", "a")
        'dates are day/month/year'
    """
    check_known(name, kind)
    texts = [to_text(cell) for cell in cells.tolist()] if kind != read_as else []
    if all(text is None for text in texts):
        return ""
    return check_kind(name, texts, kind, lambda row: f"training row {row + 1}")


def as_numbers(cells: np.ndarray, kind: str, name: str, order: str = "") -> np.ndarray:
    """Cells as float64 with NaN for missing ones; dates as days since 1970.

    Raises:
        InputError: a cell is neither.

    Example:
        >>> as_numbers(np.array(["1970-01-02", None], object), "date", "d")
        array([ 1., nan])
    """
    if cells.dtype.kind in "biuf":
        return cells.astype(np.float64)
    texts = as_texts(cells)
    if kind == "date":
        known: dict[str | None, str | None] = {
            text: to_date(text, "") or to_date(text, order) or text for text in set(texts) if text
        }
        texts = [known.get(text) for text in texts]
    try:
        if kind == "number":
            return np.array([np.nan if text is None else float(text) for text in texts], np.float64)
        moments = np.array([text or "NaT" for text in texts], "datetime64[us]")
    except ValueError as error:
        raise InputError(
            f"a cell is not a {kind}",
            where=f"column {short(name)}",
            received=str(error)[:60],
            do="correct the cell or leave it empty",
        ) from None
    days: np.ndarray = (moments - np.datetime64(0, "us")) / DAY
    return days


def as_texts(cells: np.ndarray) -> list[str | None]:
    """Cells as texts with None for missing ones.

    Example:
        >>> as_texts(np.array([1.0, np.nan])), as_texts(np.array(["a", None], object))
        (['1', None], ['a', None])
    """
    if cells.dtype == object and all(type(cell) is str or cell is None for cell in cells):
        texts: list[str | None] = cells.tolist()
        return texts
    return [to_text(cell) for cell in cells.tolist()]


def signed_log(values: np.ndarray) -> np.ndarray:
    """sign(x) log(1 + |x|), which keeps 0 and the order.

    Example:
        >>> signed_log(np.array([-1.0, 0.0, 1.0])).round(3)
        array([-0.693,  0.   ,  0.693])
    """
    logged: np.ndarray = np.copysign(np.log1p(np.abs(values)), values)
    return logged


def fit_scale(values: np.ndarray, scale: str, name: str) -> tuple[float, float]:
    """Shift and scale of numbers; the scale of equal numbers is 1.

    Args:
        values: training values without NaN, (rows,), at least one.
        scale: "auto", "standard", "minmax" or "none".
        name: name of the column, for messages.

    Raises:
        InputError: the numbers are too large for double precision.

    Example:
        >>> fit_scale(np.array([0.0, 4.0]), "minmax", "a")
        (0.0, 4.0)
        >>> fit_scale(np.array([3.0, 3.0]), "standard", "a")
        (3.0, 1.0)
    """
    if scale == "none":
        return 0.0, 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        if scale == "minmax":
            shift, wide = float(values.min()), float(values.max() - values.min())
        else:
            shift, wide = float(values.mean()), float(values.std())
    if not (np.isfinite(shift) and np.isfinite(wide)):
        raise InputError(
            "numbers are too large to be scaled",
            where=f"column {short(name)}",
            received=f"{np.abs(values).max():.3g}",
            do="change their unit",
        )
    if bool((values == values[0]).all()) or wide == 0:
        return float(values[0]), 1.0
    return shift, wide


def _fit_category(
    name: str, position: int, cells: np.ndarray, options: Options
) -> tuple[Feature, int, list[str]]:
    texts = as_texts(cells)
    empty = texts.count(None)
    present = [text for text in texts if text is not None]
    own = options.missing == "category" and empty > 0
    categories, counts = np.unique(np.array(present, object), return_counts=True)
    fill = str(categories[counts.argmax()]) if present else MISSING_CATEGORY
    names = tuple(categories.tolist())
    if own or not present:
        fill = MISSING_CATEGORY
        names = (*names, MISSING_CATEGORY)
    if options.missing == "keep":
        fill, empty = "", 0
    feature = Feature(name, position, "category", fill, categories=names)
    if options.encode != "integer":
        return feature, empty, []
    codes = feature._codes(cells).astype(np.float64)
    codes = codes[codes >= 0] if feature.kept else codes
    shift, scale = fit_scale(codes if len(codes) else np.zeros(1), options.scale, name)
    coded = Feature(name, position, "category", fill, False, shift, scale, False, names, True)
    return coded, empty, []


def _filler(present: np.ndarray, missing: str) -> float:
    """What empty cells of numbers become."""
    middle = float(np.sort(present)[len(present) // 2])
    if missing == "mode":
        values, counts = np.unique(present, return_counts=True)
        return float(values[counts.argmax()])
    with np.errstate(over="ignore"):
        fill = float(present.mean() if missing == "mean" else np.median(present))
    return fill if np.isfinite(fill) else middle  # sums of huge numbers overflow


def _takes_log(present: np.ndarray, transform: str) -> bool:
    """Whether numbers are to be replaced by their signed logarithm."""
    if transform != "auto":
        return transform == "log"
    if len(present) < SKEWED_ROWS or len(np.unique(present)) <= 2:
        return False
    before = abs(_skewness(present))
    return before > SKEWED and abs(_skewness(signed_log(present))) < before


def _skewness(values: np.ndarray) -> float:
    """Third standardised moment; 0 where it cannot be computed."""
    with np.errstate(all="ignore"):
        centred = values - values.mean()
        found = float((centred**3).mean() / (centred**2).mean() ** 1.5)
    return found if np.isfinite(found) else 0.0
