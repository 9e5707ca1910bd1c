"""What a playground trains: rows, recipe and split, from the plain values of the page."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chymist.data import load, named_sets, split
from chymist.data.load import reload
from chymist.data.toys import is_toy
from chymist.engine.folder import open_folder
from chymist.errors import InputError, UsageError, nearest
from chymist.values import Data, Recipe, Split

MODELS = (
    "mlp", "softmax", "logistic", "linear", "perceptron", "linear_svm", "gaussian", "svm", "svr",
    "cart", "random_forest", "boosting",
)  # fmt: skip
KINDS = ("table", "array", "image")
MOST_ROWS = 20_000
MOST_STEPS = 200_000
MOST_LAYERS, MOST_UNITS = 8, 256
NEEDED = "a playground needs two columns of numbers"


@dataclass(frozen=True, eq=False)
class Setup:
    """A playground that can be trained.

    Args:
        recipe: what to train.
        split: training and validation rows; no test rows.
        seed: of the run.
        axes: the two columns that are drawn; () for the plane of the principal components.
        columns: all columns of numbers.
        csv: the rows as the text they came in; empty where they have a source.
    """

    recipe: Recipe
    split: Split
    seed: int
    axes: tuple[str, ...]
    columns: tuple[str, ...]
    csv: str = ""


def setup_of(wish: Mapping[str, Any]) -> Setup:
    """Read the rows and check the recipe.

    Args:
        wish: "data" with "source", "csv" (and "name", "target", "task") or "folder"; "axes";
            "only" those columns; "plane"; "valid"; "recipe" in its TOML form; "seed".

    Raises:
        ChymistError: as loading, splitting and recipes have it; nothing else is read than named
            sets, toy sets, runs of the studio and what was sent.
    """
    data = _data(wish["data"])
    if data.kind not in KINDS or data.task not in ("classification", "regression"):
        raise InputError(NEEDED, where="data", received=f"{data.kind}, {data.task}",
                         do="take a table")  # fmt: skip
    if len(data) > MOST_ROWS:
        raise InputError("too many rows for a playground", where="data",
                         received=f"{len(data):,}, {MOST_ROWS:,} at most",
                         do="train it with chymist fit")  # fmt: skip
    columns = tuple(c.name for c in data.columns if c.kind == "number" and c.used)
    axes = _axes(tuple(wish.get("axes") or ()), columns, data, str(wish.get("plane")))
    plain = dict(wish["recipe"])
    if wish.get("only") and axes:
        others = [c.name for c in data.columns if c.name not in axes]
        if others:
            plain["data"] = {"name": "prepare", **plain.get("data", {}), "drop": others}
    cut = split(data, test=0, valid=float(wish.get("valid", 0.3)), seed=0)
    csv = str(wish["data"].get("csv", ""))
    return Setup(_recipe(plain), cut, int(wish.get("seed", 0)), axes, columns, csv)


def _data(wish: Mapping[str, Any]) -> Data:
    """The rows of a toy set, of a named set, of a run, or of a text."""
    if wish.get("csv"):
        return read_text(str(wish["csv"]), str(wish.get("name") or "points"), wish)
    if wish.get("folder"):
        saved = open_folder(Path(wish["folder"]))
        return reload(saved.source)
    source = str(wish.get("source", ""))
    if not is_toy(source) and source not in named_sets():
        raise UsageError("no such data for a playground", received=f"'{source[:60]}'",
                         do=nearest(source, named_sets()))  # fmt: skip
    return load(source)


def read_text(text: str, name: str, wish: Mapping[str, Any]) -> Data:
    """Rows of a CSV text, by the reader of CSV files."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / f"{file_name(name)}.csv"
        path.write_text(text, encoding="utf-8")
        target = wish.get("target")
        kinds = dict.fromkeys(wish.get("numbers") or (), "number")
        data = load(path, target=target or None, columns=kinds or None)
    return replace(data, source={**data.source, "load": path.name})


def file_name(name: str) -> str:
    """A name with nothing in it that a path could mean.

    Example:
        >>> file_name("../my table.csv")
        'my-table'
    """
    stem = name.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".csv")
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in stem).strip("-")
    return kept[:40] or "points"


def _axes(
    wanted: tuple[str, ...], columns: tuple[str, ...], data: Data, plane: str
) -> tuple[str, ...]:
    """The two columns to draw."""
    if data.kind == "image" or plane == "pca":
        return ()
    for name in wanted:
        if name not in columns:
            raise UsageError("no such column of numbers", where="axes", received=f"'{name[:60]}'",
                             do=nearest(name, columns))  # fmt: skip
    if len(set(wanted)) == 2:
        return wanted[:2]
    if len(columns) < 2:
        raise InputError(NEEDED, where="data", received=f"{len(columns)}", do="take another table")
    return columns[:2]


def _recipe(plain: Mapping[str, Any]) -> Recipe:
    """The recipe, of models that a plane can show, within what a page waits for."""
    recipe = Recipe.from_dict(plain)
    name = recipe.model.name if recipe.model else ""
    if name not in MODELS:
        raise UsageError("no model of the playground", where="model", received=f"'{name}'",
                         do=nearest(name, MODELS))  # fmt: skip
    if recipe.init and recipe.init.name == "from_run":
        raise UsageError("a playground starts from nothing", where="init", received="from_run",
                         do="take another one")  # fmt: skip
    hidden = recipe.model.options.get("hidden", ())
    if len(hidden) > MOST_LAYERS or max(hidden, default=0) > MOST_UNITS:
        limits = f"{MOST_LAYERS} layers of {MOST_UNITS} units at most"
        raise UsageError("the network is too large for a playground", where="model.hidden",
                         received=str(hidden), do=limits)  # fmt: skip
    return recipe


def check_length(total: int) -> None:
    """Refuse what a page would wait too long for.

    Raises:
        UsageError: too many steps.
    """
    if total > MOST_STEPS:
        raise UsageError("too long for a playground", where="length",
                         received=f"{total:,} steps, {MOST_STEPS:,} at most",
                         do="make it shorter, or take larger batches")  # fmt: skip


def colours(data: Data) -> np.ndarray:
    """Classes or values of all rows, as the page colours them."""
    found: np.ndarray = data.targets if data.classes else data.targets.reshape(len(data), -1)[:, 0]
    return found
