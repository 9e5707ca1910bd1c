"""`shapes`: a model layer by layer, with what it costs, before it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from chymist.errors import UsageError
from chymist.models import build_model
from chymist.optim import AT_ONCE, ITERATED
from chymist.parts import Part, part
from chymist.reports.layers import LayerRow, call_with_zeros, layer_table, untouched
from chymist.reports.text import table
from chymist.values import Recipe, Shapes

LATER = (
    "Solved from all rows at once: how many numbers a tree, a vector machine or naive Bayes holds "
    "is known only then."
)


@dataclass(frozen=True)
class ModelShapes:
    """A model layer by layer, and its totals.

    Args:
        rows: one entry a layer.
        input_shape: of one input, without the batch.
        kept: bytes of activations that one input leaves for the backward pass, in training mode;
            the inputs count where a layer needs them again.
        held: bytes of parameters; trained: of those with gradients; buffers: of the rest.
        solved: whether it is solved from all rows at once: these decide how many numbers a tree, a
            vector machine or naive Bayes holds, and the rows say only what is known without them.
    """

    rows: tuple[LayerRow, ...]
    input_shape: tuple[int, ...]
    kept: int
    held: int
    trained: int
    buffers: int
    solved: bool = False

    @property
    def parameters(self) -> int:
        """Numbers in all parameters."""
        return sum(row.parameters for row in self.rows)

    @property
    def weight_layers(self) -> int:
        """Layers as they are counted: those that hold weights and multiply inputs by them.

        A sum and its activation are one layer; pooling has no weights, and normalisation multiplies
        no inputs: VGG16 has 16. Projections of shortcuts count, which papers leave out.
        """
        return sum(bool(row.parameters and row.multiply_adds) for row in self.rows)

    @property
    def biases(self) -> int:
        """How many of the parameters are biases."""
        return sum(row.biases for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Of products and convolutions, for one input; twice as many floating-point operations."""
        return sum(row.multiply_adds for row in self.rows)

    def memory(self, batch: int = 32, optimizer: str | Part = "adam") -> dict[str, int]:
        """Bytes that training needs at least, by what needs them.

        Args:
            batch: rows of a batch.
            optimizer: name of an optimiser, or the part.

        Returns:
            "parameters", "gradients", "optimizer", "activations", "total". What a library uses to
            calculate faster comes on top.

        Raises:
            UsageError: no such optimiser, or no rows.
        """
        if batch < 1:
            raise UsageError("a batch has at least one row", where="batch", received=str(batch))
        chosen = part("optimizer", optimizer) if isinstance(optimizer, str) else optimizer
        found = {
            "parameters": self.held + self.buffers,
            "gradients": self.trained,
            "optimizer": states_of(chosen) * self.trained,
            "activations": self.kept * batch,
        }
        return {**found, "total": sum(found.values())}

    def __str__(self) -> str:
        cells = [_cells(row) for row in self.rows]
        counted = f"{self.weight_layers} with weights"
        total = ["total", counted, "", "", f"{self.parameters:,}", f"{self.biases:,}"]
        cells.append([*total, f"{self.multiply_adds:,}", ""])
        heads = [
            "layer",
            "kind",
            "output",
            "units",
            "parameters",
            "biases",
            "multiply-adds",
            "sees",
        ]
        return "\n".join([table(cells, heads, 110), *([LATER] if self.solved else [])])


def shapes(
    model: str | Part | nn.Module | Callable[..., Any],
    input_shape: Sequence[int],
    outputs: int = 10,
) -> ModelShapes:
    """A model layer by layer: shapes, units, parameters, multiply-adds, receptive fields, memory.

    Args:
        model: a module, also one of your own; or the model of a recipe: a name, a part, a factory
            of shapes. A module on the device "meta" holds no numbers, so that networks of any size
            can be looked at.
        input_shape: shape of one input, without the batch: (1, 28, 28).
        outputs: number of outputs, where the model is still to be built.

    Returns:
        A `ModelShapes`: print it, or ask `.rows`, `.parameters`, `.memory(batch=128)`.

    Raises:
        InputError: the model fails on inputs of this shape.
        UsageError: no such model.

    Example:
        >>> found = shapes("lenet5", (1, 28, 28))
        >>> found.parameters, found.biases, found.multiply_adds
        (61706, 236, 416520)
        >>> found.rows[3].receptive_field, found.rows[3].units
        ((14, 14), 1600)
    """
    shape = tuple(input_shape)
    if not isinstance(model, nn.Module):
        # A name, a part or a factory, as in a recipe.
        model = build_model(Recipe(model=model).model, Shapes(shape, outputs), 0)
    rows = tuple(layer_table(model, shape, costs=True))
    parameters = list(model.parameters())
    return ModelShapes(
        rows, shape, kept_bytes(model, shape), _bytes(parameters),
        _bytes([p for p in parameters if p.requires_grad]), _bytes(list(model.buffers())),
        any(hasattr(module, "fitted_numbers") for module in model.modules()),
    )  # fmt: skip


def kept_bytes(model: nn.Module, shape: Sequence[int], batch: int = 2) -> int:
    """Bytes that a forward pass keeps for the backward pass, for one input of a batch.

    Args:
        model: any module; it stays as it is.
        shape: of one input.
        batch: rows that are tried.

    Raises:
        InputError: the model fails on inputs of this shape.

    Example:
        >>> kept_bytes(nn.Sequential(nn.Linear(3, 4), nn.Sigmoid()), (3,))  # inputs and outputs
        28
    """
    first = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    inputs = torch.zeros((batch, *shape), dtype=first.dtype, device=first.device)
    own = {_storage(t) for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}  # held, so that no storage is used again

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            kept[_storage(tensor)] = tensor.detach()
        return tensor

    def run(given: Tensor) -> None:
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model(given)

    with untouched(model, training=True), torch.enable_grad():
        call_with_zeros(run, inputs)
    return sum(t.untyped_storage().nbytes() for t in kept.values()) // batch


def states_of(optimizer: Part) -> int:
    """Numbers that an optimiser keeps for each parameter: 0 for plain SGD, 2 for Adam.

    Args:
        optimizer: the part.

    Example:
        >>> [states_of(part("optimizer", name)) for name in ("sgd", "adam")]
        [0, 2]
    """
    if (
        optimizer.name == "lbfgs"
    ):  # of each of its last steps the step, and how the gradient changed
        return 2 * int(optimizer.build(None)[0])
    if optimizer.name in (*AT_ONCE, *ITERATED):
        return 0
    weight = nn.Parameter(torch.ones(3, 5))
    weight.grad = torch.ones(3, 5)
    free = optimizer.replace(lr=1e-3) if optimizer.options.get("lr") == "auto" else optimizer
    built = free.build([weight])
    built.step(lambda: weight.grad.sum())
    state: Mapping[str, Any] = built.state[weight]
    return sum(isinstance(v, Tensor) and v.shape == weight.shape for v in state.values())


def _cells(row: LayerRow) -> list[object]:
    sees = row.receptive_field
    return [
        row.name or "(model)", row.kind, " x ".join(map(str, row.output_shape)), f"{row.units:,}",
        f"{row.parameters:,}", f"{row.biases:,}", f"{row.multiply_adds:,}",
        sees if isinstance(sees, str) else " x ".join(map(str, sees or ())),
    ]  # fmt: skip


def _bytes(tensors: Sequence[Tensor]) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
