"""What the worker process computes: one function a task, which yields its answers as plain values.

A task calls verbs; it may import torch, and nothing that the server imports may import a task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chymist.studio.tasks.again import again
from chymist.studio.tasks.comparing import compare, study
from chymist.studio.tasks.diagnosing import codes, diagnosis
from chymist.studio.tasks.examples import examples
from chymist.studio.tasks.explaining import explain_row, explainable
from chymist.studio.tasks.picturing import picture
from chymist.studio.tasks.playing import play
from chymist.studio.tasks.populations import population_script
from chymist.studio.tasks.predictions import predictions, slice_rows
from chymist.studio.tasks.trial import echo
from chymist.studio.tasks.units import (
    filters,
    layer_maps,
    maximize,
    network,
    unit_arithmetic,
)

TASKS: Mapping[str, Callable[..., Iterator[Any]]] = {
    "compare": compare,
    "echo": echo,
    "diagnosis": diagnosis,
    "why": codes,
    "picture": picture,
    "play": play,
    "again": again,
    "study": study,
    "predictions": predictions,
    "examples": examples,
    "slices": slice_rows,
    "explainable": explainable,
    "explain-row": explain_row,
    "network": network,
    "layer-maps": layer_maps,
    "unit": unit_arithmetic,
    "filters": filters,
    "maximize": maximize,
    "population_script": population_script,
}
