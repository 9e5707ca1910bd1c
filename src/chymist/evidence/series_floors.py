"""Floors for series: the last value, the value a season ago, and a linear recurrence."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def series_floors(past: Array, targets: Array, new_past: Array) -> dict[str, Array]:
    """Forecasts of a series from its own last values.

    Persistence repeats the last one. The seasonal one repeats the value p steps before, p being
    the one of the smallest squared error in the training windows. The autoregression is affine in
    all of them, by least squares, one for each step out.

    Args:
        past: values of the training windows, (n, steps).
        targets: (n,) or (n, horizon).
        new_past: of the scored windows, (m, steps).

    Returns:
        Forecasts shaped like the targets of the new windows, by name.

    Example:
        >>> past = np.array([[0.0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]])
        >>> made = series_floors(past, np.array([0.0, 1, 2, 0]), past[:1])
        >>> sorted(made), made["value 3 steps before"].tolist()
        (['autoregression of 3 steps', 'last value', 'value 3 steps before'], [0.0])

    Source: Hyndman, Athanasopoulos 2021, Forecasting: principles and practice, section 5.2.
    """
    steps, flat = past.shape[1], targets.ndim == 1
    past, new_past = past.astype(np.float64), new_past.astype(np.float64)
    goals = targets.reshape(len(targets), -1).astype(np.float64)
    horizon = goals.shape[1]

    def before(values: Array, period: int) -> Array:
        return values[:, steps - period + np.arange(horizon)]

    made = {"last value": np.repeat(new_past[:, -1:], horizon, 1)}
    periods = range(max(2, horizon), steps + 1)
    if periods:
        errors = [float(((before(past, p) - goals) ** 2).mean()) for p in periods]
        period = periods[int(np.argmin(errors))]
        made[f"value {period} steps before"] = before(new_past, period)
    middle = past.mean()  # scaled, so that what is too small to count is so in any unit
    unit = float(np.abs(past - middle).max()) or 1.0
    affine = np.column_stack([(past - middle) / unit, np.ones(len(past))])
    solved = np.linalg.lstsq(affine, (goals - middle) / unit, rcond=None)[0]
    forecast = (new_past - middle) / unit @ solved[:-1] + solved[-1]
    made[f"autoregression of {steps} steps"] = forecast * unit + middle
    return {name: values[:, 0] if flat else values for name, values in made.items()}
