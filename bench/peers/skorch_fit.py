"""skorch: `NeuralNetClassifier.fit` with a fixed validation set."""

from __future__ import annotations

import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from bench.nets import BATCH, build, scores, shaped
from bench.task import RATE, Task


class Tick(Callback):
    """Tells the clock."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def on_epoch_end(self, net: object, **_: object) -> None:
        """After training and validation of an epoch."""
        self.task.clock.tick()


def train(task: Task) -> np.ndarray:
    """Validation scores after training."""
    work = task.workload
    torch.manual_seed(task.seed)
    x, xv = shaped(task.x, work.net), shaped(task.xv, work.net)
    net = NeuralNetClassifier(
        build(work.net), criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=RATE,
        max_epochs=work.epochs, batch_size=work.batch, iterator_train__shuffle=True,
        iterator_valid__batch_size=BATCH, train_split=predefined_split(Dataset(xv, task.yv)),
        callbacks=[Tick(task)], verbose=0,
    )  # fmt: skip
    net.fit(x, task.y)
    return scores(net.module_, xv)
