"""Where the loop gets its rows: from memory, or prepared batch by batch as they are needed.

The order of the rows is decided by the loop. Whoever prepares them, in however many processes and
however far ahead, gives the same batches in the same order.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import wait
from time import monotonic
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from chymist.engine.workers import obey
from chymist.errors import ChymistError, InputError, WorkerLost

Batch = tuple[Tensor, Tensor]
Prepare = Callable[[np.ndarray], np.ndarray]

EVALUATION_BATCH = 1024  # rows per forward pass outside training; bounds memory, not results
AHEAD = 2  # batches that each worker has under way
PATIENCE = 60.0  # seconds for one batch, after which a worker counts as stuck
LOOK = 2.0  # seconds after which the workers are looked at
LOST_IN_A_ROW = 3  # workers lost without a batch in between before the run gives up

_log = logging.getLogger("chymist")


class Rows(Protocol):
    """Prepared rows, in whatever place."""

    @property
    def targets(self) -> Tensor:
        """Targets of all rows, on the device of the model."""

    def __len__(self) -> int:
        """Number of rows."""

    def batches(self, indices: Sequence[Tensor]) -> Iterator[Batch]:
        """Inputs and targets of each list of row numbers, in order."""

    def take(self, index: Tensor) -> Tensor:
        """Inputs of some rows."""


@dataclass(frozen=True, eq=False)
class InMemory:
    """Rows in memory, on the device of the model.

    Args:
        inputs: (rows, ...).
        targets: (rows,) or (rows, outputs).
        among: where each row stands in `inputs`, or None if they are the same.
        finish: what is still to be done with the inputs of a batch, or None.
    """

    inputs: Tensor
    targets: Tensor
    among: Tensor | None = None
    finish: Callable[[Tensor], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self, indices: Iterable[Tensor]) -> Iterator[Batch]:
        """Inputs and targets of each list of row numbers, in order."""
        for index in indices:
            index = index.to(self.targets.device)
            yield self.take(index), self.targets.index_select(0, index)

    def take(self, index: Tensor) -> Tensor:
        """Inputs of some rows."""
        index = index.to(self.inputs.device)
        if self.among is not None:
            index = self.among.index_select(0, index)
        inputs = self.inputs.index_select(0, index)
        return self.finish(inputs) if self.finish else inputs


@dataclass(frozen=True, eq=False)
class Shared:
    """What a member of a population reads where all members read the same batches of all rows.

    Args:
        rows: all rows, prepared as this member prepares them.
        weights: how much each counts in its loss, (rows,); 0 for those that are not its own.
        seed: of the order, which the members have in common.
    """

    rows: InMemory
    weights: Tensor
    seed: int


@dataclass(frozen=True)
class Pixels:
    """Raw images to inputs of a model, as `chymist.data.pixels` does it, to the bit.

    Images that are held as bytes take a quarter of the memory, and are gathered faster.

    Args:
        shift, scale: value -> (value - shift) / scale in float32.
        dtype: of the result.
    """

    shift: float
    scale: float
    dtype: torch.dtype

    def __call__(self, images: Tensor) -> Tensor:
        """(rows, height, width, channels) -> (rows, channels, height, width)."""
        numbers = images.permute(0, 3, 1, 2).contiguous().to(torch.float32)
        if self.shift:  # a plain number would do, but a GPU divides by one as it multiplies by its
            numbers = numbers - numbers.new_tensor(self.shift)  # inverse, which has other bits
        if self.scale != 1:
            numbers = numbers / numbers.new_tensor(self.scale)
        return numbers.to(self.dtype)


@dataclass(frozen=True, eq=False)
class Streamed:
    """Rows that are read and prepared when a batch needs them.

    Args:
        prepare: row numbers -> prepared inputs, float32; called in the workers.
        targets: of all rows, on the device of the model.
        dtype: of the inputs that the model gets.
        workers: processes that prepare batches ahead; 0 prepares them in this one.
    """

    prepare: Prepare
    targets: Tensor
    dtype: torch.dtype
    workers: int

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self, indices: Sequence[Tensor]) -> Iterator[Batch]:
        """Inputs and targets of each list of row numbers, in order.

        Raises:
            WorkerLost: workers died, or one did not answer.
        """
        numbers = [index.numpy() for index in indices]
        arrays = prepared_ahead(self.prepare, numbers, self.workers) if self.workers else (
            self.prepare(index) for index in numbers)  # fmt: skip
        for index, array in zip(indices, arrays, strict=True):
            yield self._tensor(array), self.targets.index_select(0, index.to(self.targets.device))

    def take(self, index: Tensor) -> Tensor:
        """Inputs of some rows."""
        return self._tensor(self.prepare(index.numpy()))

    def _tensor(self, array: np.ndarray) -> Tensor:
        tensor = as_inputs(array, self.dtype)
        device = self.targets.device
        if device.type == "cuda":
            return tensor.pin_memory().to(device, non_blocking=True)
        return tensor


@dataclass(frozen=True, eq=False)
class Flat:
    """Rows as a matrix (rows, features) whose rows are read when they are asked for.

    Args:
        rows: the rows.
        features: numbers per row.
    """

    rows: Rows
    features: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, features)."""
        return len(self.rows), self.features

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        index = torch.from_numpy(np.arange(len(self))[rows])
        found: np.ndarray = self.rows.take(index).flatten(1).cpu().numpy()
        return found


def as_inputs(prepared: np.ndarray, dtype: torch.dtype) -> Tensor:
    """Prepared rows as a tensor; numbers of tokens and nodes stay whole.

    Args:
        prepared: (rows, ...).
        dtype: of measured numbers.
    """
    tensor = torch.from_numpy(prepared)
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def in_turn(rows: Rows, batch_size: int = EVALUATION_BATCH) -> Iterator[Tensor]:
    """Inputs of all rows from the first to the last, in batches; no rows give an empty one."""
    for inputs, _ in rows.batches(torch.arange(len(rows)).split(batch_size)):
        yield inputs


def prepared_ahead(
    prepare: Prepare, indices: Sequence[np.ndarray], workers: int
) -> Iterator[np.ndarray]:
    """Batches prepared by worker processes, ahead of their use, in order.

    A worker that dies is replaced and its batches are prepared again: which process prepares a
    batch changes nothing in it.

    Args:
        prepare: row numbers -> prepared inputs; must depend on nothing else.
        indices: row numbers of each batch.
        workers: number of processes.

    Yields:
        The prepared inputs of each batch.

    Raises:
        WorkerLost: workers die again and again, or one does not answer for a minute.
    """
    lost, done = 0, 0
    while done < len(indices):
        pool = _pool(prepare, workers)
        try:
            for array in _from_pool(pool, indices[done:], workers * AHEAD):
                yield array
                done, lost = done + 1, 0
        except BrokenProcessPool:
            lost += 1
            _log.warning("a loader worker died at batch %d; its work is done again", done + 1)
            if lost >= LOST_IN_A_ROW:
                raise WorkerLost(
                    "loader workers die again and again", where=_named(indices[done]),
                    received=f"{lost} lost in a row",
                    do="look at these rows, free memory, or give --workers 0",
                ) from None  # fmt: skip
        except TimeoutError:
            raise WorkerLost(
                "a loader worker does not answer", where=_named(indices[done]),
                received=f"{PATIENCE:.0f} s without a batch",
                do="look at these rows, or give --workers 0",
            ) from None  # fmt: skip
        finally:
            _end(pool)


def _from_pool(
    pool: ProcessPoolExecutor, indices: Sequence[np.ndarray], ahead: int
) -> Iterator[np.ndarray]:
    """The results of a pool in order, a few of them under way at any time."""
    under_way: deque[Future[Any]] = deque()
    for index in indices:
        under_way.append(pool.submit(_work, index))
        if len(under_way) >= ahead:
            yield _result(pool, under_way.popleft())
    while under_way:
        yield _result(pool, under_way.popleft())


def _result(pool: ProcessPoolExecutor, future: Future[Any]) -> np.ndarray:
    """A batch, or the worker's error as it would have been raised here.

    The pool itself does not notice a worker that dies in the middle of its answer.
    """
    end = monotonic() + PATIENCE
    while True:
        try:
            found = future.result(timeout=min(LOOK, PATIENCE))
            break
        except TimeoutError:
            if monotonic() > end:
                raise
            if wait([process.sentinel for process in (pool._processes or {}).values()], 0):
                raise BrokenProcessPool from None
    if isinstance(found, dict):
        raise InputError(**found)
    array: np.ndarray = found
    return array


def _pool(prepare: Prepare, workers: int) -> ProcessPoolExecutor:
    """Worker processes that inherit what they read from, rather than being sent it."""
    method = "fork" if "fork" in get_all_start_methods() else None
    return ProcessPoolExecutor(
        workers, get_context(method), initializer=_begin, initargs=(prepare, os.getpid())
    )


def _end(pool: ProcessPoolExecutor) -> None:
    """Stop a pool at once, stuck workers included."""
    for process in list((pool._processes or {}).values()):
        process.kill()  # first: a pool that is broken waits for them
    pool.shutdown(wait=False, cancel_futures=True)


def _named(index: np.ndarray) -> str:
    return f"training rows {', '.join(str(int(i)) for i in index[:5])}, ..."


_prepare: Prepare  # of a worker process; set once, when it starts


def _begin(prepare: Prepare, trainer: int) -> None:
    """Start a worker: it leaves Ctrl-C to the trainer, and ends when the trainer has ended."""
    global _prepare
    _prepare = prepare
    obey(trainer)


def _work(index: np.ndarray) -> np.ndarray | dict[str, str]:
    """Prepare one batch; an error of the data travels as plain values."""
    try:
        return _prepare(index)
    except ChymistError as error:
        return error.to_dict()
