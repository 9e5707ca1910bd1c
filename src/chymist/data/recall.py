"""A task of long memory: which symbol came first?"""

from __future__ import annotations

from chymist.data.steps_in_memory import stepwise_data
from chymist.data.tabular import Wanted
from chymist.keys import generator
from chymist.values import Data, whole_number


def recall_task(rows: int = 1000, steps: int = 20, symbols: int = 4, seed: int = 0) -> Data:
    """Rows of random symbols whose class is the symbol of the first step.

    A network that reads from the start has to carry it over steps - 1 others. Nothing but memory is
    asked for, so that a floor that knows no order is at 1 / symbols.

    Args:
        rows: how many.
        steps: symbols of a row, 2 or more.
        symbols: how many different ones, 2 or more.
        seed: of the draws.

    Returns:
        Data of kind "tokens", (rows, steps), whose numbers are 1 to `symbols`.

    Raises:
        UsageError: a number out of range.

    Example:
        >>> data = recall_task(rows=50, steps=6, symbols=3)
        >>> data.inputs.shape, bool((data.inputs[:, 0] == data.targets + 1).all())
        ((50, 6), True)

    Source: Hochreiter, Schmidhuber 1997, Long short-term memory, section 5.
    """
    rows, steps = whole_number(rows, "rows", 1), whole_number(steps, "steps", 2)
    symbols, seed = whole_number(symbols, "symbols", 2, 10_000), whole_number(seed, "seed", 0)
    drawn = generator(seed, "recall", steps).integers(1, symbols + 1, (rows, steps))
    return stepwise_data((drawn, drawn[:, 0]), "tokens", Wanted(name="recall"))
