"""Accelerate as in its checkpointing example and guide.

`set_seed`, `use_seedable_sampler=True`, `save_state` into folders `step_N`, `load_state` of the
newest, and then either `skip_first_batches` or `use_stateful_dataloader=True` (the guide: one or
the other). `careful=True` adds what the guide does not ask for and a careful user may do: telling
the loader the number of the epoch before each one, and saving beside the place, then renaming.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import set_seed
from common import BATCH, EPOCHS, EVERY, RATE, SEED, TOTAL, Diary, Net, finish, rows
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset


def train(folder: Path, workers: int, stateful: bool, careful: bool) -> None:
    """Start the run of this folder, or continue it from its newest checkpoint."""
    set_seed(SEED)
    accelerator = Accelerator(
        cpu=True,
        dataloader_config=DataLoaderConfiguration(
            use_seedable_sampler=True, data_seed=SEED, use_stateful_dataloader=stateful
        ),
    )
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=TOTAL, cycle_momentum=False
    )
    loader = DataLoader(TensorDataset(*rows()), BATCH, shuffle=True, num_workers=workers)
    net, optimizer, loader, schedule = accelerator.prepare(net, optimizer, loader, schedule)

    shutil.rmtree(folder / "draft", ignore_errors=True)
    step = newest(folder)
    if step:
        accelerator.load_state(folder / f"step_{step}")
    first, done = divmod(step, len(loader))

    diary = Diary(folder)
    for epoch in range(first, EPOCHS):
        net.train()
        if careful:
            loader.set_epoch(epoch)
        batches = loader
        if epoch == first and done and not stateful:
            batches = accelerator.skip_first_batches(loader, done)
        for inputs, targets in batches:
            loss = cross_entropy(net(inputs), targets)
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
            schedule.step()
            step += 1
            diary.committed(step, loss.item(), accelerator.unwrap_model(net))
            if step % EVERY == 0:
                save(accelerator, folder / f"step_{step}", careful)
    finish(folder, accelerator.unwrap_model(net), optimizer.optimizer)


def save(accelerator: Accelerator, place: Path, careful: bool) -> None:
    """Write a checkpoint, in place or beside it."""
    draft = place.with_name("draft") if careful else place
    accelerator.save_state(draft)
    if careful:
        draft.rename(place)


def newest(folder: Path) -> int:
    """Step of the newest checkpoint, 0 if there is none."""
    return max((int(path.name.removeprefix("step_")) for path in folder.glob("step_*")), default=0)
