"""Published rules, re-expressed for torch at the thresholds that their authors published."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from bench.faults.harness import score_of
from chymist.doctor import Finding


def zeros_and_norms(model: nn.Module) -> tuple[float, list[float]]:
    """Share of gradient values that are 0, and the norms of weight matrices' gradients."""
    found = [p.grad for p in model.parameters() if p.grad is not None]
    if not found:
        return 0.0, []
    flat = torch.cat([g.flatten() for g in found])
    return float((flat == 0).float().mean()), [float(g.norm()) for g in found if g.ndim > 1]


class AutoTrainer:
    """AutoTrainer (Zhang, Zhai, Ma, Shen: ICSE 2021), `monitor.py` with its default parameters.

    Looked for only where training or validation accuracy stays below Theta = 0.7 or rises by less
    than delta = 0.01 between epochs: died ReLU where 70 % (gamma) of all gradient values are 0;
    exploding where the first gradient is 70 (beta 3) times the last; vanishing where it is below
    0.001 (beta 1) of it and 0.0001 (beta 2); else not converging. Elsewhere: an oscillating
    accuracy (by zeta = 0.03 in 20 %, eta, of the epochs). It takes classes only.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: object,
        loss_fn: object,
        train: tuple[Tensor, Tensor],
        valid: tuple[Tensor, Tensor],
        batch_size: int,
    ) -> None:
        self.model, self.findings = model, list[Finding]()
        self.valid: list[float] = []
        self.train: list[float] = []
        self.hits: list[float] = []
        self.seen = {"dead_relu": False, "exploding_gradient": False, "vanishing_gradient": False}
        self.broken = False

    def step(self, loss: Tensor, inputs: Tensor, targets: Tensor, outputs: Tensor) -> None:
        """Note the accuracy of the batch."""
        self.broken |= not math.isfinite(float(loss))
        self.hits.append(score_of(outputs, targets))

    def epoch(
        self, valid_loss: float, valid_outputs: Tensor, valid_targets: Tensor, train_loss: float
    ) -> None:
        """Judge by the gradients of the last step and by the accuracies so far."""
        self.train.append(float(np.mean(self.hits)))
        self.hits.clear()
        self.valid.append(score_of(valid_outputs, valid_targets))
        zero, norms = zeros_and_norms(self.model)
        if len(norms) > 1 and norms[-1] > 0:
            rate = norms[0] / norms[-1]
            self.seen["vanishing_gradient"] |= rate < 1e-3 and norms[0] < 1e-4
            self.seen["exploding_gradient"] |= rate > 70
        self.seen["dead_relu"] |= zero >= 0.7
        if not self.findings:
            code = self.judged(valid_loss)
            self.findings += [] if code is None else [Finding(code, "finding", "AutoTrainer")]

    def judged(self, loss: float) -> str | None:
        """Its one verdict."""
        if self.broken or not math.isfinite(loss) or loss >= 1e5:
            return "exploding_gradient"
        if len(self.train) < 3:
            return None
        slow = all(max(np.diff(a)) < 0.01 for a in (self.train, self.valid))
        if max(self.valid) < 0.7 or max(self.train) < 0.7 or slow:
            for code in ("dead_relu", "exploding_gradient", "vanishing_gradient"):
                if self.seen[code]:
                    return code
            return "lr_too_low" if slow else None
        highs, lows = _turns(self.train)
        swings = sum(high - low >= 0.03 for high, low in zip(highs, lows, strict=False))
        return "lr_too_high" if swings >= 0.2 * len(self.train) else None


def _turns(values: list[float]) -> tuple[list[float], list[float]]:
    """Local maxima and minima."""
    inner = [(a, b, c) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    return (
        [b for a, b, c in inner if b >= a and b >= c],
        [b for a, b, c in inner if b <= a and b <= c],
    )


class DeepDiagnosis:
    """DeepDiagnosis (Wardat, Dantas Cruz, Le, Rajan: ICSE 2022), `callbacks.py` of its repository.

    At every epoch, over the layers in order: an output is not finite; 70 % of a ReLU's values are 0
    (dead node); over 50 % of the values before a sigmoid or tanh are beyond -5 and 5 (saturated).
    Then: a mean gradient below 1e-7 (vanishing); the range of the last activation does not hold the
    targets. Before training: the variance of weights is outside of [0.00001, 10]. The first that
    holds is told.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: object,
        loss_fn: object,
        train: tuple[Tensor, Tensor],
        valid: tuple[Tensor, Tensor],
        batch_size: int,
    ) -> None:
        self.model, self.findings, self.rows = model, list[Finding](), train[0][:256]
        self.targets = train[1].float()
        for parameter in model.parameters():
            if parameter.ndim > 1 and not 1e-5 <= float(parameter.detach().var()) <= 10:
                self._tell("init_scale")

    def _tell(self, code: str) -> None:
        if not self.findings:
            self.findings.append(Finding(code, "finding", "DeepDiagnosis"))

    def step(self, loss: Tensor, inputs: Tensor, targets: Tensor, outputs: Tensor) -> None:
        """Note whether the loss is a number."""
        if not math.isfinite(float(loss)):
            self._tell("nan_inf_loss")

    def epoch(
        self, valid_loss: float, valid_outputs: Tensor, valid_targets: Tensor, train_loss: float
    ) -> None:
        """Judge by outputs of the layers and by gradients."""
        if self.findings:
            return
        for module, entered, left in self._layers():
            if not bool(left.isfinite().all()):
                return self._tell("nan_inf_loss")
            if isinstance(module, nn.ReLU) and float((left <= 0).float().mean()) >= 0.7:
                return self._tell("dead_relu")
            beyond = float((entered.abs() >= 5).float().mean())
            if isinstance(module, nn.Sigmoid | nn.Tanh) and beyond > 0.5:
                return self._tell("saturated_activation")
            last = module
        for parameter in self.model.parameters():
            if parameter.grad is not None and float(parameter.grad.abs().mean()) < 1e-7:
                return self._tell("vanishing_gradient")
        low, high = {nn.Sigmoid: (0, 1), nn.Tanh: (-1, 1), nn.ReLU: (0, math.inf)}.get(
            type(last), (-math.inf, math.inf)
        )
        if float(self.targets.min()) < low or float(self.targets.max()) > high:
            return self._tell("loss_activation_mismatch")

    def _layers(self) -> list[tuple[nn.Module, Tensor, Tensor]]:
        """What goes into the leaf modules and what comes out."""
        found: list[tuple[nn.Module, Tensor, Tensor]] = []

        def note(module: nn.Module, entered: tuple[Tensor, ...], left: object) -> None:
            if isinstance(left, Tensor):
                found.append((module, entered[0], left))

        leaves = [m for m in self.model.modules() if not list(m.children())]
        handles = [m.register_forward_hook(note) for m in leaves]
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            self.model(self.rows)
        self.model.train(training)
        for handle in handles:
            handle.remove()
        return found
