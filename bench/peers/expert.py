"""The loop of an expert: tensors in memory, fused Adam, channels last, every loss checked."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.nets import BATCH, build, scores, shaped
from bench.task import RATE, Task


def train(task: Task) -> np.ndarray:
    """Validation scores after training."""
    work = task.workload
    torch.manual_seed(task.seed)
    model, x, xv = build(work.net), shaped(task.x, work.net), shaped(task.xv, work.net)
    y, yv = torch.from_numpy(task.y), torch.from_numpy(task.yv)
    if work.net == "cnn":
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    losses = []
    for _ in range(work.epochs):
        model.train()
        for index in torch.randperm(len(y)).split(work.batch):
            loss = cross_entropy(model(x.index_select(0, index)), y.index_select(0, index))
            value = loss.item()
            if not math.isfinite(value):
                raise SystemExit("diverged")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(value)
        validate(model, xv, yv)
        task.clock.tick()
    return scores(model, xv)


def validate(model: nn.Module, xv: Tensor, yv: Tensor) -> tuple[float, float]:
    """Loss and accuracy."""
    model.eval()
    with torch.inference_mode():
        outputs = torch.cat([model(part) for part in xv.split(BATCH)])
        right = (outputs.argmax(1) == yv).float().mean()
        return cross_entropy(outputs, yv).item(), right.item()
