"""`chymist explain`: one verb, its methods by name."""

from __future__ import annotations

import argparse

from chymist.cli.explain_columns import METHODS as OF_COLUMNS
from chymist.cli.explain_features import METHODS as OF_FEATURES
from chymist.cli.explain_maps import METHODS as OF_MAPS
from chymist.cli.explain_options import OWNERS
from chymist.cli.explain_probes import METHODS as OF_PROBES
from chymist.cli.explain_words import METHODS as OF_WORDS
from chymist.engine.folder import open_folder
from chymist.errors import UsageError, nearest

METHODS = {**OF_MAPS, **OF_FEATURES, **OF_COLUMNS, **OF_WORDS, **OF_PROBES}

# What explains a run best where nothing was asked for, by the kind of its data.
USUAL = {
    "image": "grad-cam", "table": "permutation", "array": "permutation", "text": "words",
    "tokens": "words", "graph": "edges", "sequence": "integrated-gradients",
}  # fmt: skip


def explain(options: argparse.Namespace) -> int:
    """`chymist explain`."""
    kind = open_folder(options.run).schema.kind
    name = options.method or USUAL[kind]
    if name in OF_MAPS and USUAL[kind] in OF_WORDS:  # words and edges are weighed by it
        if options.by not in (None, name):
            raise UsageError("two ways to weigh", where="--by", received=f"{options.by}, {name}",
                             do="give one of them")  # fmt: skip
        name, options.by = USUAL[kind], name
    if name not in METHODS:
        raise UsageError("unknown method", where="--method", received=f"'{name}'",
                         do=nearest(name, METHODS))  # fmt: skip
    for option, owners in OWNERS.items():
        if getattr(options, option) is not None and name not in owners:
            raise UsageError(f"{name} has no such option", where=f"--{option}",
                             do=f"it belongs to {', '.join(owners)}")  # fmt: skip
    options.chosen = name
    return METHODS[name](options)


EXPLAINING = {"explain": explain}
