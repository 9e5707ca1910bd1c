"""`chymist batch` and `chymist features`."""

from __future__ import annotations

import argparse

import chymist as cy
from chymist.cli.commands import emit, screen_of
from chymist.cli.inputs import load_source, recipe_of, split_of
from chymist.cli.summaries import print_data
from chymist.errors import UsageError
from chymist.verbs.writing import place_of_file, write_arrays


def batch(options: argparse.Namespace) -> int:
    """`chymist batch`."""
    screen = screen_of(options)
    data = load_source(options)
    place = place_of_file(options.out, data, suffix=".png")
    split = split_of(options, data)
    shown = cy.show_batch(split, recipe_of(options), rows=options.rows, seed=options.seed,
                          epoch=options.epoch)  # fmt: skip
    shown.save(place)
    print_data(screen, split)
    screen.line("Result", f"{len(shown.rows)} training images of epoch {options.epoch} in {place}: "
                          "as they are, and below as they are trained on", result=True)  # fmt: skip
    if options.json:
        emit({"data": data.name, "rows": (shown.rows + 1).tolist(), "labels": list(shown.labels),
              "epoch": options.epoch, "picture": options.out})  # fmt: skip
    return 0


def features(options: argparse.Namespace) -> int:
    """`chymist features`."""
    screen = screen_of(options)
    for name in ("valid", "time", "group", "split_seed"):
        if getattr(options, name) is not None:
            raise UsageError("features are those of all rows", where=f"--{name.replace('_', '-')}",
                             do="leave it out; cut the rows of the file")  # fmt: skip
    data = load_source(options)
    place = place_of_file(options.out, data, suffix=".npz")
    print_data(screen, data)
    found = cy.pretrained_features(data, batch=options.batch)
    write_arrays(place, found)
    rows, width = len(found), len(found.columns)
    screen.line("Result", f"{width:,} features of {rows:,} images in {place}; next: "
                          f"chymist fit {place}", result=True)  # fmt: skip
    if options.json:
        emit({"data": data.name, "rows": rows, "features": width, "file": options.out})
    return 0


IMAGES = {"batch": batch, "features": features}
