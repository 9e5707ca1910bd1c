"""Lightning as its documentation recommends for runs that may be interrupted.

`seed_everything(workers=True)`, `deterministic=True`, `ModelCheckpoint(every_n_train_steps,
save_last)`, `fit(ckpt_path="last")`. Loader: the plain `DataLoader`, or torchdata's
`StatefulDataLoader` ("make your dataloader resumable by implementing state_dict", says Lightning's
warning), or that one with a sampler whose order is a function of (seed, epoch) through
`set_epoch`, which Lightning calls by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch
from common import BATCH, EPOCHS, EVERY, RATE, SEED, TOTAL, Diary, Net, finish, rows
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


class Digits(L.LightningModule):
    """The shared network as a Lightning module."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net()

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        inputs, targets = batch
        return cross_entropy(self.net(inputs), targets)

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = torch.optim.Adam(self.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, RATE, total_steps=TOTAL, cycle_momentum=False
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class Writer(L.Callback):
    """Keeps the diary; Lightning calls checkpoint callbacks after all others."""

    def __init__(self, diary: Diary) -> None:
        self.diary = diary

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        self.diary.committed(trainer.global_step, outputs["loss"].item(), module.net)


def loader_for(kind: str, workers: int) -> DataLoader[Any]:
    """A shuffling loader of one of three kinds."""
    dataset = TensorDataset(*rows())
    if kind == "plain":
        return DataLoader(dataset, BATCH, shuffle=True, num_workers=workers)
    # Imported here because the import alone replaces torch's RandomSampler by torchdata's.
    from torchdata.stateful_dataloader import StatefulDataLoader

    if kind == "stateful":
        return StatefulDataLoader(dataset, BATCH, shuffle=True, num_workers=workers)
    sampler = DistributedSampler(dataset, num_replicas=1, rank=0, shuffle=True, seed=SEED)
    return StatefulDataLoader(dataset, BATCH, sampler=sampler, num_workers=workers)


def train(folder: Path, workers: int, loader: str) -> None:
    """Start the run of this folder, or continue it from its last checkpoint."""
    L.seed_everything(SEED, workers=True)
    module = Digits()
    checkpoints = ModelCheckpoint(
        dirpath=folder / "checkpoints", every_n_train_steps=EVERY, save_last=True
    )
    trainer = L.Trainer(
        accelerator="cpu", devices=1, max_epochs=EPOCHS, deterministic=True,
        callbacks=[Writer(Diary(folder)), checkpoints], default_root_dir=folder, logger=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, loader_for(loader, workers), ckpt_path="last")
    finish(folder, module.net, trainer.optimizers[0])
