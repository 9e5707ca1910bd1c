"""What the layers of a run do over its steps: a SQLite file in the run folder, read without torch.

A look is one row: of each trained tensor the norms of gradient and weights and how far the step
moved it, of each output of a layer its mean, deviation, and shares of silent and saturated units.
Some looks hold histograms beside.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from chymist.errors import InputError

FILE = "layers.sqlite"
TENSOR, OUTPUT = "tensor", "output"
QUANTITIES: Mapping[str, tuple[str, int]] = MappingProxyType({  # whose, and in which column
    "update_ratio": (TENSOR, 1), "gradient_norm": (TENSOR, 0), "weight_norm": (TENSOR, 2),
    "activation_mean": (OUTPUT, 0), "activation_deviation": (OUTPUT, 1),
    "dead": (OUTPUT, 2), "saturated": (OUTPUT, 3),
})  # fmt: skip
COLUMNS = 4
BINS = 64
SMALLEST, THIRDS = -8, 31  # decimal logarithm of the smallest bin's lower edge; bins of each sign

_TABLES = """
CREATE TABLE IF NOT EXISTS layers (id INTEGER PRIMARY KEY, part TEXT NOT NULL, name TEXT NOT NULL,
    kind TEXT NOT NULL, units INTEGER NOT NULL, UNIQUE (part, name));
CREATE TABLE IF NOT EXISTS looks (step INTEGER PRIMARY KEY, seconds REAL NOT NULL,
    elapsed REAL NOT NULL, layers BLOB NOT NULL, numbers BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS histograms (step INTEGER NOT NULL, layer INTEGER NOT NULL,
    shown TEXT NOT NULL, counts BLOB NOT NULL, PRIMARY KEY (step, layer, shown));
"""


@dataclass(frozen=True)
class Seen:
    """What a look saw of one layer.

    Args:
        part: "tensor" or "output".
        name: of the tensor, or of the module that gave the output.
        kind: class of the module.
        units: values of the tensor, or units of the output.
        numbers: of a tensor norm of the gradient, update ratio, norm of the weights; of an output
            mean, deviation, share of silent units, share of saturated ones.
        histograms: counts by what is shown ("weights", "gradients", "outputs").
    """

    part: str
    name: str
    kind: str
    units: int
    numbers: tuple[float, ...]
    histograms: Mapping[str, np.ndarray] = field(default_factory=dict)


class LayerRecorder:
    """Appends looks at layers; the only writer of its file.

    Args:
        path: the SQLite file, made if absent.

    Raises:
        sqlite3.Error: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        self._base.executescript(_TABLES)
        rows = self._base.execute("SELECT part, name, id FROM layers")
        self._ids: dict[tuple[str, str], int] = {(part, name): n for part, name, n in rows}
        found = self._base.execute("SELECT total(seconds), max(elapsed) FROM looks").fetchone()
        self.spent, self.elapsed = float(found[0]), float(found[1] or 0.0)

    def add(self, step: int, seconds: float, elapsed: float, layers: Sequence[Seen]) -> None:
        """Write one look, or nothing of it.

        Args:
            step: when.
            seconds: that the look took.
            elapsed: seconds of training until then.
            layers: what it saw.
        """
        with self._base:
            ids = [self._id(one) for one in layers]
            table = np.full((len(layers), COLUMNS), np.nan)
            for row, one in zip(table, layers, strict=True):
                row[: len(one.numbers)] = one.numbers
            self._base.execute(
                "INSERT OR REPLACE INTO looks VALUES (?, ?, ?, ?, ?)",
                (step, seconds, elapsed, np.array(ids, np.int64).tobytes(), table.tobytes()),
            )
            self._base.executemany(
                "INSERT OR REPLACE INTO histograms VALUES (?, ?, ?, ?)",
                [(step, number, shown, counts.astype(np.uint32).tobytes())
                 for number, one in zip(ids, layers, strict=True)
                 for shown, counts in one.histograms.items()],
            )  # fmt: skip
        self.spent, self.elapsed = self.spent + seconds, elapsed

    def _id(self, one: Seen) -> int:
        key = one.part, one.name
        if key not in self._ids:
            self._ids[key] = len(self._ids) + 1
            self._base.execute("INSERT OR IGNORE INTO layers VALUES (?, ?, ?, ?, ?)",
                               (self._ids[key], *key, one.kind, one.units))  # fmt: skip
        return self._ids[key]

    def truncate(self, step: int) -> None:
        """Forget looks at later steps, which a resumed run takes again."""
        with self._base:
            self._base.execute("DELETE FROM looks WHERE step > ?", (step,))
            self._base.execute("DELETE FROM histograms WHERE step > ?", (step,))

    def close(self) -> None:
        """Close the file, which is then one plain file if nobody reads it."""
        with closing(self._base), suppress(sqlite3.Error):
            self._base.execute("PRAGMA journal_mode=DELETE")


@dataclass(frozen=True)
class LayerName:
    """A layer in a record: its number there, name, class of module and number of units."""

    number: int
    name: str
    kind: str
    units: int


@dataclass(frozen=True, eq=False)
class StoredLayers:
    """Looks at layers as they were read back.

    Args:
        layers: by part, in the order in which they were first seen.
        steps: of the looks, ascending.
        seconds, elapsed: that each look took, and of training until then.
        table: (layers by number - 1, looks, 4); NaN where a layer was not seen, or is no number.
        seen: (layers, looks).
        counted: steps with histograms.
    """

    layers: Mapping[str, tuple[LayerName, ...]]
    steps: np.ndarray
    seconds: np.ndarray
    elapsed: np.ndarray
    table: np.ndarray
    seen: np.ndarray
    counted: tuple[int, ...]


def read_layers(path: Path) -> StoredLayers | None:
    """The looks of a run, while or after it trains; None if there are none.

    Raises:
        InputError: the file is damaged.
    """
    if not path.is_file():
        return None
    with _reading(path) as base:
        names = base.execute(
            "SELECT id, part, name, kind, units FROM layers ORDER BY id"
        ).fetchall()
        looks = base.execute(
            "SELECT step, seconds, elapsed, layers, numbers FROM looks ORDER BY step"
        ).fetchall()
        counted = base.execute("SELECT DISTINCT step FROM histograms ORDER BY step").fetchall()
        places = {row[0]: place for place, row in enumerate(names)}
        table = np.full((len(names), len(looks), COLUMNS), np.nan)
        seen = np.zeros((len(names), len(looks)), bool)
        for at, look in enumerate(looks):
            rows = [places[number] for number in np.frombuffer(look[3], np.int64).tolist()]
            table[rows, at] = np.frombuffer(look[4], np.float64).reshape(-1, COLUMNS)
            seen[rows, at] = True
        layers = {
            part: tuple(LayerName(n, name, kind, units) for n, of, name, kind, units in names
                        if of == part)
            for part in (TENSOR, OUTPUT)
        }  # fmt: skip
        steps, seconds, elapsed = (np.array([look[n] for look in looks]) for n in range(3))
        return StoredLayers(
            layers, steps.astype(np.int64), seconds.astype(float), elapsed.astype(float), table,
            seen, tuple(row[0] for row in counted),
        )  # fmt: skip


def read_counts(path: Path, layer: int, shown: str) -> dict[int, np.ndarray]:
    """Histograms of a layer, by step.

    Args:
        path: the SQLite file.
        layer: its number.
        shown: "weights", "gradients" or "outputs".

    Raises:
        InputError: the file is damaged.
    """
    with _reading(path) as base:
        rows = base.execute(
            "SELECT step, counts FROM histograms WHERE layer = ? AND shown = ? ORDER BY step",
            (layer, shown),
        ).fetchall()
        found = {step: np.frombuffer(counts, np.uint32).astype(np.int64) for step, counts in rows}
        if any(len(counts) != BINS for counts in found.values()):
            raise ValueError("a histogram of another length")
        return found


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """An open record; what is damaged is said as such."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base:
            yield base
    except (sqlite3.Error, TypeError, ValueError, KeyError) as error:
        raise InputError(
            "the record of the layers cannot be read", where=str(path), received=str(error)[:60],
            do="remove it: the run does not need it",
        ) from None  # fmt: skip


def log_counts(values: np.ndarray, owner: np.ndarray, owners: int) -> np.ndarray:
    """Histograms of values over 64 fixed bins, for several owners at once.

    Bin 31 holds zeros and sizes below 1e-8, bin 63 what is not finite. Bins 32 to 62 are positive
    values, each a third of a decade, from 1e-8 up; bins 30 down to 0 the same with a minus. What is
    larger than 1e-8 times 10^(31/3), about 215, is in the outermost bin.

    Args:
        values: (n,).
        owner: (n,), whose each is, from 0.
        owners: their number.

    Returns:
        (owners, 64).

    Example:
        >>> made = log_counts(np.array([0.0, 1e-8, -1e-8, 1e9, np.nan]), np.zeros(5, int), 1)
        >>> np.flatnonzero(made[0]).tolist()
        [30, 31, 32, 62, 63]
    """
    values = np.asarray(values, np.float64)
    sizes, finite = np.abs(values), np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        third = np.floor((np.log10(sizes) - SMALLEST) * 3 + 1e-9)
    third = np.where(finite, third, 0).clip(-1, THIRDS - 1).astype(np.int64)
    signed = np.where(values > 0, THIRDS + 1 + third, THIRDS - 1 - third)
    places = np.where(third < 0, THIRDS, signed)
    places[~finite] = BINS - 1
    flat = np.bincount(owner * BINS + places, minlength=owners * BINS)
    made: np.ndarray = flat.reshape(owners, BINS)
    return made


def bin_edges() -> np.ndarray:
    """Lower edges of the sizes in the bins of one sign, and the upper one of the last, (32,).

    Example:
        >>> bin_edges()[[0, 3, 24]].tolist()
        [1e-08, 1e-07, 1.0]
    """
    edges: np.ndarray = 10.0 ** (SMALLEST + np.arange(THIRDS + 1) / 3)
    return edges
