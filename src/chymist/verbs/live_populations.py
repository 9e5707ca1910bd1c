"""A population's folder while it trains: there from the start, whole at every moment."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from chymist.engine.events import Epoch
from chymist.engine.folder import alone_in, whole_folder, write_json
from chymist.engine.member_record import DIVERGED, ENDED, FILE, MemberRecorder
from chymist.errors import Diverged

STATEMENT = "population.json"
FLUSH_SECONDS = 0.1

_log = logging.getLogger("chymist")


class LivePopulation:
    """Writes what members say while they train.

    What cannot be written, as on a full disk, waits for the next time; training goes on.

    Args:
        folder: of the population; None writes nothing.
        record: the file of the series.
    """

    def __init__(self, folder: Path | None, record: MemberRecorder | None) -> None:
        self.folder, self._record = folder, record
        self.heard, self._flushed = False, perf_counter()

    def __call__(self, number: int, epoch: Epoch) -> None:
        """Note an epoch of a member."""
        self.heard = True
        if self._record is None:
            return
        for name, value in epoch.values.items():
            self._record.add(name, number, epoch.step, value)
        if epoch.last:
            self._record.end(number, ENDED, epoch.epoch)
        self._flush()

    def lost(self, number: int, error: Diverged) -> None:
        """Note that a member has diverged."""
        self.heard = True
        if self._record is not None:
            self._record.end(number, DIVERGED, 0)
            self._flush()

    def _flush(self) -> None:
        now = perf_counter()
        if self._record is None or now - self._flushed < FLUSH_SECONDS:
            return
        self._flushed = now
        try:
            self._record.flush()
        except OSError as error:  # the points wait; the end of the training will say it
            _log.warning("the curves of the population wait to be written: %s", error.strerror)


@contextmanager
def living(
    out: Path | None, members: int, plain: Callable[[], Mapping[str, Any]]
) -> Iterator[LivePopulation]:
    """A folder that appears at once, and says that its population is running.

    If the block fails before any member has trained, nothing is left behind; afterwards the folder
    stays, and says that it was interrupted.

    Args:
        out: its place: absent, or an empty folder; None writes nothing.
        members: their number.
        plain: what is known before the first epoch, as plain values.

    Raises:
        InputError: the place is taken or not writable.
    """
    if out is None:
        yield LivePopulation(None, None)
        return
    with whole_folder(out) as draft:
        write_json(draft / STATEMENT, {**plain(), "state": "running"})
        MemberRecorder(draft / FILE, members).close()
    with ExitStack() as opened:
        opened.enter_context(alone_in(out))
        record = opened.enter_context(closing(MemberRecorder(out / FILE, members)))
        live = LivePopulation(out, record)
        failed = opened.enter_context(ExitStack())
        failed.callback(lambda: _leave(live, out, plain, opened))
        yield live
        failed.pop_all()  # the population is whole


def _leave(
    live: LivePopulation, out: Path, plain: Callable[[], Mapping[str, Any]], opened: ExitStack
) -> None:
    """What stays of a population whose training has failed."""
    if live.heard:
        write_json(out / STATEMENT, {**plain(), "state": "interrupted"})
    else:
        opened.callback(shutil.rmtree, out, ignore_errors=True)
