"""How alike maps of trained and of random networks are: where the limit of `sanity.py` comes from.

Run `python -m bench.sanity RUN [METHOD ...] [--rows 8]` with the folder of a run of images: it
prints a line for each method, and for three that are no explanations of the network: the image, an
edge detector, and guided backpropagation.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.pointing import METHODS, rows_of
from chymist.explanation.sanity import constant_maps, randomization, sensitivity


def the_image(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """The image itself."""
    return inputs


def edges(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """What differs from the mean of the neighbours."""
    return inputs - functional.avg_pool2d(inputs, 3, 1, 1)


def guided(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Slopes, of which the negative ones are cut off at every ReLU."""
    kinds = (nn.ReLU, nn.ReLU6)
    held = [
        layer.register_full_backward_hook(lambda layer, given, made: (given[0].clamp(min=0),))
        for layer in net.modules() if isinstance(layer, kinds)
    ]  # fmt: skip
    points = inputs.clone().requires_grad_()
    found = torch.autograd.grad(net(points).gather(1, targets[:, None]).sum(), points)[0]
    for one in held:
        one.remove()
    return found


NO_EXPLANATIONS = {"the image": the_image, "edges": edges, "guided": guided}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("methods", nargs="*", default=[*METHODS, *NO_EXPLANATIONS])
    parser.add_argument("--rows", type=int, default=8)
    options = parser.parse_args()
    module, inputs, labels = rows_of(options.run, options.rows)
    every = {**METHODS, **NO_EXPLANATIONS}
    for name in options.methods:
        found = randomization(every[name], module, inputs, labels)
        value, low, high, _ = found.similarity
        other = sensitivity(every[name], module, inputs, labels)
        flat = sum(map(bool, constant_maps(every[name](module, inputs, labels))))
        print(f"{name}: signed {value:.2f} [{low:.2f}, {high:.2f}], absolute "
              f"{found.absolute.mean():.2f}, structure {found.structure.mean():.2f}: "
              f"{found.verdict}; next class {other.similarity:.2f}; {flat} constant",
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
