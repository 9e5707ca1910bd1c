"""The loop of the PyTorch tutorials, over DataLoaders."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bench.nets import BATCH, build, scores, shaped
from bench.task import RATE, Task


def loaders(task: Task) -> tuple[DataLoader, DataLoader]:
    """Training and validation rows, read in this process: they are in memory."""
    net = task.workload.net
    train = TensorDataset(shaped(task.x, net), torch.from_numpy(task.y))
    valid = TensorDataset(shaped(task.xv, net), torch.from_numpy(task.yv))
    return DataLoader(train, task.workload.batch, shuffle=True), DataLoader(valid, BATCH)


def train(task: Task) -> np.ndarray:
    """Validation scores after training."""
    torch.manual_seed(task.seed)
    model = build(task.workload.net)
    batches, held = loaders(task)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(task.workload.epochs):
        model.train()
        running = 0.0
        for x, y in batches:
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item()
        model.eval()
        total = right = 0.0
        with torch.no_grad():
            for x, y in held:
                outputs = model(x)
                total += loss_fn(outputs, y).item() * len(y)
                right += (outputs.argmax(1) == y).sum().item()
        task.clock.tick()
    return scores(model, shaped(task.xv, task.workload.net))
