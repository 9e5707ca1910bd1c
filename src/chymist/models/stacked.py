"""Stacked forms: K models of one architecture as one module over a leading member axis.

A stacked layer holds the parameters of all members, (K, ...), under the names of the plain layer,
and maps (K, batch, ...) to (K, batch, ...). Members never mix: member k of the result depends on
member k of inputs and parameters only.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.activations import Maxout, RReLU, Sign, Step, Swish
from chymist.models.blocks import ANY_AXES, JOINTS
from chymist.models.graphs import GraphNetwork
from chymist.models.grids import Neighborhood, StepsAsGrid
from chymist.models.layers import Dropout, Residual
from chymist.models.norms import RMSNorm, scaled
from chymist.models.recurrent import Recurrent
from chymist.models.stacked_conv import StackedConv
from chymist.models.stacked_graph_layers import Forms
from chymist.models.stacked_graphs import StackedGraphNetwork
from chymist.models.stacked_parts import Stacked, Unstackable
from chymist.models.stacked_recurrent import StackedEmbedding, StackedRecurrence, StackedRecurrent
from chymist.models.unshared import StackedUnshared, Unshared2d
from chymist.noise import Keyed

ELEMENTWISE = (
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.LeakyReLU, nn.Softplus,
    nn.Identity, nn.ConstantPad1d, Step, Sign, Swish, Neighborhood,
    StepsAsGrid, *ANY_AXES,
)  # fmt: skip
PER_ROW = (
    nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.Upsample,
    nn.Flatten, nn.Unflatten, nn.Softmax, nn.LocalResponseNorm, Maxout,
)  # fmt: skip


class StackedLinear(Stacked):
    """`nn.Linear` of K members: y[k] = x[k] W[k]^T + b[k].

    The weights lie in memory as W^T, (K, features, outputs), and the biases as (K, 1, outputs): as
    the batched product takes them, which saves a fifth of its time and four operations a step.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__(layers)
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                if parameter is not None:
                    held = self.plain(name, parameter).contiguous()
                    self.register_parameter(name, nn.Parameter(held, parameter.requires_grad))

    def plain(self, name: str, values: Tensor) -> Tensor:
        """Weights turned, biases with or without the axis of rows: its own inverse."""
        if name == "weight":
            return values.transpose(1, 2)
        return values.unsqueeze(1) if values.ndim == 2 else values.squeeze(1)

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, ..., features) to (K, batch, ..., outputs)."""
        rows = inputs if inputs.ndim == 3 else inputs.flatten(1, -2)
        made = (
            torch.bmm(rows, self.weight)
            if self.bias is None
            else torch.baddbmm(self.bias, rows, self.weight)
        )
        return made if inputs.ndim == 3 else made.unflatten(1, inputs.shape[1:-1])


class StackedBatchNorm(Stacked):
    """Batch normalisation of K members, each with the statistics of its own rows.

    `weights` (K, batch) are 1 for rows and 0 for padding, which never enters the statistics; None
    means that there is no padding.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__(layers)
        self.momentum, self.eps = layers[0].momentum, layers[0].eps
        self.weights: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, channels, ...) to the same shape."""
        if self.training and self.weights is not None:
            return self._weighted(inputs, self.weights)
        wide = inputs.transpose(0, 1).flatten(1, 2)  # members side by side as channels
        running = self.running_mean is not None
        if self.training and running:
            self.num_batches_tracked.add_(1)
        made: Tensor = functional.batch_norm(
            wide,
            self.running_mean.flatten() if running else None,
            self.running_var.flatten() if running else None,
            None if self.weight is None else self.weight.flatten(),
            None if self.bias is None else self.bias.flatten(),
            self.training or not running,
            self._share(),
            self.eps,
        )
        return made.view(len(wide), self.members, -1, *wide.shape[2:]).transpose(0, 1)

    def _share(self) -> float:
        """Share of the new statistics in the running ones; without momentum their plain mean."""
        if self.momentum is None:
            return 1.0 / float(self.num_batches_tracked[0]) if self.training else 0.0
        return float(self.momentum)

    def _weighted(self, inputs: Tensor, weights: Tensor) -> Tensor:
        """With statistics over the rows of weight 1."""
        dims = [1, *range(3, inputs.ndim)]
        w = weights.view(*weights.shape, *[1] * (inputs.ndim - 2))
        count = weights.sum(1).view(-1, *[1] * (inputs.ndim - 1)) * inputs[0, 0, 0].numel()
        count = count.clamp(min=1)  # a member without rows takes no step, but must stay finite
        mean = (inputs * w).sum(dims, keepdim=True) / count
        var = ((inputs - mean).square() * w).sum(dims, keepdim=True) / count
        if self.running_mean is not None:
            self.num_batches_tracked.add_(1)
            with torch.no_grad():
                whole = (var * count / (count - 1).clamp(min=1)).view_as(self.running_var)
                counts = self.num_batches_tracked.to(mean.dtype).view(-1, 1)
                share = 1 / counts if self.momentum is None else counts.new_tensor(self.momentum)
                self.running_mean.lerp_(mean.view_as(self.running_mean), share)
                self.running_var.lerp_(whole, share)
        made = (inputs - mean) * torch.rsqrt(var + self.eps)
        if self.weight is None:
            return made
        shape = (self.members, 1, -1, *[1] * (inputs.ndim - 3))
        scaled: Tensor = made * self.weight.view(shape) + self.bias.view(shape)
        return scaled


class StackedLayerNorm(Stacked):
    """Layer normalisation of K members."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__(layers)
        self.shape, self.eps = layers[0].normalized_shape, layers[0].eps

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, ...) to the same shape."""
        made = functional.layer_norm(inputs, self.shape, eps=self.eps)
        for name, join in (("weight", torch.mul), ("bias", torch.add)):
            values = getattr(self, name, None)
            if values is not None:
                middle = [1] * (inputs.ndim - 1 - len(self.shape))
                made = join(made, values.view(self.members, *middle, *self.shape))
        return made


class StackedGroupNorm(Stacked):
    """Group normalisation of K members."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__(layers)
        self.groups, self.eps = layers[0].num_groups, layers[0].eps

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, channels, ...) to the same shape."""
        made = functional.group_norm(inputs.flatten(0, 1), self.groups, eps=self.eps)
        made = made.view(inputs.shape)
        if self.weight is None:
            return made
        shape = (self.members, 1, -1, *[1] * (inputs.ndim - 3))
        return torch.addcmul(self.bias.view(shape), made, self.weight.view(shape))


class StackedRMSNorm(Stacked):
    """Root-mean-square normalisation of K members."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__(layers)
        self.eps = layers[0].eps

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, channels, ...) to the same shape."""
        shape = (self.members, 1, -1, *[1] * (inputs.ndim - 3))
        made: Tensor = scaled(inputs, 2, self.eps) * self.weight.view(shape)
        return made


class StackedPReLU(Stacked):
    """Parametric ReLU of K members, with a slope or with slopes by channel of each."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, channels, ...) to the same shape."""
        shape = (self.members, 1, -1, *[1] * (inputs.ndim - 3))
        return torch.where(inputs > 0, inputs, inputs * self.weight.view(shape))


class StackedNoise(nn.Module):
    """Keyed layers of K members: each draws what it would draw alone.

    Args:
        layers: of each member; their options may differ.
    """

    def __init__(self, layers: Sequence[Keyed]) -> None:
        super().__init__()
        self.layers = list(layers)  # not submodules: they hold nothing that is trained
        self.weights: Tensor | None = None  # as in `StackedBatchNorm`

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, ...) to the same shape; factors are drawn for the rows of weight 1."""
        return inputs * self.mask(inputs) if self.training else inputs

    def mask(self, inputs: Tensor) -> Tensor:
        """What inputs are multiplied by where the members stand; 0 for padding."""
        mask = torch.zeros(inputs.shape, dtype=inputs.dtype, device=inputs.device)
        for member, layer in enumerate(self.layers):
            generator = torch.Generator(inputs.device).manual_seed(layer.position)
            active = None if self.weights is None else self.weights[member] > 0
            own = mask[member] if active is None else mask[member, active]  # a view, or a copy
            given = inputs[member] if active is None else inputs[member, active]
            layer.drawn(given.detach(), own, generator)
            if active is not None:
                mask[member, active] = own
        return mask


class StackedDropout(StackedNoise):
    """Dropout of K members; their probabilities may differ."""

    @property
    def acts(self) -> bool:
        """Whether any member drops anything."""
        return any(layer.p > 0 for layer in self.layers if isinstance(layer, Dropout))


class StackedRReLU(StackedNoise):
    """Randomised leaky ReLU of K members."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, ...) to the same shape."""
        if self.training:
            return super().forward(inputs)
        parts = zip(self.layers, inputs, strict=True)
        return torch.stack([layer.settled(x) for layer, x in parts if isinstance(layer, RReLU)])


class PerRow(nn.Module):
    """A layer without parameters that treats rows one by one: members become more rows."""

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, ...) to (K, batch, ...)."""
        made: Tensor = self.plain(inputs.flatten(0, 1))
        return made.view(*inputs.shape[:2], *made.shape[1:])


def _is_special(layer: nn.Embedding) -> bool:
    """Whether an embedding does more than look up rows."""
    limited = layer.padding_idx is not None or layer.max_norm is not None
    return limited or layer.scale_grad_by_freq or layer.sparse


HOLDERS = (nn.Sequential, Residual, *JOINTS)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
FORMS: dict[type[nn.Module], Callable[[Sequence[Any]], nn.Module]] = {
    nn.Linear: StackedLinear,
    nn.BatchNorm1d: StackedBatchNorm,
    nn.BatchNorm2d: StackedBatchNorm,
    nn.LayerNorm: StackedLayerNorm,
    nn.Embedding: StackedEmbedding,
    nn.RNN: StackedRecurrence,
    nn.GRU: StackedRecurrence,
    nn.LSTM: StackedRecurrence,
    nn.GroupNorm: StackedGroupNorm,
    RMSNorm: StackedRMSNorm,
    nn.PReLU: StackedPReLU,
    Dropout: StackedDropout,
    RReLU: StackedRReLU,
    Unshared2d: StackedUnshared,
}


def stack(
    modules: Sequence[nn.Module], convolution: Callable[[Sequence[Any]], nn.Module] = StackedConv
) -> nn.Module:
    """Modules of one architecture as one module over a leading member axis.

    Args:
        modules: the members; equal in architecture, each with its own numbers. They are not
            changed.
        convolution: the form of convolutions: `StackedConv`, `GroupedConv` or `UnfoldedConv`.

    Returns:
        A module that maps (K, batch, ...) to (K, batch, ...). Its parameters and buffers are
        copies under the names of the members' own; `numbers_of` gives them as (K, ...).

    Raises:
        Unstackable: a layer has no stacked form.

    Example:
        >>> pair = stack([nn.Linear(3, 2), nn.Linear(3, 2)])
        >>> pair(torch.zeros(2, 5, 3)).shape
        torch.Size([2, 5, 2])
    """
    first = modules[0]
    if first._forward_hooks or first._forward_pre_hooks:
        raise Unstackable(f"{type(first).__name__} has hooks")
    if type(first) in HOLDERS:  # children() would leave out a layer that stands there twice
        names = list(first._modules)
        layers = (
            stack([module.get_submodule(name) for module in modules], convolution) for name in names
        )
        return type(first)(OrderedDict(zip(names, layers, strict=True)))
    if type(first) is Recurrent:
        return _recurrent(modules)
    if isinstance(first, GraphNetwork):
        forms = Forms(StackedLinear, StackedBatchNorm)
        return StackedGraphNetwork(modules, forms)  # type: ignore[arg-type]
    if type(first) is nn.Embedding and _is_special(first):
        raise Unstackable("Embedding has a stacked form without padding, norm and sparseness only")
    form = convolution if type(first) in CONVOLUTIONS else FORMS.get(type(first))
    if form is not None:
        return form(modules)
    if type(first) in ELEMENTWISE:
        return copy.deepcopy(first)
    if isinstance(first, nn.Softmax) and (first.dim is None or first.dim not in (-1, 1)):
        raise Unstackable("a softmax over rows or places has no stacked form")
    if type(first) in PER_ROW:
        return PerRow(copy.deepcopy(first))
    raise Unstackable(f"{type(first).__name__} has no stacked form")


def _recurrent(modules: Sequence[nn.Module]) -> StackedRecurrent:
    """Recurrent networks as one; their layers stand in lists."""
    options = {name for name in vars(modules[0]) if not name.startswith("_")}
    if options - {"training", *StackedRecurrent.OPTIONS}:
        raise Unstackable("a recurrent network with further options has no stacked form")
    parts: dict[str, nn.Module] = {}
    for name, child in modules[0].named_children():
        members = [module.get_submodule(name) for module in modules]
        if isinstance(child, nn.ModuleList):
            parts[name] = nn.ModuleList(map(stack, zip(*members, strict=True)))
        else:
            parts[name] = stack(members)
    plain: Any = modules[0]
    return StackedRecurrent(plain, parts)


def numbers_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a stacked model as (K, *plain shape), under their plain names.

    Returns:
        Views: what is written there changes the model.

    Example:
        >>> pair = stack([nn.Linear(3, 2), nn.Linear(3, 2)])
        >>> {name: tuple(values.shape) for name, values in numbers_of(pair).items()}
        {'weight': (2, 2, 3), 'bias': (2, 2)}
    """
    found = {}
    for prefix, layer in model.named_modules():
        if isinstance(layer, Stacked):
            for name, values in [*layer._parameters.items(), *layer._buffers.items()]:
                if values is not None:
                    plain = layer.plain(name, values.detach())
                    found[f"{prefix}.{name}" if prefix else name] = plain
    return found


def member_of(model: nn.Module, numbers: dict[str, Tensor], place: int) -> dict[str, Tensor]:
    """The numbers of one member, under their plain names.

    Args:
        model: the stacked model.
        numbers: as `numbers_of` gives them.
        place: of the member.

    Example:
        >>> pair = stack([nn.Embedding(3, 2), nn.Embedding(5, 2)])
        >>> [tuple(member_of(pair, numbers_of(pair), k)["weight"].shape) for k in (0, 1)]
        [(3, 2), (5, 2)]
    """
    found = {}
    for name, values in numbers.items():
        prefix, _, own = name.rpartition(".")
        layer: Any = model.get_submodule(prefix)
        found[name] = layer.part_of(own, place, values)
    return found
