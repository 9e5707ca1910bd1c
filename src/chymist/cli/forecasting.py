"""`chymist forecast`."""

from __future__ import annotations

import argparse

import chymist as cy
from chymist.cli.commands import emit, screen_of, threads_of
from chymist.errors import UsageError, nearest
from chymist.parts import listed
from chymist.values import Recipe


def forecast(options: argparse.Namespace) -> int:
    """`chymist forecast`."""
    screen = screen_of(options)
    found = cy.forecast_comparison(
        options.source, options.graph, recipes=_recipes(options),
        losses=listed(options.losses, "--losses"), steps=options.steps,
        horizons=_horizons(options.horizons), block=options.block, seeds=options.seeds,
        seed=options.seed, threads=threads_of(options.threads),
    )  # fmt: skip
    for sentence in found.verdicts:
        screen.line("Verdict", sentence, result=True)
    screen.block(found.table())
    if options.json:
        emit(found.to_dict())
    return 0


def _horizons(text: str) -> tuple[int, ...]:
    """Steps ahead, as whole numbers."""
    words = listed(text, "--horizons")
    if not words or not all(word.isdecimal() and int(word) for word in words):
        raise UsageError("horizons are whole numbers of steps", where="--horizons",
                         received=f"'{text}'", do="write 3,6,12")  # fmt: skip
    return tuple(int(word) for word in words)


def _recipes(options: argparse.Namespace) -> dict[str, Recipe] | None:
    """The networks that are asked for; None are all that suit."""
    if options.models is None and options.length is None:
        return None
    from chymist.verbs.forecasting import default_forecasters, reads_graph

    known = default_forecasters()
    graph = options.graph is not None or options.source == "los_loop"
    suited = [name for name, recipe in known.items() if graph or not reads_graph(recipe)]
    names = suited if options.models is None else listed(options.models, "--models")
    for name in names:
        if name not in known:
            raise UsageError("unknown network", where="--models", received=f"'{name}'",
                             do=nearest(name, known))  # fmt: skip
    changes = {} if options.length is None else {"length": options.length}
    return {name: known[name].replace(**changes) for name in names}


FORECASTING = {"forecast": forecast}
