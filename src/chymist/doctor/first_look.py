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
from chymist.doctor.restoring import put_back, quiet
from chymist.doctor.sampling import is_ready, portions
from chymist.keys import generator

BLINK = 0.08  # seconds that a deep look may take: two of them are 1 % of a run of 16 seconds


def look_first(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    loss_fn: LossFunction | None,
    train: Rows | None,
    valid: Rows | None,
    batch_size: int | None,
) -> tuple[Rows | None, Facts]:
    """The training rows of all looks, and what is known before the first step.

    As much as the model allows; of a model whose weights are drawn at its first call only what the
    rows say, for that call is the user's.

    Args:
        model: is left as it is.
        optimizer, loss_fn, train, valid, batch_size: of the run, where known.

    Example:
        >>> looked, facts = look_first(nn.Linear(2, 1), None, None, None, None, None)
        >>> looked, facts.frozen
        (None, ())
    """
    data = DataFacts()
    if train is not None:
        here, there = portions(as_numbers(train), None if valid is None else as_numbers(valid))
        if here is not None:
            with quiet():
                data = replace(data_facts(here, there), rows=len(train[0]))
    if not is_ready(model):
        return _drawn(train, ROWS), Facts(data=data)
    targets = None if train is None else train[1]
    with untouched(model, loss_fn):
        looked = None if train is None else _drawn(train, _affordable(model, train[0], batch_size))
        try:
            facts = preflight(model, optimizer, loss_fn, looked, batch_size, targets)
        except FAILS:
            facts = preflight(model, optimizer, None, None, None)
    return looked, replace(facts, data=data)


def _drawn(train: Rows | None, wanted: int) -> Rows | None:
    """Rows drawn from the whole set, which may be sorted."""
    if train is None or len(train[0]) <= wanted:
        return train
    drawn = generator(0, "doctor", "looks").choice(len(train[0]), wanted, replace=False)
    index = torch.from_numpy(drawn).sort().values
    return train[0][index.to(train[0].device)], train[1][index]


def _affordable(model: nn.Module, inputs: Tensor, batch_size: int | None) -> int:
    """So many rows that a look takes a blink: 256, or 128, 64, 16 or 4 of a large model.

    A model that takes one size of batch only gets that.
    """
    seconds = []
    try:
        with put_back(model), torch.no_grad():
            model.eval()
            few = inputs[:4].to(device_of(model))
            for _ in range(2):  # the first call of all wakes the library up
                began = perf_counter()
                first_tensor(model(few)).sum().item()
                seconds.append(perf_counter() - began)
    except FAILS:
        return batch_size or ROWS
    # forward twice and backward once, of which the backward pass counts for two
    cost = 4 * min(seconds) / len(few)
    return next((rows for rows in (ROWS, 128, 64, 16) if cost * rows < BLINK), 4)
