"""What can be known before the first step: of the model, the loss, the optimiser and the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from chymist.doctor.probing import ROWS, Probe, device_of, probe, untouched
from chymist.doctor.reading_loss import FAILS, LossFacts, LossFunction, read_loss

Rows = tuple[Tensor, Tensor]
HEADS = ("Sigmoid", "Softmax", "LogSoftmax", "Tanh", "ReLU", "LogSigmoid")


@dataclass(frozen=True)
class DataFacts:
    """What the rows are like.

    Args:
        rows, features: of the training rows.
        finite: whether all inputs and targets are numbers.
        mean, deviation, largest: of the inputs: of all features in the middle, and the largest
            absolute value.
        off_center: largest |mean| / deviation over features that vary.
        scales: largest over smallest deviation of features that vary.
        classes: number of classes; 0 for values.
        entropy: of the classes, as a share of the largest possible; 1 for values.
        target_deviation: of values.
        constant: whether all targets are equal.
        chance: loss of the best constant prediction: entropy in nats, or variance.
        shared: share of the validation rows that are training rows too.
        repeated: share of the training rows that stand there twice.
        shift: median over features of |mean of validation - mean of training| / deviation.
        spread: median over features of the ratio of deviations, the larger over the smaller.
        unseen: share of the validation rows whose class is in no training row.
    """

    rows: int = 0
    features: int = 0
    finite: bool = True
    mean: float = 0.0
    deviation: float = 1.0
    largest: float = 0.0
    off_center: float = 0.0
    scales: float = 1.0
    classes: int = 0
    entropy: float = 1.0
    target_deviation: float = 1.0
    constant: bool = False
    chance: float = math.nan
    shared: float = 0.0
    repeated: float = 0.0
    shift: float = 0.0
    spread: float = 1.0
    unseen: float = 0.0


@dataclass(frozen=True)
class Facts:
    """What is known before the first step.

    Args:
        data: of the rows.
        loss: what the loss function takes.
        first: a probe of the model as it stood.
        head: kind of the last module that worked.
        output: range and sums of what the model gives for two batches.
        affine: names of affine maps that take what another affine map gave.
        nonlinear: whether there is anything in the model that is not affine.
        symmetric: hidden layers whose units are all alike, on both sides.
        left_out: trained parameters that are in no group of the optimiser.
        crossed: whether a row's output depends on the rows beside it, in eval() mode.
        per_channel: fewest values that a batch normalisation gets of a channel and batch.
        dropouts: largest probability of a dropout layer.
    """

    data: DataFacts = DataFacts()
    loss: LossFacts = LossFacts()
    first: Probe | None = None
    head: str = ""
    low: float = -math.inf
    high: float = math.inf
    sums_to_one: bool = False
    flat: bool = False
    affine: tuple[str, ...] = ()
    nonlinear: bool = True
    symmetric: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    crossed: bool = False
    per_channel: float = math.inf
    dropouts: float = 0.0
    shapes: tuple[tuple[int, ...], tuple[int, ...]] = field(default=((), ()))


def preflight(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    loss_fn: LossFunction | None,
    train: Rows | None,
    valid: Rows | None,
    batch_size: int | None,
    rows: int = ROWS,
) -> Facts:
    """Look at everything before the first step; nothing is changed.

    Args:
        model, optimizer, loss_fn, train, valid, batch_size: of the run, where known.
        rows: training rows that go through the model.
    """
    known: dict[str, object] = {
        "left_out": _left_out(model, optimizer),
        "symmetric": _symmetric(model),
        "dropouts": max((m.p for m in model.modules() if isinstance(m, nn.Dropout)), default=0.0),
    }
    if train is None:
        return Facts(**known)  # type: ignore[arg-type]
    known["data"] = data_facts(train, valid)
    inputs, targets = (part[:rows].to(device_of(model)) for part in train)
    if loss_fn is not None:
        known["first"] = first = probe(model, loss_fn, inputs, targets, 0)
        if first is not None:
            known["loss"] = read_loss(loss_fn, first.outputs[:64].to(targets.device), targets[:64])
            known |= _of_outputs(first)
            known["shapes"] = (tuple(first.outputs.shape), tuple(targets.shape))
    known |= _of_structure(model, inputs, batch_size or 32)
    return Facts(**known)  # type: ignore[arg-type]


def _left_out(model: nn.Module, optimizer: torch.optim.Optimizer | None) -> tuple[str, ...]:
    """Trained parameters that the optimiser does not have."""
    if optimizer is None:
        return ()
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return tuple(n for n, p in model.named_parameters() if p.requires_grad and id(p) not in held)


def _symmetric(model: nn.Module) -> tuple[str, ...]:
    """Layers all of whose units start with the same weights, before another such layer."""
    found, last = [], ""
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)) and module.weight.requires_grad:
            weight = module.weight.detach().flatten(1)
            alike = len(weight) > 1 and bool((weight == weight[0]).all())
            across = bool((module.weight == module.weight[:, :1]).all())
            if last and across and alike:
                found.append(last)
            last = name if alike else ""
    return tuple(found)


def _of_outputs(first: Probe) -> dict[str, object]:
    """What the outputs of the model are like."""
    outputs = first.outputs.float()
    sums = outputs.sum(1) if outputs.ndim == 2 else outputs.new_zeros(1)
    shares = bool((outputs >= 0).all()) and outputs.ndim == 2 and outputs.shape[1] > 1
    return {
        "head": first.layers[-1].kind if first.layers else "",
        "low": float(outputs.min()), "high": float(outputs.max()),
        "sums_to_one": shares and bool(((sums - 1).abs() < 1e-4).all()),
        "flat": len(outputs) > 1 and bool((outputs == outputs[:1]).all()),
    }  # fmt: skip


def _of_structure(model: nn.Module, inputs: Tensor, batch: int) -> dict[str, object]:
    """How values flow through the model: which affine maps follow each other, and what mixes rows."""
    made: dict[int, tuple[str, Tensor]] = {}  # what affine maps gave; kept, so that ids stay theirs
    affine: list[str] = []
    channels: list[float] = []
    kinds: set[str] = set()

    def note(name: str, module: nn.Module) -> None:
        def hook(_: nn.Module, entered: tuple[object, ...], output: object) -> None:
            first = entered[0] if entered else None
            kinds.add(type(module).__name__)
            if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)) and isinstance(output, Tensor):
                if id(first) in made:
                    affine.append(f"{made[id(first)][0]} -> {name}")
                made[id(output)] = (name, output)
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and isinstance(first, Tensor):
                channels.append(first.numel() / first.shape[1] / len(inputs) * batch)

        handles.append(module.register_forward_hook(hook))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    crossed = False
    try:
        with untouched(model), torch.no_grad():
            model.eval()
            for name, module in model.named_modules():
                if not list(module.children()):
                    note(name, module)
            whole = model(inputs)
            for handle in handles:
                handle.remove()
            if len(inputs) > 3 and isinstance(whole, Tensor):
                half = model(inputs[: len(inputs) // 2])
                scale = float(whole.abs().max()) or 1.0
                crossed = float((half - whole[: len(half)]).abs().max()) > 1e-3 * scale
    except FAILS:
        return {}
    finally:
        for handle in handles:
            handle.remove()
    plain = {"Linear", "Conv1d", "Conv2d", "Flatten", "Identity", "Dropout", "Softmax", "LogSoftmax"}
    leaves = {type(m).__name__ for m in model.modules() if not list(m.children())}
    sequential = all(
        isinstance(m, nn.Sequential) for m in model.modules() if list(m.children())
    )
    return {
        "affine": tuple(affine), "crossed": crossed,
        "nonlinear": not sequential or bool(leaves - plain),
        "per_channel": min(channels, default=math.inf),
    }  # fmt: skip


def data_facts(train: Rows, valid: Rows | None) -> DataFacts:
    """What the rows are like, and how those of validation differ."""
    x, y = train[0].detach().cpu(), train[1].detach().cpu()
    flat = x.reshape(len(x), -1)
    values = flat.float().numpy()
    finite = bool(np.isfinite(values).all()) and bool(torch.isfinite(y.float()).all())
    known: dict[str, object] = {"rows": len(x), "features": values.shape[1], "finite": finite}
    if x.is_floating_point() and finite and len(x) > 1:
        known |= _of_inputs(values)
    known |= _of_targets(y)
    if valid is not None and len(valid[0]) and finite:
        known |= _of_both(values, y, valid)
    return DataFacts(**known)  # type: ignore[arg-type]


def _of_inputs(values: np.ndarray) -> dict[str, object]:
    mean, deviation = values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)
    varies = deviation > 1e-12
    if not varies.any():
        return {"deviation": 0.0}
    mean, deviation = mean[varies], deviation[varies]
    return {
        "mean": float(np.median(mean)), "deviation": float(np.median(deviation)),
        "largest": float(np.abs(values).max()),
        "off_center": float(np.median(np.abs(mean) / deviation)),
        "scales": float(deviation.max() / deviation.min()),
    }  # fmt: skip


def _of_targets(y: Tensor) -> dict[str, object]:
    values = y.flatten().double()
    constant = len(values) > 1 and bool((values == values[0]).all())
    if not y.is_floating_point() or bool(((values == 0) | (values == 1)).all()):
        _, counts = torch.unique(values, return_counts=True)
        p = (counts / counts.sum()).double()
        nats = float(-(p * p.log()).sum())
        classes = len(counts)
        share = nats / math.log(classes) if classes > 1 else 0.0
        return {"classes": classes, "entropy": share, "constant": constant, "chance": nats}
    return {"target_deviation": float(values.std()), "constant": constant,
            "chance": float(values.var(unbiased=False))}  # fmt: skip


def _of_both(values: np.ndarray, y: Tensor, valid: Rows) -> dict[str, object]:
    other = valid[0].detach().cpu().reshape(len(valid[0]), -1).float().numpy()
    if other.shape[1] != values.shape[1] or not np.isfinite(other).all():
        return {}
    own = [row.tobytes() for row in values]
    seen = set(own)
    known: dict[str, object] = {
        "shared": float(np.mean([row.tobytes() in seen for row in other])),
        "repeated": 1 - len(seen) / len(own),
    }
    deviation = values.std(0)
    varies = deviation > 1e-6
    if varies.any():
        here, there = deviation[varies], other.std(0)[varies] + 1e-12
        known["shift"] = float(np.median(np.abs(other.mean(0) - values.mean(0))[varies] / here))
        known["spread"] = float(np.median(np.maximum(here / there, there / here)))
    if not y.is_floating_point():
        known["unseen"] = float(np.mean(~np.isin(valid[1].cpu().numpy(), y.numpy())))
    return known
