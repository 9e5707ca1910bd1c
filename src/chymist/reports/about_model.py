"""The model card: its layers with shapes and parameters, and coefficients of linear models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from chymist.reports.layers import LayerRow
from chymist.reports.markup import (
    CELL,
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
from chymist.reports.numbers import number, share
from chymist.reports.saying import ENGLISH, Say
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
    tree: NamedTree | None = None, say: Say = ENGLISH, architecture: Markup | None = None,
) -> Markup:  # fmt: skip
    """The model card of a run."""
    total = sum(row.parameters for row in layers)
    recipe = run.recipe
    slots = (
        "model", "init", "loss", "penalty", "optimizer", "schedule", "batch_size", "length", "stop",
        "clip", "gradient_noise", "augment",
    )  # fmt: skip
    chosen = {slot: getattr(recipe, slot) for slot in slots}
    chosen["schedule"] = chosen["schedule"] or say("none")  # solvers have none
    card = pairs([
        (say("parameters"), f"{total:,}"),
        *((say.word(slot.replace("_", " ")), tag("code", str(value).removesuffix("()")))
          for slot, value in chosen.items() if value is not None),
    ])  # fmt: skip
    rows = [_row(row, total, say) for row in layers[: ROWS - 1]]
    if len(layers) < ROWS:
        rows.append([tag("b", say("total")), "", "", tag("b", f"{total:,}"), ""])
    heads = [say("layer"), say("type"), say("output shape"), say("parameters"), say("share")]
    heading = tag("h3", say(
        "{layers}, {parameters}.",
        layers=say.counted(len(layers), "{n} layer", "{n} layers"),
        parameters=say.counted(total, "{n} parameter", "{n} parameters"),
    ))  # fmt: skip
    left = f"{len(layers) - len(rows):,}"
    note = say("{n} more layers are left out of the table.", n=left) if len(layers) >= ROWS else ""
    trained = _untrained_note(run, total, say)
    return join(
        card, architecture or "", heading, table(heads, rows, {3, 4}, say=say),
        *(tag("p", text, class_="note") for text in (note, trained) if text),
        coefficients_table(run, coefficients, say) if coefficients is not None else "",
        tree_figure(tree, say) if tree is not None and len(tree.tree) else "",
    )  # fmt: skip


def tree_figure(named: NamedTree, say: Say = ENGLISH) -> Markup:
    """A drawing of a tree, and its text folded below."""
    several = len(named.tree.roots) > 1
    counted = say("training rows") if several or not named.classes else say("training rows/errors")
    caption = say("Beside each leaf: what it says ({counted}). Dots grow with the rows.",
                  counted=counted)  # fmt: skip
    text = details(say("The tree in words"), block(tree_text(named)))
    drawn = tag("div", tree_svg(named, say=say), class_="scroll tree", tabindex="0")
    return join(tag("h3", size_text(named, say)), figure("", drawn, caption, say=say), text)


def coefficients_table(run: Run, found: Affine, say: Say = ENGLISH) -> Markup:
    """Weights of a linear model in the units of the raw data, the largest first."""
    weights = np.asarray(found.weights, np.float64)
    outputs = weights.shape[1]
    shown = min(outputs, 10)
    order = np.argsort(-np.abs(weights).max(1), kind="stable")
    if outputs == len(run.data.classes):
        heads = [data_name(name) for name in run.data.classes[:shown]]
    elif outputs == 1:
        heads = [join(say("weight"))]
    else:
        heads = [join(say("output {n}", n=i + 1)) for i in range(shown)]
    rows: list[list[object]] = [[say("(intercept)"), *(number(v) for v in found.intercept[:shown])]]
    rows += [[data_name(found.names[i]), *(number(v) for v in weights[i, :shown])] for i in order]
    target = run.data.target
    unit = say("log-odds") if run.data.classes else say("units of {target}", target=target)
    heading = say("The model is linear: its weights in {unit} per unit of each feature.", unit=unit)
    note = say("Sorted by size; features with large units have small weights. ")
    if shown < outputs:
        note += say("The first {n} of {all} outputs.", n=shown, all=outputs)
    made = table([say("feature"), *heads], rows, set(range(1, shown + 1)), say=say)
    return join(tag("h3", heading), made, tag("p", note, class_="note"))


def _row(row: LayerRow, total: int, say: Say) -> list[object]:
    shape = " × ".join(map(str, row.output_shape)) or "–"
    count_ = f"{row.parameters:,}" if row.parameters else "–"
    part = share(row.parameters, total) if row.parameters else ""
    name, kind = tag("code", row.name or say("(model)")), tag("code", safe(row.kind, CELL))
    return [name, kind, shape, count_, part]


def _untrained_note(run: Run, total: int, say: Say) -> str:
    """Says that frozen parameters are in the count, where there are any."""
    from chymist.models.counting import (
        count_fitted,
    )  # brings torch, and reports are light to import

    free = count_fitted(run.model, trained=True)
    if free == total:
        return ""
    return say("{free} of {all} parameters are trained.", free=f"{free:,}", all=f"{total:,}")
