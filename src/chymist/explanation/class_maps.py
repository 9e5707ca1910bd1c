"""Class maps: where in an image the last feature maps of a network speak for an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from chymist.errors import InputError, UsageError, nearest
from chymist.explanation.asking import (
    Attributor,
    answers,
    at_rest,
    by_rows,
    checked,
    slope,
    values_at,
)

POOLED = "take grad-cam, or a model whose last maps are averaged before one linear layer (resnet)"


def grad_cam(
    module: nn.Module, inputs: Tensor, targets: Tensor, *, layer: str | None = None,
    rectified: bool = True,
) -> Tensor:  # fmt: skip
    """Where the feature maps of a layer speak for an answer.

    sum_k w_k A_k, where A_k are the maps of the layer and w_k is the mean of d y_target / d A_k
    over their places; then max(0, .), and bilinearly to the size of the image.

    Args:
        module: gives (batch, outputs).
        inputs: images, (batch, channels, height, width).
        targets: number of the output of each row, int64, (batch,).
        layer: its name, as in `module.named_modules()`; None is the last convolution that has more
            than one place, see `layers`.
        rectified: whether what speaks against the answer is set to 0.

    Returns:
        Maps (batch, height, width), in the unit of the output times that of the maps.

    Raises:
        InputError: the inputs are no images, or the outputs have no gradient in the layer.
        UsageError: no such layer, or it gives no maps, or there is no such output.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
        >>> grad_cam(net, torch.ones(5, 1, 4, 4), torch.zeros(5, dtype=torch.int64)).shape
        torch.Size([5, 4, 4])

    Source: Selvaraju et al. 2017, Grad-CAM, arXiv:1610.02391.
    """
    inputs, targets = checked(*_images(inputs, targets))
    name = layer if layer is not None else usual_layer(module, inputs)
    place = _named(module, name)

    def one(module: nn.Module, rows: Tensor, numbers: Tensor) -> Tensor:
        seen = _Seen()
        with seen.on(place):
            found = answers(module(rows.clone()), numbers)
        maps = seen.maps(name)
        weights = slope(found, maps).mean((2, 3), keepdim=True)
        summed = (weights * maps).sum(1, keepdim=True).detach()
        return _resized(summed.relu() if rectified else summed, rows)

    with at_rest(module):
        return by_rows(one, module, inputs, targets)


def cam(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Class activation map: sum_k w_target,k A_k, where y = W mean(A) + b.

    It needs a model that averages its last feature maps over all places and has one linear layer
    behind them; the output is then the mean of the map, plus the bias. It is
    height x width of the maps times `grad_cam`, not rectified. Whether a model is of this form is
    measured, not read from its code.

    Args:
        module, inputs, targets: as in `grad_cam`.

    Returns:
        Maps (batch, height, width), in the unit of the output.

    Raises:
        InputError: the inputs are no images.
        UsageError: the model has another form, or there is no such output.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        ...                     nn.Linear(2, 3))
        >>> cam(net, torch.ones(5, 1, 4, 4), torch.zeros(5, dtype=torch.int64)).shape
        torch.Size([5, 4, 4])

    Source: Zhou et al. 2016, Learning deep features for discriminative localization,
        arXiv:1512.04150.
    """
    inputs, targets = checked(*_images(inputs, targets))

    def one(module: nn.Module, rows: Tensor, numbers: Tensor) -> Tensor:
        maps, last = _pooled(module, rows)
        values_at(last, maps.mean((2, 3)), numbers)  # there is such an output
        weights = last.weight[numbers.to(last.weight.device)]
        summed = torch.einsum("bk,bkhw->bhw", weights, maps)[:, None]
        return _resized(summed.detach(), rows)

    with at_rest(module):
        return by_rows(one, module, inputs, targets)


METHODS: Mapping[str, Attributor] = {"cam": cam, "grad-cam": grad_cam}


def layers(module: nn.Module, inputs: Tensor) -> dict[str, tuple[int, ...]]:
    """Layers whose outputs are feature maps with more than one place, in the order of their use.

    Args:
        module: any.
        inputs: images, (batch, channels, height, width); the first is enough.

    Returns:
        Name of each to (channels, height, width) of what it gives.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
        >>> layers(net, torch.ones(1, 1, 4, 4))
        {'0': (2, 2, 2), '1': (2, 2, 2)}
    """
    found: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, given: Any, made: Any) -> None:
            if _has_places(made):
                found.pop(name, None)
                found[name] = tuple(made.shape[1:])

        return hook

    held = [part.register_forward_hook(note(name)) for name, part in module.named_modules() if name]
    try:
        with at_rest(module), torch.no_grad():
            module(inputs[:1].detach().clone())
    finally:
        for one in held:
            one.remove()
    return found


def usual_layer(module: nn.Module, inputs: Tensor) -> str:
    """The last convolution that gives maps with more than one place, or else the last layer.

    Raises:
        UsageError: there is none.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
        >>> usual_layer(net, torch.ones(1, 1, 4, 4))
        '0'
    """
    found = list(layers(module, inputs))
    folded = [name for name in found if isinstance(_named(module, name), nn.Conv2d)]
    if not found:
        raise UsageError("no layer of this model gives feature maps", where="grad-cam",
                         received=type(module).__name__,
                         do="take integrated-gradients or occlusion")  # fmt: skip
    return (folded or found)[-1]


@dataclass(eq=False)
class _Seen:
    """What a layer gave at its last use: a leaf, whose copy goes on through the module.

    A hook on gradients would see what later layers did to the maps in place, and would see nothing
    where no weight before the layer is trained.
    """

    given: list[Any] = field(default_factory=list)

    @contextmanager
    def on(self, layer: nn.Module) -> Iterator[None]:
        """Look at a layer for as long as this lasts."""

        def hook(part: nn.Module, given: Any, made: Any) -> Any:
            leaf = made.detach().clone().requires_grad_() if _is_maps(made) else made
            self.given.append(leaf)
            return leaf.clone() if _is_maps(made) else None

        # Ours is the last hook: those of the user see the layer as it is.
        held = layer.register_forward_hook(hook)
        try:
            yield
        finally:
            held.remove()

    def maps(self, name: str) -> Tensor:
        """The maps.

        Raises:
            UsageError: the layer gives none.
        """
        made: Any = self.given[-1] if self.given else None
        if not _is_maps(made):
            got = f"shape {tuple(made.shape)}" if isinstance(made, Tensor) else "no single tensor"
            raise UsageError("this layer gives no feature maps", where=f"layer '{name}'",
                             received=got if self.given else "a layer that is not used",
                             do="name a convolution")  # fmt: skip
        found: Tensor = made
        return found


class _Last(TorchFunctionMode):
    """The last feature maps of all that torch does, whether a layer does it or a function."""

    maps: Tensor | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Look at what a function gives."""
        made = func(*args, **(kwargs or {}))
        if _has_places(made):
            self.maps = made
        return made


def _pooled(module: nn.Module, rows: Tensor) -> tuple[Tensor, nn.Linear]:
    """The last maps of a model that averages them before one linear layer, and this layer.

    Raises:
        UsageError: the model has another form.
    """
    calls: list[nn.Linear] = []
    held = [
        part.register_forward_hook(lambda part, given, made: calls.append(part))
        for part in module.modules()
        if isinstance(part, nn.Linear)
    ]
    last = _Last()
    try:
        with torch.no_grad(), last:
            outputs = module(rows.clone())
    finally:
        for one in held:
            one.remove()
    answers(outputs, torch.zeros(len(rows), dtype=torch.int64))
    if not calls or last.maps is None:
        raise UsageError("this model has no feature maps before a linear layer", where="cam",
                         received=type(module).__name__, do=POOLED)  # fmt: skip
    layer = calls[-1]
    with torch.no_grad():
        mean = last.maps.mean((2, 3))
        made = layer(mean) if mean.shape[1] == layer.in_features else None
    same = made is not None and made.shape == outputs.shape
    if made is None or not same or not torch.allclose(made, outputs, 1e-4, 1e-5, True):
        raise UsageError("this model does not average its last maps before one linear layer",
                         where="cam", received=f"{layer.in_features} inputs of the linear layer, "
                         f"maps {tuple(last.maps.shape[1:])}", do=POOLED)  # fmt: skip
    return last.maps.detach(), layer


def _images(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Refuse what is no batch of images.

    Raises:
        InputError: it is none.
    """
    if inputs.ndim != 4:
        raise InputError("class maps are of images", where="explain",
                         received=f"inputs of shape {tuple(inputs.shape)}",
                         do="take integrated-gradients or occlusion")  # fmt: skip
    return inputs, targets


def _named(module: nn.Module, name: str) -> nn.Module:
    """A layer by its name.

    Raises:
        UsageError: there is none.
    """
    known: dict[str, nn.Module] = dict(module.named_modules())
    if name not in known or not name:
        raise UsageError("no layer has this name", where="layer", received=repr(name)[:60],
                         do=nearest(name, [n for n in known if n]))  # fmt: skip
    return known[name]


def _is_maps(made: Any) -> bool:
    return isinstance(made, Tensor) and made.ndim == 4 and made.is_floating_point()


def _has_places(made: Any) -> bool:
    return _is_maps(made) and made.shape[2] * made.shape[3] > 1


def _resized(maps: Tensor, rows: Tensor) -> Tensor:
    """Maps (batch, 1, h, w) to the size of the images, (batch, height, width)."""
    size = rows.shape[2:]
    found: Tensor = functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    return found[:, 0]
