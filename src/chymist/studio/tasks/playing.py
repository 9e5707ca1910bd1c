"""The playground: a task that goes on as long as its page is open, and does what it is told.

Words: "start" with a wish (see `play_setup`), "pause", "resume", "step" (some "steps"), "epoch",
"speed", "seen" (a picture has reached the page), "seeds" (the same with other seeds), "save" (a run
folder), "end". What it says: "ready", "about", "frame", "finding", "end", "diverged", "error",
"seeds", "saved".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from chymist.engine.files import write_file
from chymist.engine.threads import Threads
from chymist.errors import ChymistError, UsageError
from chymist.studio.mail import INBOX
from chymist.studio.tasks.play_looks import map_of, span_of
from chymist.studio.tasks.play_setup import Setup, file_name, setup_of
from chymist.studio.tasks.play_summary import choices, named_again
from chymist.studio.tasks.play_trainer import Trainer
from chymist.values import Run, show
from chymist.verbs import fit, fit_population

UNSEEN = 2  # pictures that may be on their way
MOST_SEEDS = 10
AUTO: Threads = "auto"
LOOK = {"do": "look"}


def play() -> Iterator[dict[str, Any]]:
    """Serve a page until it is closed."""
    yield from session(INBOX)


def session(inbox: SimpleQueue[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Do what the words of an inbox say.

    Args:
        inbox: of words; "end" is the last.

    Yields:
        What there is to show.
    """
    trainer, unseen = None, 0
    yield {"kind": "ready", "choices": choices()}
    try:
        while (word := inbox.get())["do"] != "end":
            do = word["do"]
            if do == "start":
                if trainer:
                    trainer.stop()
                trainer, unseen = Trainer(word, lambda: inbox.put(LOOK)), 0
            elif do == "seen":
                unseen = max(0, unseen - 1)
            elif do in ("seeds", "save") and trainer:
                yield _besides(word, trainer)
            elif do != "look" and trainer:
                trainer.control.tell(word)
            for said in trainer.take(UNSEEN - unseen) if trainer else ():
                unseen += said["kind"] == "frame"
                yield said
    finally:
        if trainer:
            trainer.stop()


def _besides(word: Mapping[str, Any], trainer: Trainer) -> dict[str, Any]:
    """What is done while the run waits."""
    trainer.rest()
    try:
        setup = setup_of(trainer.wish)
        if word["do"] == "seeds":
            return {"kind": "seeds", **other_seeds(setup, trainer, int(word["seeds"]))}
        run = save(setup, Path(word["into"]))
        return {"kind": "saved", "run": run.path.name}
    except ChymistError as error:
        return {"kind": "error", "error": error.to_dict(), "besides": True}


def other_seeds(setup: Setup, trainer: Trainer, number: int) -> dict[str, Any]:
    """What other seeds come to, trained as one population: maps, and the mean of their scores."""
    if not 1 <= number <= MOST_SEEDS:
        raise UsageError("too many seeds", received=str(number), do=f"1 to {MOST_SEEDS}")
    seeds = [setup.seed + 1 + k for k in range(number)]
    found = fit_population(setup.recipe, setup.split, seeds, threads=AUTO)
    members = [(seeds[k], found.run(k)) for k in range(number) if k not in found.errors]
    assembly, plane = trainer.assembly, trainer.plane
    assert assembly is not None
    assert plane is not None
    span = span_of(setup.split.data)
    return {
        "maps": [map_of(run.model, assembly, plane, span) for _, run in members],
        "scores": [[seed, show(run.score.metric, run.score.value)] for seed, run in members],
        "diverged": len(found.errors),
    }


def save(setup: Setup, into: Path) -> Run:
    """The run once more, in a folder; rows that have no source are written beside it."""
    name = _free(into, f"play-{file_name(setup.split.data.name)}")
    split = setup.split
    if setup.csv:
        place = into / f"{name}.csv"
        into.mkdir(parents=True, exist_ok=True)
        write_file(place, setup.csv.encode())
        split = named_again(split, str(place.resolve()))
    return fit(setup.recipe, split, setup.seed, threads=AUTO, out=into / name)


def _free(into: Path, stem: str) -> str:
    """The first name that nothing has yet."""
    names = (f"{stem}-{number:04d}" for number in count(1))
    return next(n for n in names if not (into / n).exists() and not (into / f"{n}.csv").exists())
