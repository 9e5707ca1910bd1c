"""chymist: `cy.fit`, and `cy.resume` after a kill. A user's own module, its own `nn.Dropout`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common import BATCH, EPOCHS, RATE, SEED, Diary, Net, finish, rows

import chymist as cy
from chymist.engine import running

# chymist saves by the clock, every 20 seconds; here about as often as the others do.
running.CHECKPOINT_SECONDS = 0.03
running.CHECKPOINT_SHARE = 1e9  # nor does it save less often because saving takes long


def train(folder: Path, workers: int) -> None:
    """Start the run of this folder, or continue it; without workers the rows are in memory."""
    diary, made = Diary(folder), {}
    ahead = workers or None

    def started(assembly: Any, _: Path) -> None:
        made["state"] = assembly.state

    def watch(event: Any) -> None:
        if hasattr(event, "loss"):
            diary.committed(event.step, event.loss, made["state"].model)

    inputs, targets = rows()
    data = cy.load((inputs.numpy(), targets.numpy()))
    place = folder / "run"
    if place.exists():
        cy.resume(place, model=factory, data=data, workers=ahead, observer=watch, started=started)
    else:
        split = cy.split(data, test=0, valid=0, seed=SEED)
        cy.fit(
            recipe(), split, SEED, out=place, threads=1, workers=ahead, observer=watch,
            started=started,
        )  # fmt: skip
    finish(folder, made["state"].model, made["state"].optimizer)


def factory(_: Any) -> Net:
    """The network, for whatever shapes."""
    return Net()


def recipe() -> cy.Recipe:
    """The plan that all contestants follow."""
    return cy.Recipe(
        model=factory, optimizer=cy.optim.adam(lr=RATE), schedule="one_cycle", batch_size=BATCH,
        length=f"{EPOCHS} epochs", stop="none", data=cy.prepare(scale="none"),
    )  # fmt: skip
