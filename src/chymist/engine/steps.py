"""Tasks with a target at every step: tags of words, the next token of a text.

A target of -1 means that the step has none. Losses and scores are over the steps that have one, and
the steps of a row, which are not independent, are a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from chymist.engine.rows import Rows
from chymist.errors import InputError
from chymist.losses import Form
from chymist.values import Data, Predictions

STEPWISE = ("tagging", "language")  # tasks with a class for every step
ROOM = 2**24  # numbers that a forward pass gives at once outside training
PART = 2**21  # chances of many classes that are held at once, in double precision
MANY = 256  # classes beyond which the chances of the wrong ones are not kept one by one


@dataclass(frozen=True, eq=False)
class Buckets:
    """Lengths of the training rows, (rows,), and batches that are sorted by them together."""

    lengths: np.ndarray
    together: int


def stepwise(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A loss of classes (steps, classes) as one of rows of steps (batch, steps, classes).

    Args:
        loss: (outputs, targets, reduction) -> loss.

    Returns:
        The same over all steps that have a target; with reduction "none" the mean of each row.

    Example:
        >>> from chymist.losses import cross_entropy
        >>> round(stepwise(cross_entropy)(torch.zeros(2, 3, 4), torch.tensor([[1, 2, -1]] * 2)).item(), 4)
        1.3863
    """  # noqa: E501

    def apply(outputs: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        check_steps(outputs, targets)
        flat, goals = outputs.flatten(0, 1), targets.flatten()
        kept = goals >= 0
        if reduction == "mean":
            if bool(kept.all()):
                return loss(flat, goals)
            return loss(flat[kept], goals[kept]) if bool(kept.any()) else 0 * flat.sum()
        each = loss(flat, goals.clamp(min=0), reduction="none").view_as(targets)
        there = kept.view_as(targets).to(each.dtype)
        return (each * there).sum(1) / there.sum(1).clamp(min=1)

    return apply


def check_steps(outputs: Tensor, targets: Tensor) -> None:
    """Refuse outputs that are not one row of scores for each step.

    Raises:
        InputError: they are not.
    """
    if outputs.ndim != 3 or outputs.shape[:2] != targets.shape:
        raise InputError(
            "outputs and targets do not match",
            received=f"shapes {tuple(outputs.shape)} and {tuple(targets.shape)}",
            do="give scores (batch, steps, classes): a model that keeps its steps",
        )


def in_lanes(rows: int, lanes: int) -> np.ndarray:
    """The order in which rows that follow each other are read side by side.

    The rows are cut into so many lanes of equal length; each batch has the next row of every lane,
    so that what a model carries from batch to batch goes on where the text goes on. Rows that are
    left over come last.

    Args:
        rows: number of rows.
        lanes: rows of a batch.

    Returns:
        0..rows-1 in order of reading, int64.

    Example:
        >>> in_lanes(7, 2).tolist()
        [0, 3, 1, 4, 2, 5, 6]
    """
    lanes = min(lanes, rows)
    length = rows // lanes
    whole = np.arange(lanes * length, dtype=np.int64).reshape(lanes, length).T.ravel()
    return np.concatenate([whole, np.arange(lanes * length, rows, dtype=np.int64)])


def in_buckets(
    visits: np.ndarray, lengths: np.ndarray, size: int, together: int, draws: np.random.Generator
) -> np.ndarray:
    """The order of an epoch changed so that the rows of a batch are of similar length.

    Stretches of `together` batches are sorted by length and cut into batches; the batches of all
    stretches are then read in a drawn order. Each row stays in its stretch, so that which rows
    meet still changes from epoch to epoch. Rows that fill no batch are read last.

    Args:
        visits: the order as it was drawn, (rows,).
        lengths: of each row, (rows,).
        size: rows of a batch.
        together: batches of a stretch; 0 changes nothing.
        draws: for the order of the batches.

    Returns:
        The same rows in another order.

    Example:
        >>> draws = np.random.default_rng(0)
        >>> in_buckets(np.array([3, 0, 2, 1, 4]), np.array([9, 1, 8, 2, 5]), 2, 2, draws).tolist()
        [1, 3, 2, 0, 4]
    """
    full = len(visits) // size * size
    if not together or full == 0:
        return visits
    parts = [visits[at : min(at + together * size, full)]
             for at in range(0, full, together * size)]  # fmt: skip
    ordered = [part[np.argsort(lengths[part], kind="stable")] for part in parts]
    batches = np.concatenate(ordered).reshape(-1, size)
    return np.concatenate([batches[draws.permutation(len(batches))].ravel(), visits[full:]])


def carries(model: nn.Module) -> bool:
    """Whether a model carries something from batch to batch, and so reads rows in lanes."""
    return hasattr(model, "forget")


def forget(model: nn.Module) -> None:
    """Let a model begin anew with what it carries."""
    if carries(model):
        model.forget()  # type: ignore[operator]


def read_rows(model: nn.Module, rows: Rows, lanes: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Row numbers, outputs and targets of all rows, batch by batch, in evaluation mode.

    Args:
        model: the model.
        rows: prepared rows.
        lanes: rows of a batch where the model carries something.

    Yields:
        (batch,), (batch, steps, classes), (batch, steps).
    """
    model.eval()
    forget(model)
    size = lanes if carries(model) else None
    with torch.no_grad():
        order = torch.from_numpy(in_lanes(len(rows), size) if size else np.arange(len(rows)))
        if size is None:
            first = model(rows.take(order[:1]))
            size = max(1, min(1024, ROOM // max(1, first.numel())))
        indices = list(order.split(size))
        for index, (inputs, targets) in zip(indices, rows.batches(indices), strict=True):
            yield index, model(inputs), targets
    forget(model)


def step_evaluator(
    loss: Callable[..., Tensor], form: Form, rows: Rows, lanes: int, name: str
) -> Callable[[nn.Module], Mapping[str, float]]:
    """What is recorded after every epoch: loss and headline metric over the steps of the rows."""

    def evaluate(model: nn.Module) -> Mapping[str, float]:
        total, right, count = 0.0, 0, 0
        for _, outputs, targets in read_rows(model, rows, lanes):
            kept = targets >= 0
            n = int(kept.sum())
            total += float(loss(outputs, targets)) * n
            right += int((outputs.argmax(2) == targets)[kept].sum())
            count += n
        if not count:
            return {}
        value = right / count if name == "accuracy" else total / count
        return {"val_loss": total / count, f"val_{name}": value}

    return evaluate


def step_predictions(
    model: nn.Module, form: Form, rows: Rows, numbers: np.ndarray, data: Data, lanes: int
) -> Predictions:
    """Results of every step that has a target; the rows are their groups.

    Of more than 256 classes two chances are kept: that of the right one, and of the most probable
    wrong one; the target is then always the first. Log loss and accuracy are the same.

    Args:
        model: the trained model.
        form: how the loss reads outputs.
        rows: prepared rows.
        numbers: their row numbers.
        data: the data.
        lanes: rows of a batch where the model carries something.
    """
    found: list[tuple[np.ndarray, ...]] = []
    for index, outputs, targets in read_rows(model, rows, lanes):
        kept = (targets >= 0).flatten()
        chances, goals = _chances(form, outputs.flatten(0, 1)[kept], targets.flatten()[kept])
        place = index.numpy().repeat(targets.shape[1])[kept.cpu().numpy()]
        found.append((place, goals, chances))
    place, goals, chances = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(place, kind="stable")
    owner = numbers[place[order]]
    return Predictions(owner, goals[order], chances[order], owner)


def _chances(form: Form, outputs: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Chances of the classes and the right ones; of many classes two chances, a part at a time."""
    goals = targets.cpu().numpy()
    if outputs.shape[1] <= MANY:
        return form.predictions(outputs.double()).cpu().numpy(), goals
    size = max(1, PART // outputs.shape[1])
    parts = (form.predictions(part.double()).cpu().numpy() for part in outputs.split(size))
    found = [two_chances(part, own) for part, own in zip(parts, _cut(goals, size), strict=True)]
    return np.concatenate(found), np.zeros_like(goals)


def _cut(values: np.ndarray, size: int) -> list[np.ndarray]:
    """Parts of at most so many rows; one that is empty if there are none."""
    return [values[start : start + size] for start in range(0, max(1, len(values)), size)]


def two_chances(chances: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Chances of the right class, and of the best other one.

    Args:
        chances: of each class, (steps, classes).
        goals: right classes, (steps,).

    Example:
        >>> two_chances(np.array([[0.5, 0.3, 0.1, 0.1]]), np.array([1])).tolist()
        [[0.3, 0.5]]
    """
    steps = np.arange(len(goals))
    right, others = chances[steps, goals], chances.copy()
    others[steps, goals] = -1.0
    return np.stack([right, others.max(1)], axis=1)
