"""How fast batches arrive and how fast a model trains on them: which of the two bounds a run.

Both are measured in turn, so that a machine that is busy for a while slows both down. Starting
workers, and batches that workers had ready before they were asked for, are no reading speed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

from chymist.doctor.finding import Finding, Remedy
from chymist.errors import InputError

ROUNDS = 6  # the least and the greatest of six hold their median in 1 - 2 / 2^6 = 97 % of cases
BOUND = 0.3  # share of waiting that is worth a finding (taxonomy, 29)
SHORT = 50  # batches of a pass, of which starting workers is a part that counts
LATER = 3  # rounds in later passes over the rows that make those of the first pass unnecessary

Step = Callable[[Any], object]


class Range(NamedTuple):
    """A median with the least and the greatest of the rounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Source:
    """Batches that can be read again and again.

    Args:
        open: starts a pass over the rows.
        count: rows of a batch.
        workers: processes that prepare batches; 0 prepares each when it is asked for.
        ahead: batches that they may have ready.
        length: batches of a pass, or None.
        persistent: whether workers go on from pass to pass.
        restarts: whether they start anew and need not.
        unpinned: whether batches go to an accelerator from memory that is not pinned.
        hint: what to write for so many workers, as "num_workers={}".
        memory: how to have no reading at all.
    """

    open: Callable[[], Iterator[Any]]
    count: Callable[[Any], int]
    workers: int = 0
    ahead: int = 0
    length: int | None = None
    persistent: bool = False
    restarts: bool = False
    unpinned: bool = False
    hint: str = "num_workers={}"
    memory: str = "prepared rows kept in memory"


@dataclass(frozen=True)
class LoadingThroughput:
    """Samples that a loader delivers and that a model trains on, each by itself.

    Args:
        reading: samples per second that arrive.
        training: samples per second of training on one batch that is there; None without a model.
        waiting: share of a run's time that will go into waiting for batches; None without a model.
        rounds: in which both were measured; the ranges hold the medians in 1 - 2 / 2^rounds of
            cases.
        batch: rows of a batch.
        workers: processes that prepare batches.
        start: seconds until the first batch of a pass.
        cold: whether all rows were read for the first time; what is kept in memory comes faster
            in the next pass.
        advice: what would lessen the waiting.
    """

    reading: Range
    training: Range | None
    waiting: Range | None
    rounds: int
    batch: int
    workers: int
    start: float
    cold: bool
    advice: str

    @property
    def bound_by(self) -> str:
        """The slower of the two: "reading" or "training"; "" without a model."""
        if self.training is None:
            return ""
        return "reading" if self.reading.value < self.training.value else "training"

    @property
    def finding(self) -> Finding | None:
        """`data_loading_bound` if more than 30 % of the time will be waiting, in every round."""
        if self.waiting is None or self.training is None or self.waiting.low <= BOUND:
            return None
        low, high = (f"{v:.0%}" for v in self.waiting[1:])
        between = f" ({low} to {high})" if low != high else ""
        return self._said(f"{self.waiting.value:.0%}{between} of the time will go into waiting")

    def measured(self, share: float) -> Finding:
        """The finding of a run that waited for a share of its time."""
        return self._said(f"{share:.0%} of the time went into waiting", share=share)

    def waited(self, steps: int) -> float:
        """Seconds that so many steps will wait; 0 without a model."""
        if self.waiting is None or self.training is None:
            return 0.0
        working = steps * self.batch / self.training.value
        return working * self.waiting.value / (1 - self.waiting.value)

    def _said(self, claim: str, **evidence: float) -> Finding:
        rates = {"reading": self.reading.value, "workers": self.workers, "rounds": self.rounds}
        words = f"{claim} for batches: {self.reading.value:,.0f} samples/s are read"
        if self.training is not None and self.waiting is not None:
            rates |= {"training": self.training.value, "predicted_share": self.waiting.value}
            words += f", {self.training.value:,.0f} trained"
        found = {**evidence, **rates}
        remedy = Remedy(self.advice)
        return Finding("data_loading_bound", "finding", words, found, remedy, weight=2)

    def __str__(self) -> str:
        said = [f"reading   {_rate(self.reading)}, {self.workers} workers, batches of {self.batch}"]
        if self.training is not None and self.waiting is not None:
            slow, fast = sorted((self.reading.value, self.training.value))
            low, high = (f"{v:.0%}" for v in self.waiting[1:])
            said += [
                f"training  {_rate(self.training)}",
                f"waiting   {self.waiting.value:.0%} of the time [{low}, {high}]; "
                f"{self.bound_by} is the slower one, by a factor of {fast / slow:.1f}",
            ]
        if self.cold:
            said.append("note      rows were read for the first time; later epochs may be faster")
        if self.finding is not None:
            said.append(f"do        {self.advice}")
        return "\n".join(said)


@dataclass(frozen=True)
class _Arrival:
    """A batch that arrived: after how many seconds, in which pass, in which steady state."""

    seconds: float
    rows: int
    position: int  # of the batch in its pass
    after: int  # batches since reading began again
    number: int  # of the pass


class _Reader:
    """Reads on and on, pass after pass."""

    def __init__(self, source: Source) -> None:
        self.source, self.passes = source, -1
        self.batches: Iterator[Any] = iter(())
        self.position = self.after = 0

    def next(self) -> tuple[Any, _Arrival]:
        """The next batch, which may be the first one of a new pass."""
        began = perf_counter()
        batch = next(self.batches, None)
        if batch is None:
            self.close()
            began = perf_counter()  # ending workers is no part of starting others
            self.batches = self.source.open()
            self.passes, self.position = self.passes + 1, 0
            batch = next(self.batches, None)
            if batch is None:
                raise InputError("the loader gives no batch", do="look at its data set and sampler")
        arrival = _Arrival(
            perf_counter() - began, self.source.count(batch), self.position, self.after,
            self.passes,
        )  # fmt: skip
        self.position += 1
        self.after += 1
        return batch, arrival

    def close(self) -> None:
        """End a pass, and with it the workers that were started for it."""
        end = getattr(self.batches, "close", None)
        self.batches = iter(())
        if end is not None:
            end()


def measure(source: Source, step: Step | None, seconds: float) -> LoadingThroughput:
    """Measure reading and training in turn.

    Args:
        source: the batches.
        step: trains on one batch; what it works on is not used for anything else. None: only
            reading is measured.
        seconds: that this may take, but for the start, one round and a batch under way.

    Returns:
        Medians over rounds, with their least and greatest values.

    Raises:
        InputError: there is no batch.

    Example:
        >>> source = Source(open=lambda: iter([[1, 2], [3, 4]]), count=len, length=2)
        >>> found = measure(source, step=None, seconds=0.01)
        >>> found.batch, found.reading.value > 0, found.bound_by
        (2, True, '')
    """
    reader, deadline = _Reader(source), perf_counter() + seconds
    share = seconds / (2 * ROUNDS)
    arrivals: list[list[_Arrival]] = []
    training: list[float] = []
    with closing(reader):
        batch, first = reader.next()
        firsts = [first]
        if step is not None:
            step(batch), step(batch)  # libraries wake up, and optimisers make their moments
        while not arrivals or (perf_counter() < deadline and not _is_enough(arrivals, source)):
            reader.after = 0
            read = _read(reader, share, 2 * max(1, source.workers))
            firsts += [a for a in read if a.position == 0]
            arrivals.append(read)
            if step is not None:
                training.append(_train(step, batch, share))
    reading, later = _per_row(arrivals, source)
    rows = first.rows
    start = _start(firsts, source, median(reading) * rows)
    waiting = None
    if step is not None:
        pairs = zip(reading, training[-len(reading) :], strict=True)
        waiting = _range([share_of_waiting(r * rows, t, start, source) for r, t in pairs])
    return LoadingThroughput(
        _range([1 / r for r in reading]),
        _range([rows / t for t in training]) if training else None,
        waiting, len(reading), rows, source.workers, start, not later,
        advice_for(median(reading) * rows, median(training) if training else math.inf, source),
    )  # fmt: skip


def share_of_waiting(reading: float, training: float, start: float, source: Source) -> float:
    """Share of the time of a pass that goes into waiting for batches.

    r / (r + t) where each batch is prepared when it is asked for; where workers prepare the next
    ones meanwhile, (s + (n - 1) max(r - t, 0)) / (s + (n - 1) max(r, t) + t).

    Args:
        reading, training: r and t, seconds of a batch.
        start: s, seconds until the first batch of a pass.
        source: with the number n of its batches; of an endless one the start does not count.

    Example:
        >>> alone = Source(open=lambda: iter([]), count=len)
        >>> share_of_waiting(3.0, 1.0, 0.0, alone)
        0.75
        >>> helped = Source(open=lambda: iter([]), count=len, workers=2, ahead=4)
        >>> share_of_waiting(4.0, 1.0, 0.0, helped), share_of_waiting(1.0, 4.0, 0.0, helped)
        (0.75, 0.0)
    """
    if not source.workers:
        return reading / (reading + training)
    if source.length is None:
        return max(0.0, 1 - training / reading)
    others = source.length - 1
    waited = start + others * max(reading - training, 0.0)
    return waited / (start + others * max(reading, training) + training)


def advice_for(reading: float, training: float, source: Source) -> str:
    """What lessens the waiting.

    Args:
        reading, training: seconds of a batch.
        source: that is read.

    Example:
        >>> advice_for(0.15, 0.1, Source(open=lambda: iter([]), count=len))
        'num_workers=2'
    """
    wanted = math.ceil(max(1, source.workers) * reading / training) if training else 1
    given = min(wanted, max(os.cpu_count() or 1, 2))
    words = []
    if given > source.workers:
        words.append(source.hint.format(given))
    if given < wanted:
        words.append(f"{source.memory}, cheaper transforms, or smaller files")
    short = source.length is not None and source.length < SHORT
    if source.workers and short and source.restarts:
        words.append("persistent_workers=True, as each short epoch starts its workers anew")
    if source.unpinned:
        words.append("pin_memory=True")
    return "; ".join(words) or f"{source.memory}, or cheaper transforms"


def _read(reader: _Reader, share: float, least: int) -> list[_Arrival]:
    """Batches that arrive one after the other, enough of them in a steady state."""
    found: list[_Arrival] = []
    steady = spent = 0.0
    most = reader.source.ahead + 4 * least  # passes may be so short that no batch is steady
    while spent < share if steady >= least else len(found) < most:
        arrival = reader.next()[1]
        found.append(arrival)
        if _is_steady(arrival, reader.source):
            steady, spent = steady + 1, spent + arrival.seconds
    return found


def _is_steady(arrival: _Arrival, source: Source) -> bool:
    """Neither made ready in a pause nor with the start of a pass: its time is that of reading."""
    return arrival.after >= source.ahead and arrival.position >= max(1, source.workers)


def _train(step: Step, batch: Any, share: float) -> float:
    """Seconds of a step."""
    began, count = perf_counter(), 0
    while count < 2 or perf_counter() - began < share:
        step(batch)
        count += 1
    return max((perf_counter() - began) / count, 1e-9)


def _per_row(rounds: Sequence[list[_Arrival]], source: Source) -> tuple[list[float], bool]:
    """Seconds of a row in each round, and whether the rows had been read before.

    A round of passes so short that nothing is steady counts as a whole, starts included.
    """
    later = _later(rounds, source)
    used = later if len(later) >= LATER else _kept(rounds, source)
    found = [sum(a.seconds for a in one) / max(1, sum(a.rows for a in one)) for one in used]
    return [max(seconds, 1e-9) for seconds in found], used is later


def _is_enough(rounds: Sequence[list[_Arrival]], source: Source) -> bool:
    """Whether there are rounds enough; where rows came again, in passes after the first one."""
    later = _later(rounds, source)
    return len(rounds) >= ROUNDS and (not later or len(later) >= LATER)


def _kept(rounds: Sequence[list[_Arrival]], source: Source) -> list[list[_Arrival]]:
    return [[a for a in one if _is_steady(a, source)] or one for one in rounds]


def _later(rounds: Sequence[list[_Arrival]], source: Source) -> list[list[_Arrival]]:
    """Rounds that read nothing for the first time."""
    return [one for one in _kept(rounds, source) if all(a.number for a in one)]


def _start(firsts: Iterable[_Arrival], source: Source, reading: float) -> float:
    """Seconds until the first batch of a pass; processes that go on start only once."""
    seconds = [a.seconds for a in firsts]
    if source.persistent or len(seconds) > 1:
        seconds = seconds[1:]  # the first of all waits for files and libraries too
    return median(seconds) if seconds else reading * max(1, source.workers)


def _range(values: Sequence[float]) -> Range:
    return Range(median(values), min(values), max(values))


def _rate(rate: Range) -> str:
    return f"{rate.value:,.0f} samples/s [{rate.low:,.0f}, {rate.high:,.0f}]"
