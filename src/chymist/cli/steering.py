"""`chymist steer` and `chymist branch`, and what `show` says of history and checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import chymist as cy
from chymist.cli.commands import emit, finish_fit, interruptible, lengths, moved_data, screen_of
from chymist.cli.findings import language_of, teller
from chymist.cli.inputs import recipe_of
from chymist.cli.options import recipe_fields
from chymist.cli.summaries import fit_summary
from chymist.cli.terminal import Progress
from chymist.engine.assembly import Assembly
from chymist.engine.folder import in_free_folder
from chymist.errors import UsageError
from chymist.values import Run


def steer(options: argparse.Namespace) -> int:
    """`chymist steer`."""
    if not options.wait > 0:
        raise UsageError("a time above 0 is needed", where="--wait", received=f"{options.wait:g}")
    screen = screen_of(options)
    answer = cy.steer(options.run, options.action, by="command", seconds=options.wait)
    screen.line("Run", f"{options.run} · {answer['effect']}", result=True)
    if options.json:
        emit({"run": options.run, **answer})
    return 0


def branch(options: argparse.Namespace) -> int:
    """`chymist branch`."""
    screen, parent = screen_of(options), Path(options.run)
    data, language = moved_data(options), language_of(options.lang)
    changes: dict[str, Any] = {}
    if options.recipe:  # a whole one, with what the options say on top of it
        changes = {name: v for name, v in vars(recipe_of(options)).items() if v is not None}
    else:
        changes = recipe_fields(options)

    def work(out: Path) -> Run:
        progress: list[Progress] = []

        def started(assembly: Assembly, folder: Path) -> None:
            screen.line("Branch", f"{folder} from step {assembly.state.step} of {parent}")
            progress.append(Progress(screen, *lengths(assembly)))

        with interruptible(out) as interrupted:
            try:
                return cy.branch(
                    parent, changes, out=out, step=options.step, data=data,
                    interrupted=interrupted, started=started,
                    observer=lambda event: progress[0](event),
                    doctor=teller(screen, progress, language),
                )  # fmt: skip
            finally:
                for bar in progress:
                    bar.close()

    name = f"{parent.resolve().name}-branch"
    place = parent.resolve().parent
    run = work(Path(options.out)) if options.out else in_free_folder(name, work, place)
    return finish_fit(options, screen, run, {**fit_summary(run), "parent": options.run})


STEERING = {"steer": steer, "branch": branch}
