"""Generated corpora of bad (and good) inputs: pure functions from a seed to files.

Every kind is a table of recipes for one case; seed n gives the (n modulo length)-th of them with
its own random numbers. `GOOD` cases must be accepted, `BAD` ones refused, `EITHER` must only be
harmless: random damage may leave a file that is still right.
"""

from __future__ import annotations

import random

from tests.corpora_arrays import ARRAYS, PARQUET
from tests.corpora_files import CSV, IMAGES, ZIPS, Case, Maker
from tests.corpora_texts import NAMED, RECIPES

KINDS: dict[str, dict[str, Maker]] = {
    "csv": CSV, "images": IMAGES, "zips": ZIPS, "recipes": RECIPES, "named": NAMED,
    "arrays": ARRAYS, "parquet": PARQUET,
}  # fmt: skip


def make(kind: str, seed: int) -> Case:
    """The case of a kind and seed."""
    names = list(KINDS[kind])
    name = names[seed % len(names)]
    verdict, files, source = KINDS[kind][name](random.Random(f"{kind} {seed}"))
    return Case(f"{kind} {seed}: {name}", verdict, files, source)
