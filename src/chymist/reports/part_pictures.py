"""Pictures of small parts: what a function looks like, as a drawing or in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from chymist.errors import UsageError
from chymist.keys import torch_generator
from chymist.losses import FORMS
from chymist.maths import recurrent_error
from chymist.parts import Part
from chymist.reports.charts import Line, histogram, line_chart
from chymist.reports.markup import Markup
from chymist.reports.text import BLOCKS, shows
from chymist.schedules import Plateau, Span, Watched

POINTS = 161
STEPS, EPOCH = 100, 4  # of the run whose schedule is drawn, and of a pass over its rows
FALLING = 5  # epochs before the loss stalls that a plateau is drawn for
WEIGHT = (128, 256)  # units and fan-in of the layer whose initial weights are drawn
CLIFF = {"start": 5.0, "bias": -2.4, "rate": 0.3}  # where descent is thrown out of the valley
SIGNS, PLAIN_SIGNS = "●·", "*."


@dataclass(frozen=True, eq=False)
class Picture:
    """What is drawn of a part: lines over an axis, or a histogram of values.

    Args:
        title: what it shows, in words.
        x_title, y_title: what the axes are.
        lines: the first is solid, the second dashed.
        values: of a histogram; None where there are lines.
    """

    title: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...] = ()
    values: np.ndarray | None = None

    def svg(self) -> Markup:
        """The picture as one SVG element."""
        if self.values is not None:
            return histogram(self.title, self.values, self.x_title, y_title=self.y_title)
        return line_chart(self.title, self.lines, self.x_title, self.y_title, zero=True)

    def text(self, plain: bool | None = None) -> str:
        """The picture in characters, with a legend.

        Args:
            plain: ASCII only; None asks standard output what it can show.
        """
        ascii_only = not shows(BLOCKS + SIGNS) if plain is None else plain
        signs = PLAIN_SIGNS if ascii_only else SIGNS
        legend = [f"{sign} {line.name}" for sign, line in zip(signs, self.drawn, strict=False)]
        heading = f"{self.y_title} over {self.x_title}:  {'   '.join(legend)}"
        return "\n".join([heading, *character_plot(self.drawn, signs)])

    @property
    def drawn(self) -> tuple[Line, ...]:
        """The lines, or the outline of the histogram."""
        if self.values is None:
            return self.lines
        low, high = float(self.values.min()), float(self.values.max())
        counts, edges = np.histogram(self.values, bins=30, range=(low - 1e-3, high + 1e-3))
        middles = (edges[1:] + edges[:-1]) / 2
        return (Line(self.y_title, middles, counts.astype(float)),)


def picture_of(part: Part) -> Picture | None:
    """The picture of a part, or None where there is nothing to draw.

    Args:
        part: an activation, loss, schedule, soft penalty, initialiser or way of clipping.

    Example:
        >>> import chymist as cy
        >>> picture = picture_of(cy.activations.relu())
        >>> [line.name for line in picture.lines], float(picture.lines[0].y[-1])
        (['value', 'derivative'], 4.0)
    """
    draw = DRAWN.get(part.kind)
    return draw(part) if draw else None


def character_plot(
    lines: Sequence[Line], signs: str, width: int = 61, height: int = 13
) -> list[str]:
    """Lines as characters, the first on top, with the ends of both axes written out.

    Args:
        lines: at most as many as signs.
        signs: a character for each.
        width, height: characters of the field.

    Example:
        >>> x = np.array([0.0, 1.0])
        >>> for row in character_plot([Line("f", x, x)], "*", width=5, height=3):
        ...     print(row.rstrip())
        1 |   **
          |  *
        0 |**
           0   1
    """
    left, right = float(lines[0].x[0]), float(lines[0].x[-1])
    values = np.concatenate([line.y for line in lines])
    low, high = float(values.min()), float(values.max())
    high = high if high > low else low + 1
    field = [[" "] * width for _ in range(height)]
    at = np.linspace(left, right, width)
    for line, sign in reversed(list(zip(lines, signs, strict=False))):
        heights = (np.interp(at, line.x, line.y) - low) / (high - low) * (height - 1)
        for column, row in enumerate(np.rint(heights).astype(int)):
            field[height - 1 - row][column] = sign
    labels = {0: f"{high:.3g}", height - 1: f"{low:.3g}"}
    room = max(len(text) for text in labels.values())
    rows = [f"{labels.get(n, ''):>{room}} |{''.join(row)}" for n, row in enumerate(field)]
    ends = f"{left:.3g}", f"{right:.3g}"
    return [*rows, " " * (room + 2) + ends[0] + ends[1].rjust(width - len(ends[0]))]


def _with_slope(function: Callable[[Tensor], Tensor], reach: float) -> tuple[Line, Line]:
    """A function of one number and its derivative, by autograd."""
    x = torch.linspace(-reach, reach, POINTS, dtype=torch.float64, requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert x.grad is not None
    places = x.detach().numpy()
    return (
        Line("value", places, y.detach().numpy()),
        Line("derivative", places, x.grad.numpy(), "s1"),
    )


def _activation(part: Part) -> Picture:
    # More pieces that are zero change nothing.
    drawn = part.replace(pieces=2) if part.name == "maxout" else part
    module = drawn.build(None).double().eval()
    several = part.name in ("softmax", "maxout")  # which need more than one feature

    def first(x: Tensor) -> Tensor:
        if not several:
            return torch.as_tensor(module(x))
        zeros = torch.zeros_like(x)
        return torch.as_tensor(module(torch.stack([x, zeros], dim=1)))[:, 0]

    lines = _with_slope(first, 4.0)
    of = "x, beside zeros" if several else "x"
    return Picture(f"The activation {part} and its derivative", of, "f(x)", lines)


def _loss(part: Part) -> Picture:
    form, compute = FORMS[part.name], part.bind()

    def of_error(error: Tensor) -> Tensor:
        outputs = error.unsqueeze(1)
        return torch.as_tensor(compute(outputs, torch.zeros_like(outputs), reduction="none"))

    def of_margin(margin: Tensor) -> Tensor:
        single = form.outputs(2) == 1
        outputs = torch.stack([margin] if single else [margin, torch.zeros_like(margin)], dim=1)
        targets = form.targets(torch.full((len(margin),), int(single)))
        targets = targets.double() if targets.is_floating_point() else targets
        return torch.as_tensor(compute(outputs, targets, reduction="none"))

    title = f"The loss {part} and its derivative"
    if form.task == "regression":
        name = "log of the rate, no event counted" if form.counts else "error y - t"
        return Picture(title, name, "loss", _with_slope(of_error, 3.0))
    return Picture(
        title, "logit of the right class less the other's", "loss",
        _with_slope(of_margin, 6.0),
    )  # fmt: skip


def _schedule(part: Part) -> Picture:
    factor = part.build(Span(STEPS, EPOCH))
    if isinstance(factor, Plateau):
        return _plateau(part, factor)
    steps = np.arange(STEPS)
    values = np.array([factor(int(step)) for step in steps])
    line = Line("factor", steps.astype(float), values)
    title = f"The schedule {part} over {STEPS} steps, {EPOCH} an epoch"
    return Picture(title, "step", "factor of the learning rate", (line,))


def _plateau(part: Part, rule: Plateau) -> Picture:
    """A schedule that watches a loss: drawn for one that falls, and then stalls."""
    epochs = FALLING + 2 * (rule.patience + 1) + 2
    losses = 0.8 ** np.minimum(np.arange(epochs), FALLING)
    seen, factors = Watched(), []
    for loss in losses:
        factors.append(seen.factor)
        seen = rule.after(float(loss), seen)
    places = np.arange(epochs) + 1.0
    lines = (Line("factor", places, np.array(factors)), Line("loss", places, losses, "s1"))
    title = f"The schedule {part} where the loss stalls after {FALLING + 1} epochs"
    return Picture(title, "epoch", "factor of the learning rate", lines)


def _penalty(part: Part) -> Picture | None:
    penalty = part.build(None)
    if penalty is None or not (penalty.l1 or penalty.l2):
        return None
    lines = _with_slope(lambda w: penalty.l1 * w.abs() + penalty.l2 * w.square(), 3.0)
    return Picture(f"The penalty {part} and its derivative", "weight", "penalty", lines)


def _init(part: Part) -> Picture | None:
    if part.name == "from_run":  # its weights have the shapes of its own model
        return None
    draw, weight = part.build(None), torch.empty(WEIGHT)
    random = torch_generator(0, "init", "picture")
    if draw is None:
        weight.uniform_(-(WEIGHT[1] ** -0.5), WEIGHT[1] ** -0.5, generator=random)
    else:
        draw(weight, random)
    title = f"Weights of {WEIGHT[0]} units of fan-in {WEIGHT[1]} from {part}"
    if not bool(weight.isfinite().all()):
        raise UsageError("the weights are not finite", where="init", received=str(part),
                         do="give smaller values")  # fmt: skip
    return Picture(title, "weight", "weights", values=weight.double().flatten().numpy())


def _clip(part: Part) -> Picture | None:
    """A weight on its way down an error with a cliff, with the bound and without."""
    if part.name == "none":
        return None
    return Picture(
        f"The weight of one recurrent unit on its way to a cliff of its error, with {part} and "
        "without", "step", "weight",
        (_walk("with", part, "s2"), _walk("without", None, "s1")),
    )  # fmt: skip


def _walk(name: str, part: Part | None, kind: str) -> Line:
    """Gradient descent from beside the cliff, with a way of clipping."""
    weight = torch.nn.Parameter(torch.tensor(CLIFF["start"], dtype=torch.float64))
    clip = part.build([weight]) if part else None
    walked = [weight.item()]
    for _ in range(STEPS):
        slope = recurrent_error(weight.item(), CLIFF["bias"]).slope
        weight.grad = torch.tensor(float(slope), dtype=torch.float64)
        if clip:
            clip()
        with torch.no_grad():
            weight.sub_(CLIFF["rate"] * weight.grad)
        walked.append(weight.item())
    return Line(name, np.arange(STEPS + 1.0), np.array(walked), kind)


DRAWN: dict[str, Callable[[Part], Picture | None]] = {
    "activation": _activation,
    "loss": _loss,
    "schedule": _schedule,
    "penalty": _penalty,
    "init": _init,
    "clip": _clip,
}
