"""What TensorBoard shows, written as event files: numbers, histograms, pictures, texts, a graph."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import time
from typing import Any

import numpy as np

from chymist.data.event_files import VERSION, frame, messages
from chymist.reports.dataflow import Dataflow
from chymist.reports.pictures import to_png

BINS = 30
BUFFER = 2**16  # bytes that wait
MOST_VALUES = 100_000  # of a tensor that a histogram counts


class EventFile:
    """A new event file; each call adds one event, and `flush` writes what waits.

    Args:
        folder: that holds it; the name says when it was begun, and by which process.

    Raises:
        OSError: it cannot be written.
        UsageError: the package `tensorboard` is not installed.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with EventFile(folder) as file:
        ...     file.scalars(1, {"loss/train": 0.5})
        >>> from chymist.data.event_files import read_events
        >>> read_events(list(folder.iterdir())).series["loss/train"][0][1:]
        (1, 0.5)
    """

    def __init__(self, folder: Path) -> None:
        self._known = messages()
        began = time()
        name = f"events.out.tfevents.{int(began):010d}.chymist.{os.getpid()}"
        number = 0
        while (path := folder / f"{name}.{number}").exists():
            number += 1
        self._path, self._waiting = path, bytearray()
        path.open("xb").close()
        self._write(self._known.Event(wall_time=began, file_version=VERSION))

    def scalars(self, step: int, values: Mapping[str, float], wall: float | None = None) -> None:
        """Numbers of a step.

        Args:
            step: of the run.
            values: by tag; in the file they are float32.
            wall: seconds since 1970; None is now.
        """
        of = self._known.Summary.Value
        self._summary(step, [of(tag=t, simple_value=v) for t, v in values.items()], wall)

    def histogram(self, step: int, tag: str, values: np.ndarray) -> None:
        """How often values of each size are in an array; those that are not finite do not count.

        Args:
            step: of the run.
            tag: name.
            values: any shape; of more than 100,000 as many at equal distances are counted.
        """
        flat = np.asarray(values).reshape(-1)
        flat = flat[:: -(-len(flat) // MOST_VALUES)] if len(flat) else flat
        flat = flat[np.isfinite(flat)].astype(np.float64)
        if not len(flat):
            return
        counts, edges = np.histogram(flat, BINS)
        histo = {
            "min": flat.min(), "max": flat.max(), "num": len(flat), "sum": flat.sum(),
            "sum_squares": (flat**2).sum(),
            "bucket_limit": edges.tolist(), "bucket": [0, *counts.tolist()],
        }  # fmt: skip
        self._summary(step, [self._known.Summary.Value(tag=tag, histo=histo)])

    def image(self, step: int, tag: str, picture: np.ndarray) -> None:
        """A picture, uint8 (height, width, 1 or 3)."""
        height, width, channels = picture.shape
        image = {"height": height, "width": width, "colorspace": channels,
                 "encoded_image_string": to_png(picture)}  # fmt: skip
        self._summary(step, [self._known.Summary.Value(tag=tag, image=image)])

    def text(self, step: int, tag: str, text: str) -> None:
        """A text, which TensorBoard reads as Markdown."""
        value = self._known.Summary.Value(tag=tag)
        value.metadata.plugin_data.plugin_name = "text"
        value.tensor.dtype = self._known.DataType.DT_STRING
        value.tensor.string_val.append(text.encode())
        value.tensor.tensor_shape.dim.add().size = 1
        self._summary(step, [value])

    def graph(self, graph: Dataflow) -> None:
        """The graph of a model, as `cy.architecture` has it; TensorBoard folds its modules.

        Args:
            graph: what flows through the model.
        """
        made, names = self._known.GraphDef(), names_within(graph)
        made.versions.producer = 22
        for name, node in zip(names, graph.nodes, strict=True):
            one = made.node.add(name=name, op=node.kind)
            one.input.extend(dict.fromkeys(names[at] for at, _ in node.inputs))
            shape = one.attr["_output_shapes"].list.shape.add()
            for size in node.shape:
                shape.dim.add().size = size
            if node.detail:
                one.attr["detail"].s = node.detail.encode()
            for key in ("parameters", "shared", "multiply_adds"):
                if value := getattr(node, key):
                    one.attr[key].i = value
        self._write(self._known.Event(wall_time=time(), graph_def=made.SerializeToString()))

    def flush(self) -> None:
        """Append what waits to the file, which is open only meanwhile."""
        with self._path.open("ab") as file:
            file.write(self._waiting)
        self._waiting.clear()

    def __enter__(self) -> EventFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def _summary(self, step: int, values: Sequence[Any], wall: float | None = None) -> None:
        clock = time() if wall is None else wall
        made = self._known.Summary(value=values)
        self._write(self._known.Event(wall_time=clock, step=step, summary=made))

    def _write(self, event: Any) -> None:
        self._waiting += frame(event.SerializeToString())
        if len(self._waiting) > BUFFER:
            self.flush()


def names_within(graph: Dataflow) -> list[str]:
    """A name of its own for each node, within those of the modules that it is part of.

    Args:
        graph: of a model.

    Returns:
        Layers by their place ("body/0-Conv2d"), operations by what they do there ("body/add"); a
        layer that is called again has a number ("body/0-Conv2d_1").

    Example:
        >>> from chymist.reports.dataflow import Node
        >>> nodes = Node("input", "input", family="input"), Node("0", "ReLU"), Node("", "add")
        >>> names_within(Dataflow(nodes, ()))
        ['input', '0-ReLU', 'add']
    """
    kinds = {one.name: one.kind for one in graph.groups}
    kinds |= {node.name: node.kind for node in graph.nodes if node.kind[:1].isupper()}
    seen = Counter[str]()
    names = []
    for node in graph.nodes:
        parts = node.name.split(".") if node.name else []
        places = [".".join(parts[: n + 1]) for n in range(len(parts))]
        shown = [
            f"{part}-{kinds[place]}" if part.isdecimal() and place in kinds else part
            for part, place in zip(parts, places, strict=True)
        ]
        if node.family not in ("input", "output") and kinds.get(node.name) != node.kind:
            shown.append(node.kind)
        name = "/".join(shown) or node.kind
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name] - 1}")
    return names
