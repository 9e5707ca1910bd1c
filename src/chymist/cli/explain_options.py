"""Options of `chymist explain`; imports nothing that takes time."""

from __future__ import annotations

import argparse

from chymist.cli import run_options as of_runs

MAPS = (
    "grad-cam", "cam", "saliency", "smooth-grad", "input-x-gradient", "integrated-gradients",
    "occlusion",
)  # fmt: skip

# Options and the methods that they mean something for; `seeing.py` refuses the others.
OWNERS: dict[str, tuple[str, ...]] = {
    "which": MAPS, "target": MAPS, "most": MAPS,
    "layer": ("grad-cam",), "samples": ("smooth-grad",), "level": ("smooth-grad",),
    "seed": ("smooth-grad",), "steps": ("integrated-gradients",),
    "baseline": ("integrated-gradients", "occlusion"), "window": ("occlusion",),
    "stride": ("occlusion",),
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


def _maps(verb: argparse.ArgumentParser) -> None:
    """Options of maps: grad-cam, cam, saliency, smooth-grad, integrated-gradients, ..."""
    group = verb.add_argument_group("maps", ", ".join(MAPS))
    group.add_argument("--which", metavar="ROWS", help="validation rows: worst, best, first; or "
                       "row numbers of the data from 1: 17,204 (worst)")  # fmt: skip
    group.add_argument("--target", metavar="CLASS", help="the answer to explain: predicted, true, "
                       "a class or the number of an output (predicted)")  # fmt: skip
    group.add_argument("--most", type=int, metavar="N", help="rows at most (8)")
    group.add_argument("--layer", metavar="NAME", help="of grad-cam (the last convolution)")
    group.add_argument("--samples", type=int, metavar="N", help="noisy copies, of smooth-grad (25)")
    group.add_argument("--level", type=float, metavar="SHARE", help="of noise, of the range of a "
                       "row (0.15)")  # fmt: skip
    group.add_argument("--seed", type=int, metavar="N", help="of the noise (0)")
    group.add_argument("--steps", type=int, metavar="N", help="of integrated-gradients (50)")
    group.add_argument("--baseline", type=float, metavar="VALUE", help="prepared value that stands "
                       "for nothing: where integrated gradients begin, what occlusion covers with "
                       "(0)")  # fmt: skip
    group.add_argument("--window", type=int, metavar="N", help="side of what is covered, of "
                       "occlusion (a seventh of an image)")  # fmt: skip
    group.add_argument("--stride", type=int, metavar="N", help="how far the window moves (half of "
                       "it)")  # fmt: skip
