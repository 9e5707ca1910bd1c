"""`layer_history`: what the layers of a run did while it trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chymist.engine.folder import open_folder
from chymist.engine.layer_record import (
    FILE,
    OUTPUT,
    QUANTITIES,
    TENSOR,
    StoredLayers,
    read_counts,
    read_layers,
)
from chymist.errors import InputError, UsageError, nearest
from chymist.reports.about_layers import heat_map, layers_svg, looks_text, standing_out
from chymist.reports.markup import Markup
from chymist.values import Run
from chymist.verbs.writing import save_drawing

SHOWN = {TENSOR: ("weights", "gradients"), OUTPUT: ("outputs",)}


@dataclass(frozen=True, eq=False)
class LayerHistory:
    """What the layers of a run did, at the steps that were looked at.

    Args:
        path: of the record.
        found: the looks.
    """

    path: Path
    found: StoredLayers

    @property
    def steps(self) -> np.ndarray:
        """The steps, (looks,)."""
        return self.found.steps

    def layers(self, quantity: str = "update_ratio") -> list[str]:
        """Names of the layers that have a quantity: tensors, or modules with an output."""
        return [row.name for row in self.found.layers[QUANTITIES[_known(quantity)][0]]]

    def values(self, quantity: str = "update_ratio") -> np.ndarray:
        """A quantity, (layers, looks); NaN where a layer was not looked at, or is no number."""
        part, column = QUANTITIES[_known(quantity)]
        places = [row.number - 1 for row in self.found.layers[part]]
        values: np.ndarray = self.found.table[places, :, column]
        return values

    def histograms(self, layer: str, shown: str = "weights") -> dict[int, np.ndarray]:
        """Counts over the 64 bins of `engine.layer_record.log_counts`, by step.

        Args:
            layer: name of a tensor ("weights", "gradients") or of a layer ("outputs").
            shown: of what.

        Raises:
            UsageError: no such layer, or nothing of that kind.
        """
        part = next((part for part, names in SHOWN.items() if shown in names), None)
        if part is None:
            known = [name for names in SHOWN.values() for name in names]
            raise UsageError("no such histogram", where="shown", received=repr(shown),
                             do=nearest(shown, known))  # fmt: skip
        rows = {row.name: row.number for row in self.found.layers[part]}
        if layer not in rows:
            raise UsageError("no such layer", where="layer", received=repr(layer)[:60],
                             do=nearest(layer, rows))  # fmt: skip
        return read_counts(self.path, rows[layer], shown)

    def svg(self, quantity: str = "update_ratio") -> Markup:
        """A heat map of layer by step."""
        return layers_svg(heat_map(self.found, _known(quantity)))

    def save(self, path: str | Path, quantity: str = "update_ratio") -> Path:
        """Write the heat map as an SVG file; returns its path."""
        return save_drawing(self.svg(quantity), path)

    def to_dict(self) -> dict[str, Any]:
        """The history as plain values, without histograms."""
        return {
            "steps": self.steps.tolist(),
            "seconds": float(self.found.seconds.sum()), "elapsed": float(self.found.elapsed[-1]),
            "standing_out": [vars(one) for one in standing_out(self.found)],
            "quantities": {
                name: {"layers": self.layers(name),
                       "values": [[v if np.isfinite(v) else None for v in row]
                                  for row in self.values(name).tolist()]}
                for name in QUANTITIES
            },
        }  # fmt: skip

    def _repr_html_(self) -> str:
        return str(self.svg())

    def __repr__(self) -> str:
        lines = [one.text for one in standing_out(self.found)]
        return "\n".join([*lines, looks_text(self.found)])


def layer_history(run: Run | str | Path) -> LayerHistory:
    """What the layers of a run did: gradients, updates, weights and activations over its steps.

    Recorded while the run trains, at steps a tenth apart, as long as it takes less than 2 % of
    the time. The update ratio is ||w' - w|| / ||w|| of a step, over up to 2,000 values of a tensor;
    gradients are those of the step (after clipping); a unit is dead if it gives 0 for every row of
    the batch, saturated if it is at the rails of a sigmoid or tanh for 90 % of them.

    Args:
        run: the run, while or after it trains, or its folder.

    Returns:
        A `LayerHistory` with `steps`, `values(quantity)`, `histograms(layer)`, `save(path)`.

    Raises:
        InputError: no run folder, a damaged record, or a run without one.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="mlp", length="3 epochs"), cy.load("iris"))
        >>> found = cy.layer_history(run)
        >>> int(found.steps[0]), found.layers()[0], found.values().shape[1] == len(found.steps)
        (1, '1.weight', True)

    Source: update ratios, Karpathy, CS231n notes, Neural Networks Part 3.
    """
    folder = run.path if isinstance(run, Run) else open_folder(run).path
    found = read_layers(folder / FILE)
    if found is None or not len(found.steps):
        raise InputError(
            "the run has no record of its layers", where=str(folder),
            do="train it again: solved models, old runs and fit(..., layers=False) have none",
        )  # fmt: skip
    return LayerHistory(folder / FILE, found)


def _known(quantity: str) -> str:
    """A quantity that there is.

    Raises:
        UsageError: there is none of that name.
    """
    if quantity not in QUANTITIES:
        raise UsageError("no such quantity", where="quantity", received=repr(quantity)[:60],
                         do=nearest(str(quantity), QUANTITIES))  # fmt: skip
    return quantity
