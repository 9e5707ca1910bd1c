"""What a layer or an operation is called, what sets it apart, and what it does."""

from __future__ import annotations

from typing import Literal

from torch import nn

Family = Literal["weights", "norm", "activation", "shape", "join", "input", "output"]

ACTIVATIONS = {
    name.lower() for name in nn.modules.activation.__all__ if "Attention" not in name
} | {"log_softmax", "leaky_relu", "hard_sigmoid", "swish", "exp", "square", "maxout"}
MESSAGES = ("torch_geometric.nn.conv.message_passing", "torch_geometric.nn.aggr.base",
            "chymist.models.graph_layers")  # fmt: skip
NORMS = ("norm", "dropout")
POOLS = ("pool", "flatten", "upsample", "pad", "shuffle")


def is_layer(module: nn.Module) -> bool:
    """Whether a module is one layer, whatever it does: message passing, and what is solved.

    Example:
        >>> is_layer(nn.Linear(2, 2))
        False
    """
    solved = hasattr(module, "fitted_numbers")
    return solved or any(kind.__module__ in MESSAGES for kind in type(module).__mro__)


def kind_of(module: nn.Module) -> str:
    """The class of a module, without the name that a parametrisation gives it.

    Example:
        >>> kind_of(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)))
        'Linear'
    """
    name = type(module).__name__
    return name.removeprefix("Parametrized") if hasattr(module, "parametrizations") else name


def detail_of(module: nn.Module) -> str:
    """What sets a layer apart from others of its kind, in few words.

    Example:
        >>> detail_of(nn.Conv2d(3, 8, 3, stride=2)), detail_of(nn.LSTM(3, 4, 2, bidirectional=True))
        ('3 x 3, stride 2', '2 layers, both ways')
    """
    said: list[str] = []
    kernel = getattr(module, "kernel_size", None)
    axes = len(kernel) if isinstance(kernel, tuple) else 2
    if isinstance(kernel, int | tuple):
        said.append(" x ".join(map(str, _all(kernel, axes))))
        stride = _all(getattr(module, "stride", 1), axes)
        pooling = "Pool" in type(module).__name__
        if stride != ((_all(kernel, axes)) if pooling else (1,) * axes):
            said.append(f"stride {_one(stride)}")
    dilation = _all(getattr(module, "dilation", 1), axes)
    if any(n != 1 for n in dilation if isinstance(n, int)):
        said.append(f"dilation {_one(dilation)}")
    groups = getattr(module, "groups", 1)
    if isinstance(groups, int) and groups > 1:
        wide = getattr(module, "in_channels", 0)
        said.append("each channel alone" if groups == wide else f"{groups} groups")
    for name, text in (("num_heads", "{} heads"), ("num_embeddings", "{:,} entries")):
        if isinstance(getattr(module, name, None), int):
            said.append(text.format(getattr(module, name)))
    if isinstance(module, nn.RNNBase):
        said += [f"{module.num_layers} layers"] if module.num_layers > 1 else []
        said += ["both ways"] if module.bidirectional else []
    return ", ".join(said)


def _all(value: object, axes: int) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * axes


def _one(values: tuple[object, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else " x ".join(map(str, values))


def family_of(kind: str, weighs: bool, fed: int = 1) -> Family:
    """What a kind of layer or operation does, for its colour.

    Args:
        kind: its name.
        weighs: whether it uses parameters.
        fed: values that it joins.

    Example:
        >>> family_of("BatchNorm2d", True), family_of("relu", False), family_of("add", False, 2)
        ('norm', 'activation', 'join')
    """
    low = kind.lower()
    if any(word in low for word in NORMS):
        return "norm"
    if low in ACTIVATIONS:
        return "activation"
    if weighs:
        return "weights"
    return "join" if fed > 1 else "shape"
