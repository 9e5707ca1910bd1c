"""Checkpoints: where a run stands, on disk, as tensors and plain values.

A checkpoint is a folder `step-00001200` with `model.safetensors`, `optimizer.safetensors`,
`best.safetensors` (with early stopping), `state.json` and, written last, `MANIFEST.json` with the
size and SHA-256 of every file. It is written beside its place, flushed, read back, and appears by
rename; older ones are removed only then. Nothing in it can name or run code.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from chymist.engine.files import flush_folder, write_file
from chymist.engine.loop import State
from chymist.errors import InputError

KEEP = 2
FORMAT = 1


def save_checkpoint(folder: Path, state: State) -> Path | None:
    """Write a checkpoint, verify it, and only then remove older ones.

    Args:
        folder: the folder of all checkpoints of the run.
        state: where the run stands.

    Returns:
        The folder of the checkpoint; None if a weight is not finite, in which case nothing is
        written and the last healthy checkpoint stays.

    Raises:
        OSError: the disk is full or not writable.
    """
    weights = dict(state.model.state_dict())
    if not all(bool(torch.isfinite(t).all()) for t in weights.values()):
        return None
    final = folder / f"step-{state.step:08d}"
    if final.exists():
        return final
    draft = folder / f".tmp-step-{state.step:08d}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        moments, plain = _optimizer_to_files(state.optimizer)
        write_file(draft / "model.safetensors", tensors_to_bytes(weights))
        write_file(draft / "optimizer.safetensors", tensors_to_bytes(moments))
        if state.best is not None:
            write_file(draft / "best.safetensors", tensors_to_bytes(state.best))
        write_file(draft / "random.safetensors", tensors_to_bytes({"torch": torch.get_rng_state()}))
        write_file(draft / "state.json", msgspec.json.encode(_counters(state) | plain))
        manifest = {
            "format": FORMAT,
            "files": {p.name: _digest(p) for p in sorted(draft.iterdir())},
        }
        write_file(draft / "MANIFEST.json", msgspec.json.encode(manifest))
        flush_folder(draft)
        verify(draft)
        draft.rename(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # gone already if the rename was reached
    flush_folder(folder)
    for old in list_checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def load_checkpoint(path: Path, state: State) -> None:
    """Put a state where a checkpoint stood.

    Args:
        path: folder of the checkpoint.
        state: a freshly built state of the same recipe; changed in place.

    Raises:
        InputError: a file is missing or damaged, or shapes differ.
    """
    verify(path)
    plain = msgspec.json.decode((path / "state.json").read_bytes())
    weights = load_file(path / "model.safetensors")
    expected = {name: t.shape for name, t in state.model.state_dict().items()}
    if {name: t.shape for name, t in weights.items()} != expected:
        raise InputError(
            "checkpoint does not fit the model",
            where=str(path),
            do="resume with the recipe and data that the run was started with",
        )
    state.model.load_state_dict(weights)
    moments = load_file(path / "optimizer.safetensors")
    state.optimizer.load_state_dict(_optimizer_from_files(state.optimizer, moments, plain))
    best = path / "best.safetensors"
    state.best = load_file(best) if best.exists() else None
    torch.set_rng_state(load_file(path / "random.safetensors")["torch"])
    for name, value in plain["counters"].items():
        setattr(state, name, value)


def list_checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints of a run, oldest first."""
    return sorted(p for p in folder.glob("step-*") if (p / "MANIFEST.json").exists())


def newest_checkpoint(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that verifies, and one line for each newer one that does not."""
    problems: list[str] = []
    for path in reversed(list_checkpoints(folder)):
        try:
            verify(path)
            return path, problems
        except InputError as error:
            problems.append(error.line())
    return None, problems


def verify(path: Path) -> None:
    """Check a checkpoint against its manifest.

    Raises:
        InputError: a file is missing, or its size or content differs.
    """
    try:
        manifest = msgspec.json.decode((path / "MANIFEST.json").read_bytes())
        files: Mapping[str, Any] = manifest["files"]
        for name, digest in files.items():
            if _digest(path / name) != digest:
                raise InputError(
                    "checkpoint is damaged",
                    where=f"{path.name}/{name}",
                    do="an older checkpoint is used if there is one",
                )
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "checkpoint is damaged",
            where=path.name,
            received=type(error).__name__,
            do="an older checkpoint is used if there is one",
        ) from None


def _counters(state: State) -> dict[str, Any]:
    names = ("step", "loss_sum", "loss_rows", "best_value", "best_step", "stopped", "rate")
    return {"counters": {name: getattr(state, name) for name in names}}


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
    return tensors, {"optimizer": plain}


def _optimizer_from_files(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]
) -> dict[str, Any]:
    """The optimiser's own state dict with its per-parameter state replaced."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**plain["optimizer"], **tensors}.items():
        index, _, name = key.partition(".")
        like = parameters[int(index)]
        if isinstance(value, Tensor) and value.shape == like.shape:
            value = torch.empty_like(like).copy_(value)  # fused steps need equal memory layouts
        state.setdefault(int(index), {})[name] = value
    return {**optimizer.state_dict(), "state": state}


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors in the safetensors format; tied ones are written once for each name."""
    return save({name: t.detach().clone().contiguous() for name, t in tensors.items()})


def _digest(path: Path) -> list[Any]:
    content = path.read_bytes()
    return [len(content), hashlib.sha256(content).hexdigest()]
