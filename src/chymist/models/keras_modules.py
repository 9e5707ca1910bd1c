"""Keras models on torch as modules: told whether they train, images turned, names of their own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from chymist.errors import UsageError


class KerasModel(nn.Module):
    """A Keras model on the torch backend, as the training loop needs it.

    Keras does not listen to `train()` and `eval()`: whether dropout and batch normalisation are at
    work is an argument of each call. Its variables are numbered on with every model of a process;
    here they are called "0_kernel", "1_bias" and so on, so that another process can read them.

    Attributes:
        net: the Keras model, whose variables are the parameters.
        turned: whether it takes images with the channels last, as Keras has them by default.
    """

    net: Any

    def __init__(self, net: Any, inputs: tuple[int, ...]) -> None:
        """Args: net, and the shape of one input, images with the channels first."""
        super().__init__()
        last = (*inputs[1:], inputs[0]) if len(inputs) == 3 else inputs
        if not net.built:
            net(torch.zeros(1, *last))
        self.inputs, self.turned = inputs, len(inputs) == 3 and _fits(net, last)
        self.__dict__["net"] = net  # no child: its names would be those of Keras
        for number, variable in enumerate(net.variables):
            self.register_parameter(f"{number}_{variable.name}", variable.value)

    def forward(self, inputs: Tensor) -> Any:
        """Inputs (batch, ...), images with the channels first; what the Keras model returns."""
        given = inputs.permute(0, 2, 3, 1) if self.turned else inputs
        return self.net(given, training=self.training)

    def __deepcopy__(self, memo: dict[int, Any]) -> KerasModel:
        """Another one with the same weights, built from what Keras says of it.

        Raises:
            UsageError: it is of a class that cannot say it.
        """
        try:
            net = type(self.net).from_config(self.net.get_config())
        except (RuntimeError, TypeError):  # as Keras says that it is not written
            raise UsageError("this Keras model cannot be copied", where="model",
                             received=type(self.net).__name__,
                             do="give a factory: lambda: Net()") from None  # fmt: skip
        made = KerasModel(net, self.inputs)
        for mine, theirs in zip(self.parameters(), made.parameters(), strict=True):
            theirs.data = mine.data.clone()
        return made.train(self.training)


def is_keras(module: Any) -> bool:
    """Whether a module is a Keras model on torch; Keras is not imported for it.

    Example:
        >>> is_keras(nn.Linear(2, 2))
        False
    """
    names = {kind.__module__.partition(".")[0] for kind in type(module).__mro__}
    return isinstance(module, nn.Module) and "keras" in names


def _fits(net: Any, shape: tuple[int, ...]) -> bool:
    """Whether the model takes inputs of this shape; None stands for any number."""
    wanted = getattr(net, "input_shape", (None, *shape))[1:]  # a subclass has none
    pairs = zip(wanted, shape, strict=False)
    return len(wanted) == len(shape) and all(side in (None, given) for side, given in pairs)
