"""Where a run is computed: the device, and whether rows are held in memory or streamed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from chymist.errors import UsageError
from chymist.values import Data

CPU = torch.device("cpu")
SMALL = 2**22  # bytes that are held without a look at the memory, which takes its time
SHARE = 0.5  # of the free memory that prepared rows may take before they are streamed


@dataclass(frozen=True)
class Place:
    """Where a run is computed. Of these only the device affects a number's last bits.

    Args:
        device: of the model and of rows in memory.
        workers: processes that prepare batches ahead; 0 streams without any; None holds all
            prepared rows in memory if they fit, and streams them if they do not.
    """

    device: torch.device = CPU
    workers: int | None = None

    def workers_for(self, data: Data, size: int) -> int | None:
        """How many workers stream some rows; None holds them in memory.

        Args:
            data: what they are read from.
            size: bytes of all of them, prepared.
        """
        if self.workers is not None:
            return self.workers
        if size < SMALL:
            return None
        free = free_memory()
        if self.device.type == "cuda":
            free = min(free, torch.cuda.mem_get_info(self.device)[0])
        if size <= SHARE * free:
            return None
        return max(1, (os.cpu_count() or 1) // 2) if data.kind == "image" else 0


MEMORY = Place()


def choose_device(name: str | None) -> torch.device:
    """The device of a name: "cpu", "cuda" or "cuda:1"; "auto" takes a GPU where there is one.

    Raises:
        UsageError: an unknown name, or no such device here.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    count = torch.cuda.device_count()
    if name in (None, "auto"):
        return torch.device("cuda", 0) if count else CPU
    kind, _, number = str(name).partition(":")
    if kind == "cpu" and not number:
        return CPU
    if kind == "cuda" and (number or "0").isdecimal() and int(number or 0) < count:
        return torch.device("cuda", int(number or 0))
    raise UsageError(
        "no such device", where="device", received=f"'{name}'",
        do="use cpu" + ("".join(f" or cuda:{n}" for n in range(count)) or "; no GPU is seen here"),
    )  # fmt: skip


def free_memory() -> int:
    """Bytes that this process could still take: of the machine, and of its control group."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration, ValueError):
        return 4 * 2**30  # unknown: what an ordinary computer can spare
    try:
        group = Path("/sys/fs/cgroup")
        most = int((group / "memory.max").read_text())
        return min(free, most - int((group / "memory.current").read_text()))
    except (OSError, ValueError):  # no limit reads "max"
        return free
