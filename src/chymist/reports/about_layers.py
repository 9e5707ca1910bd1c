"""What the layers of a run did: heat maps of layer by step, and sentences about what stands out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chymist.engine.layer_record import QUANTITIES, LayerName, StoredLayers
from chymist.reports.heat import cells, every, key
from chymist.reports.markup import Markup
from chymist.reports.saying import ENGLISH, Say
from chymist.reports.svg import drawing, label

TITLES = {
    "update_ratio": "update over weights", "gradient_norm": "norm of the gradient",
    "weight_norm": "norm of the weights", "activation_mean": "mean of the activations",
    "activation_deviation": "deviation of the activations",
    "dead": "share of units that give 0 for the whole batch",
    "saturated": "share of units at the rails of a sigmoid or tanh",
}  # fmt: skip
LOG = frozenset({"update_ratio", "gradient_norm", "weight_norm", "activation_deviation"})
SHARES = frozenset({"dead", "saturated"})
# Those of the doctor's rules: shares of units, and a step that is too long.
MANY, LONG = 0.5, 0.1
GROWN = 1000.0  # a gradient so many times that of the first look
CALM = 10  # steps after which an update is compared with its weights
ROW, CELL, NAME = 17.0, 620.0, 190.0
MOST_ROWS = 200  # of a drawing


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A quantity of all layers that have it.

    Args:
        quantity: its name.
        rows: the layers.
        steps: (looks,).
        values: (rows, looks); NaN also where a layer was not looked at.
        seen: (rows, looks).
        low, high: ends of the scale; of the finite values, positive ones on a logarithmic scale.
    """

    quantity: str
    rows: tuple[LayerName, ...]
    steps: np.ndarray
    values: np.ndarray
    seen: np.ndarray
    low: float
    high: float

    @property
    def shares(self) -> np.ndarray:
        """Places of the values on the scale: 0 to 1, or -1 to 1 around 0; NaN off it."""
        with np.errstate(all="ignore"):
            if self.quantity in LOG:
                low, high = np.log10(self.low), np.log10(self.high)
                found = (np.log10(self.values) - low) / max(high - low, 1e-12)
                found = np.where(self.values == 0, 0.0, found)
            elif self.quantity == "activation_mean":
                return np.where(np.isfinite(self.values), self.values / (self.high or 1.0), np.nan)
            else:
                found = (self.values - self.low) / max(self.high - self.low, 1e-12)
        made: np.ndarray = np.where(np.isfinite(self.values), found.clip(0, 1), np.nan)
        return made


def heat_map(found: StoredLayers, quantity: str) -> HeatMap:
    """A quantity of all layers that have it; of shares, of those where it was ever above 0.

    Args:
        found: the looks.
        quantity: one of `QUANTITIES`.
    """
    part, column = QUANTITIES[quantity]
    rows = found.layers[part]
    places = [row.number - 1 for row in rows]
    values, seen = found.table[places, :, column], found.seen[places]
    if quantity in SHARES and (some := (np.nan_to_num(values) > 0).any(1)).any():
        rows = tuple(row for row, kept in zip(rows, some, strict=True) if kept)
        values, seen = values[some], seen[some]
    low, high = 0.0, 1.0
    if quantity not in SHARES:
        finite = values[np.isfinite(values) & ((values > 0) | (quantity not in LOG))]
        if len(finite):
            low, high = float(finite.min()), float(finite.max())
        if quantity == "activation_mean":
            high = max(abs(low), abs(high))
            low = -high
        elif quantity in LOG and not low > 0:
            low, high = 1e-3, 1.0
    return HeatMap(quantity, rows, found.steps, values, seen, low, high)


def layers_svg(found: HeatMap, say: Say = ENGLISH) -> Markup:
    """A heat map of layer by step; what is no number has a cross.

    Args:
        found: what is drawn.
        say: the language.
    """
    rows, looks = found.values.shape
    rows = min(rows, MOST_ROWS)
    size, top = (CELL / max(1, looks), ROW), 34.0
    signed = found.quantity == "activation_mean"
    parts: list[Markup] = [label(say(TITLES[found.quantity]), 0, 14, kind="title")]
    shares = found.shares[:rows]
    parts.append(cells(shares, NAME, top, size, (0.0, 1.0), signed))
    for row in range(rows):
        name = found.rows[row].name
        parts.append(label(name if len(name) < 28 else f"…{name[-26:]}", NAME - 6,
                           top + row * ROW + 12.5, "end"))  # fmt: skip
    for row, at in np.argwhere(found.seen[:rows] & ~np.isfinite(found.values[:rows])).tolist():
        parts.append(label("×", NAME + (at + 0.5) * size[0], top + row * ROW + 13, "middle"))
    bottom = top + rows * ROW
    texts = [f"{step:,}" for step in found.steps.tolist()]
    for at in every(texts, size[0], 9.0 * max(map(len, texts), default=1)):
        parts.append(label(texts[at], NAME + (at + 0.5) * size[0], bottom + 16, "middle"))
    parts.append(label(say("step"), NAME + CELL, bottom + 34, "end", kind="title"))
    ends = f"{found.low:.3g}", f"{found.high:.3g}"
    parts.append(key(NAME, bottom + 28, ends, signed, 160))
    said = say("{title}: {rows} layers at {looks} steps", title=say(TITLES[found.quantity]),
               rows=len(found.rows), looks=looks)  # fmt: skip
    return drawing(said, bottom + 60, *parts, width=NAME + CELL + 12)


@dataclass(frozen=True)
class Standing:
    """What stands out: a sentence, the layer, the quantity that shows it, the doctor's code."""

    text: str
    layer: str
    quantity: str
    code: str


def standing_out(found: StoredLayers, say: Say = ENGLISH) -> list[Standing]:
    """Layers that are dead, saturated, no numbers, torn about or exploding, at their last look.

    Args:
        found: the looks.
        say: the language.

    Returns:
        A sentence for each, the first five of a kind; none where nothing stands out.
    """
    if not len(found.steps):
        return []
    said = [*_broken(found, say)]
    for name, code, template in (
        ("dead", "dead_relu",
         "{layer}: {share} of its units gave 0 for every row of the batch at step {step}."),
        ("saturated", "saturated_activation",
         "{layer}: {share} of its units were at their rails at step {step}."),
    ):  # fmt: skip
        for row, value, step in _last(heat_map(found, name)):
            if value > MANY:
                text = say(template, layer=row.name, share=f"{value:.0%}", step=f"{step:,}")
                said.append(Standing(text, row.name, name, code))
    for row, value, step in _last(heat_map(found, "update_ratio")):
        if step > CALM and LONG < value < np.inf:
            text = say("{layer}: a step moved it by {share} of its size (step {step}).",
                       layer=row.name, share=f"{value:.0%}", step=f"{step:,}")  # fmt: skip
            said.append(Standing(text, row.name, "update_ratio", "lr_too_high"))
    gradients = heat_map(found, "gradient_norm")
    for n, (row, value, step) in enumerate(_last(gradients)):
        first = gradients.values[n][np.flatnonzero(gradients.seen[n])[:1]]
        if len(first) and first[0] > 0 and GROWN < value / first[0] < np.inf:
            text = say(
                "{layer}: its gradient is {times} times that of the first step ({step}).",
                layer=row.name,
                step=f"{step:,}",
                times=f"{value / first[0]:,.0f}",
            )
            said.append(Standing(text, row.name, "gradient_norm", "exploding_gradient"))
    return _few(said)


def _broken(found: StoredLayers, say: Say) -> list[Standing]:
    """Layers whose numbers are not finite, from the first step where they were not."""
    said = []
    for name in ("weight_norm", "gradient_norm", "activation_mean"):
        shown = heat_map(found, name)
        for row, values, seen in zip(shown.rows, shown.values, shown.seen, strict=True):
            bad = np.flatnonzero(seen & ~np.isfinite(values))
            if len(bad):
                text = say("{layer}: its {quantity} was not finite at step {step}.",
                           layer=row.name, quantity=say(TITLES[name]),
                           step=f"{shown.steps[bad[0]]:,}")  # fmt: skip
                said.append(Standing(text, row.name, name, "nan_inf_loss"))
    return said


def _last(shown: HeatMap) -> list[tuple[LayerName, float, int]]:
    """Of each layer its last value, and when."""
    found = []
    for row, values, seen in zip(shown.rows, shown.values, shown.seen, strict=True):
        at = np.flatnonzero(seen)
        if len(at):
            found.append((row, float(values[at[-1]]), int(shown.steps[at[-1]])))
    return found


def _few(said: list[Standing]) -> list[Standing]:
    """The first five of each code."""
    kept: dict[str, list[Standing]] = {}
    for one in said:
        kept.setdefault(one.code, []).append(one)
    return [one for some in kept.values() for one in some[:5]]


def looks_text(found: StoredLayers, say: Say = ENGLISH) -> str:
    """When it was looked, and what that cost.

    Args:
        found: the looks.
        say: the language.
    """
    if not len(found.steps):
        return say("No step was looked at yet.")
    cost = float(found.seconds.sum() / max(found.elapsed[-1], 1e-9))
    gaps = np.diff(found.steps)
    return say(
        "Looked at {n} steps from {first} to {last}, {least} to {most} steps apart; looking took "
        "{share} of the time, {seconds} s.",
        n=f"{len(found.steps):,}", first=f"{found.steps[0]:,}", last=f"{found.steps[-1]:,}",
        least=f"{gaps.min(initial=1) if len(gaps) else 0:,}",
        most=f"{gaps.max(initial=0):,}", share=f"{min(cost, 1.0):.1%}",
        seconds=f"{found.seconds.sum():.2f}",
    )  # fmt: skip


BAND = (
    "Usual steps move a tensor by about a thousandth of its size (1e-3): far above a hundredth "
    "training is restless, far below 1e-5 it stands still."
)
