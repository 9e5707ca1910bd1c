"""Can a map be believed? What it does as weights are drawn anew, and as another class is asked."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from chymist.errors import InputError, UsageError
from chymist.evidence.intervals import Estimate, mean_t
from chymist.explanation.asking import Attributor, at_rest, by_rows, slopes
from chymist.explanation.likeness import Likeness, likeness
from chymist.keys import key, torch_generator

# Rank correlation of maps of a trained network with those of random weights. `python -m
# bench.sanity` measures it on MNIST and hymenoptera: slopes, CAM, occlusion and what is made of
# them have up to 0.35, SmoothGrad without signs 0.5 to 0.65 (where there is ink there is slope,
# whatever was learned), guided backpropagation 0.5 to 0.8, an edge detector and the image 1.
LIKE = 0.7  # above it, a map does not depend on the weights
PARTLY = 0.4  # above it, on more than the weights
SAME = 0.95  # rank correlation of the maps of two classes that is called the same map
CONTRAST = 0.01  # range over largest absolute value; less is fewer than three of 256 shades


def weighted_layers(module: nn.Module, inputs: Tensor) -> list[str]:
    """Names of the layers that have weights of their own, as they are first called.

    Args:
        module: any module; taken in evaluation mode, not changed.
        inputs: (batch, ...).

    Returns:
        From the first to the last; layers whose weights are used without calling them stand where
        the module names them, before those that are called.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> weighted_layers(net, torch.zeros(1, 3))
        ['0', '2']
    """
    twin = copy.deepcopy(module).eval()
    own = {name: one for name, one in twin.named_modules() if [*one.parameters(recurse=False)]}
    called: list[str] = []

    def note(name: str) -> Callable[..., None]:
        return lambda *_: None if name in called else called.append(name)

    for name, layer in own.items():
        layer.register_forward_hook(note(name))
    with torch.no_grad():
        twin(inputs)
    return [*(name for name in own if name not in called), *called]


def randomized(
    module: nn.Module, inputs: Tensor, layers: Sequence[str] | None = None, seed: int = 0
) -> nn.Module:
    """A copy whose weights are drawn anew.

    Weights (of two axes or more) come from N(0, mean square of the parameter); of biases, scales
    and slopes the values are put into a random order, since their level is no knowledge. So signals
    keep their size. Running statistics of batch norm are measured anew on the inputs.

    Args:
        module: any module; not changed.
        inputs: (batch, ...), for the statistics.
        layers: names of those to draw; None for all.
        seed: of the draws, which are a function of (seed, parameter name).

    Returns:
        The copy, in evaluation mode.

    Raises:
        UsageError: there is no such layer.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> other = randomized(layer, torch.zeros(1, 3))
        >>> bool((layer.weight == other.weight).any()), other.training
        (False, False)

    Source: Adebayo et al. 2018, Sanity checks for saliency maps, arXiv:1810.03292.
    """
    twin = copy.deepcopy(module).eval()
    known = dict(twin.named_modules())
    for name in known if layers is None else layers:
        if name not in known:
            raise UsageError("there is no such layer", where="layers", received=repr(name))
        for kind, values in known[name].named_parameters(recurse=False):
            generator = torch_generator(seed, "randomized", f"{name}.{kind}")
            with torch.no_grad():
                values.copy_(_drawn(values.detach().cpu(), generator))
    _measured(twin, inputs)
    return twin


def _drawn(values: Tensor, generator: torch.Generator) -> Tensor:
    """Values of the same size that know nothing."""
    if not values.is_floating_point():
        return values
    if values.ndim < 2:
        order = torch.randperm(values.numel(), generator=generator)
        return values.flatten()[order].reshape(values.shape)
    drawn = torch.randn(values.shape, generator=generator, dtype=values.dtype)
    return drawn * values.square().mean().sqrt()


def _measured(module: nn.Module, inputs: Tensor) -> None:
    """Measure the running statistics of batch norm on some inputs, where they have a spread."""
    norms = [one for one in module.modules() if isinstance(one, _BatchNorm)]
    kept = [(one, one.momentum) for one in norms if one.track_running_stats]
    if not kept:
        return
    before = {k: v.clone() for k, v in module.state_dict().items()}
    for norm, _ in kept:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            module(inputs)
    except ValueError:  # one value per channel: no spread
        module.load_state_dict(before)
    for norm, momentum in kept:
        norm.eval()
        norm.momentum = momentum


@dataclass(frozen=True, eq=False)
class Randomization:
    """What maps do as weights are drawn anew, from the last layer on.

    Args:
        stages: names of the layers that each stage draws beside those of the stages before it; the
            last stage is the whole network.
        signed: rank correlation with the maps of the trained network, (draws, stages, rows).
        absolute: the same of the absolute values.
        structure: structural similarity of the absolute values; NaN for maps that are no images.
    """

    stages: tuple[tuple[str, ...], ...]
    signed: np.ndarray
    absolute: np.ndarray
    structure: np.ndarray

    @property
    def similarity(self) -> Estimate:
        """Rank correlation after all weights were drawn: mean over rows, interval over draws."""
        means = [_mean(rows) for rows in self.signed[:, -1]]
        known = np.array([mean for mean in means if not np.isnan(mean)])
        if not len(known):
            return Estimate(np.nan, np.nan, np.nan, 1.0)
        value, low, high, p = mean_t(known)
        return Estimate(value, max(low, -1.0), min(high, 1.0), p)  # no correlation is beyond

    @property
    def verdict(self) -> str:
        """ "depends", "depends in part", "does not depend" or "cannot tell"."""
        _, low, high, _ = self.similarity
        if low > PARTLY:
            return "does not depend" if low > LIKE else "depends in part"
        return "depends" if high < LIKE else "cannot tell"

    @property
    def sentence(self) -> str:
        """The verdict in words, with its number."""
        value, low, high, _ = self.similarity
        if np.isnan(value):
            return "Whether the map depends on the weights cannot be told: it is constant."
        about = (
            f"rank correlation {value:.2f} [{low:.2f}, {high:.2f}] with the map of a network of "
            f"random weights, {len(self.signed)} draws"
        )
        if self.verdict == "cannot tell":
            return f"Whether the map depends on the weights cannot be told ({about})."
        if self.verdict == "depends":
            return f"The map depends on the weights ({about})."
        if self.verdict == "depends in part":
            return f"The map depends on the weights, but not on them alone ({about})."
        return (f"The map does not depend on what the network has learned ({about}, {LIKE} is the "
                "limit): it shows the image, not the network.")  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The check as plain values (the JSON contract)."""
        value, low, high, _ = map(_plain, self.similarity)
        by_stage = [
            {"layers": list(names), "signed": _plain(_mean(self.signed[:, k])),
             "absolute": _plain(_mean(self.absolute[:, k])),
             "structure": _plain(_mean(self.structure[:, k]))}
            for k, names in enumerate(self.stages)
        ]  # fmt: skip
        return {"verdict": self.verdict, "similarity": value, "low": low, "high": high,
                "limit": LIKE, "draws": len(self.signed), "stages": by_stage,
                "check": "weights", "sentence": self.sentence}  # fmt: skip

    def __repr__(self) -> str:
        return self.sentence


def randomization(
    attributor: Attributor, module: nn.Module, inputs: Tensor, targets: Tensor, *,
    draws: int = 5, stages: int = 1, seed: int = 0,
) -> Randomization:  # fmt: skip
    """Draw the weights of a network anew, layer by layer from the last one, and see the maps.

    A map that stays as it was says nothing about what the network has learned.

    Args:
        attributor: makes the maps.
        module: the trained network; not changed.
        inputs: (rows, ...).
        targets: numbers of the outputs that are explained, (rows,).
        draws: how often the whole is done, with weights of their own.
        stages: into how many the layers are cut; 1 draws the whole network at once.
        seed: of the weights.

    Returns:
        A `Randomization`.

    Raises:
        InputError: the network has no weights.
        UsageError: no draws or stages.

    Example:
        >>> net = nn.Linear(9, 2)
        >>> inputs, targets = torch.rand(4, 9), torch.zeros(4, dtype=torch.int64)
        >>> randomization(lambda net, x, t: x, net, inputs, targets).verdict
        'does not depend'

    Source: Adebayo et al. 2018, Sanity checks for saliency maps, arXiv:1810.03292.
    """
    if min(draws, stages) < 1:
        raise UsageError("at least one draw and one stage", where="randomization",
                         received=f"{draws} draws, {stages} stages")  # fmt: skip
    layers = weighted_layers(module, inputs)[::-1]
    if not layers:
        raise InputError("the network has no weights to draw", where="randomization")
    cuts = [tuple(map(str, part)) for part in np.array_split(layers, min(stages, len(layers)))]
    before = as_array(attributor(module, inputs, targets))
    found: list[list[Likeness]] = []
    for draw in range(draws):
        of_draw, drawn = [], list[str]()
        for cut in cuts:
            drawn += cut
            other = randomized(module, inputs, drawn, key(seed, "draw", draw))
            of_draw.append(likeness(before, as_array(attributor(other, inputs, targets))))
        found.append(of_draw)
    by_kind = np.moveaxis(np.array(found), 2, 0)
    return Randomization(tuple(cuts), *by_kind)


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Whether maps change with the class that is asked for.

    Args:
        others: the class that was asked for in the place of each target, (rows,).
        signed: rank correlation of the two maps, (rows,); NaN where one is constant.
    """

    others: np.ndarray
    signed: np.ndarray

    @property
    def similarity(self) -> float:
        """Mean of the rank correlations."""
        return _mean(self.signed)

    @property
    def verdict(self) -> str:
        """ "changes", "does not change" or "cannot tell"."""
        if np.isnan(self.similarity):
            return "cannot tell"
        return "changes" if self.similarity < SAME else "does not change"

    @property
    def sentence(self) -> str:
        """The verdict in words, with its number."""
        if self.verdict == "cannot tell":
            return "Whether the map changes with the class cannot be told: it is constant."
        about = f"rank correlation {self.similarity:.2f} with the map of the next likely class"
        if self.verdict == "changes":
            return f"The map changes with the class that is asked for ({about})."
        return f"The map is the same whichever class is asked for ({about}, {SAME} is the limit)."

    def to_dict(self) -> dict[str, Any]:
        """The check as plain values (the JSON contract)."""
        return {"verdict": self.verdict, "similarity": _plain(self.similarity), "limit": SAME,
                "others": self.others.tolist(), "check": "class",
                "sentence": self.sentence}  # fmt: skip

    def __repr__(self) -> str:
        return self.sentence


def sensitivity(
    attributor: Attributor, module: nn.Module, inputs: Tensor, targets: Tensor
) -> Sensitivity:
    """Compare the map of each row with that of the likeliest class that was not asked for.

    Args:
        attributor: makes the maps.
        module: with outputs (rows, classes); not changed.
        inputs: (rows, ...).
        targets: numbers of the classes that are explained, (rows,).

    Returns:
        A `Sensitivity`.

    Raises:
        InputError: the module has a single output.

    Example:
        >>> net = nn.Linear(2, 2, bias=False)
        >>> _ = net.weight.data.copy_(torch.eye(2))
        >>> def slope(net, x, t): return net.weight[t]
        >>> sensitivity(slope, net, torch.ones(1, 2), torch.zeros(1, dtype=torch.int64)).similarity
        -1.0
    """
    outputs = outputs_of(module, inputs)
    if outputs.shape[1] < 2:
        raise InputError("there is no other class to ask for", where="sensitivity",
                         received=f"outputs of shape {tuple(outputs.shape)}")  # fmt: skip
    outputs = outputs.scatter(1, targets[:, None], -torch.inf)
    others = outputs.argmax(1)
    pair = (as_array(attributor(module, inputs, asked)) for asked in (targets, others))
    return Sensitivity(others.numpy(), likeness(*pair).signed)


def constant_maps(maps: Tensor | np.ndarray) -> tuple[str, ...]:
    """Why each map is called constant; "" for maps that are not.

    A map is constant if it has values that are no numbers, is 0 everywhere, or has a range of less
    than 1 % of its largest absolute value: fewer than three of 256 shades.

    Args:
        maps: (rows, ...).

    Returns:
        A reason or "" for each row.

    Example:
        >>> constant_maps(np.array([[1.0, 2.0], [0.0, 0.0], [5.0, 5.01]]))
        ('', 'it is 0 everywhere', 'its values are all alike: 5 to 5.01')
    """
    return tuple(_constant(row.ravel()) for row in as_array(maps))


def _constant(values: np.ndarray) -> str:
    """Why this map is constant, or ""."""
    finite = np.isfinite(values)
    if not finite.all():
        return "it has values that are no numbers" if finite.any() else "none of it is a number"
    low, high = float(values.min()), float(values.max())
    if low == high == 0:
        return "it is 0 everywhere"
    if high - low < CONTRAST * max(abs(low), abs(high)):
        return f"its values are all alike: {low:.3g} to {high:.3g}"
    return ""


def why_zero(module: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[str, ...]:
    """What can make a map of gradients 0 everywhere: the network, or a cut at 0 by the method.

    Args:
        module: any module; not changed.
        inputs: (rows, ...), real numbers.
        targets: numbers of the outputs that are explained, (rows,).

    Returns:
        A reason for each row.

    Raises:
        InputError: the outputs have no gradient.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
        >>> _ = net[0].weight.data.fill_(1.0), net[0].bias.data.zero_()
        >>> why_zero(net, torch.tensor([[-1.0]]), torch.zeros(1, dtype=torch.int64))
        ('the output does not change with the input here: its units are dead or saturated',)
    """
    with at_rest(module):
        found = by_rows(slopes, module, inputs, targets).flatten(1).abs().amax(1)
    dead = "the output does not change with the input here: its units are dead or saturated"
    cut = "nothing spoke for the class: what speaks against it was cut off at 0"
    return tuple(cut if slope > 0 else dead for slope in found.tolist())


def outputs_of(module: nn.Module, inputs: Tensor) -> Tensor:
    """Outputs of a module in evaluation mode, which is left as it was.

    Args:
        module: gives (batch, outputs).
        inputs: (batch, ...).

    Returns:
        (batch, outputs), on the CPU, without gradients.

    Raises:
        InputError: the outputs have another shape.

    Example:
        >>> outputs_of(nn.Dropout(0.9), torch.ones(2, 1)).tolist()
        [[1.0], [1.0]]
    """
    with at_rest(module), torch.no_grad():
        found = module(inputs)
    if not isinstance(found, Tensor) or found.ndim != 2:
        received = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found)
        raise InputError("the outputs are not (rows, outputs)", where="outputs",
                         received=str(received))  # fmt: skip
    return found.detach().cpu()


def as_array(maps: Tensor | np.ndarray) -> np.ndarray:
    """Maps as an array of double precision.

    Example:
        >>> as_array(torch.ones(1, 2)).dtype
        dtype('float64')
    """
    given = maps.detach().cpu().numpy() if isinstance(maps, Tensor) else maps
    return np.asarray(given, np.float64)


def _mean(values: np.ndarray) -> float:
    """Mean of what is a number; NaN if nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _plain(value: float) -> float | None:
    """A number as JSON has it."""
    return float(value) if np.isfinite(value) else None
