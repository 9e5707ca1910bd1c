"""What can be known before the first step: of the model, the loss, the optimiser and the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from chymist.doctor.flow import flow_of, same_weights, stays_symmetric, unregistered
from chymist.doctor.probing import Probe, device_of, probe
from chymist.doctor.reading_loss import FAILS, LossFacts, LossFunction, constant_loss, read_loss
from chymist.doctor.row_facts import DataFacts as DataFacts
from chymist.doctor.row_facts import Rows as Rows
from chymist.doctor.row_facts import data_facts as data_facts
from chymist.models import Dropout

FLOWING = 8  # rows that go through the model several times
FRESH = (nn.Linear, nn.Conv1d, nn.Conv2d)
DROPOUTS = (nn.modules.dropout._DropoutNd, Dropout)


@dataclass(frozen=True)
class Facts:
    """What is known before the first step.

    Args:
        data: of the rows.
        loss: what the loss function takes.
        first: a probe of the model as it stood.
        head: kind of the last module or activation function that worked.
        output: range and sums of what the model gives for two batches.
        affine: names of affine maps that take what another affine map gave.
        nonlinear: whether there is anything in the model that is not affine.
        symmetric: hidden layers whose units are all alike, on both sides.
        same_weights: hidden layers that were filled with one number other than 0.
        left_out: trained parameters that are in no group of the optimiser.
        unregistered: shapes of parameters that work in the model, but that it and the optimiser do
            not have.
        draws: whether the same rows give other outputs in eval() mode.
        frozen: parameters that are not trained by intent.
        fresh: layers whose weights are as they are drawn, never trained.
        decay: largest weight decay of the optimiser, or what an L2 penalty of the loss comes to.
        absolute: norm of the pull of an L1 penalty on the weights.
        adaptive: whether it divides gradients by their size, as Adam does.
        climbs: whether the optimiser makes the loss larger on purpose.
        floor: loss of the best constant prediction of the rows of the first look.
        squeezed: softmaxes whose output goes into an affine map.
        undriven: parameters of layers that work, but get no gradient.
        narrowest: fewest outputs of an affine map that is not the last; depth: their number.
        crossed: whether a row's output depends on the rows beside it, in eval() mode.
        per_channel: fewest values that a batch normalisation gets of a channel and batch.
        dropouts: largest probability of a dropout, module or function.
    """

    data: DataFacts = field(default_factory=DataFacts)
    loss: LossFacts = field(default_factory=LossFacts)
    first: Probe | None = None
    head: str = ""
    low: float = -math.inf
    high: float = math.inf
    sums_to_one: bool = False
    flat: bool = False
    affine: tuple[str, ...] = ()
    nonlinear: bool = True
    symmetric: tuple[str, ...] = ()
    same_weights: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    unregistered: tuple[tuple[int, ...], ...] = ()
    draws: bool = False
    frozen: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    decay: float = 0.0
    absolute: float = 0.0
    adaptive: bool = False
    climbs: bool = False
    floor: float = math.nan
    squeezed: tuple[str, ...] = ()
    undriven: tuple[str, ...] = ()
    narrowest: float = math.inf
    depth: int = 0
    crossed: bool = False
    per_channel: float = math.inf
    dropouts: float = 0.0
    shapes: tuple[tuple[int, ...], tuple[int, ...]] = field(default=((), ()))


def preflight(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    loss_fn: LossFunction | None,
    rows: Rows | None,
    batch_size: int | None,
    known_targets: Tensor | None = None,
) -> Facts:
    """Look at model, loss and optimiser before the first step; to be called inside of `untouched`.

    Args:
        model, optimizer, loss_fn, batch_size: of the run, where known.
        rows: training rows that go through the model.
        known_targets: of all training rows.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> other = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
        >>> preflight(model, other, None, None, None).left_out
        ('weight', 'bias')
    """
    known: dict[str, Any] = {
        "left_out": _left_out(model, optimizer),
        "frozen": _frozen(model),
        "decay": _decay(optimizer),
        "adaptive": optimizer is not None and bool({"betas", "alpha"} & {*optimizer.defaults}),
        "climbs": optimizer is not None and any(g.get("maximize") for g in optimizer.param_groups),
        "fresh": tuple(n for n, m in model.named_modules() if _fresh(m)),
        "dropouts": max((m.p for m in model.modules() if isinstance(m, DROPOUTS)), default=0.0),
    }
    if rows is None:
        return Facts(**known)
    inputs, targets = (part.to(device_of(model)) for part in rows)
    if loss_fn is not None:
        known["first"] = first = probe(model, loss_fn, inputs, targets, 0, inside=True)
        if first is not None:
            known |= _of_outputs(first) | _of_loss(loss_fn, first, targets, known_targets)
            known["undriven"] = _undriven(model, first)
            known["dropouts"] = max(known["dropouts"], *(la.rate for la in first.layers), 0.0)
            known["shapes"] = (tuple(first.outputs.shape), tuple(targets.shape))
    known |= flow_of(model, inputs[:FLOWING], batch_size or 32, targets[:FLOWING])
    if optimizer is not None and known.get("first") is not None:
        known["unregistered"] = unregistered(model, inputs[:4], _held(optimizer))
    if loss_fn is not None:
        known["symmetric"] = stays_symmetric(model, loss_fn, inputs[:64], targets[:64])
        known["same_weights"] = same_weights(model)
    return Facts(**known)


def _of_loss(
    loss_fn: LossFunction, first: Probe, targets: Tensor, known: Tensor | None
) -> dict[str, object]:
    """What the loss takes, and what it is of the best constant; nothing of a loss that refuses."""
    outputs = first.outputs.to(targets.device)
    try:
        facts = read_loss(loss_fn, outputs[:64], targets[:64])
        floor = math.nan  # nothing at all has loss 0 where the loss scales
        if not facts.scales:
            floor = constant_loss(loss_fn, facts.link, outputs, targets, known)
    except FAILS:
        return {}
    return {"loss": facts, "floor": floor}


def _left_out(model: nn.Module, optimizer: torch.optim.Optimizer | None) -> tuple[str, ...]:
    """Trained parameters that the optimiser does not have."""
    if optimizer is None:
        return ()
    held = _held(optimizer)
    return tuple(n for n, p in model.named_parameters() if p.requires_grad and id(p) not in held)


def _held(optimizer: torch.optim.Optimizer) -> set[int]:
    """Ids of the parameters that an optimiser has."""
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


def _frozen(model: nn.Module) -> tuple[str, ...]:
    """Parameters that are not trained by intent."""
    named = model.named_parameters()
    return tuple(n for n, p in named if not p.requires_grad and p.is_floating_point())


def _decay(optimizer: torch.optim.Optimizer | None) -> float:
    """Largest weight decay of the optimiser."""
    groups = [] if optimizer is None else optimizer.param_groups
    return max((float(group.get("weight_decay", 0.0)) for group in groups), default=0.0)


def _undriven(model: nn.Module, first: Probe) -> tuple[str, ...]:
    """Trained parameters of layers that worked, to which no gradient comes."""
    worked = {layer.name for layer in first.layers}
    return tuple(
        n
        for n, p in model.named_parameters()
        if p.requires_grad and n not in first.gradients and n.rpartition(".")[0] in worked
    )


def _fresh(module: nn.Module) -> bool:
    """Whether weights are as torch or Glorot or He draw them: uniform up to a bound.

    Training moves some weight over the bound, or the deviation away from bound / sqrt(3).
    """
    if not isinstance(module, FRESH) or module.weight.numel() < 32:
        return False
    weight = module.weight.detach().flatten(1)
    outs, ins = weight.shape
    largest, deviation = float(weight.abs().max()), float(weight.std())
    return any(
        0.85 * bound < largest <= 1.0001 * bound and abs(deviation * math.sqrt(3) / bound - 1) < 0.1
        for bound in (1 / math.sqrt(ins), math.sqrt(6 / (ins + outs)), math.sqrt(6 / ins))
    )


def _of_outputs(first: Probe) -> dict[str, object]:
    """What the outputs of the model are like."""
    outputs = first.outputs.float()
    sums = outputs.sum(1) if outputs.ndim == 2 else outputs.new_zeros(1)
    shares = bool((outputs >= 0).all()) and outputs.ndim == 2 and outputs.shape[1] > 1
    return {
        "head": first.layers[-1].kind if first.layers else "",
        "low": float(outputs.min()),
        "high": float(outputs.max()),
        "sums_to_one": shares and bool(((sums - 1).abs() < 1e-4).all()),
        "flat": len(outputs) > 1 and bool((outputs == outputs[:1]).all()),
    }
