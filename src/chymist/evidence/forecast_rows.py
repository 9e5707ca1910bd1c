"""A comparison of forecasts as rows and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FLOORS = ("persistence", "shared AR", "ridge VAR")
EMPTY, PERMUTED, TRUE = "empty", "permuted", "true"
Difference = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True)
class ForecastRow:
    """One forecast on the test windows of one horizon, in the unit of the series.

    Args:
        model: its name.
        graph: "true", "permuted" or "empty"; "" where it reads no graph.
        ahead: steps that are forecast; errors are pooled over all of them and all series.
        rmse, mae: on the test windows, averaged over the seeds.
        low, high: interval of the RMSE over blocks of time.
        against: RMSE less that of each floor, with its interval: value, low, high.
        loss: of the network; "" for floors.
        by_seed: RMSE of each seed on the test windows.
        tried: RMSE on the validation windows of each loss that was tried, with the first seed.
        valid_rmse: on the validation windows, averaged over the seeds; None for floors.
        against_empty: RMSE less that of the same model with an empty graph, or None.
        covered, width: share of test values within the conformal intervals, and the mean width of
            these; None for floors.
        chosen: whether it is the network with the least validation RMSE of the horizon.
    """

    model: str
    graph: str
    ahead: int
    rmse: float
    mae: float
    low: float
    high: float
    against: Mapping[str, Difference] = field(default_factory=dict)
    loss: str = ""
    by_seed: tuple[float, ...] = ()
    tried: Mapping[str, float] = field(default_factory=dict)
    valid_rmse: float | None = None
    against_empty: Difference | None = None
    covered: float | None = None
    width: float | None = None
    chosen: bool = False

    @property
    def loses_to(self) -> tuple[str, ...]:
        """Floors that it is above, where the interval of the difference leaves out 0."""
        return tuple(name for name, (_, low, _) in self.against.items() if low > 0)

    @property
    def undecided(self) -> tuple[str, ...]:
        """Floors that it cannot be told from."""
        return tuple(name for name, (_, low, high) in self.against.items() if low <= 0 <= high)


@dataclass(frozen=True, eq=False)
class ForecastComparison:
    """Forecasts beside their floors, by horizon.

    Args:
        rows: floors first, then networks, by horizon.
        level: of all intervals.
        block: windows of a block of time.
        seeds: that each network was trained with.
    """

    rows: tuple[ForecastRow, ...]
    level: float
    block: int
    seeds: tuple[int, ...]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Sentences: what was chosen on validation, what loses to floors, what the graph gives."""
        return tuple(said for row in self.rows for said in _said(row, len(self.seeds)))

    def chosen(self, ahead: int) -> ForecastRow:
        """The network that has the least RMSE on the validation windows of a horizon."""
        return next(row for row in self.rows if row.ahead == ahead and row.chosen)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        rows = [{**vars(row), "against": dict(row.against), "tried": dict(row.tried),
                 "loses_to": list(row.loses_to)} for row in self.rows]  # fmt: skip
        return {"verdicts": list(self.verdicts), "rows": rows, "level": self.level,
                "block": self.block, "seeds": list(self.seeds)}  # fmt: skip

    def table(self) -> str:
        """The rows as text: RMSE with the least and the largest of the seeds, MAE, interval."""
        lines = [f"{'ahead':>5} {'model':<15} {'graph':<8} {'loss':<16} {'valid':>7} {'rmse':>7} "
                 f"{'by seed':<14} {'mae':>7}  interval"]  # fmt: skip
        for row in self.rows:
            seeds = _range(row.by_seed) if len(row.by_seed) > 1 else ""
            valid = "" if row.valid_rmse is None else f"{row.valid_rmse:.3f}"
            lines.append(
                f"{row.ahead:>5} {row.model:<15} {row.graph:<8} {row.loss:<16} {valid:>7} "
                f"{row.rmse:7.3f} {seeds:<14} {row.mae:7.3f}  {row.low:.3f} to {row.high:.3f}"
                + " *"
                * row.chosen
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return "\n".join([self.table(), *self.verdicts])


def _said(row: ForecastRow, seeds: int) -> list[str]:
    """What a row says, in sentences."""
    when, said = f"{row.ahead} steps: ", []
    if row.chosen:
        said.append(f"{when}'{row.model}' is chosen on the validation windows{_tried(row)}: RMSE "
                    f"{row.valid_rmse:.3f} there; {row.rmse:.3f} on test{_mean(row, seeds)}, "
                    f"{_word(row.against['shared AR'], 'below', 'above', 'not to be told from')} "
                    f"shared AR {_spread(row.against['shared AR'])}")  # fmt: skip
    if row.graph in ("", TRUE) and row.model not in FLOORS:
        worse = [f"loses to {name} {_spread(row.against[name])}" for name in row.loses_to]
        worse += [f"cannot be told from {n} {_spread(row.against[n])}" for n in row.undecided]
        said += [f"{when}'{row.model}' {', '.join(worse)}"] if worse else []
    if row.against_empty is not None:
        word = _word(row.against_empty, "helps", "harms", "cannot be told to help")
        said.append(f"{when}the graph {word} '{row.model}': RMSE against its own empty graph "
                    f"{_spread(row.against_empty)}")  # fmt: skip
    return said


def _tried(row: ForecastRow) -> str:
    """How the loss was chosen."""
    if len(row.tried) < 2:
        return ""
    figures = ", ".join(f"{loss} {value:.3f}" for loss, value in row.tried.items())
    return f", its loss {row.loss} too (first seed: {figures})"


def _mean(row: ForecastRow, seeds: int) -> str:
    return f" (mean of {seeds} seeds, {_range(row.by_seed)})" if seeds > 1 else ""


def _range(values: Sequence[float]) -> str:
    """The least and the largest.

    Example:
        >>> _range((2.0, 1.0))
        '1.000 to 2.000'
    """
    return f"{min(values):.3f} to {max(values):.3f}"


def _word(difference: Difference, less: str, more: str, unknown: str) -> str:
    """What an interval of a difference says."""
    _, low, high = difference
    return less if high < 0 else more if low > 0 else unknown


def _spread(difference: Difference) -> str:
    return "({:+.3f}, {:+.3f} to {:+.3f})".format(*difference)
