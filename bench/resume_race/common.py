"""What every contestant shares: rows, network, the diary of steps, the fingerprint of the end.

All train the same small network on the same rows with the same plan; only the library that drives
the loop differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

ROWS, BATCH, EPOCHS, EVERY, RATE, SEED = 1600, 32, 6, 10, 1e-2, 7
PER_EPOCH = ROWS // BATCH
TOTAL = PER_EPOCH * EPOCHS
PAUSE = 0.001  # seconds of sleep in a step, so that a kill can be aimed at it
DROPOUT = float(os.environ.get("RACE_DROPOUT", "0.2"))  # 0 shows what dropout's noise costs


def rows() -> tuple[Tensor, Tensor]:
    """Handwritten digits: (1600, 64) in [0, 1] and (1600,) labels; no row is there twice."""
    digits = load_digits()
    inputs = torch.tensor(digits.data[:ROWS] / 16, dtype=torch.float32)
    return inputs, torch.tensor(digits.target[:ROWS], dtype=torch.int64)


class Net(nn.Module):
    """A network with a memory (batch statistics) and with noise (dropout).

    It keeps the rows of its last training step, so that the diary says what was trained on, not
    what a sampler meant to give.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(DROPOUT),
            nn.Linear(128, 10),
        )  # fmt: skip
        self.seen = torch.empty(0)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.seen = inputs.detach()
        return self.layers(inputs)


class Diary:
    """Writes a line for every step that was taken: its number, its loss, the rows it saw."""

    def __init__(self, folder: Path) -> None:
        inputs, _ = rows()
        self.number = {row.numpy().tobytes(): index for index, row in enumerate(inputs)}
        mode = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self.file = os.open(folder / "steps.log", mode)

    def committed(self, step: int, loss: float, net: Net) -> None:
        """Note a step; called after the optimiser's step and before a checkpoint may be written."""
        seen = [str(self.number[row.numpy().tobytes()]) for row in net.seen]
        # One write call, so that a kill leaves the whole line or none of it.
        os.write(self.file, f"{step} {float(loss).hex()} {','.join(seen)}\n".encode())
        time.sleep(PAUSE)


def finish(folder: Path, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Leave the fingerprint of the final weights and of the optimiser's state."""
    weights = net.state_dict()
    moments = optimizer.state_dict()["state"]
    found = {
        "weights": fingerprint(weights.items()),
        "optimizer": fingerprint(
            (f"{index}.{name}", value)
            for index, entries in moments.items()
            for name, value in entries.items()
        ),
    }
    draft = folder / "final.tmp"
    draft.write_text(json.dumps(found))
    draft.rename(folder / "final.json")


def fingerprint(named: Iterable[tuple[str, Any]]) -> str:
    """SHA-256 over names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, value in sorted(named):
        tensor = torch.as_tensor(value).detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
