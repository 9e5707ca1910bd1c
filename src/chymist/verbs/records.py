"""Reading runs back: `load_run`, the list of runs, and a copy of a run folder."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from chymist.data import reload
from chymist.engine.checkpoint import list_checkpoints
from chymist.engine.files import read_file
from chymist.engine.folder import Saved, open_folder, whole_folder
from chymist.engine.store import read_series
from chymist.errors import ChymistError, InputError
from chymist.losses import FORMS, Form
from chymist.models import build_model
from chymist.values import Data, Floor, Predictions, Run, Score
from chymist.verbs.reporting import write_report
from chymist.verbs.sources import with_model


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
    predictions = read_predictions(saved.path / "valid.npz")
    predictions = replace(predictions, groups=split.groups_of(predictions.rows))
    floors = tuple(Floor(f["name"], Score.from_dict(f["score"])) for f in result["floors"])
    return Run(
        saved.path, with_model(saved.recipe, model), split, int(saved.environment["seed"]),
        load_model(saved, model)[0], saved.preparation, Score.from_dict(result["score"]), floors,
        result["verdict"], result["metrics"], predictions,
        read_series(saved.path / "records.sqlite"), result["facts"],
    )  # fmt: skip


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


def load_model(saved: Saved, model: Any = None) -> tuple[nn.Module, Form]:
    """The trained module of a run, in evaluation mode, and how its outputs are read.

    Raises:
        InputError: the weights are missing or damaged, or a user's own module is needed.
    """
    recipe = with_model(saved.recipe, model)
    dtype = torch.float64 if recipe.precision == "float64" else torch.float32
    module = build_model(recipe.model, saved.shapes, 0).to(dtype).eval()
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


def list_runs(parent: str | Path = "runs") -> list[dict[str, Any]]:
    """The runs in a folder, newest last, each as name, state, data, model, score and time.

    Args:
        parent: folder that holds run folders.

    Returns:
        One mapping a run; a damaged folder has the state "damaged".
    """
    folders = [p for p in Path(parent).glob("*") if (p / "environment.json").is_file()]
    rows = []
    for folder in sorted(folders, key=lambda p: ((p / "environment.json").stat().st_mtime, p.name)):
        row: dict[str, Any] = {"run": str(folder), "state": "damaged"}
        try:
            saved = open_folder(folder)
        except ChymistError:
            rows.append(row)
            continue
        resumable = "resumable" if list_checkpoints(folder / "checkpoints") else "stopped"
        row |= {
            "state": saved.result.get("status", resumable),
            "data": saved.schema.name,
            "model": saved.recipe.model.name,
            "score": saved.result.get("score"),
            "seconds": saved.result.get("facts", {}).get("seconds"),
            "seed": saved.environment.get("seed"),
        }
        rows.append(row)
    return rows


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
