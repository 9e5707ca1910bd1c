"""The courses of many trainings: kept while they run, written beside a study, read back."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from chymist.engine.events import Epoch
from chymist.engine.files import read_file, write_file
from chymist.engine.member_record import FILE as MEMBERS
from chymist.engine.member_record import read_members
from chymist.errors import InputError

History = dict[str, list[tuple[int, float]]]
Curves = Mapping[str, np.ndarray]

FILE = "curves.npz"  # of studies that write their curves when they have ended


class Histories:
    """A watcher that keeps what the epochs of each training say.

    Args:
        members: number of trainings.
        watcher: sees the epochs as well.
    """

    def __init__(self, members: int, watcher: Callable[[int, Epoch], object] | None) -> None:
        self.series: tuple[History, ...] = tuple({} for _ in range(members))
        self.watcher = watcher

    def __call__(self, number: int, epoch: Epoch) -> None:
        for name, value in epoch.values.items():
            self.series[number].setdefault(name, []).append((epoch.step, value))
        if self.watcher:
            self.watcher(number, epoch)

    def curves(self, members: int) -> dict[str, np.ndarray]:
        """The series of the first trainings as arrays, see `curves_of`."""
        return curves_of(self.series[:members])


def curves_of(histories: Sequence[History]) -> dict[str, np.ndarray]:
    """Recorded series as arrays: by name, (trainings, epochs), nan where one had ended.

    Args:
        histories: of the trainings: step and value after every epoch, by name.

    Example:
        >>> curves_of([{"train_loss": [(4, 2.0), (8, 1.0)]}, {"train_loss": [(4, 3.0)]}])
        {'train_loss': array([[ 2.,  1.],
               [ 3., nan]])}
    """
    found = {}
    for name in dict.fromkeys(name for history in histories for name in history):
        length = max(len(history.get(name, ())) for history in histories)
        found[name] = np.full((len(histories), length), np.nan)
        for number, history in enumerate(histories):
            values = [value for _, value in history.get(name, ())]
            found[name][number, : len(values)] = values
    return found


def write_curves(folder: Path, curves: Curves) -> None:
    """Write curves into the folder of a study, if there are any."""
    if curves:
        stream = io.BytesIO()
        np.savez_compressed(stream, **curves)  # type: ignore[arg-type]
        write_file(folder / FILE, stream.getvalue())


def read_curves(folder: Path) -> dict[str, np.ndarray]:
    """The curves of a study; none of one from before they were kept.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / FILE
    if (folder / MEMBERS).is_file():
        return read_members(folder / MEMBERS).curves()
    if not path.exists():
        return {}
    try:
        with np.load(io.BytesIO(read_file(path)), allow_pickle=False) as file:
            found = {name: np.asarray(file[name], np.float64) for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError("the curves cannot be read", where=str(path),
                         received=type(error).__name__,
                         do="restore the file, or remove it") from None  # fmt: skip
    odd = [name for name, values in found.items() if values.ndim != 2]
    if odd:
        raise InputError("the curves cannot be read", where=str(path),
                         received=f"'{odd[0][:40]}' of shape {found[odd[0]].shape}",
                         do="restore the file, or remove it")  # fmt: skip
    return found
