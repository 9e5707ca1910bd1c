"""Lightning: a module and the default `Trainer`, without logger, checkpoints and progress bar."""

from __future__ import annotations

import logging
import warnings

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bench.nets import build, scores, shaped
from bench.peers.tutorial import loaders
from bench.task import RATE, Task


class Module(L.LightningModule):
    """The network with its steps, as in Lightning's documentation."""

    def __init__(self, net: str) -> None:
        super().__init__()
        self.net = build(net)

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """Loss of a batch."""
        x, y = batch
        loss = cross_entropy(self.net(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Loss and accuracy of a batch."""
        x, y = batch
        outputs = self.net(x)
        self.log("val_loss", cross_entropy(outputs, y))
        self.log("val_acc", (outputs.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=RATE)


class Tick(L.Callback):
    """Tells the clock."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """After training and validation of an epoch."""
        self.task.clock.tick()


def train(task: Task) -> np.ndarray:
    """Validation scores after training."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")  # advice about workers and logging
    torch.manual_seed(task.seed)
    module = Module(task.workload.net)
    trainer = L.Trainer(
        max_epochs=task.workload.epochs, accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[Tick(task)],
    )  # fmt: skip
    trainer.fit(module, *loaders(task))
    return scores(module.net, shaped(task.xv, task.workload.net))
