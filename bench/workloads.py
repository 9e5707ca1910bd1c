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
        shows: "speed", "start" (seconds from the start of the process), "memory" (peak) or
            "population" (seconds for many trainings, see `bench.populations`).
        long: left out unless `--long` is given.
        brief: whether it is part of `--quick`.
        folds: of a population: folds of its rows; 0 if all train on the training rows.
        seeds, rates: of a population without folds: so many seeds at each of these rates.
        standard: of a population: whether inputs are standardised by the rows trained on.
        partly: peers that are so slow that they train every tenth member, times ten.
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
    folds: int = 0
    seeds: int = 1
    rates: tuple[float, ...] = (1e-3,)
    standard: bool = True
    partly: tuple[str, ...] = ()

    @property
    def members(self) -> int:
        """Number of trainings."""
        return self.folds or self.seeds * len(self.rates)

    def quick(self) -> Workload:
        """The same in short, for a first look: a quarter of the rows, one thread."""
        if self.shows == "population":
            return replace(self, settings=self.settings[:1])
        if self.shows != "speed":
            return replace(self, peers=("chymist", "expert", "lightning"))
        settings = tuple(setting for setting in self.settings if setting[0] == 1)
        rows, valid = self.rows // 4, self.valid // 4
        return replace(
            self, rows=rows, valid=valid, settings=settings, tolerance=4 * self.tolerance
        )

    def full(self) -> Workload:
        """The same under every setting."""
        if self.shows == "population":
            return replace(self, settings=PLAIN)
        return replace(self, settings=EVERY) if self.shows == "speed" else self


_MLP = Workload(
    "MNIST, 784-128-10 (ReLU), 3 epochs, batch 64", "images", "mlp", 20_000, 5_000, 3, 64,
    PERCEPTRONS,
)  # fmt: skip
_CNN = Workload(
    "MNIST, the Keras tutorial's CNN, batch 32", "images", "cnn", 2_560, 1_024, 2, 32, NETWORKS,
    tolerance=0.03, settings=((1, "default"), (1, "tuned")), brief=False,
)  # fmt: skip
_CV = Workload(
    "10-fold cross-validation of digits as 64 numbers, 64-128-10 (ReLU), 10 epochs, batch 64",
    "digits", "digits", 1797, 0, 10, 64, ("chymist", "expert", "tutorial", "skorch", "jax"),
    shows="population", folds=10,
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
    "cv10": _CV,
    "cv100": replace(
        _CV, title=_CV.title.replace("10-fold", "100-fold"), folds=100,
        partly=("tutorial", "skorch"), brief=False,
    ),
    "cv10-dropout": replace(
        _CV, title=f"{_CV.title}, dropout 0.2", net="digits-dropout",
        peers=("chymist", "expert", "tutorial"), settings=ALONE, brief=False,
    ),
    "cv10-batchnorm": replace(
        _CV, title=f"{_CV.title}, batch normalisation", net="digits-batchnorm",
        peers=("chymist", "expert", "tutorial"), settings=ALONE, brief=False,
    ),
    "sweep": Workload(
        "64 learning rates x 3 seeds on breast cancer, 30-32-2 (ReLU), 20 epochs, batch 32",
        "cancer", "cancer", 455, 114, 20, 32, ("chymist", "expert", "tutorial"),
        shows="population", seeds=3, rates=tuple(np.geomspace(1e-4, 1e-1, 64).tolist()),
        partly=("tutorial",), settings=ALONE, brief=False,
    ),
    "seeds": Workload(
        "10 seeds of MNIST, 784-128-10 (ReLU), 3 epochs, batch 128", "images", "mlp", 20_000, 5_000,
        3, 128, ("chymist", "expert"), shows="population", seeds=10, standard=False, brief=False,
    ),
    "cnn-folds": Workload(
        "5-fold cross-validation of digit images, chymist's default CNN, 4 epochs, batch 64",
        "digit-images", "cnn-of-chymist", 1797, 0, 4, 64, ("chymist", "chymist-loop"),
        shows="population", folds=5, settings=ALONE, brief=False,
    ),
}  # fmt: skip


def rows_of(workload: Workload) -> Rows:
    """The rows of a workload: x, y for training, xv, yv for validation (none where folds are cut).

    "images" are float32 (rows, 28, 28) in [0, 1], "pixels" the same as uint8; "adult" is
    standardised and one-hot float32 (rows, 104); "characters" are codes as float32 (rows, 32),
    because chymist takes numbers: the network turns them back into integers, for every peer alike.

    Raises:
        FileNotFoundError, chymist.InputError: the data set is not on this machine.
    """
    readers = {
        "adult": _adult, "characters": _characters, "digits": _digits, "digit-images": _digits,
        "cancer": _cancer,
    }  # fmt: skip
    x, y, xv, yv = readers.get(workload.data, _images)()
    if workload.data == "digit-images":
        x, xv = (rows.reshape(-1, 8, 8) for rows in (x, xv))
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


def _digits() -> tuple[np.ndarray, ...]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x.astype(np.float32), y, x[:0].astype(np.float32), y[:0]


def _cancer() -> tuple[np.ndarray, ...]:
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    x, y = load_breast_cancer(return_X_y=True)
    x, xv, y, yv = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    return x.astype(np.float32), y, xv.astype(np.float32), yv


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
