"""A full disk: refused before the start, waited out during a run."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import TypeVar

import torch
from torch import nn

from chymist.errors import DiskFull

FULL = (errno.ENOSPC, errno.EDQUOT)
PAUSE_SECONDS = 1.0
SPARE = 2**20  # bytes for the record and the small files of a run

_log = logging.getLogger("chymist")
T = TypeVar("T")


class Patience:
    """Writes, and waits while the disk is full: the run pauses and goes on by itself.

    Args:
        folder: where is written, for the message.
        interrupted: asked while waiting; True ends the wait.
    """

    def __init__(self, folder: Path | None, interrupted: Callable[[], bool] | None = None) -> None:
        self.folder, self.interrupted = folder, interrupted

    def write(self, action: Callable[[], T]) -> T:
        """Do what `action` does; if the disk is full, try again until there is space.

        Args:
            action: leaves nothing half-written when it fails.

        Raises:
            DiskFull: the wait was interrupted.
            OSError: anything else than a full disk.
        """
        told = False
        while True:
            try:
                return action()
            except OSError as error:
                if error.errno not in FULL:
                    raise
            if not told:
                _log.warning("the disk is full: paused until there is space in %s", self.folder)
                told = True
            if self.interrupted is not None and self.interrupted():
                raise DiskFull(
                    "the disk is full", where=str(self.folder), received="no space left",
                    do="free some space, then resume the run",
                )  # fmt: skip
            sleep(PAUSE_SECONDS)


def check_space(folder: Path, model: nn.Module) -> None:
    """Refuse a run whose checkpoints cannot fit, before anything is made.

    Args:
        folder: where the run folder will be.
        model: the model; weights, two moments and the best weights are kept, twice at a time.

    Raises:
        DiskFull: with what is needed and what is there.
    """
    weights: list[torch.Tensor] = [*model.parameters(), *model.buffers()]
    needed = 9 * sum(t.numel() * t.element_size() for t in weights) + SPARE
    near = folder.absolute()
    while not near.exists():
        near = near.parent
    free = shutil.disk_usage(near).free
    if free < needed:
        raise DiskFull(
            "the run would not fit on the disk", where=str(folder),
            received=f"{free / 1e6:,.1f} MB free, about {needed / 1e6:,.1f} MB needed",
            do="free some space, or choose another --out",
        )  # fmt: skip
