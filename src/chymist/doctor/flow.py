"""How values flow through a model: affine maps in a row, what mixes rows, what stays alike."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from chymist.doctor.functions import KINDS, hearing_functions
from chymist.doctor.reading_loss import FAILS, LossFunction
from chymist.doctor.restoring import put_back

AFFINE = (nn.Linear, nn.Conv1d, nn.Conv2d)


class Flow:
    """Notes what passes through the leaf modules and activation functions of a model.

    Args:
        batch: rows of a batch in training.
    """

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.made: dict[int, tuple[str, Tensor]] = {}  # kept, so that ids stay theirs
        self.affine: list[str] = []
        self.widths: list[int] = []
        self.channels: list[float] = []
        self.links: dict[int, tuple[str, Tensor]] = {}
        self.squeezed: list[str] = []
        self.scores: Tensor | None = None

    def forget(self) -> None:
        """Let go of what the last pass has made."""
        self.made.clear()
        self.links.clear()
        self.scores = None

    def activated(self, name: str, kind: str, output: Tensor, rate: float = 0.0) -> None:
        """Something has come out of an activation."""
        if kind in ("Softmax", "LogSoftmax"):
            self.links[id(output)] = (name, output)
        elif kind != "Dropout":  # which does nothing here
            self.made.pop(id(output), None)  # it has worked in place: affine no more

    def hook(self, name: str) -> Callable[..., None]:
        """A forward hook of the leaf module of this name."""

        def passed(module: nn.Module, entered: tuple[object, ...], output: object) -> None:
            first = entered[0] if entered else None
            if not isinstance(first, Tensor) or not isinstance(output, Tensor):
                return
            if type(module).__name__ in KINDS.values():
                self.activated(name, type(module).__name__, output)
            if isinstance(module, AFFINE):
                if id(first) in self.links:
                    self.squeezed.append(self.links[id(first)][0])
                if id(first) in self.made:
                    self.affine.append(f"{self.made[id(first)][0]} -> {name}")
                self.made[id(output)] = (name, output)
                self.widths.append(module.weight.shape[0])
                self.scores = output
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                values = first.numel() / first.shape[1] / len(first)
                self.channels.append(values * self.batch)

        return passed


@contextmanager
def flowing(model: nn.Module, batch: int) -> Iterator[Flow]:
    """What passes through a model while this is open.

    Args:
        model: it is left as it was.
        batch: rows of a batch in training.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Softmax(1), nn.Linear(3, 1))
        >>> with flowing(model, 4) as flow:
        ...     _ = model(torch.randn(8, 2))
        >>> flow.widths, flow.squeezed
        ([3, 1], ['1'])
    """
    flow = Flow(batch)
    with hearing_functions(model, flow.activated):
        handles = [
            module.register_forward_hook(flow.hook(name))
            for name, module in model.named_modules()
            if not list(module.children())
        ]
        try:
            yield flow
        finally:
            for handle in handles:
                handle.remove()


def flow_of(
    model: nn.Module, inputs: Tensor, batch: int, targets: Tensor | None = None
) -> dict[str, object]:
    """Facts about the flow of values, by the names that `Facts` has for them.

    Args:
        model: modes and buffers are put back; a caller keeps the rest (`untouched`).
        inputs: some rows, (rows, ...).
        batch: rows of a batch in training.
        targets: of the rows; steps without one, of -1, may give anything.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        >>> flow_of(model, torch.randn(8, 2), 4)["affine"]
        ('0 -> 1',)
    """
    try:
        with put_back(model), torch.no_grad():
            model.eval()
            with flowing(model, batch) as flow:
                whole = model(inputs)
            if not isinstance(whole, Tensor):
                return {}
            with flowing(model, batch):  # hooks may choose other kernels: the same ones here
                draws = not torch.equal(whole, model(inputs))
            enough = len(inputs) > 3 and not draws
            crossed = enough and _crosses(model, inputs, whole, targets)
            alone = enough and not crossed and inputs.is_floating_point()
            linear = alone and _is_affine(model, inputs, flow.scores)
    except FAILS:
        return {}
    return {
        "affine": tuple(flow.affine),
        "crossed": crossed,
        "draws": draws,
        "nonlinear": not linear,
        "per_channel": min(flow.channels, default=math.inf),
        "narrowest": min(flow.widths[:-1], default=math.inf),
        "depth": len(flow.widths),
        "squeezed": tuple(flow.squeezed),
    }


def unregistered(
    model: nn.Module, inputs: Tensor, held: Collection[int] = ()
) -> tuple[tuple[int, ...], ...]:
    """Shapes of parameters that work in the model, but are none of its own: kept in a plain list.

    Args:
        model: modes and buffers are put back; a caller keeps the rest (`untouched`).
        inputs: some rows.
        held: ids of parameters that the optimiser has all the same.

    Example:
        >>> class Listed(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layers, self.head = [nn.Linear(2, 3)], nn.Linear(3, 1)
        ...     def forward(self, x):
        ...         return self.head(self.layers[0](x))
        >>> unregistered(Listed(), torch.zeros(4, 2))
        ((3,), (3, 2))
    """
    with put_back(model), torch.enable_grad():
        outputs = model(inputs)
    ends = [outputs.grad_fn] if isinstance(outputs, Tensor) else []
    own = {id(p) for p in model.parameters()}.union(held)
    seen: set[object] = set()
    found: dict[int, tuple[int, ...]] = {}
    while ends:
        node = ends.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        weight = getattr(node, "variable", None)
        if isinstance(weight, nn.Parameter) and id(weight) not in own:
            found[id(weight)] = tuple(weight.shape)
        ends += [after for after, _ in node.next_functions]
    return tuple(sorted(found.values()))


def _crosses(model: nn.Module, inputs: Tensor, whole: Tensor, targets: Tensor | None) -> bool:
    """Whether a row's output depends on the rows before it, in a model that draws nothing.

    A recurrent network may blow rounding up step by step, and fewer rows round otherwise; as many
    rows, of which others have changed, do not.
    """
    middle, scale = len(inputs) // 2, float(whole.abs().max()) or 1.0
    steps = targets is not None and whole.ndim == 3 and targets.shape == whole.shape[:2]
    asked = targets[middle:].to(whole.device) >= 0 if steps and targets is not None else None

    def differs(made: Tensor) -> bool:
        off = (made[-len(inputs) + middle :] - whole[middle:]).abs()
        off = off if asked is None else off[asked]  # what fills a row up has no meaning
        return bool(off.numel()) and float(off.max()) > 1e-3 * scale

    changed = torch.cat([inputs[:1].expand(middle, *inputs.shape[1:]), inputs[middle:]])
    return differs(model(inputs[middle:])) and differs(model(changed))


def _is_affine(model: nn.Module, inputs: Tensor, scores: Tensor | None) -> bool:
    """Whether scores are affine in the inputs: those of a mean are the mean of those.

    Scores are what the last affine map gives, so that a link function behind it does not count.
    """
    if scores is None or len(scores) % len(inputs):
        return False
    a = scores.double().reshape(len(inputs), -1)
    b = a.flip(0)  # rows do not depend on each other
    spread = float(a.std(0).max())
    if spread < 1e-4 * float(a.abs().max()):
        return False  # signals have died out: anything looks affine
    with flowing(model, 1) as flow:
        for share in (0.5, 1.5):
            flow.forget()
            model(share * inputs + (1 - share) * inputs.flip(0))
            if flow.scores is None or flow.scores.numel() != a.numel():
                return False
            off = flow.scores.double().reshape(a.shape) - share * a - (1 - share) * b
            if not float(off.abs().max()) < 1e-3 * spread:
                return False
    return True


def same_weights(model: nn.Module) -> tuple[str, ...]:
    """Hidden layers that were filled with one number, though biases may tell their units apart.

    Zeros are left out: they are how residual branches and heads are begun on purpose.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        >>> for p in model.parameters(): _ = nn.init.constant_(p, 0.2)
        >>> same_weights(model)
        ('0',)
    """
    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, AFFINE)]
    return tuple(n for n, m in layers[:-1] if _alike(m) and bool(m.weight.any()))


def stays_symmetric(
    model: nn.Module, loss_fn: LossFunction, inputs: Tensor, targets: Tensor
) -> tuple[str, ...]:
    """Hidden layers whose units start alike and are alike still after steps of a copy.

    Zero-initialised branches and heads start alike too, but their gradients soon differ.

    Args:
        model, loss_fn: they are left as they are.
        inputs, targets: some rows.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        >>> for p in model.parameters(): _ = nn.init.zeros_(p)
        >>> stays_symmetric(model, nn.functional.mse_loss, torch.randn(8, 2), torch.randn(8, 1))
        ('0',)
    """
    suspects = {n: m for n, m in model.named_modules() if _alike(m)}
    layers = [n for n, m in model.named_modules() if _by_unit(m)]
    hidden = [n for n in suspects if n != layers[-1]]
    if not hidden:
        return ()
    try:
        with put_back(model):
            twin = copy.deepcopy(model)
            twin.eval()
            optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
            for _ in range(4):
                optimizer.zero_grad()
                loss_fn(twin(inputs), targets).backward()
                optimizer.step()
    except FAILS:
        return ()
    modules = dict(twin.named_modules())
    return tuple(n for n in hidden if _moved_alike(suspects[n], modules[n]))


def _alike(module: nn.Module) -> bool:
    """Whether all units of a trained layer have the same weights."""
    parts = _by_unit(module)
    return bool(parts) and all(
        p.requires_grad
        and p.shape[1] > 1
        and torch.equal(p[:, 0], p[:, 1])
        and bool((p == p[:, :1]).all())
        for p in parts
    )


def _moved_alike(before: nn.Module, after: nn.Module) -> bool:
    """Whether steps moved all units of a layer alike, up to rounding of sums in another order."""
    pairs = [(a.detach(), b.detach()) for a, b in zip(*map(_by_unit, (before, after)), strict=True)]
    apart = max(float((new - new[:, :1]).abs().max()) for _, new in pairs)
    return apart <= 1e-3 * max(float((new - old).abs().max()) for old, new in pairs)


def _by_unit(module: nn.Module) -> list[Tensor]:
    """Weights of a layer as (gates, units, ...): what stands at one unit belongs to it."""
    if isinstance(module, AFFINE):
        return [module.weight.unsqueeze(0)]
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return [module.weight.t().unsqueeze(0)]
    if isinstance(module, nn.RNNBase) and not module.proj_size:
        named = [(n, p) for n, p in module.named_parameters() if n.startswith("weight")]
        return [p.unflatten(0, (-1, module.hidden_size)) for _, p in named]
    return []
