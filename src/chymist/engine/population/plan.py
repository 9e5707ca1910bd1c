"""Which form of a population is fastest on this machine: measured once, and remembered in a file.

All forms give the same numbers but for rounding. The loop over members is one of them, and wins
ties, so a population is never slower than the loop by more than the measurement errs. Another is
the loop in several processes at once; it is measured where it could be the fastest.
"""

from __future__ import annotations

import copy
import hashlib
import math
import os
import platform
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from time import perf_counter

import msgspec
import torch
from torch import nn

from chymist.engine.assembly import Assembly, build_optimizer
from chymist.engine.events import Step
from chymist.engine.files import read_file, write_file
from chymist.engine.loop import State, train
from chymist.engine.population.apart import LOOP, PROCESSES, is_worth, measured_apart
from chymist.engine.population.shared import STACKED, WIDE
from chymist.engine.population.training import Crew, stacked_rows
from chymist.engine.randomness import unchanged_randomness
from chymist.engine.threads import multiply_adds
from chymist.errors import InputError
from chymist.models.chain import chained
from chymist.models.stacked import stack
from chymist.models.stacked_conv import GroupedConv, UnfoldedConv
from chymist.models.stacked_wide import stack_wide
from chymist.models.vmapped import Vmapped

FORMS: dict[str, Callable[[Sequence[nn.Module]], nn.Module]] = {
    STACKED: chained,
    "grouped": partial(stack, convolution=GroupedConv),
    "unfolded": partial(stack, convolution=UnfoldedConv),
    "vmap": Vmapped,
    WIDE: stack_wide,
}
SURE = 2e7  # multiply-adds of a member's step below which stacked products always win
MARGIN = 0.9  # of the loop's time that another form must stay below
MEASURED = 8  # members that are measured together; more only gain
REPEATS = 3


class Timings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured for runs of one kind.

    Args:
        what: the kind in words.
        seconds: of a step of one member, by form.
    """

    what: str
    seconds: dict[str, float]

    def __post_init__(self) -> None:
        known = (*FORMS, PROCESSES)
        if LOOP not in self.seconds or not set(self.seconds) <= {LOOP, *known}:
            raise ValueError(f"forms must be loop and some of {', '.join(known)}")
        if not all(0 < value < math.inf for value in self.seconds.values()):
            raise ValueError("seconds must be positive")

    @property
    def best(self) -> str:
        """The fastest form; the loop wins ties."""
        form = min(self.seconds, key=lambda name: self.seconds[name])
        return form if self.seconds[form] < MARGIN * self.seconds[LOOP] else LOOP

    def without_processes(self) -> Timings:
        """The same where no processes can be used."""
        return Timings(self.what, {n: s for n, s in self.seconds.items() if n != PROCESSES})

    def __str__(self) -> str:
        order = sorted(self.seconds.items(), key=lambda item: item[1])
        return f"{self.what}: " + ", ".join(f"{n} {1e3 * s:.3g} ms" for n, s in order)


@dataclass(eq=False)
class Plan:
    """Measured timings by kind of run, in a file.

    Args:
        path: the file; it need not exist.
        pinned: whether the file decides alone: nothing is measured that it has, nothing is
            written into it, and what it lacks is an error.
    """

    path: Path
    pinned: bool = False
    known: dict[str, Timings] = field(default_factory=dict)
    used: dict[str, Timings] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path | None = None) -> Plan:
        """The plan of a file, or that of this machine.

        Raises:
            InputError: the file is missing or damaged.
        """
        if path is None:
            plan = cls(_cache() / "plan.json")
            with suppress(OSError, msgspec.MsgspecError):  # it can be measured again
                plan.known = msgspec.json.decode(plan.path.read_bytes(), type=dict[str, Timings])
            return plan
        plan = cls(path, pinned=True)
        try:
            plan.known = msgspec.json.decode(read_file(path), type=dict[str, Timings])
        except (OSError, msgspec.MsgspecError) as error:
            raise InputError("not a plan of populations", where=str(path),
                             received=str(error).splitlines()[0][:80],
                             do="give a file that --explain-plan named") from None  # fmt: skip
        return plan

    def form_for(self, runs: Sequence[Assembly], forms: Sequence[str], workers: int = 1) -> str:
        """The fastest form for runs of one kind, measured now if it is not known.

        Args:
            runs: assembled; they are not changed.
            forms: what they can be trained as, beside the loop.
            workers: processes that they could be trained in one by one; 1 is none.
        """
        if tuple(forms) == (STACKED,) and step_work(runs[0]) < SURE:
            return STACKED
        key = _key(runs)
        if key not in self.known and forms:
            self._add(runs, lambda: measured(runs[:MEASURED], forms))
        if workers > 1 and self._asks_for_processes(runs, forms):
            self._add(runs, lambda: measured_apart(runs, workers))
        if key not in self.known:
            return LOOP
        found = self.known[key]
        if workers == 1 or not is_worth(runs, found.seconds[LOOP]):
            found = found.without_processes()
        self.used[key] = found
        if found.best not in (LOOP, PROCESSES, *forms):
            raise InputError("the plan names a form that these models do not have",
                             where=str(self.path), received=found.best,
                             do="remove the file, or give another")  # fmt: skip
        return found.best

    def seconds(self, runs: Sequence[Assembly]) -> dict[str, float]:
        """Of a step of one member by form, as they were used for runs of one kind."""
        return self.used[_key(runs)].seconds

    def _asks_for_processes(self, runs: Sequence[Assembly], forms: Sequence[str]) -> bool:
        """Whether it is not known how fast processes are, and they could be the best form.

        Stacked products that win need not ask: several programs of them share the threads as well.
        """
        found = self.known.get(_key(runs))
        if self.pinned or found is None:
            return not self.pinned
        asks = PROCESSES not in found.seconds and (tuple(forms) != (STACKED,) or found.best == LOOP)
        return asks and is_worth(runs, found.seconds[LOOP])

    def _add(self, runs: Sequence[Assembly], measure: Callable[[], dict[str, float]]) -> None:
        """Measure, and know it from now on, beside what is known; the loop stays as it was."""
        what, key = _described(runs), _key(runs)
        if self.pinned:
            raise InputError("the plan says nothing of these models", where=str(self.path),
                             received=what, do="leave out --plan once")  # fmt: skip
        found, before = measure(), self.known.get(key)
        if found and before:
            factor = before.seconds[LOOP] / found[LOOP]
            found = {n: s * factor for n, s in found.items()} | before.seconds
        if found:
            rounded = {name: float(f"{s:.4g}") for name, s in found.items()}
            self.known[key] = Timings(what, rounded)
            self._save()

    def _save(self) -> None:
        """Keep what is known for other processes, if the disk lets us."""
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self.path, msgspec.json.format(msgspec.json.encode(self.known)))

    def to_dict(self) -> dict[str, object]:
        """What was measured for the runs at hand, and the choices; plain values."""
        measured = [
            {"what": t.what, "seconds": dict(t.seconds), "chosen": t.best}
            for t in self.used.values()
        ]
        return {"file": str(self.path), "fingerprint": self.fingerprint, "measured": measured}

    @property
    def fingerprint(self) -> str:
        """Of the choices that were made by measurement; empty if there were none."""
        made = sorted((key, timings.best) for key, timings in self.used.items())
        return hashlib.blake2b(repr(made).encode(), digest_size=6).hexdigest() if made else ""


def measured(runs: Sequence[Assembly], forms: Sequence[str]) -> dict[str, float]:
    """Seconds of a step of one member in each form: the best of a few, taken in turn.

    Args:
        runs: of one kind; copies of them are trained.
        forms: beside the loop.
    """
    with unchanged_randomness():
        clocks = {LOOP: _loop_steps(runs[0])}
        clocks |= {form: _crew_steps(runs, FORMS[form]) for form in forms}
        found: dict[str, list[float]] = {form: [] for form in clocks}
        for clock in clocks.values():
            next(clock)  # the first step of everything is slower
        for _ in range(REPEATS):
            for form, clock in clocks.items():
                if len(found[form]) == 0 or found[form][0] < 2 * found[LOOP][0]:
                    found[form].append(next(clock))
        for clock in clocks.values():
            clock.close()
    return {form: min(times) for form, times in found.items()}


def _loop_steps(run: Assembly) -> Generator[float]:
    """Seconds of each step of a copy of a run, trained by itself."""
    began = perf_counter()
    while True:
        copied = _copied(run)
        with closing(train(copied.program, copied.state)) as events:
            for event in events:
                if isinstance(event, Step):
                    yield perf_counter() - began
                    began = perf_counter()


def _crew_steps(
    runs: Sequence[Assembly], form: Callable[[Sequence[nn.Module]], nn.Module]
) -> Generator[float]:
    """Seconds of each step of copies of runs, trained together, for one member."""
    rows = stacked_rows(runs)
    while True:
        crew = Crew([_copied(run) for run in runs], rows, form)
        began = perf_counter()
        for batch in crew.rows.stretch(crew.readers(), crew.batch_size, crew.steps_to_boundary()):
            crew.step(batch)
            yield (perf_counter() - began) / len(runs)
            began = perf_counter()


def _copied(run: Assembly) -> Assembly:
    """A run that can be trained without a trace."""
    model = copy.deepcopy(run.state.model)
    optimizer, rate = build_optimizer(run.recipe, model, run.train)
    clip = run.recipe.clip.build([p for p in model.parameters() if p.requires_grad])
    program = replace(run.program, clip=clip, evaluate=lambda model: {}, rule=None)
    return replace(run, program=program, state=State(model, optimizer, rate))


def step_work(run: Assembly) -> float:
    """Multiply-adds of the forward pass of one step of a run."""
    one = run.train.take(torch.tensor([0]))
    return multiply_adds(run.state.model, one) * run.program.batch_size


def _described(runs: Sequence[Assembly]) -> str:
    """The kind of runs in words, with all that the time of a step depends on but the layers."""
    run, count = runs[0], 2 ** (min(len(runs), MEASURED).bit_length() - 1)
    size = sum(p.numel() for p in run.state.model.parameters())
    return (
        f"{count}+ x {run.recipe.model.name} of {size:,} parameters, {run.recipe.optimizer.name}, "
        f"batch {run.program.batch_size}, {run.recipe.precision}, "
        f"{torch.get_num_threads()} threads of {_processor()}, torch {torch.__version__}"
    )


def _key(runs: Sequence[Assembly]) -> str:
    """What a kind of runs is called in the file."""
    text = f"{_described(runs)} {_signature(runs[0])}"
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _signature(run: Assembly) -> str:
    """Layers and shapes of a run."""
    shapes = [(name, tuple(p.shape)) for name, p in run.state.model.named_parameters()]
    return f"{run.shapes} {shapes} {run.state.model}"


@lru_cache(maxsize=1)
def _processor() -> str:
    """The name of the processor."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    return platform.machine()


def _cache() -> Path:
    """Where this machine's plan is kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "chymist"
