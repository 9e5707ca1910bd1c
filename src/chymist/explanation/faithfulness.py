"""Is a map faithful? What the answer does as places are taken away in the order of the map.

Words and edges, whose number differs from row to row, are tested row by row in `deleting`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.errors import InputError, UsageError
from chymist.evidence.intervals import Estimate, mean_t
from chymist.explanation.sanity import as_array, outputs_of
from chymist.keys import generator

SIDE = 14  # squares along a side into which larger images are cut
BATCH = 128  # rows that are answered at once


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """What the answer does as places of the input are taken away or put back.

    Args:
        shares: of the places that are taken away or put back, ascending from 0 to 1.
        deletion: answer after the first places of the map were taken away, (rows, shares).
        insertion: answer after they were put on the baseline, (rows, shares).
        random: answer after places in random order were taken away, (rows, orders, shares).
        unit: "probability" of the class, or "output".
        baseline: what stands in the place of what is taken away, in words.
    """

    shares: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    random: np.ndarray
    unit: str
    baseline: str

    @property
    def deletion_gain(self) -> Estimate:
        """By how much the area under the deletion curve is below that of random orders."""
        gains = area(self.random, self.shares).mean(1) - area(self.deletion, self.shares)
        return mean_t(gains)

    @property
    def insertion_gain(self) -> Estimate:
        """By how much the area under the insertion curve is above that of random orders."""
        gains = area(self.insertion, self.shares) - area(self.random, self.shares).mean(1)
        return mean_t(gains)

    @property
    def ahead(self) -> float:
        """Share of the random orders whose area under the deletion curve is larger."""
        own = area(self.deletion, self.shares)[:, None]
        return float((area(self.random, self.shares) > own).mean())

    @property
    def verdict(self) -> str:
        """ "better than chance", "worse than chance" or "cannot tell", by deletion."""
        _, low, high, _ = self.deletion_gain
        if low > 0:
            return "better than chance"
        return "worse than chance" if high < 0 else "cannot tell"

    @property
    def sentence(self) -> str:
        """The faithfulness in words, with its interval."""
        parts = [
            _said("Deletion", "below", self.deletion_gain),
            _said("insertion", "above", self.insertion_gain),
        ]
        if len(self.deletion) == 1:
            return (f"{parts[0]}, {parts[1]} (1 row, {self.unit}, baseline {self.baseline}): "
                    f"better than {self.ahead:.0%} of {self.random.shape[1]} random orders."
                    )  # fmt: skip
        told = {"cannot tell": "not known to differ from chance"}.get(self.verdict, self.verdict)
        return (f"{parts[0]}, {parts[1]} ({len(self.deletion)} rows, {self.unit}, baseline "
                f"{self.baseline}): {told}.")  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The check as plain values (the JSON contract)."""
        gains = {"deletion": self.deletion_gain, "insertion": self.insertion_gain}
        curves = {"deletion": self.deletion, "insertion": self.insertion,
                  "random": self.random.mean(1)}  # fmt: skip
        return {
            "verdict": self.verdict, "unit": self.unit, "baseline": self.baseline,
            "rows": len(self.deletion), "ahead": self.ahead, "shares": self.shares.tolist(),
            "curves": {name: values.mean(0).tolist() for name, values in curves.items()},
            **{name: {"gain": gain.value, "low": _finite(gain.low), "high": _finite(gain.high)}
               for name, gain in gains.items()},
            "check": "faithfulness", "sentence": self.sentence,
        }  # fmt: skip

    def __repr__(self) -> str:
        return self.sentence


def faithfulness(
    module: nn.Module, inputs: Tensor, targets: Tensor, maps: Tensor | np.ndarray, *,
    baseline: Tensor | float = 0.0, name: str = "", steps: int = 20, orders: int = 10,
    seed: int = 0,
) -> Faithfulness:  # fmt: skip
    """Take places away in the order of the map, and put them on the baseline in that order.

    A place is a pixel with all channels (a square of them where an image has more than 14 along a
    side), a column, or a step of a sequence. An order that knows what the model uses makes the
    answer fall sooner than a random one, and rise sooner. The curve of an order that is put back is
    that of its reverse taken away, so the same random orders serve both.

    Args:
        module: with outputs (rows, outputs); not changed.
        inputs: (rows, channels, height, width), (rows, steps, features), (rows, columns), or
            numbers of tokens (rows, steps).
        targets: numbers of the outputs that are explained, (rows,).
        maps: of the shape of the inputs, or without their channels (features); places with the
            largest sums go first.
        baseline: what stands in the place of what is taken away: a number, or values that
            broadcast to the inputs.
        name: the baseline in words ("mean of the training rows").
        steps: in how many steps at most.
        orders: how many random orders of each row.
        seed: of the orders.

    Returns:
        A `Faithfulness`; of several outputs the answer is the softmax share of the target.

    Raises:
        InputError: maps or outputs do not fit the inputs.
        UsageError: no steps or orders.

    Example:
        >>> net = nn.Linear(3, 1, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[3.0, 2.0, 1.0]]))
        >>> ones, target = torch.ones(1, 3), torch.zeros(1, dtype=torch.int64)
        >>> found = faithfulness(net, ones, target, net.weight.detach())
        >>> found.deletion.tolist(), found.insertion.tolist()
        ([[6.0, 3.0, 1.0, 0.0]], [[0.0, 3.0, 5.0, 6.0]])

    Source: Petsiuk, Das, Saenko 2018, RISE, arXiv:1806.07421.
    """
    if min(steps, orders) < 1:
        raise UsageError("at least one step and one order", where="faithfulness",
                         received=f"{steps} steps, {orders} orders")  # fmt: skip
    worth = place_worth(maps, inputs)
    worth, labels = _squares(worth)
    count = worth.shape[1]
    taken = np.unique(np.round(np.linspace(0, count, min(steps, count) + 1)).astype(int))
    best = np.argsort(-worth, axis=1, kind="stable")
    random = generator(seed, "faithfulness")
    drawn = [np.stack([random.permutation(count) for _ in best]) for _ in range(orders)]
    bare = torch.as_tensor(baseline, dtype=inputs.dtype).expand_as(inputs)

    def curve(order: np.ndarray) -> np.ndarray:
        kept = _Kept(np.argsort(order, axis=1), taken, labels)
        return _answers(module, inputs, bare, kept, targets)

    deletion, insertion = curve(best), curve(best[:, ::-1])[:, ::-1]
    unit = "probability" if outputs_of(module, inputs[:1]).shape[1] > 1 else "output"
    told = name or (f"{baseline:g}" if isinstance(baseline, int | float) else "given")
    return Faithfulness(taken / count, deletion, insertion,
                        np.stack([curve(order) for order in drawn], 1), unit, told)  # fmt: skip


def place_worth(maps: Tensor | np.ndarray, inputs: Tensor) -> np.ndarray:
    """Maps with what belongs to one place summed: channels of a pixel, features of a step.

    Args:
        maps: of the shape of the inputs, or without their channels (features).
        inputs: as in `faithfulness`.

    Returns:
        (rows, height, width), or (rows, places).

    Raises:
        InputError: the maps do not fit.

    Example:
        >>> place_worth(np.ones((2, 3, 4, 4)), torch.zeros(2, 3, 4, 4)).shape
        (2, 4, 4)
    """
    values, shape = as_array(maps), tuple(inputs.shape)
    axis = {4: 1, 3: 2}.get(inputs.ndim)
    without = tuple(n for k, n in enumerate(shape) if k != axis)
    if values.shape == shape and axis is not None:
        values = values.sum(axis)
    if values.shape != without or inputs.ndim < 2:
        raise InputError("maps do not fit the inputs", where="maps",
                         received=f"{as_array(maps).shape} for inputs {shape}")  # fmt: skip
    return values


def blurred(images: Tensor) -> Tensor:
    """Images without their detail: three means over squares of a seventh of the side.

    Args:
        images: (batch, channels, height, width).

    Returns:
        Of the same shape; a baseline that shows no object and has no edges of its own.

    Example:
        >>> bool(torch.allclose(blurred(torch.ones(1, 1, 9, 9)), torch.ones(1)))
        True
    """
    half = max(1, min(images.shape[2:]) // 14)
    for _ in range(3):
        room = functional.pad(images, (half,) * 4, mode="replicate")
        images = functional.avg_pool2d(room, 2 * half + 1, 1)
    return images


def area(curves: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Area under curves over shares from 0 to 1, by trapezoids.

    Args:
        curves: (..., shares).
        shares: ascending.

    Example:
        >>> float(area(np.array([1.0, 0.0]), np.array([0.0, 1.0])))
        0.5
    """
    return np.asarray(np.trapezoid(curves, shares, axis=-1))


def _squares(worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Worth of squares of an image (rows, squares), and of which square each place is part."""
    if worth.ndim == 2:
        return worth, np.arange(worth.shape[1])
    height, width = worth.shape[1:]
    side = max(1, -(-max(height, width) // SIDE))
    down, across = np.arange(height) // side, np.arange(width) // side
    labels = (down[:, None] * (across[-1] + 1) + across).ravel()
    sums = np.stack([np.bincount(labels, row.ravel()) for row in worth])
    return sums / np.bincount(labels), labels


class _Kept(NamedTuple):
    """Which places are kept: those of squares whose rank is not below the number taken."""

    ranks: np.ndarray
    taken: np.ndarray
    labels: np.ndarray

    def mask(self, row: np.ndarray, step: np.ndarray, inputs: Tensor) -> Tensor:
        """For each pair of row and step, with an axis of 1 for channels or features."""
        keep = (self.ranks[row] >= self.taken[step, None])[:, self.labels]
        shape = {4: (1, *inputs.shape[2:]), 3: (inputs.shape[1], 1)}.get(inputs.ndim)
        return torch.from_numpy(keep.reshape(len(row), *(shape or inputs.shape[1:])))


def _answers(
    module: nn.Module, inputs: Tensor, bare: Tensor, kept: _Kept, targets: Tensor
) -> np.ndarray:
    """Answers for inputs of which only some places are kept, (rows, steps)."""
    rows, steps = len(inputs), len(kept.taken)
    found = np.empty((rows, steps))
    every = np.arange(rows * steps)
    for part in np.array_split(every, -(-len(every) // BATCH)):
        row, step = np.divmod(part, steps)
        mixed = torch.where(kept.mask(row, step, inputs), inputs[row], bare[row])
        outputs = outputs_of(module, mixed).double()
        shown = outputs.softmax(1) if outputs.shape[1] > 1 else outputs
        found[row, step] = shown.gather(1, targets[row, None])[:, 0].numpy()
    return found


def _said(curve: str, side: str, gain: Estimate) -> str:
    """One gain in words."""
    other = {"below": "above", "above": "below"}[side]
    low, high = sorted((gain.low, gain.high) if gain.value >= 0 else (-gain.low, -gain.high))
    bounds = f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) else ""
    where = side if gain.value >= 0 else other
    return f"{curve} area {abs(gain.value):.2f}{bounds} {where} random order"


def _finite(value: float) -> float | None:
    """A number as JSON has it."""
    return float(value) if np.isfinite(value) else None
