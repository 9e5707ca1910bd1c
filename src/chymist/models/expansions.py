"""Linear in the parameters, not in the inputs: fixed features, then one affine map."""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb

import torch
from torch import Tensor, nn

from chymist.errors import UsageError
from chymist.models.shaping import flat_size
from chymist.parts import Count, describer
from chymist.values import Shapes

MOST = 20_000  # features: least squares on more of them would take minutes


@describer("model")
def polynomial(shapes: Shapes, degree: Count = 2) -> nn.Module:
    """Polynomial regression: y = sum over monomials m of degree 1 to d of w_m m(x), + b.

    All products of up to d inputs are features, C(p + d, d) - 1 of p inputs: a set of degree d
    holds that of every lower degree. Outputs are as those of `linear`, and the optimiser
    `closed_form` solves it in one step. From degree 10 on, single precision is too little for
    inputs that are not small: give the recipe precision="float64".

    Args:
        degree: d, the greatest degree of a monomial.

    Raises:
        UsageError: more than 20,000 monomials.

    Example:
        >>> model = polynomial(degree=3).build(Shapes((2,), 1))
        >>> model[-1].in_features, model[:-1](__import__("torch").tensor([[2.0, 3.0]]))[0, 2:5]
        (9, tensor([4., 6., 9.]))

    Source: Gergonne 1815; Bishop 2006, section 1.1.
    """
    inputs = flat_size(shapes)
    features = comb(inputs + degree, degree) - 1
    if features > MOST:
        raise UsageError("too many monomials", where="model.degree",
                         received=f"{features:,} of {inputs} inputs up to degree {degree}",
                         do="lower the degree, or drop columns")  # fmt: skip
    return nn.Sequential(Monomials(inputs, degree), nn.Linear(features, shapes.outputs))


@describer("model")
def random_features(shapes: Shapes, width: Count = 200) -> nn.Module:
    """Random ReLU features: y = W max(0, V x + c) + b, where V and c are drawn once and stay.

    V ~ N(0, 1/p) for p inputs, c ~ U(-1, 1). Only W and b are learnt, which `closed_form` does in
    one step, with the shortest W where several fit: widths beyond the number of rows interpolate.
    Where there are about as many features as rows, W is huge: precision="float64" keeps its digits.

    Args:
        width: number of features.

    Example:
        >>> model = random_features(width=50).build(Shapes((4,), 1))
        >>> [tuple(weights.shape) for weights in model.parameters()]
        [(1, 50), (1,)]

    Source: Rahimi, Recht 2007, Random features for large-scale kernel machines; Belkin et al. 2019.
    """
    return nn.Sequential(RandomReLU(flat_size(shapes), width), nn.Linear(width, shapes.outputs))


class Monomials(nn.Module):
    """All monomials of degree 1 to d, by degree and then by inputs: (batch, ...) to (batch, m)."""

    def __init__(self, inputs: int, degree: int) -> None:
        super().__init__()
        self.by_degree = [
            torch.tensor(list(combinations_with_replacement(range(inputs), power)))
            for power in range(1, degree + 1)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """The monomials of each row."""
        flat = x.flatten(1)
        return torch.cat([flat[:, factors].prod(-1) for factors in self.by_degree], dim=1)


class RandomReLU(nn.Module):
    """max(0, V x + c) with V and c that are no parameters: (batch, ...) to (batch, width)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        # `build_model` seeds torch's generator with a key of the run before it calls.
        self.register_buffer("weight", torch.randn(width, inputs) / inputs**0.5)
        self.register_buffer("bias", 2 * torch.rand(width) - 1)

    def forward(self, x: Tensor) -> Tensor:
        """The features of each row."""
        weight, bias = self.get_buffer("weight"), self.get_buffer("bias")
        return torch.relu(nn.functional.linear(x.flatten(1), weight, bias))
