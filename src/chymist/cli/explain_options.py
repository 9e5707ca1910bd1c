"""Options of `chymist explain`; imports nothing that takes time."""

from __future__ import annotations

import argparse

from chymist.cli import run_options as of_runs

MAPS = (
    "grad-cam", "cam", "saliency", "smooth-grad", "input-x-gradient", "integrated-gradients",
    "occlusion",
)  # fmt: skip

FEATURES = ("filters", "feature-maps", "maximize", "wall", "neighbors")
COLUMNS = ("permutation", "partial-dependence")
WORDS = ("words", "edges", "gates")

# Options and the methods that they mean something for; `explaining.py` refuses the others.
OWNERS: dict[str, tuple[str, ...]] = {
    "which": (*MAPS, "feature-maps", "neighbors", *WORDS),
    "target": (*MAPS, "partial-dependence", "words", "edges"),
    "most": (*MAPS, "partial-dependence", "words"), "checks": MAPS,
    "layer": ("grad-cam", "filters", "feature-maps", "maximize", "wall", "neighbors", "gates",
              "probes"),
    "samples": ("smooth-grad",), "level": ("smooth-grad",),
    "seed": ("smooth-grad", *COLUMNS, "words", "edges"),
    "steps": ("integrated-gradients", "maximize", "wall", "words"),
    "baseline": ("integrated-gradients", "occlusion"), "window": ("occlusion",),
    "stride": ("occlusion",), "unit": ("maximize",), "units": ("feature-maps", "wall"),
    "patches": ("wall",), "scale": ("feature-maps",), "place": ("maximize",),
    "start": ("maximize",), "seeds": ("maximize",), "k": ("neighbors",), "metric": ("neighbors",),
    "columns": COLUMNS, "repeats": ("permutation",), "points": ("partial-dependence",),
    "centered": ("partial-dependence",), "by": ("words", "edges"), "reference": ("words",),
    "position": ("words",), "node": ("edges",),
}  # fmt: skip


def explain(verb: argparse.ArgumentParser) -> None:
    """`chymist explain`."""
    of_runs.run_on_data(verb)
    verb.add_argument(
        "rows", nargs="?", metavar="INPUT",
        help="new rows: a file as for `predict` (the validation rows that are answered worst)",
    )  # fmt: skip
    verb.add_argument("--method", metavar="NAME", help="how to explain (what fits the data)")
    verb.add_argument("--out", metavar="FILE", help="where to draw it (SVG, PNG)")
    _maps(verb)
    _features(verb)
    _columns(verb)
    _words(verb)


def _maps(verb: argparse.ArgumentParser) -> None:
    """Options of maps: grad-cam, cam, saliency, smooth-grad, integrated-gradients, ..."""
    group = verb.add_argument_group("maps", ", ".join(MAPS))
    group.add_argument("--which", metavar="ROWS", help="validation rows: worst, best, first; or "
                       "row numbers of the data from 1: 17,204 (worst)")  # fmt: skip
    group.add_argument("--target", metavar="CLASS", help="the answer to explain: predicted, true, "
                       "a class or the number of an output (predicted)")  # fmt: skip
    group.add_argument("--most", type=int, metavar="N", help="rows at most (8)")
    group.add_argument("--layer", metavar="NAME", help="of grad-cam (the last convolution), "
                       "filters (the first), feature-maps (all), maximize (the outputs), neighbors "
                       "(before the last); of wall and probes some: NAME,NAME; of gates its "
                       "number from 1 (1)")  # fmt: skip
    group.add_argument("--checks", choices=("on", "off"), help="whether the maps can be believed: "
                       "on, off (on for images, but for slow methods on large ones)")  # fmt: skip
    group.add_argument("--samples", type=int, metavar="N", help="noisy copies, of smooth-grad (25)")
    group.add_argument("--level", type=float, metavar="SHARE", help="of noise, of the range of a "
                       "row (0.15)")  # fmt: skip
    group.add_argument("--seed", type=int, metavar="N", help="of the noise (0)")
    group.add_argument("--steps", type=int, metavar="N", help="of integrated-gradients (50), the "
                       "ascent of maximize (128) and wall (64)")  # fmt: skip
    group.add_argument("--baseline", type=float, metavar="VALUE", help="prepared value that stands "
                       "for nothing: where integrated gradients begin, what occlusion covers with "
                       "(0)")  # fmt: skip
    group.add_argument("--window", type=int, metavar="N", help="side of what is covered, of "
                       "occlusion (a seventh of an image)")  # fmt: skip
    group.add_argument("--stride", type=int, metavar="N", help="how far the window moves (half of "
                       "it)")  # fmt: skip


def _features(verb: argparse.ArgumentParser) -> None:
    """Options of filters, feature-maps, maximize, wall, neighbors."""
    group = verb.add_argument_group("features", ", ".join(FEATURES))
    group.add_argument("--unit", metavar="CLASS|N", help="of maximize: a class, the number of an "
                       "output, or a unit of --layer")  # fmt: skip
    group.add_argument("--units", type=int, metavar="N", help="of a layer that are drawn, of "
                       "feature-maps (16) and wall (4)")  # fmt: skip
    group.add_argument("--patches", type=int, metavar="N", help="for each unit, of wall (8)")
    group.add_argument("--scale", metavar="layer|map", help="of feature-maps: one brightness for "
                       "all maps of a layer, or each its own (layer)")  # fmt: skip
    group.add_argument("--place", metavar="middle|mean|most", help="how maximize reads a map "
                       "(middle)")  # fmt: skip
    group.add_argument("--start", metavar="noise|blank", help="where maximize begins (noise)")
    group.add_argument("--seeds", type=int, metavar="N", help="images that maximize makes (4)")
    group.add_argument("--k", type=int, metavar="N", help="neighbours of each row (5)")
    group.add_argument("--metric", metavar="cosine|euclidean", help="of neighbors (cosine)")


def _columns(verb: argparse.ArgumentParser) -> None:
    """Options of permutation and partial-dependence; --seed, --target and --most are theirs too."""
    group = verb.add_argument_group("columns", ", ".join(COLUMNS))
    group.add_argument("--columns", metavar="NAME,...", help="permutation: age,height+weight "
                       "shuffles two together (each by itself); partial-dependence: one, or two "
                       "for a map (the one worth most)")  # fmt: skip
    group.add_argument("--repeats", type=int, metavar="N", help="shuffles, of permutation (20)")
    group.add_argument("--points", type=int, metavar="N", help="values of a column of numbers, of "
                       "partial-dependence (50; 20 of two columns)")  # fmt: skip
    group.add_argument("--centered", action="store_const", const=True, help="partial-dependence "
                       "draws how answers change from the left end")  # fmt: skip


def _words(verb: argparse.ArgumentParser) -> None:
    """Options of words, edges and gates; --which, --target, --most, --steps are theirs too."""
    group = verb.add_argument_group("words", ", ".join(WORDS))
    group.add_argument("--by", metavar="NAME", help="words: integrated-gradients, occlusion, "
                       "input-x-gradient, saliency (the first); edges: occlusion, gradient, "
                       "integrated-gradients (the first)")  # fmt: skip
    group.add_argument("--reference", metavar="NAME", help="what a word is compared with: unknown, "
                       "nothing (unknown where it was learned)")  # fmt: skip
    group.add_argument("--position", type=int, metavar="N", help="number of the word whose tag is "
                       "explained, from 1")  # fmt: skip
    group.add_argument("--node", metavar="NAME", help="identifier of the node, of edges (the "
                       "validation row that is answered worst)")  # fmt: skip
