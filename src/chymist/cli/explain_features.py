"""`chymist explain`: what units respond to."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import chymist as cy
from chymist.cli.commands import moved_data, screen_of
from chymist.cli.explain_options import OWNERS
from chymist.cli.explain_screens import ended, given, only_new_rows, rows_of, show_table
from chymist.errors import UsageError
from chymist.parts import listed
from chymist.verbs.writing import place_of_picture


def filters(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method filters`."""
    _begin(options)
    return _told(options, cy.show_weights(options.run, layer=options.layer), "kernels")


def feature_maps(options: argparse.Namespace) -> int:
    """`chymist explain RUN [INPUT] --method feature-maps`."""
    _begin(options, looking=True)
    found = cy.feature_maps(options.run, _rows(options), options.layer,
                            **_given(options, "scale", "units"))  # fmt: skip
    return _told(options, found, "the input, and the maps of each layer")


def maximize(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method maximize --unit 3`."""
    _begin(options)
    if options.unit is None:
        raise UsageError("it is not said for which unit", where="--unit",
                         do="give a class, or the number of a unit of --layer")  # fmt: skip
    found = cy.maximize_activation(
        options.run, options.unit, options.layer,
        **_given(options, "place", "start", "seeds", "steps"),
    )  # fmt: skip
    return _told(options, found, "made images, and the training row that excites the unit most")


def wall(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method wall`."""
    _begin(options)
    layers = None if options.layer is None else listed(options.layer, "--layer")
    found = cy.feature_wall(options.run, layers, **_given(options, "units", "patches", "steps"))
    return _told(options, found, "patches and made images, layer by layer")


def neighbors(options: argparse.Namespace) -> int:
    """`chymist explain RUN [INPUT] --method neighbors`."""
    _begin(options, looking=True)
    found = cy.nearest_examples(options.run, _rows(options), options.layer,
                                **_given(options, "k", "metric"))  # fmt: skip
    return _told(options, found, "each row and its neighbours")


METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "filters": filters, "feature-maps": feature_maps, "maximize": maximize, "wall": wall,
    "neighbors": neighbors,
}  # fmt: skip


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given, and where the data is."""
    return {"data": moved_data(options), **given(options, names)}


def _begin(options: argparse.Namespace, looking: bool = False) -> None:
    """Before any work: may the picture be written, and are there rows where none are looked at?

    Raises:
        UsageError: rows were given to a method that looks at none, or the name of the picture has
            another ending.
        InputError: nothing can be written there.
    """
    if options.out:
        place_of_picture(options.out, options.rows or "")
    if options.rows and not looking:
        others = [name for name in OWNERS["which"] if name in METHODS]
        raise UsageError(f"{options.method} looks at no rows of its own", where="INPUT",
                         received=f"'{options.rows}'",
                         do=f"leave it out, or take {' or '.join(others)}")  # fmt: skip


def _rows(options: argparse.Namespace) -> Any:
    """New rows, numbers of rows from 0, or None for those that are answered worst.

    Raises:
        UsageError: a number is none, or new rows and numbers are given.
    """
    only_new_rows(options)
    found = rows_of(options.which, "worst")
    if isinstance(found, str) and found != "worst":
        raise UsageError("no such choice of rows", where="--which", received=f"'{found}'",
                         do="give worst, or numbers from 1: 17,204")  # fmt: skip
    return options.rows if found in (None, "worst") else found


def _told(options: argparse.Namespace, found: Any, drawn: str) -> int:
    """Print what was found, and draw it where `--out` says."""
    screen = screen_of(options)
    said = getattr(found, "verdict", "") or ("" if hasattr(found, "table") else repr(found))
    if said:
        screen.line("Result", said, result=True)
    if hasattr(found, "table"):
        show_table(options, found)
    return ended(options, found, drawn, "seen.png")
