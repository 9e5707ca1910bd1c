"""From a description to a module with weights that are a function of (seed, parameter name)."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from chymist.errors import ChymistError, InputError, OutOfMemory, UsageError
from chymist.initializers import AFFINE, Draw
from chymist.keys import key, torch_generator
from chymist.models.graphs import GRAPH_MODELS, OnFeatures, row_features
from chymist.models.keras_modules import KerasModel, is_keras
from chymist.models.peephole import Peephole
from chymist.models.unshared import Unshared2d
from chymist.parts import Part
from chymist.values import Shapes

EMBEDDED = 0.1  # deviation of embeddings; of 1, which is torch's, questions are learned worse
# How torch says that a number does not fit, in lower case.
TOO_LARGE = ("overflow", "numeric_limits", "out of bounds for", "too large", "too big", "exceed")


def build_model(model: Part, shapes: Shapes, seed: int, init: Part | None = None) -> nn.Module:
    """Build a model for inputs and outputs of given shapes.

    A registered model is initialised parameter by parameter from (seed, name). A user's factory
    runs with torch's random state set from the seed; a user's instance is copied and its weights
    are the common start.

    Args:
        model: the model part of a recipe.
        shapes: shape of one input, number of outputs.
        seed: seed of the run.
        init: how weights start; None and "default" leave a user's own as they are.

    Returns:
        A module on the CPU, in training mode.

    Raises:
        InputError: the factory returns no module, or the code of the module is not at hand.
        UsageError: the shapes do not suit the model, or a layer has none before its first batch.
    """
    with torch.random.fork_rng(devices=[]):
        start = key(seed, "factory")
        if model.factory is None:  # all of it is drawn anew below; on the CPU, and without delay
            torch.default_generator.manual_seed(start)
        else:
            torch.manual_seed(start)
        if model.factory is None and model.source:
            raise InputError(
                "this run was made with a model of the user's own", received=f"'{model.name}'",
                do="call from Python with model= the same class or factory",
            )  # fmt: skip
        module = _built(model, shapes)
    if not isinstance(module, nn.Module):
        raise InputError(
            "the model factory returned no nn.Module",
            received=type(module).__name__,
            do="return a torch.nn.Module",
        )
    draw = None if init is None else init.build(None)
    if draw:
        _refuse_unknown(module)
    if model.factory is None or draw:
        with _bounded(init or model, "init" if init else "model"):
            initialize(module, seed, draw)
    return module.train()


def _built(model: Part, shapes: Shapes) -> Any:
    """A model of the palette or of the user's own; on a graph, others are given the features."""
    graph = shapes.graph
    if graph is None or graph.features is None or model.name in GRAPH_MODELS:
        if model.factory is not None:
            return _own(model.factory, shapes)
        with _bounded(model, "model"):
            return model.build(shapes)
    features = row_features(graph)
    plain = shapes._replace(inputs=tuple(features.shape[1:]), graph=None)
    return OnFeatures(_built(model, plain), features)


def initialize(module: nn.Module, seed: int, draw: Draw | None = None) -> None:
    """Draw the weights of affine layers from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), keyed by name.

    The distribution is torch's own default for linear and convolutional layers; only the source
    of the randomness is different. Biases of layers without fan-in and normalisation layers keep
    their constants. Recurrent layers draw U(-1/sqrt(units), 1/sqrt(units)), embeddings a normal
    distribution of deviation 0.1, or 1/sqrt(width) where the last map shares them.

    Args:
        module: the module, changed in place.
        seed: seed of the run.
        draw: fills the weights instead, those of recurrent layers gate by gate; biases are 0 then.

    Source: torch.nn.Linear.reset_parameters (Kaiming uniform with a = sqrt(5)).
    """
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Embedding):
            with torch.no_grad():
                generator = torch_generator(seed, "init", f"{name}.weight")
                layer.weight.normal_(0, getattr(layer, "spread", EMBEDDED), generator=generator)
        if isinstance(layer, (*AFFINE, nn.RNNBase, Peephole)):
            recurrent = isinstance(layer, nn.RNNBase | Peephole)
            size: Any = layer.hidden_size if recurrent else layer.weight[0].numel()  # type: ignore[index]
            bound = 1 / math.sqrt(size)
            for kind, values in layer.named_parameters(recurse=False):
                with torch.no_grad():
                    generator = torch_generator(seed, "init", f"{name}.{kind}")
                    if draw is None:
                        values.uniform_(-bound, bound, generator=generator)
                    elif kind.startswith("bias"):
                        values.zero_()
                    else:
                        own = layer.by_place() if isinstance(layer, Unshared2d) else [values]
                        if recurrent:  # gate by gate
                            own = list(values.split(layer.hidden_size))
                        fill = getattr(draw, "entering", draw) if "_ih_" in kind else draw
                        for weight in own:
                            fill(weight, generator)
            _open_forget_gates(layer)


def _open_forget_gates(layer: nn.Module) -> None:
    """Add to the biases of the forget gates of an LSTM what its model asks for."""
    more: float = getattr(layer, "forget_bias", 0.0)
    for kind, values in layer.named_parameters(recurse=False):
        if more and kind.startswith("bias") and "_hh_" not in kind:  # one of two that are added
            with torch.no_grad():
                values.chunk(4)[1].add_(more)


@contextmanager
def _bounded(part: Part, where: str) -> Iterator[None]:
    """Options that no memory or number can hold are told in one line.

    Raises:
        OutOfMemory: there is no room for what they ask for.
        UsageError: their numbers cannot be counted with, or torch refuses them for another reason.
    """
    received = str(part)[:120]
    try:
        yield
    except (RuntimeError, MemoryError, ValueError, OverflowError) as error:
        if isinstance(error, ChymistError):
            raise
        if isinstance(error, MemoryError) or "allocate" in str(error):
            raise OutOfMemory("there is not enough memory for this", where=where,
                              received=received, do="make it smaller") from error  # fmt: skip
        if isinstance(error, OverflowError) or any(
            word in str(error).lower() for word in TOO_LARGE
        ):
            raise UsageError("a number is too large to count with", where=where, received=received,
                             do="give smaller ones") from error  # fmt: skip
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"torch refuses this: {said[:160]}", where=where,
                         received=received) from error  # fmt: skip


def _refuse_unknown(module: nn.Module) -> None:
    """Refuse layers whose weights cannot be drawn: those that have none yet, and those of Keras.

    Raises:
        UsageError: there are some.
    """
    lazy = [n for n, p in module.named_parameters() if isinstance(p, nn.UninitializedParameter)]
    if lazy:
        raise UsageError("weights of lazy layers have no shape yet", where="init",
                         received=", ".join(lazy),
                         do="give the layers their sizes, or leave init out")  # fmt: skip
    if isinstance(module, KerasModel):
        raise UsageError("a Keras model draws its own weights", where="init",
                         do="say it in its layers, and leave init out")  # fmt: skip


def _own(factory: Callable[..., Any], shapes: Shapes) -> Any:
    """A user's instance (copied), class without arguments, or factory of shapes."""
    if isinstance(factory, nn.Module):
        return copy.deepcopy(KerasModel(factory, shapes.inputs) if is_keras(factory) else factory)
    parameters = inspect.signature(factory).parameters.values()
    needed = [
        p for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]  # fmt: skip
    made = factory(shapes) if needed else factory()
    return KerasModel(made, shapes.inputs) if is_keras(made) else made
