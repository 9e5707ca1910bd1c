"""What a watcher does before the first step: it chooses the rows of its looks, and takes facts."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import torch
from torch import Tensor, nn

from chymist.doctor.arguments import as_numbers
from chymist.doctor.preflight import DataFacts, Facts, Rows, data_facts, preflight
from chymist.doctor.probing import ROWS, device_of, first_tensor, untouched
from chymist.doctor.reading_loss import FAILS, LossFunction
from chymist.doctor.restoring import quiet
from chymist.doctor.sampling import is_ready, portions
from chymist.keys import generator

BLINK = 0.25  # seconds that a deep look may take


def looked_rows(model: nn.Module, train: Rows | None, batch_size: int | None) -> Rows | None:
    """The training rows of all looks: drawn from the whole set, which may be sorted.

    So many that a deep look takes a blink: 256, or 64, 16 or 4 of a large model.

    Args:
        model: is left as it is.
        train: inputs and targets.
        batch_size: of the loop; a model that takes no other gets so many rows.

    Example:
        >>> x, y = torch.arange(1000.0).unsqueeze(1), torch.zeros(1000, 1)
        >>> looked = looked_rows(nn.Linear(1, 1), (x, y), None)
        >>> len(looked[0]), bool(looked[0].max() > 900)
        (256, True)
    """
    if train is None:
        return None
    wanted = _affordable_rows(model, train[0][:4], batch_size)
    if len(train[0]) <= wanted:
        return train
    drawn = generator(0, "doctor", "looks").choice(len(train[0]), wanted, replace=False)
    index = torch.from_numpy(drawn).sort().values
    return train[0][index.to(train[0].device)], train[1][index]


def _affordable_rows(model: nn.Module, inputs: Tensor, batch_size: int | None) -> int:
    if not is_ready(model):
        return ROWS
    seconds = []
    try:
        with untouched(model), torch.no_grad():
            model.eval()
            inputs = inputs.to(device_of(model))
            for _ in range(2):  # the first call of all wakes the library up
                began = perf_counter()
                first_tensor(model(inputs)).sum().item()
                seconds.append(perf_counter() - began)
    except FAILS:
        return batch_size or ROWS  # a model of one size of batch takes that
    # forward twice and backward once, of which the backward pass counts for two
    cost = 4 * min(seconds) / len(inputs)
    return next((rows for rows in (ROWS, 64, 16) if cost * rows < BLINK), 4)


def first_facts(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    loss_fn: LossFunction | None,
    train: Rows | None,
    valid: Rows | None,
    looked: Rows | None,
    batch_size: int | None,
) -> Facts:
    """What is known before the first step: as much as the model allows.

    Args:
        model, optimizer, loss_fn, train, valid, batch_size: of the run, where known.
        looked: training rows that go through the model.

    Example:
        >>> first_facts(nn.Linear(2, 1), None, None, None, None, None, None).frozen
        ()
    """
    data = DataFacts()
    if train is not None:
        here, there = portions(as_numbers(train), None if valid is None else as_numbers(valid))
        if here is not None:
            with quiet():
                data = replace(data_facts(here, there), rows=len(train[0]))
    if not is_ready(model):
        # weights that are drawn at the first call are drawn at the user's
        return Facts(data=data)
    targets = None if train is None else train[1]
    with untouched(model, loss_fn):
        try:
            facts = preflight(model, optimizer, loss_fn, looked, batch_size, targets)
        except FAILS:
            facts = preflight(model, optimizer, None, None, None)
    return replace(facts, data=data)
