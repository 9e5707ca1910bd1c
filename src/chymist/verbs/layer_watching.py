"""What layers do while a run trains: an observer of `fit` that looks now and then.

A look is taken at a real step: the outputs of layers are heard in the forward pass of its batch,
the gradients are those that the step used, and some values of each tensor say how far it moved.
Nothing is computed twice, and nothing is drawn.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np
import torch
from torch import Tensor, nn

from chymist.doctor.probing import Layer, listening, norms
from chymist.doctor.reading_loss import FAILS
from chymist.doctor.sampling import Sampler, is_ready, share_of_each, spread, trained_parameters
from chymist.engine.assembly import Assembly
from chymist.engine.events import Event, Step
from chymist.engine.layer_record import FILE, OUTPUT, TENSOR, LayerRecorder, Seen, log_counts
from chymist.optim import is_solved

SHARE = 0.02  # of the time of a run that looks may take in all,
FREE = 0.05  # and seconds that they may take in any case: some tens of looks at a small model
LENT = 0.25  # seconds of that share that may be spent early, where most changes
DENSE = 10  # looks are at steps a tenth apart, each of the first ten steps,
EVEN = 100  # and at least so many over the run, if they are not too dear
KEPT = 2000  # values of an output that its histogram counts
CALLS = 8  # of one layer in a step that are told apart


@dataclass
class _Look:
    """A look that has begun: what was there before the step, and what the layers gave."""

    step: int
    trained: list[tuple[str, nn.Parameter]]
    before: list[np.ndarray]
    seconds: float
    layers: list[Layer] = field(default_factory=list)


class LayerWatcher:
    """Looks at the layers of a run, and writes what it sees; it changes nothing.

    What cannot be written, or looked at in a foreign module, ends the looking and not the run.

    Args:
        assembly: the run.
        folder: of the run.
        on: whether to look. A solved model has no steps to look at.
    """

    def __init__(self, assembly: Assembly, folder: Path, on: bool = True) -> None:
        self.notes, self.path = list[str](), folder / FILE
        self.assembly, self.state, program = assembly, assembly.state, assembly.program
        self._inner, self._total = program.apply, program.total_steps
        self._sampler = Sampler()
        self._look: _Look | None = None
        self._record: LayerRecorder | None = None
        self._due, self._counted, self._took = 1, 0, 0.0
        self._on = on and not is_solved(assembly.recipe) and not _is_compiled(self.state.model)
        self._since = perf_counter()
        if self._on:
            self.assembly = replace(assembly, program=replace(program, apply=self._apply))

    def catch_up(self) -> None:
        """Go on where a resumed run stands."""
        with self._guarded():
            if self._on and self.path.is_file():
                record = self._opened()
                record.truncate(self.state.step)
                self._due, self._counted = self.state.step + 1, self.state.step

    def __call__(self, event: Event) -> None:
        """Finish the look at a step that was taken."""
        look = self._look
        if look is not None and isinstance(event, Step):
            self._look = None
            if event.step == look.step:
                with self._guarded():
                    self._finish(look)

    def close(self) -> None:
        """Write what the layers gave in a step that never ended, and close the file."""
        with self._guarded():
            if self._look is not None and self._look.layers:
                self._write(self._look, self._outputs(self._look), 0.0)
        self._on, self._look = False, None
        self._sampler.views.clear()
        if self._record is not None:
            self._record.close()
            self._record = None

    # ---------------------------------------------------------------- a look
    def _apply(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """What the model gives; at some steps its layers are heard."""
        step = self.state.step + 1
        if not self._on or step < self._due or self._look is not None or not self._affordable():
            return self._inner(model, inputs)
        began = thread_time()
        look = None
        with self._guarded():
            look = self._look = self._begin(step)
        if look is None:
            return self._inner(model, inputs)
        keep = KEPT if self._counts(step) else 0
        look.seconds = thread_time() - began
        with listening(model, look.layers, keep, self._noting):
            return self._inner(model, inputs)

    def _begin(self, step: int) -> _Look | None:
        """What is there before a step, and when to look next."""
        self._due = step + 1
        if not is_ready(self.state.model):
            return None
        trained = trained_parameters(self.state.model)
        return _Look(step, trained, _arrays(self._sampler.parts(trained)), 0.0)

    def _affordable(self) -> bool:
        """Whether a look as long as the last one is within the share of the time."""
        if self._record is None:
            return True
        early = min(LENT, SHARE * self._expected())
        most = max(FREE, SHARE * self._elapsed(), early)
        return self._record.spent + self._took <= most

    def _expected(self) -> float:
        """Seconds that the whole run will take, as far as it can be told."""
        return self._elapsed() / max(1, self.state.step) * self._total

    def _gap(self, step: int) -> int:
        """Steps to the next look: a tenth of those taken, or more where fewer can be paid for."""
        left = max(FREE, SHARE * self._expected()) - (self._record.spent if self._record else 0.0)
        looks = max(1.0, left / max(self._took, 1e-9))
        wide = step * ((self._total / step) ** (1 / looks) - 1)
        return max(1, min(step // DENSE, self._total // EVEN), int(wide))

    def _elapsed(self) -> float:
        return perf_counter() - self._since

    def _counts(self, step: int) -> bool:
        """Whether a look holds histograms: the first, and whenever the steps have grown a half."""
        return step > 1.5 * self._counted

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Around what is done for a layer in the forward pass."""
        began = thread_time()
        with self._guarded(), torch.no_grad(), torch._C.DisableTorchFunction():
            yield  # what is done here is no function of the model
        if self._look is not None:
            self._look.seconds += thread_time() - began

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """What fails ends the looking."""
        try:
            yield
        except (OSError, sqlite3.Error, *FAILS) as error:
            self._on, self._look = False, None
            self.notes.append(f"nothing more was written about layers: {str(error).lower()[:80]}")

    def _finish(self, look: _Look) -> None:
        """Numbers of the tensors after the step, with those of the outputs."""
        began = thread_time()
        gradients = [p.grad for _, p in look.trained]
        pulls = iter(norms([g for g in gradients if g is not None]))
        sizes = norms([p for _, p in look.trained])
        now = _arrays(self._sampler.parts(look.trained))
        counts = self._tensor_counts(now, gradients) if self._counts(look.step) else []
        tensors = []
        for n, (name, parameter) in enumerate(look.trained):
            pull = 0.0 if gradients[n] is None else next(pulls)
            numbers = pull, _ratio(look.before[n], now[n]), sizes[n]
            tensors.append(Seen(TENSOR, name, "", parameter.numel(), numbers,
                                counts[n] if counts else {}))  # fmt: skip
        self._write(look, [*tensors, *self._outputs(look)], thread_time() - began)
        self._due = min(look.step + self._gap(look.step), max(self._total, look.step + 1))

    def _tensor_counts(
        self, weights: Sequence[np.ndarray], gradients: Sequence[Tensor | None]
    ) -> list[dict[str, np.ndarray]]:
        most = share_of_each(len(weights))
        pulls = _arrays([
            torch.zeros(0) if g is None or g.is_sparse else spread(g.detach(), most)
            for g in gradients
        ])  # fmt: skip
        made = zip(_counted(weights), _counted(pulls), strict=True)
        return [{"weights": own, "gradients": pull} for own, pull in made]

    def _outputs(self, look: _Look) -> list[Seen]:
        """Outputs of the layers, the calls of one layer by number."""
        called: Counter[str] = Counter()
        found = []
        some = [la.some for la in look.layers]
        kept = _arrays([torch.zeros(0) if part is None else part for part in some])
        counts = _counted(kept) if any(part is not None for part in some) else None
        for n, layer in enumerate(look.layers):
            called[layer.name] += 1
            number = called[layer.name]
            if number > CALLS:
                continue
            name = layer.name or layer.kind
            found.append(Seen(
                OUTPUT, name if number == 1 else f"{name} ({number})", layer.kind, layer.units,
                (layer.mean, layer.deviation, layer.silent, layer.saturated),
                {} if counts is None else {"outputs": counts[n]},
            ))  # fmt: skip
        return found

    def _write(self, look: _Look, seen: Sequence[Seen], more: float) -> None:
        began, record = thread_time(), self._opened()
        if seen and seen[0].histograms:
            self._counted = look.step
        took = look.seconds + more
        record.add(look.step, took, self._elapsed(), seen)
        written = thread_time() - began
        record.spent += written
        self._took = min(took + written, 2 * self._took or math.inf)  # the first is the dearest

    def _opened(self) -> LayerRecorder:
        """The record; its time goes on where it stood."""
        if self._record is None:
            self._record = LayerRecorder(self.path)
            self._since -= self._record.elapsed
        return self._record


def _is_compiled(model: nn.Module) -> bool:
    """Whether hooks would have to be compiled as well."""
    return any(
        m._compiled_call_impl is not None or hasattr(m, "_orig_mod") for m in model.modules()
    )


def _arrays(parts: Sequence[Tensor]) -> list[np.ndarray]:
    """Tensors as arrays, with one wait for the device."""
    if not parts:
        return []
    flat = torch.cat([part.detach().reshape(-1).to(parts[0].device) for part in parts])
    whole = (flat.abs() if flat.is_complex() else flat).double().cpu().numpy()
    return np.split(whole, np.cumsum([part.numel() for part in parts])[:-1])


def _ratio(before: np.ndarray, after: np.ndarray) -> float:
    """How far weights have moved, over their size before."""
    with np.errstate(all="ignore"):
        moved, size = np.linalg.norm(after - before), np.linalg.norm(before)
        return float(moved / size) if size > 0 else float(np.where(moved > 0, np.inf, 0.0))


def _counted(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Histograms of several arrays, (arrays, 64)."""
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    values = np.concatenate(parts) if parts else np.zeros(0)
    return log_counts(values, owner, len(parts))
