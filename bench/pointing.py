"""Do maps point at the object? Games on trained networks of images, with their chance stated.

Run `python -m bench.pointing RUN [METHOD ...] [--images 200]` with the folder of a run: it prints
what the table of `docs/explaining.md` holds. Rows are validation rows, and only those that the
network answers rightly, since a map of a wrong answer need not lie on the object. The games:

- "ink": the object is the box of the ink (images of one channel). A weak game: the box is large and
  in the middle.
- "canvas": each image made half as large and put at a random place of an empty canvas of the size
  that the network was trained on, so that neither the middle nor the size helps.
- "mosaic": four images of different classes, one of the class that is asked for. A network that
  takes any size gets them whole; any other gets them half as large.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.explanation.attribution import METHODS as OF_INPUTS
from chymist.explanation.class_maps import METHODS as OF_CLASSES
from chymist.explanation.pointing import (
    cell_regions,
    grid_pointing,
    mosaics,
    pointing_game,
)
from chymist.explanation.sanity import constant_maps, outputs_of
from chymist.keys import generator
from chymist.verbs.predicting import opened

METHODS = {**OF_CLASSES, **OF_INPUTS}
BATCH = 16


def rows_of(run: str, images: int) -> tuple[nn.Module, Tensor, Tensor]:
    """The network of a run, and some validation rows that it answers rightly, with labels."""
    _, split, predictor = opened(run, None, None)
    module = predictor.module.eval()
    kept, labels = [], []
    shuffled = generator(0, "rows").permutation(split.valid)
    for part in np.array_split(shuffled, -(-len(shuffled) // BATCH)):
        rows = predictor.preparation.inputs(split.data.take(part), predictor.exact)
        inputs = torch.as_tensor(rows).to(predictor.dtype)
        targets = torch.as_tensor(split.data.targets[part])
        right = outputs_of(module, inputs).argmax(1) == targets
        kept.append(inputs[right])
        labels.append(targets[right])
        if sum(map(len, kept)) >= images:
            break
    return module, torch.cat(kept)[:images], torch.cat(labels)[:images]


def ink_boxes(images: Tensor) -> np.ndarray:
    """The smallest box around all pixels that differ from the empty ones, (rows, height, width)."""
    ink = (images - images.amin((1, 2, 3), keepdim=True)).sum(1).numpy()
    ink = ink > 0.1 * ink.max((1, 2), keepdims=True)
    boxes = np.zeros(ink.shape, bool)
    for box, one in zip(boxes, ink, strict=True):
        down, across = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
        box[down[0] : down[-1] + 1, across[0] : across[-1] + 1] = True
    return boxes


def on_canvas(images: Tensor, seed: int = 0) -> Tensor:
    """Each image half as large, at a random place of an empty canvas of the size it had."""
    small = functional.avg_pool2d(images, 2)
    height, width = small.shape[2:]
    made = images.amin((1, 2, 3), keepdim=True).expand_as(images).clone()
    random = generator(seed, "canvas")
    for one, shown in zip(made, small, strict=True):
        down, across = (int(random.integers(n + 1)) for n in (images.shape[2] - height,
                                                              images.shape[3] - width))  # fmt: skip
        one[:, down : down + height, across : across + width] = shown
    return made


def any_size(module: nn.Module, inputs: Tensor) -> bool:
    """Whether the network takes images of twice the size."""
    try:
        outputs_of(module, functional.interpolate(inputs[:1], scale_factor=2.0))
    except RuntimeError:
        return False
    return True


def maps_of(method: str, module: nn.Module, inputs: Tensor, targets: Tensor) -> np.ndarray:
    """Maps, a few rows at a time."""
    made = METHODS[method]
    pairs = zip(inputs.split(BATCH), targets.split(BATCH), strict=True)
    return np.concatenate([made(module, rows, asked).numpy() for rows, asked in pairs])


def games(run: str, method: str, images: int) -> Iterator[str]:
    """All games of a method on a run, a sentence each."""
    module, inputs, labels = rows_of(run, images)
    if inputs.shape[1] == 1:
        found = maps_of(method, module, inputs, labels)
        yield f"ink: {pointing_game(found, ink_boxes(inputs))!r}"
        placed = on_canvas(inputs)
        known = outputs_of(module, placed).argmax(1) == labels
        found = maps_of(method, module, placed[known], labels[known])
        game = pointing_game(found, ink_boxes(placed[known]))
        yield f"canvas ({int(known.sum())} of {len(known)} answered rightly): {game!r}"
        yield f"    above the middle of the image by {_points(game.above_center)}"
    small = inputs if any_size(module, inputs) else functional.avg_pool2d(inputs, 2)
    made = mosaics(small, labels, len(inputs))
    found = maps_of(method, module, made.inputs, made.targets)
    yield f"mosaic: {grid_pointing(found, made.cells)!r}"
    regions = cell_regions(made.cells, *made.inputs.shape[2:])
    game = pointing_game(found, regions)
    yield f"mosaic: {game!r}"
    yield f"    above a random place by {_points(game.above_area)}"
    flat = sum(map(bool, constant_maps(found)))
    yield f"    {flat} of {len(found)} maps are constant"


def _points(gain: tuple[float, ...]) -> str:
    value, low, high, _ = gain
    return f"{100 * value:.1f} points [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    """Play, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("methods", nargs="*", default=["grad-cam"])
    parser.add_argument("--images", type=int, default=200)
    options = parser.parse_args()
    for method in options.methods:
        for line in games(options.run, method, options.images):
            print(f"{method}: {line}", flush=True)


if __name__ == "__main__":
    main()
