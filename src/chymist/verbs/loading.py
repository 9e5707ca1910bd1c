"""How fast rows are read and how fast a model trains with them, before training begins."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from chymist.doctor.loading import LoadingThroughput, Source, Step, measure
from chymist.doctor.probing import device_of, first_tensor
from chymist.doctor.reading_loss import FAILS
from chymist.doctor.restoring import unchanged_generators, untouched
from chymist.engine.assembly import Assembly, assemble
from chymist.engine.defaults import check_split, complete
from chymist.engine.loop import Program, State, scaler, train
from chymist.engine.place import Place, choose_device
from chymist.engine.randomness import foreign_randomness, unchanged_randomness
from chymist.engine.rows import AHEAD, Batch, Streamed
from chymist.errors import InputError
from chymist.keys import order
from chymist.values import Data, Recipe, Split
from chymist.verbs.sources import as_split

ENDLESS = 2**40  # steps; measuring ends sooner


def loading_throughput(
    source: Iterable[Any] | Split | Data,
    model: nn.Module | Recipe | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    loss_fn: Callable[..., Tensor] | None = None,
    *,
    seconds: float = 5.0,
    workers: int | None = None,
    device: str | None = None,
) -> LoadingThroughput:
    """Measure whether reading rows or training with them will bound a run.

    Waiting takes r / (r + t) of the time, or max(0, 1 - t / r) where workers prepare batches
    ahead; r and t are the seconds in which a batch is read, and trained with once it is there.
    Model, optimiser, random states and the loader are left as they are: training works on copies.

    Args:
        source: a torch `DataLoader`, anything else that gives batches (inputs, targets) every
            time that it is iterated over, or data or a split of chymist.
        model: that is trained; None measures reading only. With data or a split: a recipe.
        optimizer: of the model; None leaves its steps out.
        loss_fn: (outputs, targets) -> scalar; None takes a mean of squares in its place.
        seconds: that measuring takes, about.
        workers, device: as in `fit`, with data or a split.

    Returns:
        Samples per second of both, the share of time that will be waiting, advice, and
        `finding`, which is None unless more than 30 % of the time will be waiting.

    Raises:
        InputError: there are no batches, they can be read only once, or the model refuses them.

    Example:
        >>> rows = torch.utils.data.TensorDataset(torch.randn(64, 4), torch.zeros(64).long())
        >>> loader = DataLoader(rows, batch_size=16)
        >>> found = loading_throughput(loader, nn.Linear(4, 2), seconds=0.1)
        >>> found.batch, found.workers, 0 < found.waiting.value < 1
        (16, 0, True)

    Source: fault 29 of the doctor's taxonomy: the loader against one batch that is there.
    """
    if isinstance(source, Data | Split):
        recipe = (
            model if isinstance(model, Recipe) else Recipe(**({"model": model} if model else {}))
        )
        return _run_throughput(source, recipe, Place(choose_device(device), workers), seconds)
    if isinstance(model, Recipe):
        raise InputError("a recipe needs data or a split", where="loading_throughput(model=)",
                         received=type(source).__name__, do="give the module")  # fmt: skip
    batches = source_of(_copied(source), None if model is None else device_of(model))
    with unchanged_generators(_parts(source)):
        if model is None:
            with unchanged_randomness():
                return measure(batches, None, seconds)
        with untouched(model, loss_fn):
            return measure(batches, training_step(model, optimizer, loss_fn), seconds)


def source_of(loader: Any, device: torch.device | None = None) -> Source:
    """A loader as batches that can be read again and again.

    Args:
        loader: gives an iterator each time that it is iterated over.
        device: where batches go; None leaves them where they are.

    Raises:
        InputError: it can be read only once, or is not iterable.

    Example:
        >>> source = source_of(DataLoader(torch.zeros(10, 3), batch_size=4, num_workers=2))
        >>> source.workers, source.ahead, source.length
        (2, 4, 3)
    """
    if not isinstance(loader, Iterable) or isinstance(loader, Iterator):
        raise InputError(
            "the loader cannot be read again and again", where="loading_throughput(source=)",
            received=type(loader).__name__, do="give the DataLoader itself, or a list of batches",
        )  # fmt: skip
    workers = int(getattr(loader, "num_workers", 0))
    persistent = bool(getattr(loader, "persistent_workers", False))
    away = device is not None and device.type != "cpu"

    def batches() -> Iterator[Any]:
        for batch in loader:
            yield _moved(batch, device) if away else batch

    torch_own = isinstance(loader, DataLoader)
    pinned = bool(getattr(loader, "pin_memory", False))
    return Source(
        batches, _rows, workers, workers * int(getattr(loader, "prefetch_factor", None) or 2),
        _length(loader), persistent, torch_own and not persistent,
        torch_own and away and not pinned,
    )  # fmt: skip


def training_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    loss_fn: Callable[..., Tensor] | None = None,
) -> Step:
    """What trains a copy of a model on a batch (inputs, targets).

    Args:
        model, optimizer: they are copied.
        loss_fn: (outputs, targets) -> scalar; None takes a mean of squares.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> step = training_step(model, torch.optim.SGD(model.parameters(), lr=1.0))
        >>> before = model.weight.detach().clone()
        >>> step((torch.ones(3, 2), torch.zeros(3)))
        >>> torch.equal(model.weight, before)
        True
    """
    twin, steps, loss = copy.deepcopy((model, optimizer, loss_fn))
    twin.train()
    device = device_of(twin)

    def step(batch: Any) -> None:
        try:
            inputs, targets = batch
            twin.zero_grad(set_to_none=True)
            outputs = twin(inputs)
            value = (
                loss(outputs, targets) if loss else first_tensor(outputs).float().square().mean()
            )
            value.backward()
        except FAILS as error:
            raise InputError(
                "the model cannot be trained on a batch", where="loading_throughput(model=)",
                received=f"{type(error).__name__}: {error!s:.60}",
                do="give batches (inputs, targets) that fit model and loss",
            ) from error  # fmt: skip
        if steps is not None:
            steps.step()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)

    return step


def assembly_throughput(assembly: Assembly, seconds: float) -> LoadingThroughput:
    """Reading and training of a run of chymist's own; nothing of it is changed.

    Args:
        assembly: the run, before its first step.
        seconds: that measuring takes, about.
    """
    with untouched(assembly.state.model):
        return measure(_program_source(assembly.program), _program_step(assembly), seconds)


def _run_throughput(
    data: Split | Data, recipe: Recipe, place: Place, seconds: float
) -> LoadingThroughput:
    """Reading and training of what `fit` would run."""
    split = as_split(data, 0)
    check_split(split)
    with foreign_randomness(0):
        return assembly_throughput(assemble(complete(recipe, split), split, 0, place), seconds)


def _program_source(program: Program) -> Source:
    """The batches of the first epoch of a run, again and again."""
    rows, size = program.rows, program.batch_size * program.accumulate
    workers = rows.workers if isinstance(rows, Streamed) else 0
    indices = torch.from_numpy(order(program.seed, 0, len(rows))).split(size)
    return Source(
        lambda: rows.batches(indices), _rows, workers, workers * AHEAD, len(indices),
        hint="--workers {}", memory="no --workers, so that rows are kept in memory if they fit",
    )  # fmt: skip


def _program_step(assembly: Assembly) -> Step:
    """One step of the loop itself, on a copy that trains at rate 0: its weights stay finite."""
    program, state = assembly.program, assembly.state
    model, optimizer = copy.deepcopy((state.model, state.optimizer))
    scaled = scaler(program.rows.targets.device.type, state.scaler.is_enabled())
    twin, again = State(model, optimizer, state.rate, scaled), _Again(len(program.rows))
    events = train(
        replace(
            program, rows=again, schedule=lambda step: 0.0, clip=None, evaluate=lambda model: {},
            rule=None, total_steps=ENDLESS, weights=None,
        ),
        twin,
    )  # fmt: skip

    def step(batch: Batch) -> None:
        again.batch = batch
        next(events)

    return step


class _Again:
    """Rows that give one batch over and over."""

    batch: Batch

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return self.rows

    @property
    def targets(self) -> Tensor:
        """Of the batch."""
        return self.batch[1]

    def batches(self, indices: Iterable[Tensor]) -> Iterator[Batch]:
        """The batch, for each list of row numbers."""
        for _ in indices:
            yield self.batch

    def take(self, index: Tensor) -> Tensor:
        """Inputs of the batch."""
        return self.batch[0]


def _copied(loader: Any) -> Any:
    """A copy of a `DataLoader`, whose workers are not those of the original."""
    if not isinstance(loader, DataLoader):
        return loader
    twin = copy.copy(loader)
    twin._iterator = None
    return twin


def _parts(loader: Any) -> list[object]:
    """A loader and its parts that may hold a random generator."""
    return [loader, *(getattr(loader, name, None) for name in ("sampler", "dataset"))]


def _moved(batch: Any, device: torch.device | None) -> Any:
    """A batch on a device, when it has arrived there."""
    if isinstance(batch, Tensor):
        there = batch.to(device, non_blocking=True)
        torch.accelerator.synchronize(device)
        return there
    if isinstance(batch, tuple | list):
        return [_moved(part, device) for part in batch]
    return batch


def _rows(batch: Any) -> int:
    """Rows of a batch."""
    if isinstance(batch, tuple | list) and batch and hasattr(batch[0], "__len__"):
        return _rows(batch[0])
    if isinstance(batch, dict) and batch:
        return _rows(next(iter(batch.values())))
    return len(batch) if hasattr(batch, "__len__") else 1


def _length(loader: Any) -> int | None:
    """Number of batches, where it is known; that of a stream is not."""
    try:
        return len(loader) or None
    except TypeError:
        return None
