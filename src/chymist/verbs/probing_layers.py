"""`layer_probes`: what a linear model can read off each layer of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from chymist.engine.assembly import HEADLINE, Assembly, assemble, prepare_split
from chymist.errors import InputError, UsageError
from chymist.evidence import PairedDifference, compare_paired, score
from chymist.evidence.verdict import amount
from chymist.explanation.features import chosen_layers, layer_outputs, layers_in_order
from chymist.explanation.probes import columns_of, linear_probe
from chymist.keys import torch_generator
from chymist.metrics import find
from chymist.reports.charts import interval_chart
from chymist.reports.markup import Markup
from chymist.reports.numbers import metric_name
from chymist.reports.text import table
from chymist.values import Data, Predictions, Run, Score, show, whole_number
from chymist.verbs.records import load_run
from chymist.verbs.writing import save_drawing

INPUTS = "inputs"
WIDTH = 100


@dataclass(frozen=True)
class Probe:
    """What a linear model reads off one layer.

    Args:
        layer: its name; "inputs" for what the network is given.
        kind: its class.
        shape: of what it gives for one row.
        score: of the probe on validation rows.
        start: the same with the first weights of the network; None for the inputs.
        gain: over the probe of the inputs, on the same rows; None for the inputs.
    """

    layer: str
    kind: str
    shape: tuple[int, ...]
    score: Score
    start: Score | None = None
    gain: PairedDifference | None = None

    def to_dict(self) -> dict[str, Any]:
        """The probe as plain values."""
        return {
            "layer": self.layer, "kind": self.kind, "shape": list(self.shape),
            "score": self.score.to_dict(),
            "start": None if self.start is None else self.start.to_dict(),
            "gain": None if self.gain is None else vars(self.gain),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class LayerProbes:
    """How well linear models read the answer off the layers of a network.

    Args:
        probes: the inputs, then the layers in the order of their calls.
        rows: training rows that a probe was trained on.
    """

    probes: tuple[Probe, ...]
    rows: int

    @property
    def metric(self) -> str:
        """What the probes are scored by."""
        return self.probes[0].score.metric

    @property
    def verdict(self) -> str:
        """One sentence: does the answer become easier to read with depth?"""
        inputs, last = self.probes[0], self.probes[-1]
        if last.gain is None:
            return "the network has no layer between inputs and outputs"
        metric, gain = self.metric, last.gain
        better = gain.clear and (gain.value > 0) == find(metric).greater_is_better
        word = "cannot tell" if not gain.clear else "yes" if better else "no"
        name = metric_name(metric)
        return (
            "Is the answer easier to read off the last hidden layer than off the inputs? "
            f"{word.capitalize()}: {name} {show(metric, last.score.value)} "
            f"({last.layer}) beside {show(metric, inputs.score.value)}, difference "
            f"{amount(metric, gain.value, gain.low, gain.high)} "
            f"({last.score.n:,} validation rows, paired)."
        )

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells of the table of layers."""
        metric = self.metric
        heads = ["layer", "kind", "gives", metric_name(metric), "95 % interval", "untrained"]
        cells: list[list[object]] = [
            [
                probe.layer, probe.kind, " x ".join(map(str, probe.shape)),
                show(metric, probe.score.value),
                f"[{show(metric, probe.score.low)}, {show(metric, probe.score.high)}]",
                "" if probe.start is None else show(metric, probe.start.value),
            ]
            for probe in self.probes
        ]  # fmt: skip
        return heads, cells

    def svg(self) -> Markup:
        """The score at each layer with its interval, trained and with the first weights."""
        rows = []
        for probe in reversed(self.probes):
            rows.append((probe.layer, probe.score))
            if probe.start is not None:
                rows.append((f"{probe.layer}, untrained", probe.start))
        return interval_chart(
            f"{metric_name(self.metric)} that a linear model reads off each layer",
            [(name, s.value, s.low, s.high) for name, s in rows],
            lambda value: show(self.metric, value),
        )

    def save(self, path: str | Path) -> Path:
        """Write the picture as an SVG file; returns its path."""
        return save_drawing(self.svg(), path)

    def to_dict(self) -> dict[str, Any]:
        """The probes as plain values (the JSON contract)."""
        return {"verdict": self.verdict, "rows": self.rows,
                "probes": [probe.to_dict() for probe in self.probes]}  # fmt: skip

    def __repr__(self) -> str:
        heads, cells = self.table()
        return f"{self.verdict}\n\n{table(cells, heads, WIDTH)}"

    def _repr_html_(self) -> str:
        return f"<p>{self.verdict}</p>{self.svg()}"


def layer_probes(
    run: Run | str | Path,
    layers: Sequence[str] | None = None,
    rows: int = 1000,
    *,
    model: Any = None,
    data: Data | None = None,
) -> LayerProbes:
    """Train a linear model on the outputs of each hidden layer, and score it on validation rows.

    The control is the same network with the weights that it started from: what a probe reads off
    random features was not learned. Maps are averaged over places until a layer gives at most 1,024
    numbers. The layer of the outputs is itself a linear model, and is left out.

    Args:
        run: a run of rows with one target each, or its folder.
        layers: names of the layers; of many the last of each size by default.
        rows: most training rows that a probe sees, drawn once for all.
        model: as in `evaluate`.
        data: as in `evaluate`.

    Returns:
        A `LayerProbes`: print it, `.verdict`, `.save("probes.svg")`.

    Raises:
        InputError: the run has no validation rows.
        UsageError: no such layer, or a run of another task or of graphs.

    Example:
        >>> import chymist as cy
        >>> recipe = cy.Recipe(model=cy.models.mlp(hidden=(8,)), length="20 epochs")
        >>> found = layer_probes(cy.fit(recipe, cy.load("iris")))
        >>> [probe.layer for probe in found.probes]
        ['inputs', '1', '2']

    Source: Alain, Bengio 2016, Understanding intermediate layers using linear classifier probes.
    """
    run = run if isinstance(run, Run) else load_run(run, model=model, data=data)
    rows = whole_number(rows, "rows", 10)
    given = run.data
    if given.task not in ("classification", "regression") or given.kind == "graph":
        raise UsageError("probes need rows with one target each", where="layer_probes",
                         received=f"{given.kind}, {given.task}",
                         do="take a run on a table, images, sequences or texts")  # fmt: skip
    begun = assemble(run.recipe, run.split, run.seed, check=False,
                     prepared=prepare_split(run.recipe, run.split))  # fmt: skip
    if not len(begun.valid):
        raise InputError("there are no rows to score on", where="validation rows",
                         do="keep rows for validation: --valid 0.2")  # fmt: skip
    first = begun.state.model.eval()
    names = _names(run.model, begun, layers)
    chosen = _drawn(len(begun.train), rows, run.seed)
    trained = _scored(run, begun, run.model, names, chosen)
    start = _scored(run, begun, first, names, chosen)
    metric = HEADLINE[given.task]
    inputs = trained[INPUTS][1]
    probes: list[Probe] = []
    for name, (shape, found) in trained.items():
        own = name != INPUTS
        kind = type(run.model.get_submodule(name)).__name__ if own else given.kind
        probes.append(Probe(
            name, kind, shape, score(found, metric, "valid"),
            score(start[name][1], metric, "valid") if own else None,
            compare_paired(found, inputs, metric) if own else None,
        ))  # fmt: skip
    return LayerProbes(tuple(probes), len(chosen))


def _names(model: nn.Module, begun: Assembly, layers: Sequence[str] | None) -> list[str]:
    """The layers to read: those asked for, or the hidden ones."""
    batch, _ = next(begun.valid.batches([torch.arange(min(2, len(begun.valid)))]))
    known = layers_in_order(model, batch)
    if layers is None:
        hidden = [layer.name for layer in chosen_layers(known[:-1])]
        if not hidden:
            raise UsageError("there is no hidden layer", where="layer_probes",
                             received=type(model).__name__, do="take a network")  # fmt: skip
        return hidden
    names = [layer.name for layer in known]
    for name in layers:
        if name not in names:
            raise UsageError("no such layer", where="layers", received=f"'{name}'"[:80],
                             do=f"it has {', '.join(names)[:200]}")  # fmt: skip
    return list(dict.fromkeys(layers))


def _drawn(count: int, most: int, seed: int) -> torch.Tensor:
    """Numbers of the training rows that the probes see, ascending."""
    order = torch.randperm(count, generator=torch_generator(seed, "probe"))
    return order[:most].sort().values


def _scored(
    run: Run, begun: Assembly, model: nn.Module, names: Sequence[str], chosen: torch.Tensor
) -> dict[str, tuple[tuple[int, ...], Predictions]]:
    """Shape and results on validation rows of a probe of the inputs and of each layer."""
    data, valid = run.data, run.split.valid
    train_rows = run.split.train[chosen.numpy()]
    parts = {}
    for name, source, index in (
        ("train", begun.train, chosen), ("valid", begun.valid, torch.arange(len(valid))),
    ):  # fmt: skip
        batches = [inputs for inputs, _ in source.batches(list(index.split(256)))]
        made = layer_outputs(model, batches, names)
        parts[name] = {INPUTS: np.concatenate([b.numpy() for b in batches]), **made}
    found = {}
    for name in (INPUTS, *names):
        seen, asked = parts["train"][name], parts["valid"][name]
        outputs = linear_probe(
            *columns_of(seen, asked), data.targets[train_rows], data.task, len(data.classes or ())
        )
        results = Predictions(valid, data.targets[valid], outputs, run.split.groups_of(valid))
        found[name] = (seen.shape[1:], results)
    return found
