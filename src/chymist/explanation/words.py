"""What each word of a text is worth to an answer: attributions over embeddings, and deletion.

A text is a row of numbers of tokens, filled up with 0; the model looks each up in a table
(`nn.Embedding`). Words have no values that one could change a little, their embeddings do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from chymist.data.texts import FILL, UNKNOWN
from chymist.errors import UsageError
from chymist.explanation.asking import at_rest
from chymist.explanation.deleting import Deletion, orders_of
from chymist.models.recurrent import lengths_of

Reference = Literal["unknown", "nothing"]
ROWS = 256  # of one pass


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards modes and buffers are what they were.

    Example:
        >>> layer = nn.Dropout()
        >>> with untouched(layer):
        ...     layer.training
        False
        >>> layer.training
        True
    """
    parts = list(module.modules())
    buffers = [dict(part._buffers) for part in parts]  # a state that is carried goes on otherwise
    try:
        with at_rest(module):
            yield
    finally:
        for part, kept in zip(parts, buffers, strict=True):
            part._buffers.update(kept)


def table_of(module: nn.Module) -> nn.Embedding:
    """The table that tokens are looked up in: the first one of the module.

    Raises:
        UsageError: there is none.

    Example:
        >>> table_of(nn.Sequential(nn.Embedding(5, 2), nn.Linear(2, 1)))
        Embedding(5, 2)
    """
    found = next((part for part in module.modules() if isinstance(part, nn.Embedding)), None)
    if found is None:
        raise UsageError("the model has no table of embeddings", where="explain",
                         received=type(module).__name__,
                         do="words are explained through nn.Embedding; try occlusion")  # fmt: skip
    return found


def there(inputs: Tensor) -> Tensor:
    """Which steps are words, (rows, steps): those up to the last token that is not 0.

    Example:
        >>> there(torch.tensor([[2, 0, 3, 0]]))
        tensor([[ True,  True,  True, False]])
    """
    first = inputs if inputs.ndim == 2 else inputs[:, :, 0]
    steps = torch.arange(first.shape[1], device=first.device)
    found: Tensor = (steps < lengths_of(first)[:, None]) & (first != 0).any(1)[:, None]
    return found


def chosen(outputs: Tensor, targets: Tensor, position: int | None = None) -> Tensor:
    """The output of each row that is explained, (rows,).

    Args:
        outputs: (rows, outputs), or (rows, steps, outputs).
        targets: number of the output, (rows,).
        position: the step, where each has outputs.

    Raises:
        UsageError: a step is needed, or there is none.

    Example:
        >>> chosen(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 0]))
        tensor([2., 3.])
    """
    if (outputs.ndim == 3) != (position is not None):
        raise UsageError("a step is explained where every step has an answer", where="position",
                         received=str(position),
                         do="give a step" if outputs.ndim == 3 else "leave it out")  # fmt: skip
    rows = outputs if position is None else outputs[:, position]
    return rows.gather(1, targets[:, None])[:, 0]


def saliency(
    module: nn.Module, inputs: Tensor, targets: Tensor, *, position: int | None = None
) -> Tensor:
    """Length of the gradient at each word: how much a small change of its embedding changes.

    m_t = || d output / d e_t ||, without sign.

    Args:
        module: with a table of embeddings.
        inputs: numbers of tokens, int64 (rows, steps) or (rows, steps, tokens).
        targets: number of the output, int64 (rows,).
        position: the step, where each has outputs.

    Returns:
        (rows, steps); 0 at what fills up.

    Example:
        >>> model = nn.Sequential(nn.Embedding(4, 3), nn.Flatten(), nn.Linear(6, 2))
        >>> saliency(model, torch.tensor([[2, 3]]), torch.tensor([0])).shape
        torch.Size([1, 2])

    Source: Simonyan, Vedaldi, Zisserman 2014, arXiv:1312.6034; Li et al. 2016, arXiv:1506.01066.
    """
    with untouched(module):
        vectors = _looked_up(module, inputs)
        return _filled(_gradient(module, inputs, targets, vectors, position).norm(dim=-1), inputs)


def input_x_gradient(
    module: nn.Module, inputs: Tensor, targets: Tensor, *, position: int | None = None
) -> Tensor:
    """Embedding times gradient, m_t = e_t . d output / d e_t.

    Args:
        module, inputs, targets, position: as in `saliency`.

    Returns:
        (rows, steps), with sign.

    Example:
        >>> model = nn.Sequential(nn.Embedding(4, 3), nn.Flatten(), nn.Linear(6, 1, bias=False))
        >>> x, zero = torch.tensor([[2, 3]]), torch.tensor([0])
        >>> torch.allclose(input_x_gradient(model, x, zero).sum(), model(x).sum())
        True

    Source: Shrikumar et al. 2016, arXiv:1605.01713; Denil et al. 2014, arXiv:1406.3830.
    """
    with untouched(module):
        vectors = _looked_up(module, inputs)
        slope = _gradient(module, inputs, targets, vectors, position)
        return _filled((slope * vectors).sum(-1), inputs)


def integrated_gradients(
    module: nn.Module, inputs: Tensor, targets: Tensor, *, steps: int = 50,
    reference: Reference = "unknown", position: int | None = None,
) -> Tensor:  # fmt: skip
    """Gradients along the way from a reference to the text, m_t = (e_t - r_t) . mean gradient.

    Their sum is what the output gains over that of the reference, as far as so many steps show it.

    Args:
        module, inputs, targets, position: as in `saliency`.
        steps: points of the Gauss-Legendre rule along the way.
        reference: "unknown", every word replaced by the unknown one; "nothing", vectors of zero.

    Returns:
        (rows, steps), with sign.

    Example:
        >>> model = nn.Sequential(nn.Embedding(4, 3), nn.Flatten(), nn.Linear(6, 1))
        >>> x, zero = torch.tensor([[2, 3]]), torch.tensor([0])
        >>> gain = model(x) - model(torch.ones_like(x))
        >>> torch.allclose(integrated_gradients(model, x, zero).sum(), gain.sum(), atol=1e-6)
        True

    Source: Sundararajan, Taly, Yan 2017, arXiv:1703.01365.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    with untouched(module):
        vectors = _looked_up(module, inputs)
        start = _reference_vectors(module, inputs, vectors, reference)
        total = torch.zeros_like(vectors)
        for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
            between = start + (1 + node) / 2 * (vectors - start)
            total += weight / 2 * _gradient(module, inputs, targets, between, position)
        return _filled((total * (vectors - start)).sum(-1), inputs)


def occlusion(
    module: nn.Module, inputs: Tensor, targets: Tensor, *, reference: Reference = "unknown",
    position: int | None = None,
) -> Tensor:  # fmt: skip
    """What the output loses without a word, m_t = output(text) - output(text without word t).

    Needs no table of embeddings and no gradient.

    Args:
        module, inputs, targets, position: as in `saliency`.
        reference: "unknown", the word is replaced by the unknown one; "nothing", it is left out,
            and the rest moves up (where every step has an answer, it is replaced by token 0).

    Returns:
        (rows, steps), with sign.

    Example:
        >>> model = nn.Sequential(nn.Embedding(4, 3), nn.Flatten(), nn.Linear(6, 1))
        >>> x, zero = torch.tensor([[2, 3]]), torch.tensor([0])
        >>> lost = model(x) - model(torch.tensor([[1, 3]]))
        >>> torch.allclose(occlusion(model, x, zero)[0, 0], lost[0, 0])
        True

    Source: Zeiler, Fergus 2014, arXiv:1311.2901; Li, Monroe, Jurafsky 2016, arXiv:1612.08220.
    """
    words = there(inputs)
    made = torch.zeros(words.shape)
    with untouched(module), torch.no_grad():
        for row, (text, target) in enumerate(zip(inputs, targets, strict=True)):
            places = words[row].nonzero()[:, 0]
            if not len(places):
                continue
            kept = torch.ones(len(places) + 1, text.shape[0], dtype=torch.bool)
            kept[torch.arange(1, len(places) + 1), places.cpu()] = False
            several = without(text, kept, reference, position is not None)
            scores = _scores(module, several, target, position)
            made[row, places.cpu()] = (scores[0] - scores[1:]).float()
    return made


METHODS: Mapping[str, Callable[..., Tensor]] = {
    "integrated-gradients": integrated_gradients,
    "occlusion": occlusion,
    "input-x-gradient": input_x_gradient,
    "saliency": saliency,
}
REFERRED = ("integrated-gradients", "occlusion")  # that compare with a reference


def without(text: Tensor, kept: Tensor, reference: Reference, in_place: bool = False) -> Tensor:
    """Copies of a text, each without some of its words.

    Args:
        text: numbers of tokens, (steps,) or (steps, tokens).
        kept: (copies, steps), False where a word goes.
        reference: "unknown" puts the unknown word there; "nothing" lets the rest move up.
        in_place: whether "nothing" puts token 0 there instead, so that steps stay where they are.

    Example:
        >>> kept = torch.tensor([[True, False, True]])
        >>> text = torch.tensor([5, 6, 7])
        >>> without(text, kept, "nothing").tolist(), without(text, kept, "unknown").tolist()
        ([[5, 7, 0]], [[5, 1, 7]])
    """
    copies = text.expand(len(kept), *text.shape).clone()
    if reference == "unknown" or in_place:
        copies[~kept.to(text.device)] = UNKNOWN if reference == "unknown" else FILL
        return copies
    for copy, keep in zip(copies, kept, strict=True):
        left = text[keep.to(text.device)]
        copy.fill_(FILL)
        copy[: len(left)] = left
    return copies


def deletion(
    module: nn.Module, text: Tensor, target: Tensor, values: Tensor, *,
    reference: Reference = "unknown", position: int | None = None, orders: int = 20, seed: int = 0,
) -> Deletion:  # fmt: skip
    """Take words away in the order of their values, and in random orders: is the order right?

    Args:
        module: the model.
        text: one text, (steps,) or (steps, tokens).
        target: number of the output, ().
        values: of its steps, (steps,), larger ones speaking more for the output.
        reference: what a word becomes, as in `occlusion`.
        position: the step, where each has outputs.
        orders: random ones.
        seed: of these.

    Example:
        >>> model = nn.Sequential(nn.Embedding(9, 1), nn.Flatten(), nn.Linear(4, 1))
        >>> text, zero = torch.tensor([2, 3, 4, 5]), torch.tensor(0)
        >>> values = occlusion(model, text[None], zero[None])[0]
        >>> deletion(model, text, zero, values).beaten >= 0.5
        True

    Source: Samek et al. 2017, arXiv:1509.06321; DeYoung et al. 2020, arXiv:1911.03429.
    """
    places = there(text[None])[0].nonzero()[:, 0].cpu().numpy()
    rows = orders_of(values.detach().cpu().numpy()[places], places, orders, seed)
    kept = torch.ones(len(rows), len(places) + 1, len(text), dtype=torch.bool)
    for row, order in enumerate(rows):
        for count, place in enumerate(order, 1):
            kept[row, count:, place] = False
    with untouched(module), torch.no_grad():
        copies = without(text, kept.flatten(0, 1), reference, position is not None)
        scores = _scores(module, copies, target, position).cpu().double().numpy()
    found = scores.reshape(len(rows), -1)
    return Deletion(found[0], found[1:])


def _scores(module: nn.Module, texts: Tensor, target: Tensor, position: int | None) -> Tensor:
    """The output of several texts."""
    parts = [chosen(module(part), target.expand(len(part)), position) for part in texts.split(ROWS)]
    return torch.cat(parts)


def _looked_up(module: nn.Module, inputs: Tensor) -> Tensor:
    """What the table gives in the model, (rows, steps, size) or (rows, steps, tokens, size)."""
    seen: list[Tensor] = []

    def keep(part: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        seen.append(made.detach())

    handle = table_of(module).register_forward_hook(keep)
    try:
        with torch.no_grad():
            module(inputs)
    finally:
        handle.remove()
    return seen[0]


def _reference_vectors(
    module: nn.Module, inputs: Tensor, vectors: Tensor, reference: Reference
) -> Tensor:
    """Where the way to the text begins; what fills up stays as it is."""
    words = there(inputs)[:, : vectors.shape[1]].to(vectors.device)
    words = words.reshape(*words.shape, *[1] * (vectors.ndim - 2))
    base = torch.zeros_like(vectors[:1, :1])
    if reference == "unknown":
        base = base + table_of(module).weight.detach()[UNKNOWN]
    return torch.where(words, base, vectors)


def _gradient(
    module: nn.Module, inputs: Tensor, targets: Tensor, vectors: Tensor, position: int | None
) -> Tensor:
    """Gradient of the chosen outputs, where the table gives these vectors; (rows, steps, size).

    Several tokens of a step stand side by side.
    """
    vectors = vectors.detach().requires_grad_()
    handle = table_of(module).register_forward_hook(partial(_put, vectors))
    try:
        with torch.enable_grad():
            total = chosen(module(inputs), targets, position).sum()
            (found,) = torch.autograd.grad(total, vectors)
    finally:
        handle.remove()
    return found


def _put(vectors: Tensor, part: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
    return vectors


def _filled(values: Tensor, inputs: Tensor) -> Tensor:
    """Values of all steps: several tokens of a step added up, 0 where nothing is."""
    values = values.flatten(2).sum(2) if values.ndim > 2 else values
    made = values.new_zeros(inputs.shape[:2])
    made[:, : values.shape[1]] = values
    return made * there(inputs)
