"""Hearing activation functions that a model calls without a module: `F.relu(self.fc(x))`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode, _get_current_function_mode

# Function, with or without the "_" of those that work in place: module that does the same.
KINDS = {
    "relu": "ReLU", "relu6": "ReLU6", "leaky_relu": "LeakyReLU", "prelu": "PReLU", "elu": "ELU",
    "selu": "SELU", "celu": "CELU", "gelu": "GELU", "silu": "SiLU", "mish": "Mish",
    "softplus": "Softplus", "softsign": "Softsign", "threshold": "Threshold",
    "sigmoid": "Sigmoid", "logsigmoid": "LogSigmoid", "hardsigmoid": "Hardsigmoid",
    "tanh": "Tanh", "hardtanh": "Hardtanh", "hardswish": "Hardswish",
    "softmax": "Softmax", "log_softmax": "LogSoftmax", "dropout": "Dropout",
}  # fmt: skip
WORDS: dict[Callable[..., Any], str] = {
    getattr(home, word + ending): word
    for word in KINDS
    for home in (functional, torch, Tensor)
    for ending in ("", "_")
    if hasattr(home, word + ending)
}
# Files of torch with the modules that call such functions, attention among them.
QUIET = ("activation", "dropout", "adaptive")
Tell = Callable[[str, str, Tensor, float], None]


def is_torchs(module: nn.Module) -> bool:
    """Whether a module is of a class of torch's own.

    Example:
        >>> is_torchs(nn.Hardswish())
        True
    """
    return type(module).__module__.startswith("torch.nn.")


def _is_quiet(module: nn.Module) -> bool:
    """Whether the functions that a module calls inside are its own affair: those of torch."""
    return is_torchs(module) and type(module).__module__.rpartition(".")[2] in QUIET


class Functions(TorchFunctionMode):
    """Tells of each activation function that is called in a model's own code.

    What torch's own activations and attention call inside is theirs: meanwhile the mode is off, so
    that they do the very same as without it. A function of weights alone is no layer.

    Args:
        model: that is called.
        tell: is given name (of the module around it, and the function), kind of the module that
            does the same, output, and rate of a dropout.
    """

    def __init__(self, model: nn.Module, tell: Tell) -> None:
        super().__init__()
        self.tell = tell
        self.last: Tensor | None = None  # of a function, if no module has worked since
        self.active = False
        self.inside: list[tuple[str | None, bool]] = []
        self.names = Counter(name for name, _ in model.named_modules())
        self.handles = [
            handle
            for name, module in model.named_modules()
            if _is_quiet(module) or not is_torchs(module) or list(module.children())
            for handle in (
                module.register_forward_pre_hook(
                    partial(self._enter, None if _is_quiet(module) else name)
                ),
                module.register_forward_hook(self._leave, always_call=True),
            )
        ]

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the function; tell of it if it is one of those that are heard."""
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        word = WORDS.get(func)
        where = self.inside[-1][0] if self.inside else None
        given = args[0] if args else kwargs.get("input")
        if word and where is not None and _is_plain(output) and not isinstance(given, nn.Parameter):
            rate = kwargs.get("p", args[1] if len(args) > 1 else 0.5) if word == "dropout" else 0.0
            self.tell(self._named(where, word), KINDS[word], output, rate)
            self.last = output
        return output

    def gave(self, output: Tensor) -> bool:
        """Whether an output, or what it is a view of, came out of the last function."""
        if self.last is None or not _is_plain(output):
            return False
        return self.last.untyped_storage().data_ptr() == output.untyped_storage().data_ptr()

    def open(self) -> None:
        """Begin to hear."""
        self.active = True
        super().__enter__()  # type: ignore[no-untyped-call]

    def pause(self) -> None:
        """Hear nothing for now."""
        self.active = False
        super().__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def _named(self, where: str, word: str) -> str:
        name = f"{where}.{word}" if where else word
        self.names[name] += 1
        return name if self.names[name] == 1 else f"{name}_{self.names[name] - 1}"

    def _enter(self, name: str | None, module: nn.Module, inputs: object) -> None:
        paused = name is None and _get_current_function_mode() is self
        if paused:
            self.pause()
        self.inside.append((name, paused))

    def _leave(self, module: nn.Module, inputs: object, output: object) -> None:
        if self.inside and self.inside.pop()[1]:
            self.open()


def _is_plain(output: object) -> bool:
    """Whether this is a tensor with numbers in a storage: no subclass, not one of vmap's."""
    return (
        type(output) is Tensor
        and output.layout == torch.strided
        and not torch._C._functorch.is_functorch_wrapped_tensor(output)
    )


@contextmanager
def hearing_functions(model: nn.Module, tell: Tell) -> Iterator[Functions]:
    """Tell of the activation functions that a model calls while this is open.

    Args:
        model, tell: as of `Functions`.

    Example:
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = nn.Linear(2, 3)
        ...     def forward(self, x):
        ...         return torch.sigmoid(functional.relu(self.fc(x)))
        >>> model = Net()
        >>> with hearing_functions(model, lambda name, kind, output, rate: print(name, kind)):
        ...     _ = model(torch.zeros(4, 2))
        relu ReLU
        sigmoid Sigmoid
    """
    functions = Functions(model, tell)
    functions.open()
    try:
        yield functions
    finally:
        if functions.active:  # an interrupt may have come while it was paused
            functions.pause()
        for handle in functions.handles:
            handle.remove()
