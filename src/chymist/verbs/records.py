"""Reading runs back: `load_run`, the list of runs, and a copy of a run folder."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import msgspec
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from chymist.data import reload
from chymist.data.graphs import graph_inputs
from chymist.engine.files import read_file
from chymist.engine.folder import Saved, open_folder, whole_folder
from chymist.engine.imported import STATEMENT, read_imported
from chymist.engine.kinds import KINDS, kind_of, state_of
from chymist.engine.run_filter import check_filter, keeps, parse_filter
from chymist.engine.run_rows import files_in, read_row
from chymist.engine.status import status_of
from chymist.engine.steps import STEPWISE
from chymist.engine.store import read_series
from chymist.errors import ChymistError, InputError
from chymist.losses import FORMS, Form
from chymist.models import build_model
from chymist.models.graphs import GRAPH_MODELS
from chymist.values import Data, Floor, Predictions, Run, Score, Split
from chymist.verbs.diagnosing import read_findings, signals_of
from chymist.verbs.reporting import write_report
from chymist.verbs.sources import with_model


class Named(msgspec.Struct, frozen=True):
    """Data, a model or an entry, of which the list takes the name."""

    name: str = ""


class Facts(msgspec.Struct, frozen=True):
    """How a study was carried out."""

    model: str = ""
    seconds: float = 0.0


class Best(msgspec.Struct, frozen=True):
    """The best recipe of a search."""

    model: Named = Named()


class Figure(msgspec.Struct, frozen=True):
    """The score of a study, as far as it is listed."""

    metric: str
    value: float
    split: str


class Study(msgspec.Struct, frozen=True):
    """What the files of studies have for the list; the rest is passed over."""

    data: Named = Named()
    score: Figure | None = None
    verdict: str = ""
    facts: Facts = Facts()
    seconds: float = 0.0
    rows: tuple[Named, ...] = ()
    best: Best = Best()


def load_run(folder: str | Path, *, model: Any = None, data: Data | None = None) -> Run:
    """A finished run, read back from its folder; its data is read again.

    Args:
        folder: the run folder.
        model: the user's own module or factory, if the run was made with one.
        data: the rows, if they came from arrays in memory.

    Returns:
        The run, with the same weights, score and record.

    Raises:
        InputError: the run has not ended, or its data or files have changed.
    """
    saved = open_folder(folder)
    result = finished(saved)
    split = saved.split_of(data if data is not None else reload(saved.source))
    predictions = scored_rows(saved, split)
    floors = tuple(Floor(f["name"], Score.from_dict(f["score"])) for f in result["floors"])
    stored = read_findings(saved.path)
    history = {**read_series(saved.path / "records.sqlite"), **signals_of(stored)}
    return Run(
        saved.path, with_model(saved.recipe, model), split, int(saved.environment["seed"]),
        load_model(saved, model, split.data)[0], saved.preparation,
        Score.from_dict(result["score"]), floors, result["verdict"], result["metrics"],
        predictions, history, result["facts"],
        tuple(stored.findings) if stored else (), stored.experiments if stored else None,
    )  # fmt: skip


def scored_rows(saved: Saved, split: Split) -> Predictions:
    """Per-example results of a run, with what is known of its rows.

    Args:
        saved: the run folder.
        split: the rows of the run.

    Raises:
        InputError: the file is missing or damaged.
    """
    predictions = read_predictions(saved.path / "valid.npz")
    rows = predictions.rows  # the steps of a row are its group
    return replace(
        predictions,
        groups=rows if split.data.task in STEPWISE else split.groups_of(rows),
        estimated=FORMS[saved.recipe.loss.name].estimated,
    )


def read_predictions(path: Path) -> Predictions:
    """Per-example results of a run.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with np.load(io.BytesIO(read_file(path)), allow_pickle=False) as file:
            return Predictions(file["rows"], file["targets"], file["outputs"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError("the predictions of the run cannot be read", where=str(path),
                         received=type(error).__name__,
                         do="restore the file, or run fit again") from None  # fmt: skip


def finished(saved: Saved) -> dict[str, Any]:
    """The result of a run.

    Raises:
        InputError: the run has none.
    """
    if saved.result.get("status") == "finished":
        return dict(saved.result)
    state = saved.result.get("status", "not finished")
    raise InputError(
        "the run has no result",
        where=str(saved.path),
        received=f"it is {state}",
        do=f"chymist resume {saved.path}" if state == "not finished" else "run fit again",
    )


def untrained_model(saved: Saved, model: Any = None, data: Data | None = None) -> nn.Module:
    """The module of a run with initial weights, of a run that has not ended too.

    Raises:
        InputError: a user's own module is needed.
    """
    recipe = with_model(saved.recipe, model)
    dtype = torch.float64 if recipe.precision == "float64" else torch.float32
    shapes = saved.shapes
    nodes = saved.schema.kind == "graph"
    if nodes or recipe.model.name in GRAPH_MODELS:  # a graph is not saved with the weights
        known = (data if data is not None else reload(saved.source)).graph
        steps = saved.preparation.steps if nodes else ()
        scale = recipe.data.options.get("scale", "auto")
        tensors = None if known is None else graph_inputs(known, scale, steps)
        shapes = shapes._replace(graph=tensors)
    return build_model(recipe.model, shapes, 0).to(dtype).eval()


def load_model(saved: Saved, model: Any = None, data: Data | None = None) -> tuple[nn.Module, Form]:
    """The trained module of a run, in evaluation mode, and how its outputs are read.

    Raises:
        InputError: the weights are missing or damaged, or a user's own module is needed.
    """
    recipe = with_model(saved.recipe, model)
    module = untrained_model(saved, model, data)
    path = saved.path / "model.safetensors"
    try:
        module.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(
            "the saved weights do not load",
            where=str(path),
            received=str(error).splitlines()[0][:80],
            do="run fit again",
        ) from None
    return module, FORMS[recipe.loss.name]


def list_runs(parent: str | Path = "runs", filter: str = "") -> list[dict[str, Any]]:
    """What is in a folder of runs: runs, cross-validations, comparisons and searches, newest last.

    Args:
        parent: folder that holds run folders.
        filter: which of them, "model:mlp accuracy>0.9 -state:damaged"; see the page of the studio.

    Returns:
        One mapping each: run (its folder), kind ("fit", "cv", "compare", "search", "race",
        "population", "import"), state (see `engine.status`), when (it was begun, or written),
        data, model, score, seconds, and seed of a run or verdict of the others; a damaged folder
        has the state "damaged" and nothing further.

    Raises:
        UsageError: a filter that is not understood.
    """
    folders = kept_folders(Path(parent).glob("*"), filter)
    found = [
        (path.stat().st_mtime, folder.name, kind, path)
        for folder in folders
        for name, kind in KINDS.items()
        if (path := folder / name).is_file()
    ]
    rows = []
    for began, _, kind, path in sorted(found):
        when = datetime.fromtimestamp(began).astimezone().isoformat(timespec="seconds")
        row = {"run": str(path.parent), "kind": kind, "state": "damaged", "when": when}
        with suppress(ChymistError, OSError, msgspec.MsgspecError):
            row |= ROWS.get(kind, _study_row)(path)
        rows.append(row)
    return rows


def kept_folders(folders: Iterable[Path], text: str) -> list[Path]:
    """Folders of runs that a filter keeps; all if there is none.

    Raises:
        UsageError: a filter that is not understood.
    """
    terms, there = parse_filter(text), list(folders)
    if not terms:
        return there
    rows = {folder: read_row(folder) for folder in there if kind_of(files_in(folder))}
    check_filter(terms, rows.values())
    return [folder for folder, row in rows.items() if keeps(terms)(row)]


def _run_row(path: Path) -> dict[str, Any]:
    """What the list says of a run."""
    folder = path.parent
    saved = open_folder(folder)
    return {
        "state": status_of(folder).state,
        "data": saved.schema.name,
        "model": saved.recipe.model.name,
        "score": saved.result.get("score"),
        "seconds": saved.result.get("facts", {}).get("seconds"),
        "seed": saved.environment.get("seed"),
    }


def _study_row(path: Path) -> dict[str, Any]:
    """What the list says of a cross-validation, comparison or search."""
    study = msgspec.json.decode(read_file(path), type=Study)
    models = [study.facts.model] if study.facts.model else [row.name for row in study.rows]
    score = None if study.score is None else msgspec.to_builtins(study.score)
    return {
        "state": state_of(path.parent),
        "data": study.data.name,
        "model": ", ".join(name for name in models if name) or study.best.model.name,
        "score": score,
        "seconds": study.facts.seconds or study.seconds,
        "verdict": study.verdict,
    }


def _log_row(path: Path) -> dict[str, Any]:
    """What the list says of an imported log."""
    log = read_imported(path.parent)
    points = sum(map(len, log.series.values()))
    said = f"{points:,} points of {len(log.series):,} series"
    return {"state": "finished", "data": log.name, "model": "", "score": None, "seconds": None,
            "verdict": f"{STATEMENT}; {said}"}  # fmt: skip


ROWS = {"fit": _run_row, "import": _log_row}


def save_run(run: Run, folder: Path) -> Run:
    """Copy a run folder to a place that stays, with its report.

    Raises:
        InputError: the place is taken or not writable.
    """
    with whole_folder(folder) as draft:
        shutil.copytree(run.path, draft, dirs_exist_ok=True)
    saved = replace(run, path=folder)
    write_report(saved)
    return saved


Run.views["save"] = save_run
