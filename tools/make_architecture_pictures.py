"""Make the pictures of `docs/architecture.md` (seconds).

Run `.venv/bin/python tools/make_architecture_pictures.py`.
"""

from __future__ import annotations

import numpy as np
import torch
from make_pictures import FOLDER
from torch import Tensor, nn

import chymist as cy
from chymist.data.graphs import graph_inputs, graph_of


class Own(nn.Module):
    """The module of the page: a layer that is used twice, and a choice by the data."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared = nn.Linear(8, 8), nn.Linear(8, 8)
        self.forgotten = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        """Rows (batch, 8) to (batch, 16)."""
        y = torch.relu(self.shared(self.first(x)))
        if x.sum() > 0:
            y = torch.relu(self.shared(y))
        return torch.cat([y, x], 1)


def small_graph() -> cy.Shapes:
    """Twenty nodes in a ring, with six features each."""
    ring = graph_of(20, [[i, (i + 1) % 20] for i in range(20)], None, np.eye(20, 6))
    return cy.Shapes((1,), 3, graph=graph_inputs(ring, "none"))


def main() -> None:
    """Draw them all, and print what the page says."""
    transformer = nn.Transformer(32, 4, 1, 1, 64, batch_first=True)
    drawn = {
        "resnet20": cy.architecture("resnet20", (3, 32, 32)),
        "efficientnet": cy.architecture("efficientnet_lite0", (3, 224, 224), 1000),
        "gcn": cy.architecture("gcn", small_graph()),
        "transformer": cy.architecture(
            transformer, (torch.zeros(1, 10, 32), torch.zeros(1, 7, 32))
        ),
        "own": cy.architecture(Own(), (8,)),
    }
    for name, found in drawn.items():
        place = found.save(FOLDER / f"architecture-{name}.svg")
        print(name, repr(found), place.stat().st_size, flush=True)
    print(drawn["own"])
    print(drawn["transformer"].text())


if __name__ == "__main__":
    main()
