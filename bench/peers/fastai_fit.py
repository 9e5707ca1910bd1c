"""fastai: a `Learner` with torch's Adam, so that the optimiser is that of all."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.metrics import accuracy
from fastai.optimizer import OptimWrapper
from torch.utils.data import TensorDataset

from bench.nets import BATCH, build, scores, shaped
from bench.task import RATE, Task


class Tick(Callback):
    """Tells the clock, after the recorder."""

    order = 100

    def __init__(self, task: Task) -> None:
        self.task = task

    def after_epoch(self) -> None:
        """After training and validation of an epoch."""
        self.task.clock.tick()


def train(task: Task) -> np.ndarray:
    """Validation scores after training."""
    work = task.workload
    torch.manual_seed(task.seed)
    rows = TensorDataset(shaped(task.x, work.net), torch.from_numpy(task.y))
    held = TensorDataset(shaped(task.xv, work.net), torch.from_numpy(task.yv))
    loaders = DataLoaders(
        DataLoader(rows, work.batch, shuffle=True, num_workers=0),
        DataLoader(held, BATCH, num_workers=0),
    )
    learner = Learner(
        loaders, build(work.net), loss_func=torch.nn.CrossEntropyLoss(),
        opt_func=partial(OptimWrapper, opt=torch.optim.Adam), lr=RATE, metrics=accuracy,
        cbs=[Tick(task)],
    )  # fmt: skip
    learner.remove_cb(ProgressCallback)
    with learner.no_logging():
        learner.fit(work.epochs)
    return scores(learner.model, shaped(task.xv, work.net))
