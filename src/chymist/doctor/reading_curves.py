"""What curves alone show of a run that nobody watched: symptoms, no causes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from chymist.doctor.finding import Finding, Remedy
from chymist.doctor.rules.limits import LIMITS

Curves = Mapping[str, np.ndarray]
FEWEST = 10  # points of a training loss that are read
HELD = ("val_loss", "test_loss")  # the first that is there is read


def findings_of_curves(curves: Curves) -> list[Finding]:
    """Symptoms in recorded losses; without model and rows no cause can be told.

    Args:
        curves: by name, (points, 2) of step and value: "loss" by step, "train_loss" and "val_loss"
            by epoch.

    Example:
        >>> points = np.array([[1, 0.5], [2, 0.4], [3, 0.6], [4, 0.7], [5, 0.8]])
        >>> [f.code for f in findings_of_curves({"val_loss": points})]
        ['overfitting']
    """
    return [found for rule in CURVE_RULES if (found := rule(curves)) is not None]


def _not_finite(curves: Curves) -> Finding | None:
    """A loss that is no number."""
    for name in ("loss", "train_loss", *HELD):
        points = curves.get(name, np.zeros((0, 2)))
        bad = points[~np.isfinite(points[:, 1])]
        if len(bad):
            return Finding(
                "nan_inf_loss", "certain", f"{name} is not finite from step {bad[0, 0]:.0f} on",
                {"series": name, "step": int(bad[0, 0]), "points": len(bad)},
            )  # fmt: skip
    return None


def _rose(curves: Curves) -> Finding | None:
    """A held-out loss that rose from its lowest, while that of the training rows did not."""
    name = next((n for n in HELD if n in curves), None)
    if name is None:
        return None
    held = curves[name]
    values = held[:, 1]
    if len(values) < 4 or not np.isfinite(values).all():
        return None
    lowest = int(values.argmin())
    if not 0 < values[lowest] * LIMITS.rise < values[-3:].min():
        return None
    train = curves.get("train_loss", curves.get("loss", np.zeros((0, 2))))
    since = train[train[:, 0] >= held[lowest, 0]][:, 1]
    if len(since) > 1 and not since[-1] < since[0]:
        return None  # both rise: the steps are too large, or the rows have changed
    return Finding(
        "overfitting", "observation",
        f"{name} rose from {values[lowest]:.3g} at step {held[lowest, 0]:.0f} to {values[-1]:.3g}",
        {"lowest": float(values[lowest]), "step": int(held[lowest, 0]), "last": float(values[-1])},
        Remedy("stop early"),
    )  # fmt: skip


def _leapt(curves: Curves) -> Finding | None:
    """A training loss that ends above where it began."""
    for name in ("loss", "train_loss"):
        values = curves.get(name, np.zeros((0, 2)))[:, 1]
        values = values[np.isfinite(values)]
        few = max(1, len(values) // 10)
        if len(values) < FEWEST or not values[0] > 0:
            continue
        first, last = float(np.median(values[:few])), float(np.median(values[-few:]))
        if last > LIMITS.leap * first:
            return Finding(
                "lr_too_high", "observation",
                f"{name} began at {first:.3g} and ended at {last:.3g}",
                {"first": first, "last": last}, Remedy("a tenth of the rate"),
            )  # fmt: skip
    return None


CURVE_RULES: tuple[Callable[[Curves], Finding | None], ...] = (_not_finite, _rose, _leapt)
