"""How far back a network of sequences looks: gradients of the last output by distance in steps."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from chymist.engine.steps import forget
from chymist.errors import InputError
from chymist.evidence.intervals import Estimate, mean_t
from chymist.gradients.losses import as_double, real_points, slope_of
from chymist.keys import torch_generator
from chymist.models.recurrent import lengths_of

EXACT = 32  # outputs whose gradients are all taken; of more, as many random directions


@dataclass(frozen=True, eq=False)
class Reach:
    """How much the last output depends on the input t steps before it.

    Args:
        norms: of the gradient by row and distance t, (rows, steps); NaN before a row begins.
    """

    norms: np.ndarray

    @property
    def curve(self) -> np.ndarray:
        """Geometric mean of the norms over the rows, by distance, (steps,); 0 if one is 0."""
        with np.errstate(divide="ignore"):
            logs = np.log(self.norms)
        there = ~np.isnan(logs)
        counts = there.sum(0)
        made: np.ndarray = np.exp(np.where(there, logs, 0.0).sum(0) / np.maximum(counts, 1))
        return np.where(counts, made, np.nan)

    @property
    def distance(self) -> Estimate:
        """Mean distance that the output looks back, sum_t t n_t / sum_t n_t, in steps.

        An interval over the rows. Were all of T steps alike it would be (T - 1) / 2.
        """
        known = np.nan_to_num(self.norms)
        total = known.sum(1)
        means = known @ np.arange(known.shape[1]) / np.where(total > 0, total, 1.0)
        return mean_t(means)

    @property
    def factor(self) -> Estimate:
        """What a further step multiplies the gradient by, with an interval over the rows.

        The exponent of the slope of log n_t over t by least squares: below 1 gradients vanish,
        above 1 they explode. A row whose gradient is 0 at some distance counts up to there.
        """
        slopes = [_slope(row) for row in self.norms]
        found = mean_t(np.array([slope for slope in slopes if slope is not None] or [-np.inf]))
        value, low, high = (float(np.exp(min(end, 700.0))) for end in found[:3])
        return Estimate(value, low, high, found.p)


def reach(model: nn.Module, inputs: Tensor, seed: int = 0) -> Reach:
    """Norm of the gradient of the last output with respect to the input t steps before, in float64.

    n_t = |d y_T / d x_(T-t)|, the Frobenius norm over outputs and features; where inputs are
    numbers of tokens, x is what the first embedding gives for them. T is the last step of the row;
    what fills up a text does not count. Of a linear recurrence h_t = U h_(t-1) + W x_t,
    y = V h_T it is |V U^t W|. Of more than 32 outputs it is estimated from 32 random directions.

    Args:
        model: with outputs (batch, outputs), or (batch, steps, outputs), of which the last step
            of each row counts; taken in evaluation mode from a state of zero, not changed.
        inputs: (batch, steps, features), or numbers of tokens (batch, steps) or
            (batch, steps, several).
        seed: of the random directions.

    Returns:
        A `Reach`.

    Raises:
        InputError: inputs without steps, tokens that nothing embeds, or outputs of another shape or
            without a gradient (a tree).

    Example:
        >>> from chymist.models import rnn
        >>> from chymist.values import Shapes
        >>> found = reach(rnn(hidden=(4,)).build(Shapes((6, 2), 3)), torch.zeros(5, 6, 2))
        >>> found.norms.shape, bool(found.factor.value < 1)
        ((5, 6), True)

    Source: Hochreiter 1991; Bengio, Simard, Frasconi 1994; Pascanu, Mikolov, Bengio 2013.
    """
    if inputs.ndim < 2 or (inputs.is_floating_point() and inputs.ndim != 3):
        raise InputError("inputs have no steps", where="reach",
                         received=f"shape {tuple(inputs.shape)}",
                         do="give (rows, steps, features), or tokens (rows, steps)")  # fmt: skip
    twin = copy.deepcopy(model).cpu().double().eval()
    forget(twin)
    given = as_double(inputs)
    lengths = torch.full((len(given),), given.shape[1])
    if given.is_floating_point():
        points = real_points(given, "reach")
        outputs = twin(points)
    else:
        outputs, points = _embedded(twin, given)
        lengths = lengths_of(given if given.ndim == 2 else given[:, :, 0])
    squares = torch.zeros(points.shape[:2], dtype=torch.float64)
    for output in _directions(_last(outputs, given, lengths), seed):
        squares += slope_of(output, points, "reach").flatten(2).square().sum(2)
    return Reach(_by_distance(squares.sqrt().numpy(), lengths.numpy()))


def _embedded(model: nn.Module, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs for tokens, and what the first embedding gave for each step."""
    seen: list[Tensor] = []
    tables = [layer for layer in model.modules() if isinstance(layer, nn.Embedding)]

    def listen(layer: nn.Module, given: object, made: Tensor) -> Tensor:
        point = made.detach().requires_grad_()
        seen.append(point)
        return point

    hook = tables[0].register_forward_hook(listen) if tables else None
    outputs = model(tokens)
    if hook:
        hook.remove()
    if not seen or seen[0].ndim < 3 or seen[0].shape[0] != len(tokens):
        raise InputError("the model looks up no tokens step by step", where="reach",
                         received=type(model).__name__,
                         do="give a model of sequences, such as rnn, gru or lstm")  # fmt: skip
    return outputs, seen[0]


def _last(outputs: Tensor, inputs: Tensor, lengths: Tensor) -> Tensor:
    """Outputs of the last step of each row, (batch, outputs)."""
    if outputs.ndim == 3 and outputs.shape[1] == inputs.shape[1]:
        return outputs[torch.arange(len(outputs)), lengths - 1]
    if outputs.ndim != 2 or len(outputs) != len(inputs):
        raise InputError("the outputs are not (batch, outputs) or (batch, steps, outputs)",
                         where="reach", received=f"shape {tuple(outputs.shape)}")  # fmt: skip
    return outputs


def _directions(outputs: Tensor, seed: int) -> list[Tensor]:
    """Numbers of each row, (batch,), whose squared gradients sum to that of all outputs."""
    count = outputs.shape[1]
    if count <= EXACT:
        return list(outputs.unbind(1))
    room = torch.empty(count, EXACT, dtype=torch.float64)
    drawn = room.normal_(generator=torch_generator(seed, "reach")) / EXACT**0.5
    return list((outputs @ drawn).unbind(1))


def _by_distance(norms: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Norms by step as norms by distance from the last step of each row."""
    made = np.full((len(norms), int(lengths.max())), np.nan)
    for row, length in enumerate(lengths):
        made[row, :length] = norms[row, :length][::-1]
    return made


def _slope(norms: np.ndarray) -> float | None:
    """Slope of the logarithm over the distance, up to the first 0; None of fewer than two."""
    known = norms[~np.isnan(norms)]
    ended = np.flatnonzero(known <= 0)
    known = known[: ended[0]] if len(ended) else known
    if len(known) < 2:
        return None
    return float(np.polyfit(np.arange(len(known)), np.log(known), 1)[0])
