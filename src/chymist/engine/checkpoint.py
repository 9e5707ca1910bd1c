"""Checkpoints: where a run stands, on disk, as tensors and plain values.

A checkpoint is a folder `step-00001200` with `model.safetensors`, `optimizer.safetensors`,
`best.safetensors` (with early stopping), `state.json` and, written last, `MANIFEST.json` with the
size and SHA-256 of every file. It is written beside its place, flushed, read back, and appears by
rename; older ones are removed only then. A damaged one is never overwritten or counted: it is set
aside. Nothing in it can name or run code.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from chymist.engine.files import flush_folder, write_file
from chymist.engine.loop import State
from chymist.engine.manifest import (
    FORMAT,
    Manifest,
    damaged,
    digest,
    is_passing,
    list_checkpoints,
    verify,
)
from chymist.engine.randomness import random_states, set_random_states
from chymist.errors import Diverged, InputError
from chymist.schedules import Watched

KEEP = 2
MISFIT = "checkpoint-misfit"


def save_checkpoint(folder: Path, state: State) -> Path | None:
    """Write a checkpoint, verify it, and only then remove older ones.

    Args:
        folder: the folder of all checkpoints of the run.
        state: where the run stands.

    Returns:
        The folder of the checkpoint.

    Raises:
        Diverged: a weight is not finite; nothing is written, the last healthy checkpoint stays.
        OSError: the disk is full or not writable; so it does then.
    """
    check_finite(state)
    for draft in folder.glob(".tmp-*"):  # of a save or a removal that was killed
        shutil.rmtree(draft, ignore_errors=True)
    final = folder / f"step-{state.step:08d}"
    if final.exists():
        if damage_of(final) is None:
            return final
        set_aside(final)
    draft = folder / f".tmp-{final.name}"
    draft.mkdir(parents=True)
    try:
        moments, plain = _optimizer_to_files(state.optimizer)
        tensors, streams = random_states()
        write_file(draft / "model.safetensors", tensors_to_bytes(state.model.state_dict()))
        write_file(draft / "optimizer.safetensors", tensors_to_bytes(moments))
        if state.best is not None:
            write_file(draft / "best.safetensors", tensors_to_bytes(state.best))
        write_file(draft / "random.safetensors", tensors_to_bytes(tensors))
        values = Plain(counters_of(state), len(moments), state.scaler.state_dict(), plain, streams)
        write_file(draft / "state.json", msgspec.json.encode(values))
        manifest = Manifest(FORMAT, {p.name: digest(p) for p in sorted(draft.iterdir())})
        write_file(draft / "MANIFEST.json", msgspec.json.encode(manifest))
        flush_folder(draft)
        verify(draft)
        draft.rename(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # gone already if the rename was reached
    flush_folder(folder)
    prune(folder, final)
    return final


def check_finite(state: State) -> None:
    """Refuse weights that a run cannot go on with.

    Raises:
        Diverged: a parameter is not finite.
    """
    for name, value in state.model.named_parameters():
        if not bool(torch.isfinite(value).all()):
            raise Diverged(
                "a weight is not finite",
                where=f"{name} after step {state.step}",
                do="lower the learning rate or clip gradients",
            )


def prune(folder: Path, newest: Path) -> None:
    """Remove what is older than the newest checkpoint, but for the last `KEEP - 1` of them."""
    older = [path for path in list_checkpoints(folder) if path.name < newest.name]
    for path in older[: 1 - KEEP]:
        gone = path.with_name(f".tmp-old-{path.name}")
        path.rename(gone)  # first, so that a kill cannot leave half of one
        shutil.rmtree(gone, ignore_errors=True)


def set_aside(path: Path) -> None:
    """Keep a damaged checkpoint for its owner, under a name that no run reads."""
    number = next(n for n in itertools.count(1) if not _aside(path, n).exists())
    path.rename(_aside(path, number))


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"damaged-{path.name}" + (f"-{number}" if number > 1 else ""))


def load_checkpoint(path: Path, state: State, moments: bool = True) -> None:
    """Put a state where a checkpoint stood; if that fails, the state is left as it was.

    Args:
        path: folder of the checkpoint.
        state: a freshly built state of the same recipe; changed in place.
        moments: whether the optimiser is to remember what it did; if not, it starts anew.

    Raises:
        InputError: a file is missing or damaged, or does not fit the model or the optimiser.
    """
    verify(path)
    try:
        plain = msgspec.json.decode((path / "state.json").read_bytes(), type=Plain)
        names = ("model", "optimizer", "best", "random")
        files = {n: path / f"{n}.safetensors" for n in names}
        weights, memory, best, streams = (load_file(f) if f.exists() else None
                                           for f in files.values())  # fmt: skip
        if weights is None or memory is None or streams is None:
            raise KeyError("safetensors")
        _check_counters(path, plain.counters, best)
        for tensors in (weights, best):
            if tensors is not None:
                _check_fit(path, tensors, state)
        if len(memory) != plain.moments:
            raise ValueError(f"{len(memory)} of {plain.moments} moments of the optimiser")
        optimizer = state.optimizer.state_dict()
        if moments:
            optimizer = _optimizer_from_files(state.optimizer, memory, plain.optimizer)
        set_random_states(streams, plain.random)
    except (OSError, msgspec.DecodeError, SafetensorError, LookupError, TypeError, ValueError,
            RuntimeError, OverflowError) as error:  # fmt: skip
        if isinstance(error, InputError) or _is_of_the_machine(error):
            raise
        raise damaged(path, error) from None
    state.model.load_state_dict(weights)
    state.optimizer.load_state_dict(optimizer)
    state.best = best
    state.scaler.load_state_dict(plain.scaler)
    set_counters(state, plain.counters)


def _check_fit(path: Path, weights: Mapping[str, Tensor], state: State) -> None:
    """Refuse tensors that are not those of the model."""
    loose = getattr(state.model, "carried", ())  # of as many rows as there were
    expected, given = (
        {name: (() if name in loose else t.shape, t.dtype) for name, t in tensors.items()}
        for tensors in (state.model.state_dict(), weights)
    )
    if given != expected:
        raise InputError(
            "checkpoint does not fit the model",
            where=path.name,
            do="resume with the recipe, data and model that the run was started with",
            code=MISFIT,
        )

    for name, _ in state.model.named_parameters():
        if not bool(torch.isfinite(weights[name]).all()):
            raise ValueError(f"{name} is not finite")


def _check_counters(path: Path, counters: Counters, best: Mapping[str, Tensor] | None) -> None:
    """Refuse the state of another step, and a memory of the best step without its weights."""
    if path.name != f"step-{counters.step:08d}":
        raise ValueError(f"the state is that of step {counters.step}")
    if counters.best_step > counters.step or (counters.best_value is None) != (best is None):
        raise ValueError("the best step and its weights disagree")


def load_newest(folder: Path, state: State) -> tuple[Path | None, list[str]]:
    """Load the newest sound checkpoint; damaged newer ones are set aside.

    Args:
        folder: the folder of all checkpoints of the run.
        state: a freshly built state of the same recipe; changed in place.

    Returns:
        The checkpoint, or None if no one is sound; and one line for each that was passed over.

    Raises:
        InputError: there are sound ones, but of another model; all stay as they are.
    """
    failed: dict[Path, InputError] = {}
    found = None
    for path in reversed(list_checkpoints(folder)):
        try:
            load_checkpoint(path, state)
            found = path
            break
        except InputError as error:
            failed[path] = error
    misfit = [failure for failure in failed.values() if failure.code == MISFIT]
    if found is None and misfit:
        raise misfit[0]
    for path in failed:
        set_aside(path)
    return found, [failure.line() for failure in failed.values()]


def _is_of_the_machine(error: Exception) -> bool:
    """Whether a failure says nothing about the checkpoint that was read."""
    return isinstance(error, torch.OutOfMemoryError) or is_passing(error)


def damage_of(path: Path) -> InputError | None:
    """What `verify` says about a checkpoint; None if it is sound."""
    try:
        verify(path)
    except InputError as error:
        return error
    return None


class Counters(msgspec.Struct, forbid_unknown_fields=True):
    """What a state counts and remembers, see `State`."""

    step: Annotated[int, msgspec.Meta(ge=0)]
    loss_sum: float
    loss_rows: Annotated[int, msgspec.Meta(ge=0)]
    best_value: float | None
    best_step: Annotated[int, msgspec.Meta(ge=0)]
    stopped: bool
    rate: float
    skipped: Annotated[int, msgspec.Meta(ge=0)] = 0
    watched: Watched = Watched()


class Plain(msgspec.Struct, forbid_unknown_fields=True):
    """What a checkpoint holds beside tensors: numbers and a few words, nothing that could run.

    Args:
        counters: see there.
        moments: how many tensors the optimiser remembers.
        scaler, optimizer, random: their plain values.
    """

    counters: Counters
    moments: int
    scaler: dict[str, float | int]
    optimizer: dict[str, bool | int | float | str | None]
    random: dict[str, Any]


def counters_of(state: State) -> Counters:
    """What a state counts and remembers."""
    return Counters(**{name: getattr(state, name) for name in Counters.__struct_fields__})


def set_counters(state: State, counters: Counters) -> None:
    """Let a state count and remember what another does."""
    for name, value in msgspec.structs.asdict(counters).items():
        setattr(state, name, value)


def _optimizer_to_files(
    optimizer: torch.optim.Optimizer,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The optimiser's state as tensors by name and the rest as plain values."""
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for index, entries in optimizer.state_dict()["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                plain[f"{index}.{name}"] = value
    return tensors, plain


def _optimizer_from_files(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]
) -> dict[str, Any]:
    """The optimiser's own state dict with its per-parameter state replaced."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    places = {str(index): index for index in range(len(parameters))}
    for key, value in {**plain, **tensors}.items():
        index, _, name = key.partition(".")
        like = parameters[places[index]]
        if isinstance(value, Tensor) and bool(value.isnan().any()):
            raise ValueError(f"{key} is not finite")
        if isinstance(value, Tensor) and value.ndim:
            if (value.shape, value.dtype) != (like.shape, like.dtype):
                raise ValueError(f"{key} of another shape or type")
            value = torch.empty_like(like).copy_(value)  # fused steps need equal memory layouts
        state.setdefault(places[index], {})[name] = value
    kept = {frozenset(entries) for entries in state.values()}
    if len(kept) > 1:  # an optimiser keeps the same about every parameter that it has moved
        raise ValueError("the optimiser's memory is not complete")
    return {**optimizer.state_dict(), "state": state}


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors in the safetensors format; tied ones are written once for each name."""
    return save({n: t.detach().to("cpu", copy=True).contiguous() for n, t in tensors.items()})
