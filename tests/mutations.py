"""Steps of the protocol that are broken on purpose, to see that the checks notice.

A mutation is applied in a process that is thrown away afterwards.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from chymist.engine import checkpoint, loop, running

MUTATIONS: dict[str, Callable[[], None]] = {}


def mutation(function: Callable[[], None]) -> Callable[[], None]:
    MUTATIONS[function.__name__] = function
    return function


def _flush_only(wanted: Callable[[int], bool]) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if wanted(os.fstat(handle).st_mode):
            real(handle)

    os.fsync = fsync


@mutation
def files_are_not_flushed() -> None:
    _flush_only(stat.S_ISDIR)


@mutation
def folders_are_not_flushed() -> None:
    _flush_only(stat.S_ISREG)


@mutation
def nothing_is_read_back() -> None:
    checkpoint.verify = lambda path: None


@mutation
def renamed_before_the_manifest() -> None:
    """The draft gets its name first, the manifest is written into it afterwards."""
    write, rename, waiting = checkpoint.write_file, Path.rename, []
    checkpoint.verify = lambda path: None

    def late(path: Path, content: bytes) -> None:
        if path.name == "MANIFEST.json":
            waiting.append(content)
        else:
            write(path, content)

    def renamed(path: Path, target: Path) -> Path:
        made = rename(path, target)
        if waiting:
            write(made / "MANIFEST.json", waiting.pop())
        return made

    checkpoint.write_file = late
    Path.rename = renamed


def _remove(folder: Path, which: slice) -> None:
    for path in sorted(folder.glob("step-*"))[which]:
        shutil.rmtree(path)


@mutation
def old_ones_are_removed_first() -> None:
    real = checkpoint.write_file

    def write(path: Path, content: bytes) -> None:
        if path.name == "MANIFEST.json":
            _remove(path.parent.parent, slice(None))
        real(path, content)

    checkpoint.write_file = write


@mutation
def old_ones_are_removed_before_the_new_one_is_durable() -> None:
    real = checkpoint.flush_folder

    def flush(path: Path) -> None:
        if path.name == "checkpoints":
            _remove(path, slice(-1))
        real(path)

    checkpoint.flush_folder = flush


@mutation
def the_newest_one_is_removed() -> None:
    _after_saving(lambda folder: _remove(folder, slice(-1, None)))


@mutation
def only_the_newest_one_is_kept() -> None:
    _after_saving(lambda folder: _remove(folder, slice(-1)))


@mutation
def old_ones_are_never_removed() -> None:
    checkpoint.prune = lambda folder, newest: None


@mutation
def drafts_are_left() -> None:
    _after_saving(lambda folder: (folder / ".tmp-step-00000001").mkdir(exist_ok=True))


def _after_saving(action: Callable[[Path], Any]) -> None:
    real = running.save_checkpoint

    def save(folder: Path, state: Any) -> Any:
        made = real(folder, state)
        action(folder)
        return made

    running.save_checkpoint = save


@mutation
def errors_of_a_save_are_swallowed() -> None:
    real = running.save_checkpoint

    def save(folder: Path, state: Any) -> Any:
        try:
            return real(folder, state)
        except OSError:
            return None

    running.save_checkpoint = save


def _after_loading(action: Callable[[Any], Any]) -> None:
    real = checkpoint.load_checkpoint

    def load(path: Path, state: Any) -> None:
        real(path, state)
        action(state)

    checkpoint.load_checkpoint = load


@mutation
def the_optimizer_is_forgotten() -> None:
    def forget(state: Any) -> None:
        state.optimizer.state.clear()

    _after_loading(forget)


@mutation
def random_numbers_are_forgotten() -> None:
    _after_loading(lambda state: torch.manual_seed(0))


@mutation
def the_stopping_memory_is_forgotten() -> None:
    def forget(state: Any) -> None:
        state.best, state.best_value, state.best_step = None, None, 0

    _after_loading(forget)


@mutation
def the_sum_of_losses_is_forgotten() -> None:
    def forget(state: Any) -> None:
        if state.loss_rows:
            state.loss_sum = 0.0

    _after_loading(forget)


@mutation
def the_step_is_off_by_one() -> None:
    def forget(state: Any) -> None:
        state.step += 1

    _after_loading(forget)


@mutation
def running_statistics_are_forgotten() -> None:
    def forget(state: Any) -> None:
        for module in state.model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.reset_running_stats()

    _after_loading(forget)


@mutation
def the_order_starts_anew() -> None:
    """As where an iterator is made anew after a resume: its first epoch is epoch 0."""
    real, first = loop.order, []

    def order(seed: int, epoch: int, rows: int) -> Any:
        first.append(epoch)
        return real(seed, epoch - first[0], rows)

    loop.order = order


@mutation
def the_order_depends_on_the_process() -> None:
    real = loop.order
    loop.order = lambda seed, epoch, rows: real(seed + os.getpid(), epoch, rows)


@mutation
def points_after_the_checkpoint_are_kept() -> None:
    from chymist.engine.store import Recorder

    Recorder.truncate = lambda self, step, evaluated: None
