"""Named sets of graphs: citations, molecules, and the speeds of roads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from chymist.data.cells import short
from chymist.data.graph_files import read_graph
from chymist.data.graphs import graph_of
from chymist.data.opcodes import read_pickle
from chymist.data.tables import read_bytes
from chymist.data.tabular import finished
from chymist.data.targets import Targets
from chymist.data.windows import windows_of
from chymist.errors import InputError
from chymist.values import Data

CORA_CLASSES = (
    "theory", "reinforcement learning", "genetic algorithms", "neural networks",
    "probabilistic methods", "case based", "rule learning",
)  # fmt: skip
CORA_VALID = 500  # the nodes after the training nodes
LOS_STEPS, LOS_AHEAD, LOS_TRAIN, LOS_VALID = 12, 3, 0.8, 0.1


def cora(paths: list[Path], name: str) -> Data:
    """Citations among 2,708 papers with the split of Planetoid: 140, 500, 1,000; others in no part.

    Args:
        paths: of x, y, tx, ty, allx, ally, graph, test.index.
        name: name of the data.

    Raises:
        InputError: a file is damaged, or they do not fit each other.

    Source: Yang, Cohen, Salakhutdinov 2016, arXiv:1603.08861.
    """
    parts = [read_pickle(read_bytes(path), path.name) for path in paths[:-1]]
    marked = [int(line) for line in _lines(paths[-1]) if line.isdecimal()]
    try:
        _, y, tx, ty, allx, ally, neighbours = parts
        features = np.vstack([part.toarray() for part in (allx, tx)]).astype(np.float32)
        labels = np.vstack([ally, ty]).argmax(1).astype(np.int64)
        pairs = [(node, other) for node, others in neighbours.items() for other in others]
        first, nodes = len(ally), len(labels)
        if sorted(marked) != list(range(first, nodes)) or len(neighbours) != nodes:
            raise ValueError
        given = (features[first:], labels[first:].copy())
        features[marked], labels[marked] = given[0].copy(), given[1]
        graph = graph_of(nodes, pairs, features=features)
        train = np.arange(len(y), dtype=np.int64)
    except (ValueError, AttributeError, TypeError, IndexError):
        raise InputError("the files do not fit each other", where=paths[0].parent.name,
                         do="fetch them again") from None  # fmt: skip
    data = Data(name, "graph", "classification", np.arange(nodes, dtype=np.int64)[:, None], labels,
                CORA_CLASSES, target="subject", graph=graph,
                notes=("nodes that are in no part are seen without their classes",))  # fmt: skip
    whole = finished(data, Targets("classification", labels, CORA_CLASSES), None)
    return replace(
        whole, train_rows=train, valid_rows=len(train) + np.arange(CORA_VALID, dtype=np.int64),
        test_rows=np.arange(first, nodes, dtype=np.int64),
    )  # fmt: skip


def mutag(paths: list[Path], name: str) -> Data:
    """188 molecules as graphs of atoms: does it cause mutations?

    Args:
        paths: of the one file: number of graphs; of each, nodes and label; of each node, tag,
            number of neighbours, neighbours.
        name: name of the data.

    Raises:
        InputError: the file is damaged.

    Source: Debnath et al. 1991; TU collection.
    """
    tags: list[int] = []
    pairs: list[tuple[int, int]] = []
    owners: list[int] = []
    labels: list[int] = []
    try:
        lines = iter([[int(word) for word in line.split()] for line in _lines(paths[0]) if line])
        for number in range(next(lines)[0]):
            nodes, label = next(lines)
            first = len(tags)
            for node in range(nodes):
                tag, count, *others = next(lines)
                if len(others) != count or not all(0 <= other < nodes for other in others):
                    raise ValueError
                tags.append(tag)
                pairs += [(first + node, first + other) for other in others]
            owners += [number] * nodes
            labels.append(label)
        features = np.eye(max(tags) + 1, dtype=np.float32)[tags]
        graph = graph_of(len(tags), pairs, features=features, owners=np.array(owners))
    except (ValueError, IndexError, StopIteration):
        raise InputError(
            "the file of graphs is damaged", where=paths[0].name,
            received=f"graph {len(labels) + 1}", do="fetch it again",
        ) from None  # fmt: skip
    targets, classes = np.array(labels, np.int64), ("no", "yes")
    rows = np.arange(len(labels), dtype=np.int64)[:, None]
    data = Data(name, "graph", "classification", rows, targets, classes, target="mutagenic",
                graph=graph)  # fmt: skip
    return finished(data, Targets("classification", targets, classes), None)


def los_loop(paths: list[Path], name: str) -> Data:
    """Speeds of 207 roads in 5-minute steps: 12 of them, and the next three of every road.

    The first 80 % of the time are for training, their last eighth for validation, the rest for
    test. Windows lie within a part; those that reach over a border are in none. The last window is
    left out, as in T-GCN's code, so that figures compare with those that are published.

    Args:
        paths: of the speeds and of the adjacency.
        name: name of the data.

    Raises:
        InputError: a file is damaged.

    Source: Zhao et al. 2020, T-GCN, arXiv:1811.05320; loop detectors of Los Angeles, March 2012.
    """
    speeds = road_speeds(paths[0])
    length = len(speeds)
    starts = (0, round(length * (LOS_TRAIN - LOS_VALID)), int(length * LOS_TRAIN), length - 1)
    graph = read_graph(paths[1], speeds.shape[1])
    return windows_of(speeds, steps=LOS_STEPS, ahead=LOS_AHEAD, parts=starts, graph=graph,
                      name=name, target="speed in mph")  # fmt: skip


def road_speeds(path: Path) -> np.ndarray:
    """Speeds (time, roads), float32, of a CSV file with the numbers of the roads in its header."""
    try:
        made = np.array([line.split(",") for line in _lines(path)[1:] if line], np.float32)
        if made.ndim != 2 or not np.isfinite(made).all():
            raise ValueError
    except ValueError as error:
        raise InputError("the file of speeds is damaged", where=path.name,
                         received=short(str(error)), do="fetch it again") from None  # fmt: skip
    return made


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in read_bytes(path).decode("latin-1").split("\n")]


READERS: dict[str, Callable[[list[Path], str], Data]] = {
    "cora": cora,
    "mutag": mutag,
    "los_loop": los_loop,
}
