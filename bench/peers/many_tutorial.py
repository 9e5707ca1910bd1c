"""The loop of the PyTorch tutorials over members: DataLoader, Adam."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bench.nets import build, scores
from bench.populations import Many, inputs_of, ready

ready()


def train(task: Many) -> np.ndarray:
    """Scores of the held-out rows of all members."""
    work, found = task.workload, []
    for member in task.members:
        x, held = (torch.from_numpy(part) for part in inputs_of(task, member))
        y = torch.from_numpy(task.y[member.train])
        torch.manual_seed(member.seed)
        model, loss_fn = build(work.net), nn.CrossEntropyLoss()
        batches = DataLoader(TensorDataset(x, y), work.batch, shuffle=True)
        optimizer = torch.optim.Adam(model.parameters(), lr=member.rate)
        for _ in range(work.epochs):
            running = 0.0
            for inputs, targets in batches:
                optimizer.zero_grad()
                loss = loss_fn(model(inputs), targets)
                loss.backward()
                optimizer.step()
                running += loss.item()
        found.append(scores(model, held))
    return np.concatenate(found)
