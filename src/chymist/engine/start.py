"""A warm start: the weights of another run, by name and shape."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from chymist.data.cells import short
from chymist.data.preparation import Preparation
from chymist.engine.files import read_file
from chymist.engine.folder import Saved, open_folder
from chymist.errors import InputError, UsageError
from chymist.parts import Part
from chymist.values import Split

WEIGHTS = "model.safetensors"


def pinned(init: Part) -> Part:
    """The part with the hash of the weights, so that the recipe says which ones they were.

    Raises:
        InputError: the run has no weights.
        UsageError: no run is given.
    """
    if init.name != "from_run" or init.options.get("sha256"):
        return init
    folder = Path(_path(init)).absolute()
    return init.replace(path=str(folder), sha256=_digest(_content(folder)))


def warm_start(model: nn.Module, init: Part, split: Split, preparation: Preparation) -> None:
    """Give the model the weights of the run.

    Args:
        model: changed in place.
        init: `from_run` with its path and hash.
        split: the rows of the new run.
        preparation: what makes features of them.

    Raises:
        InputError: the weights are missing, were changed, or do not fit the model or the
            columns and classes; or the run has learned from rows on which the new one
            is scored.
    """
    folder = Path(_path(init))
    content = _content(folder)
    told = init.options.get("sha256", "")
    if told and _digest(content) != told:
        raise InputError("the weights have changed since the recipe was written",
                         where=str(folder / WEIGHTS), received=_digest(content)[:12],
                         do=f"bring back {told[:12]}, or leave init.sha256 out")  # fmt: skip
    saved = open_folder(folder)
    _check_rows(saved, split)
    try:
        weights = load(content)
    except SafetensorError as error:
        raise InputError("the saved weights do not load", where=str(folder / WEIGHTS),
                         received=str(error).splitlines()[0][:80]) from None  # fmt: skip
    mine = model.state_dict()
    for name in sorted({*mine, *weights}):
        here, there = mine.get(name), weights.get(name)
        if here is None or there is None or here.shape != there.shape:
            told = " and ".join("absent" if w is None else str(tuple(w.shape))
                                for w in (here, there))  # fmt: skip
            raise InputError("the weights of the run do not fit the model", where=name,
                             received=f"shapes {told}",
                             do="fit the same model on columns of the same kind")  # fmt: skip
    _check_names(saved, split, preparation)
    model.load_state_dict(weights)


def _path(init: Part) -> str:
    path = str(init.options.get("path", ""))
    if not path:
        raise UsageError("no run to start from", where="init.path",
                         do="give a run folder: --init from_run --init.path RUN")  # fmt: skip
    return path


def _content(folder: Path) -> bytes:
    try:
        return read_file(folder / WEIGHTS)
    except OSError:
        raise InputError("no weights of a finished run", where=str(folder),
                         received=f"no {WEIGHTS}",
                         do="give the folder of a finished run") from None  # fmt: skip


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_rows(saved: Saved, split: Split) -> None:
    """Refuse a start that has seen the rows on which the run is scored.

    Raises:
        InputError: it has.
    """
    if saved.schema.fingerprint != split.data.fingerprint:
        return
    seen = np.intersect1d(saved.split["train"], np.concatenate([split.valid, split.test]))
    if len(seen):
        raise InputError("the run to start from has learned from rows that are to be scored",
                         where=str(saved.path), received=f"{len(seen):,} rows",
                         do="fit with the same split, or start from other data")  # fmt: skip


def _check_names(saved: Saved, split: Split, preparation: Preparation) -> None:
    """Refuse weights of other columns or classes, or of the same ones in another order.

    Names of an array's columns say as little as those of a table beside it.

    Raises:
        InputError: they are.
    """
    named = saved.preparation.kind == preparation.kind
    there = saved.preparation.feature_names, saved.schema.classes
    here = preparation.feature_names, split.data.classes
    for what, theirs, ours in zip(("columns", "classes"), there, here, strict=True):
        if tuple(theirs) == tuple(ours) or (what == "columns" and not named):
            continue
        at = next(n for n, pair in enumerate(zip(theirs, ours, strict=True)) if pair[0] != pair[1])
        order = " in another order" if sorted(theirs) == sorted(ours) else ""
        raise InputError(f"the run to start from has other {what}{order}", where=str(saved.path),
                         received=f"{short(theirs[at])} where {short(ours[at])} is now",
                         do="bring them into the order of the run, or start afresh")  # fmt: skip
