"""What the units of a model give: outputs of its layers, what excites a unit, dead units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from chymist.errors import InputError, UsageError, nearest
from chymist.explanation.asking import at_rest

Place = Literal["most", "mean", "middle"]

# Hand on what they are given, in evaluation mode.
SILENT = ("Flatten", "Unflatten", "Dropout", "Dropout1d", "Dropout2d", "Identity")
NORMS = ("BatchNorm", "GroupNorm", "LayerNorm", "InstanceNorm", "LocalResponseNorm")


@dataclass(frozen=True)
class Layer:
    """A layer of a model as it was called.

    Args:
        name: within the model.
        kind: its class.
        shape: of what it gives for one input: (channels, height, width), (steps, features),
            (units,).
    """

    name: str
    kind: str
    shape: tuple[int, ...]

    @property
    def units(self) -> int:
        """Channels of maps, features of steps, or units."""
        return self.shape[-1] if len(self.shape) == 2 else self.shape[0]


class _Enough(Exception):
    """All layers that were asked for have been heard."""


@contextmanager
def listening(
    model: nn.Module, names: Iterable[str], heard: dict[str, Tensor], stop: bool = False,
    reads: bool = False,
) -> Iterator[None]:  # fmt: skip
    """Note what layers give, in the order of their calls; of a layer called twice the first counts.

    What is noted is a copy, so that a layer after it that works in place changes nothing of it.

    Args:
        model: any module; its hooks are taken away in the end.
        names: of modules within it; "" is the model.
        heard: where it is noted.
        stop: end the call of the model when all were heard.
        reads: note what layers are given, in place of what they give.
    """
    wanted = dict.fromkeys(names)
    modules = dict(model.named_modules())

    def note(name: str) -> Any:
        def hook(_: nn.Module, given: Any, *output: Any) -> None:
            made = output[0] if output else given
            made = made[0] if isinstance(made, tuple | list) and made else made
            if name in heard or not isinstance(made, Tensor):
                return
            heard[name] = made.clone()
            if stop and len(heard) == len(wanted):
                raise _Enough

        return hook

    hooks = [
        modules[name].register_forward_pre_hook(note(name)) if reads
        else modules[name].register_forward_hook(note(name))
        for name in wanted
    ]  # fmt: skip
    try:
        yield
    except _Enough:
        pass
    finally:
        for hook in hooks:
            hook.remove()


def layers_in_order(model: nn.Module, inputs: Tensor) -> tuple[Layer, ...]:
    """The layers without children that a model calls, in the order of their first calls.

    Layers that hand on what they are given (flatten, dropout, padding) are left out.

    Args:
        model: any module; it stays as it was.
        inputs: (batch, ...).

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(inplace=True))
        >>> [(layer.name, layer.shape) for layer in layers_in_order(model, torch.ones(2, 2, 2))]
        [('1', (3,)), ('2', (3,))]
    """
    leaves = {
        name: type(module).__name__
        for name, module in model.named_modules()
        if not any(module.children()) and not _silent(type(module).__name__)
    }
    heard: dict[str, Tensor] = {}
    with at_rest(model), torch.no_grad(), listening(model, leaves, heard):
        model(inputs)
    return tuple(
        Layer(name, leaves[name], tuple(made.shape[1:]))
        for name, made in heard.items()
        if made.ndim > 1 and len(made) == len(inputs) and made.is_floating_point()
    )


def _silent(kind: str) -> bool:
    """Whether a layer of this class hands on what it is given, with zeros around it at most."""
    return kind in SILENT or "Pad" in kind


def chosen_layers(layers: Sequence[Layer], most: int = 12) -> tuple[Layer, ...]:
    """All layers, or of more than `most` the last of each size of map, evenly thinned out.

    Example:
        >>> layers = [Layer(str(n), "Conv2d", (4, 8 // (1 + n // 10), 8)) for n in range(20)]
        >>> [layer.name for layer in chosen_layers(layers)]
        ['9', '19']
    """
    if len(layers) <= most:
        return tuple(layers)
    last = {layer.shape[1:] if len(layer.shape) > 1 else layer.shape: layer for layer in layers}
    kept = [layer for layer in layers if layer in last.values()]
    return evenly(kept, most)


def feature_layers(layers: Sequence[Layer], most: int = 4) -> tuple[Layer, ...]:
    """Convolutions with the normalisation that follows them, evenly thinned out from first to last.

    Example:
        >>> names = ("Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "ReLU")
        >>> layers = [Layer(str(n), kind, (4, 8, 8)) for n, kind in enumerate(names)]
        >>> [layer.name for layer in feature_layers(layers)]
        ['1', '3']
    """
    kept: list[Layer] = []
    for number, layer in enumerate(layers):
        if len(layer.shape) != 3 or "Conv" not in layer.kind:
            continue
        after = layers[number + 1] if number + 1 < len(layers) else layer
        normed = after.kind.startswith(NORMS) and after.shape == layer.shape
        kept.append(after if normed else layer)
    return evenly(kept, most)


def evenly(items: Sequence[Layer], most: int) -> tuple[Layer, ...]:
    """At most so many, the first and the last among them."""
    if len(items) <= most:
        return tuple(items)
    if most == 1:
        return (items[-1],)
    places = np.linspace(0, len(items) - 1, most).round().astype(int)
    return tuple(items[place] for place in places)


def layer_named(model: nn.Module, inputs: Tensor, name: str) -> Layer:
    """A layer, or a group of layers, of a name.

    Raises:
        UsageError: there is none, or it gives no rows of numbers.
    """
    modules = dict(model.named_modules())
    if name not in modules or not name:
        known = [layer.name for layer in layers_in_order(model, inputs)]
        raise UsageError("no such layer", where="layer", received=f"'{name}'"[:80],
                         do=f"it has {_listed(known)}")  # fmt: skip
    heard: dict[str, Tensor] = {}
    with at_rest(model), torch.no_grad(), listening(model, [name], heard, stop=True):
        model(inputs)
    made = heard.get(name)
    if made is None or made.ndim < 2 or len(made) != len(inputs) or not made.is_floating_point():
        raise UsageError("the layer gives no numbers for each row", where="layer",
                         received=f"'{name}', {type(modules[name]).__name__}",
                         do="take another layer")  # fmt: skip
    return Layer(name, type(modules[name]).__name__, tuple(made.shape[1:]))


def _listed(names: Sequence[str], most: int = 12) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def layer_outputs(
    model: nn.Module, batches: Iterable[Tensor], names: Sequence[str], reads: bool = False
) -> dict[str, np.ndarray]:
    """What layers give for all rows of some batches.

    Args:
        model: any module, taken in evaluation mode; it stays as it was.
        batches: prepared inputs, (batch, ...) each.
        names: of the layers; "" is the model.
        reads: what the layers are given, in place of what they give.

    Returns:
        float arrays (rows, ...) by name.

    Raises:
        InputError: a layer was not called.

    Example:
        >>> model = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
        >>> found = layer_outputs(model, [torch.tensor([[-1.0, 1.0]])], ["0", "1"])
        >>> found["0"].tolist(), found["1"].tolist()
        ([[-1.0, 1.0]], [[0.0, 1.0]])
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for made in _heard(model, batches, names, reads):
        for name in names:
            parts[name].append(made[name].cpu().numpy())
    return {name: np.concatenate(found) for name, found in parts.items()}


def _heard(
    model: nn.Module, batches: Iterable[Tensor], names: Sequence[str], reads: bool = False
) -> Iterator[Mapping[str, Tensor]]:
    """What layers give, batch by batch.

    Raises:
        InputError: a layer was not called.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    for inputs in batches:
        heard: dict[str, Tensor] = {}
        with at_rest(model), torch.no_grad(), listening(model, names, heard, True, reads):
            model(inputs.to(device))
        for name in names:
            if name not in heard:
                raise InputError("the model did not call a layer", where=f"layer '{name}'",
                                 do="take a layer that it calls")  # fmt: skip
        yield heard


@dataclass(frozen=True, eq=False)
class Responses:
    """How strongly all units of a layer respond to some rows.

    Args:
        values: (rows, units).
        places: where in its map the unit responds most, a number that counts the places line by
            line, (rows, units).
        dead: whether a unit gives the same value at all places of all rows, (units,).
    """

    values: np.ndarray
    places: np.ndarray
    dead: np.ndarray


def responses(
    model: nn.Module, batches: Iterable[Tensor], names: Sequence[str], place: Place = "most"
) -> dict[str, Responses]:
    """How strongly units respond to rows: the largest value of their maps, the mean or the middle.

    Args:
        model: as in `layer_outputs`.
        batches: as in `layer_outputs`.
        names: as in `layer_outputs`.
        place: "most" takes the largest value of a map, "mean" that of all places, "middle" that of
            the unit in the middle.

    Returns:
        `Responses` by name.

    Example:
        >>> found = responses(nn.Identity(), [torch.tensor([[[[1.0, 5.0], [2.0, 0.0]]]])], [""])
        >>> found[""].values.tolist(), found[""].places.tolist()
        ([[5.0]], [[1]])
    """
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in names}
    lows: dict[str, np.ndarray] = {}
    highs: dict[str, np.ndarray] = {}
    for made in _heard(model, batches, names):
        for name in names:
            maps = by_unit(made[name])
            value, at = _read(maps, made[name].shape, place)
            parts[name].append((value.cpu().numpy(), at.cpu().numpy().astype(np.int32)))
            low, high = (m.amin(0).cpu().numpy() for m in (maps.amin(2), -maps.amax(2)))
            lows[name] = np.minimum(low, lows.get(name, low))
            highs[name] = np.minimum(high, highs.get(name, high))
    return {
        name: Responses(
            np.concatenate([value for value, _ in found]),
            np.concatenate([at for _, at in found]),
            lows[name] == -highs[name],
        )
        for name, found in parts.items()
    }


def by_unit(made: Tensor) -> Tensor:
    """Outputs of a layer as (rows, units, places): channels first, of steps the features last."""
    if made.ndim == 3:
        return made.transpose(1, 2)
    return made.reshape(len(made), made.shape[1], -1)


def middle(shape: Sequence[int]) -> int:
    """Number of the place in the middle of a map (channels, height, width), or of steps.

    Example:
        >>> middle((8, 3, 3)), middle((8, 4, 4)), middle((5, 2)), middle((10,))
        (4, 5, 2, 0)
    """
    if len(shape) == 2:
        return (shape[0] - 1) // 2
    found = 0
    for size in shape[1:]:
        found = found * size + (size - 1) // 2
    return found


def _read(maps: Tensor, shape: Sequence[int], place: Place) -> tuple[Tensor, Tensor]:
    """One number a row and unit, and the place that it is from."""
    value, at = maps.max(2)
    if place == "mean":
        return maps.mean(2), at
    if place == "middle":
        number = middle(shape[1:])
        return maps[:, :, number], torch.full_like(at, number)
    return value, at


def check_unit(unit: int, layer: Layer) -> None:
    """Refuse a unit that a layer does not have.

    Raises:
        UsageError: it does not.
    """
    if not 0 <= unit < layer.units:
        raise UsageError("there is no such unit", where="unit", received=repr(unit),
                         do=f"'{layer.name}' has 0 to {layer.units - 1}")  # fmt: skip


def check_place(place: str, known: Sequence[str] = ("most", "mean", "middle")) -> None:
    """Refuse a way to read a map that there is not.

    Raises:
        UsageError: there is none of this name.
    """
    if place not in known:
        raise UsageError("unknown place", where="place", received=f"'{place}'",
                         do=nearest(place, known))  # fmt: skip
