"""A plain torch loop over torchdata's `StatefulDataLoader`.

Everything there is goes into one file, written beside its place and renamed: weights, optimiser,
schedule, the loader's `state_dict()`, and the states of torch's, NumPy's and Python's generators.

`generator=True` gives the loader a generator of its own and seeds its workers, as PyTorch's notes
on reproducibility ask; torchdata's documentation has neither. `late=True` restores the global
generators only after the loader has made its iterator, which is written nowhere.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import BATCH, EPOCHS, EVERY, RATE, SEED, TOTAL, Diary, Net, finish, rows
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset
from torchdata.stateful_dataloader import StatefulDataLoader


def seed_worker(_: int) -> None:
    """Seed NumPy and Python in a loader worker."""
    np.random.seed(torch.initial_seed() % 2**32)  # noqa: NPY002
    random.seed(torch.initial_seed() % 2**32)


def train(folder: Path, workers: int, generator: bool, late: bool) -> None:
    """Start the run of this folder, or continue it from its checkpoint."""
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002
    torch.manual_seed(SEED)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=TOTAL, cycle_momentum=False
    )
    loader = StatefulDataLoader(
        TensorDataset(*rows()), BATCH, shuffle=True, num_workers=workers,
        worker_init_fn=seed_worker if generator else None,
        generator=torch.Generator().manual_seed(SEED) if generator else None,
    )  # fmt: skip
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule, "loader": loader}

    step, first, place, saved = 0, 0, folder / "checkpoint.pt", None
    if place.exists():
        saved = torch.load(place, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        step, first = saved["step"], saved["epoch"]
        set_random(saved["random"])

    diary = Diary(folder)
    for epoch in range(first, EPOCHS):
        net.train()
        batches = iter(loader)
        if saved and late and epoch == first:
            set_random(saved["random"])
        for inputs, targets in batches:
            loss = cross_entropy(net(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            diary.committed(step, loss.item(), net)
            if step % EVERY == 0:
                state = {name: part.state_dict() for name, part in parts.items()}
                save(place, state | {"step": step, "epoch": epoch, "random": get_random()})
    finish(folder, net, optimizer)


def save(place: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill leaves the old one or the new one."""
    draft = place.with_suffix(".tmp")
    torch.save(state, draft)
    draft.replace(place)


def get_random() -> dict[str, Any]:
    """The states of all global generators, as tensors and plain values."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "numpy": (kind, keys.tolist(), *rest),
        "python": random.getstate(),
    }


def set_random(state: dict[str, Any]) -> None:
    """Put all global generators where they were."""
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
