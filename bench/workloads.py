"""What is measured: the workloads, and the rows they are measured on."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

Rows = dict[str, np.ndarray]
Setting = tuple[int, str]  # threads; "default" or "tuned" malloc
PLAIN: tuple[Setting, ...] = ((1, "default"), (2, "default"))
ALONE: tuple[Setting, ...] = ((1, "default"),)
EVERY: tuple[Setting, ...] = ((1, "default"), (1, "tuned"), (2, "default"), (2, "tuned"))

HIGH_LEVEL = ("skorch", "lightning", "keras-torch", "fastai")  # on torch, with a loop of their own
NETWORKS = ("chymist", "expert", "tutorial", *HIGH_LEVEL, "keras-jax")
PERCEPTRONS = (*NETWORKS, "scikit-learn")


@dataclass(frozen=True)
class Workload:
    """One thing that every peer does.

    Args:
        title: for the heading of its table.
        data: which rows, see `rows_of`.
        net: the network, see `bench.nets`.
        rows, valid: training rows, and rows that are evaluated after every epoch.
        epochs, batch: length and rows per step.
        peers: who takes part.
        tolerance: how far an accuracy may be from the median of all to count as the same work.
        settings: threads and malloc settings that are measured.
        shows: "speed", "start" (seconds from the start of the process) or "memory" (peak).
        long: left out unless `--long` is given.
        brief: whether it is part of `--quick`.
    """

    title: str
    data: str
    net: str
    rows: int
    valid: int
    epochs: int
    batch: int
    peers: tuple[str, ...]
    tolerance: float = 0.01
    settings: tuple[Setting, ...] = PLAIN
    shows: str = "speed"
    long: bool = False
    brief: bool = True

    def quick(self) -> Workload:
        """The same in short, for a first look: a quarter of the rows, one thread."""
        if self.shows != "speed":
            return replace(self, peers=("chymist", "expert", "lightning"))
        settings = tuple(setting for setting in self.settings if setting[0] == 1)
        rows, valid = self.rows // 4, self.valid // 4
        return replace(
            self, rows=rows, valid=valid, settings=settings, tolerance=4 * self.tolerance
        )

    def full(self) -> Workload:
        """The same under every setting."""
        return replace(self, settings=EVERY) if self.shows == "speed" else self


_MLP = Workload(
    "MNIST, 784-128-10 (ReLU), 3 epochs, batch 64", "images", "mlp", 20_000, 5_000, 3, 64,
    PERCEPTRONS,
)  # fmt: skip
_CNN = Workload(
    "MNIST, the Keras tutorial's CNN, batch 32", "images", "cnn", 2_560, 1_024, 2, 32, NETWORKS,
    tolerance=0.03, settings=((1, "default"), (1, "tuned")), brief=False,
)  # fmt: skip
WORKLOADS = {
    "mlp": _MLP,
    "mlp-long": replace(
        _MLP, title="MNIST, 784-128-10 (ReLU), 20 epochs, batch 64", epochs=20, long=True,
        peers=("chymist", "expert", "skorch", "fastai", "keras-jax", "scikit-learn"),
        settings=ALONE,
    ),
    "mlp-full": replace(
        _MLP, title="MNIST, all 55,000 training rows, 784-128-10 (ReLU), 3 epochs, batch 64",
        rows=55_000, peers=("chymist", "expert", "skorch", "scikit-learn"), brief=False,
    ),
    "cnn-32": _CNN,
    "cnn-128": replace(
        _CNN, title="MNIST, the Keras tutorial's CNN, batch 128", batch=128, settings=EVERY,
        brief=True,
    ),
    "adult": Workload(
        "adult, 104-128-64-2 (ReLU), 5 epochs, batch 128", "adult", "adult", 27_561, 5_000, 5, 128,
        PERCEPTRONS, settings=ALONE,
    ),
    "lstm": Workload(
        "tiny Shakespeare, next character after 32 by a user's LSTM module, 2 epochs, batch 64",
        "characters", "lstm", 12_800, 2_048, 2, 64, NETWORKS, tolerance=0.03,
        settings=ALONE,
    ),
    "first-step": Workload(
        "Seconds from the start of the process to the end of one training step of the MNIST MLP",
        "images", "mlp", 64, 64, 1, 64, PERCEPTRONS, tolerance=1.0, settings=((2, "default"),),
        shows="start",
    ),
    "memory": Workload(
        "Peak memory of a process that trains the MNIST MLP for one epoch", "pixels", "mlp",
        55_000, 5_000, 1, 64, ("chymist", "expert", "lightning", "keras-torch"),
        settings=((2, "default"),), shows="memory",
    ),
}  # fmt: skip


def rows_of(workload: Workload) -> Rows:
    """The rows of a workload: x, y for training, xv, yv for validation.

    "images" are float32 (rows, 28, 28) in [0, 1], "pixels" the same as uint8; "adult" is
    standardised and one-hot float32 (rows, 104); "characters" are codes as float32 (rows, 32),
    because chymist takes numbers: the network turns them back into integers, for every peer alike.

    Raises:
        FileNotFoundError, chymist.InputError: the data set is not on this machine.
    """
    made = {"adult": _adult, "characters": _characters}.get(workload.data, _images)()
    x, y, xv, yv = made
    rows = {"x": x[: workload.rows], "y": y[: workload.rows]}
    rows |= {"xv": xv[: workload.valid], "yv": yv[: workload.valid]}
    if workload.data == "images":
        rows["x"], rows["xv"] = (rows[k].astype(np.float32) / 255 for k in ("x", "xv"))
    return rows


def _images() -> tuple[np.ndarray, ...]:
    import chymist as cy

    data = cy.load("mnist")
    images, targets = np.asarray(data.inputs)[:60_000, :, :, 0], data.targets[:60_000]
    return images[:55_000], targets[:55_000], images[55_000:], targets[55_000:]


def _adult() -> tuple[np.ndarray, ...]:
    import chymist as cy
    from chymist.data.preparation import fit_preparation

    split = cy.split(cy.load("adult"), seed=0)
    preparation = fit_preparation(split.data, split.train, {})
    x, xv = (preparation.inputs(split.data.take(rows)) for rows in (split.train, split.valid))
    return x, split.data.targets[split.train], xv, split.data.targets[split.valid]


def _characters(window: int = 32) -> tuple[np.ndarray, ...]:
    """Windows of the text, evenly spaced; those of the last tenth are for validation."""
    text = (Path(os.environ.get("CHYMIST_DATA", ".")) / "tinyshakespeare/input.txt").read_bytes()
    values = np.frombuffer(text, np.uint8)
    codes = np.unique(values, return_inverse=True)[1]
    windows = np.lib.stride_tricks.sliding_window_view(codes, window + 1)
    cut = len(windows) * 9 // 10
    parts = windows[: cut - window : 61], windows[cut::41]
    x, y, xv, yv = (a for part in parts for a in (part[:, :-1].astype(np.float32), part[:, -1]))
    return x, y.astype(np.int64), xv, yv.astype(np.int64)
