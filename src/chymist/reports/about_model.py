"""The model card: its layers with shapes and parameters, and coefficients of linear models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from chymist.reports.layers import LayerRow
from chymist.reports.markup import (
    ROWS,
    Markup,
    block,
    data_name,
    details,
    figure,
    join,
    pairs,
    safe,
    table,
    tag,
)
from chymist.reports.numbers import count, number, share
from chymist.reports.trees import NamedTree, size_text, tree_svg, tree_text
from chymist.values import Run


class Affine(Protocol):
    """Coefficients of a model that is linear in its raw inputs.

    Attributes: names (features,), weights (features, outputs), intercept (outputs,).
    """

    @property
    def names(self) -> Sequence[str]:
        """Feature names."""

    @property
    def weights(self) -> np.ndarray:
        """Weights in raw units, (features, outputs)."""

    @property
    def intercept(self) -> np.ndarray:
        """Intercepts, (outputs,)."""


def model_section(
    run: Run, layers: Sequence[LayerRow], coefficients: Affine | None,
    tree: NamedTree | None = None,
) -> Markup:  # fmt: skip
    """The model card of a run."""
    total = sum(row.parameters for row in layers)
    recipe = run.recipe
    slots = (
        "model", "init", "loss", "penalty", "optimizer", "schedule", "batch_size", "length", "stop",
        "clip", "gradient_noise", "augment",
    )  # fmt: skip
    chosen = {slot: getattr(recipe, slot) for slot in slots}
    chosen["schedule"] = chosen["schedule"] or "none"  # solvers have none
    card = pairs([
        ("parameters", f"{total:,}"),
        *((slot.replace("_", " "), str(value).removesuffix("()"))
          for slot, value in chosen.items() if value is not None),
    ])  # fmt: skip
    rows = [_row(row, total) for row in layers[: ROWS - 1]]
    if len(layers) < ROWS:
        rows.append([tag("b", "total"), "", "", tag("b", f"{total:,}"), ""])
    heads = ["layer", "type", "output shape", "parameters", "share"]
    heading = tag("h3", f"{count(len(layers), 'layer')}, {count(total, 'parameter')}.")
    left = len(layers) - len(rows)
    note = f"{left:,} more layers are left out of the table." if len(layers) >= ROWS else ""
    trained = _untrained_note(run, total)
    return join(
        card, heading, table(heads, rows, {3, 4}),
        *(tag("p", text, class_="note") for text in (note, trained) if text),
        coefficients_table(run, coefficients) if coefficients is not None else "",
        tree_figure(tree) if tree is not None and len(tree.tree) else "",
    )  # fmt: skip


def tree_figure(named: NamedTree) -> Markup:
    """A drawing of a tree, and its text folded below."""
    several = len(named.tree.roots) > 1
    counted = "training rows" if several or not named.classes else "training rows/errors"
    caption = f"Beside each leaf: what it says ({counted}). Dots grow with the rows."
    text = details("The tree in words", block(tree_text(named)))
    drawn = tag("div", tree_svg(named), class_="scroll tree", tabindex="0")
    return join(tag("h3", size_text(named)), figure("", drawn, caption), text)


def coefficients_table(run: Run, found: Affine) -> Markup:
    """Weights of a linear model in the units of the raw data, the largest first."""
    weights = np.asarray(found.weights, np.float64)
    outputs = weights.shape[1]
    shown = min(outputs, 10)
    order = np.argsort(-np.abs(weights).max(1), kind="stable")
    if outputs == len(run.data.classes):
        heads = [data_name(name) for name in run.data.classes[:shown]]
    elif outputs == 1:
        heads = [Markup("weight")]
    else:
        heads = [safe(f"output {i + 1}") for i in range(shown)]
    rows: list[list[object]] = [["(intercept)", *(number(v) for v in found.intercept[:shown])]]
    rows += [[data_name(found.names[i]), *(number(v) for v in weights[i, :shown])] for i in order]
    unit = "log-odds" if run.data.classes else f"units of {run.data.target}"
    heading = tag("h3", f"The model is linear: its weights in {unit} per unit of each feature.")
    note = "Sorted by size; features with large units have small weights. " + (
        f"The first {shown} of {outputs} outputs." if shown < outputs else ""
    )
    made = table(["feature", *heads], rows, set(range(1, shown + 1)))
    return join(heading, made, tag("p", note, class_="note"))


def _row(row: LayerRow, total: int) -> list[object]:
    shape = " × ".join(map(str, row.output_shape)) or "–"
    count_ = f"{row.parameters:,}" if row.parameters else "–"
    part = share(row.parameters, total) if row.parameters else ""
    return [tag("code", row.name or "(model)"), row.kind, shape, count_, part]


def _untrained_note(run: Run, total: int) -> str:
    """Says that frozen parameters are in the count, where there are any."""
    from chymist.models.counting import (
        count_fitted,
    )  # brings torch, and reports are light to import

    free = count_fitted(run.model, trained=True)
    return f"{free:,} of {total:,} parameters are trained." if free != total else ""
