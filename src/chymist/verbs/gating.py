"""`gate_trace`: what the gates of a recurrent network do while it reads one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chymist.errors import UsageError
from chymist.models.gates import gates
from chymist.models.recurrent import Recurrent
from chymist.reports.gates import gates_picture
from chymist.reports.markup import Markup
from chymist.reports.text import sparkline
from chymist.values import Data, Run, whole_number
from chymist.verbs.text_rows import asked, texts_of
from chymist.verbs.writing import save_drawing

SHOWN = 16  # units that are drawn, those that change most


@dataclass(frozen=True, eq=False)
class GateTrace:
    """Gates, memory and state of one recurrent layer at every step of one row.

    Args:
        name: number of the row from 1, or of the new text.
        words: what was read at each step; numbers of the steps where rows are no texts.
        traces: (steps, units) of each gate, of "memory" (LSTM) and of "state".
        cell: "LSTM", "GRU", "RNN" or "Peephole".
        layer: which one, from 0.
    """

    name: str
    words: tuple[str, ...]
    traces: Mapping[str, np.ndarray]
    cell: str
    layer: int

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the gates, whose values are between 0 and 1."""
        known = ("input", "forget", "output", "reset", "update")
        return tuple(name for name in known if name in self.traces)

    @property
    def means(self) -> dict[str, np.ndarray]:
        """Mean of each gate over the units, (steps,)."""
        return {name: self.traces[name].mean(1) for name in self.gates}

    @property
    def norms(self) -> dict[str, np.ndarray]:
        """Length of the memory and of the state, (steps,)."""
        kept = [name for name in ("memory", "state") if name in self.traces]
        return {name: np.linalg.norm(self.traces[name], axis=1) for name in kept}

    @property
    def units(self) -> np.ndarray:
        """Numbers of the units whose memory (state where there is none) changes most, ascending."""
        changing = self.traces.get("memory", self.traces["state"]).std(0)
        most: np.ndarray = np.sort(np.argsort(-changing, kind="stable")[:SHOWN])
        return most

    def svg(self) -> Markup:
        """A heat map of each gate, of memory and state over the steps; means and norms beside."""
        what = f"Gates of layer {self.layer + 1} ({self.cell}) while it reads row {self.name}"
        shown = {name: self.traces[name][:, self.units] for name in self.traces}
        return gates_picture(what, self.words, shown, {**self.means, **self.norms}, self.gates,
                             [int(unit) for unit in self.units])  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The trace as plain values."""
        return {
            "row": self.name, "cell": self.cell, "layer": self.layer, "words": list(self.words),
            "means": {name: line.tolist() for name, line in self.means.items()},
            "norms": {name: line.tolist() for name, line in self.norms.items()},
            "traces": {name: values.tolist() for name, values in self.traces.items()},
        }  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write the picture as an SVG file; returns its path."""
        return save_drawing(self.svg(), path)

    def _repr_html_(self) -> str:
        return str(self.svg())

    def __repr__(self) -> str:
        units = next(iter(self.traces.values())).shape[1]
        said = f"row {self.name}: {len(self.words)} steps, {self.cell} of {units} units"
        lines = [f"{name:>7} {sparkline(line.tolist())} {line.min():.2f} to {line.max():.2f}"
                 for name, line in {**self.means, **self.norms}.items()]  # fmt: skip
        return "\n".join([said, *lines, " ".join(self.words[:40])])


def gate_trace(
    run: Run | str | Path, row: Any = None, *, layer: int = 0, model: Any = None,
    data: Data | None = None,
) -> GateTrace:  # fmt: skip
    """What the gates, the memory and the state of a layer do while it reads one row.

    Args:
        run: a run of `rnn`, `gru` or `lstm`, or its folder.
        row: number of a row of the data, from 0; or a new text, or new rows as for `predict` (a
            `Path` of a file), of which the first is read; None is the
            validation row that is answered worst.
        layer: which one, from 0; of one that reads both ways the forward direction.
        model: the user's own module or factory, if the run was made with one and is read from its
            folder.
        data: the rows, if they came from arrays in memory and the run is read from its folder.

    Returns:
        A `GateTrace`.

    Raises:
        InputError: there is no such row.
        UsageError: the model has no such recurrent layer.

    Example:
        >>> import chymist as cy
        >>> data = cy.recall_task(rows=60, steps=8)
        >>> run = cy.fit(cy.Recipe(model="lstm", length="1 epochs"), data, doctor=False)
        >>> trace = gate_trace(run, 0)
        >>> trace.gates, trace.traces["forget"].shape
        (('input', 'forget', 'output'), (8, 128))

    Source: Karpathy, Johnson, Li 2016, Visualizing and understanding recurrent networks.
    """
    layer = whole_number(layer, "layer", 0)
    numbered = row is not None and isinstance(row, int | np.integer)
    which = [int(row)] if numbered else "worst"
    rows = None if numbered else [row] if isinstance(row, str) else row
    one = asked(run, rows, model, data)
    module = one.predictor.module
    if not isinstance(module, Recurrent) or layer >= len(module.layers):
        count = len(module.layers) if isinstance(module, Recurrent) else 0
        raise UsageError("no such recurrent layer", where="layer",
                         received=f"{type(module).__name__}, layer {layer} of {count}",
                         do="give a run of rnn, gru or lstm, and a layer from 0")  # fmt: skip
    text = texts_of(one, rows, which, 1)[0]
    found = gates(module, text.numbers[None], layer)
    steps = len(text.words)
    traces = {name: values[0, :steps].double().cpu().numpy() for name, values in found.items()}
    return GateTrace(text.name, tuple(text.words), traces, type(module.layers[layer]).__name__,
                     layer)  # fmt: skip
